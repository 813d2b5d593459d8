"""The simulated host behaves as the real one: the tests of that one run against it too."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Coroutine
from types import ModuleType
from typing import Any

import pytest

from gossip.host import Host, HostConfig, StreamHandler
from sim.clock import installed
from sim.loop import SimLoop
from sim.network import SimNetwork
from tests.gossip.host import test_host_faults, test_host_streams
from tests.gossip.host.host_world import PROTOCOL, echo

SHARED = [
    test_host_streams.test_bytes_go_both_ways_and_both_ends_know_each_other,
    test_host_streams.test_the_cell_id_is_that_of_the_seed,
    test_host_streams.test_a_big_transfer_arrives_whole_in_both_directions_at_once,
    test_host_streams.test_many_messages_of_many_writers_keep_their_bytes,
    test_host_streams.test_a_read_deadline_or_cancellation_leaves_the_stream_intact,
    test_host_streams.test_a_cancelled_write_closes_the_connection,
    test_host_streams.test_a_slow_reader_slows_the_writer_and_loses_nothing,
    test_host_streams.test_closing_delivers_what_was_written_before,
    test_host_faults.test_a_port_in_use_is_named,
    test_host_faults.test_dialling_another_peer_id_than_the_one_that_answers_fails,
    test_host_faults.test_dialling_a_closed_port_fails_at_once_and_may_be_repeated,
    test_host_faults.test_a_handler_that_raises_ends_only_its_stream,
]


@pytest.mark.parametrize("shared", SHARED, ids=lambda test: test.__name__.removeprefix("test_"))
def test_as_the_real_host(shared: Callable[[], None], monkeypatch: pytest.MonkeyPatch) -> None:
    loop = SimLoop()
    network = SimNetwork(loop, 1, 3)
    machines: dict[str, int] = {}

    @contextlib.asynccontextmanager
    async def started(
        name: str,
        on_stream: StreamHandler = echo,
        listen: str = "/ip4/0.0.0.0/tcp/0",
    ) -> AsyncIterator[Host]:
        config = HostConfig(name.encode().ljust(32, b"."), (listen,), PROTOCOL)
        at = network.machine_at(listen.split("/")[2])
        index = machines.setdefault(name, len(machines)) if at is None else at.index
        make = network.host_of(loop.life(name), index)
        host = make(config, on_stream, lambda _cell, _address: None)
        await host.start()
        try:
            yield host
        finally:
            await host.stop()

    def run(main: Callable[[], Coroutine[Any, Any, None]], *, timeout_s: float = 20) -> None:
        async def bounded() -> None:
            async with asyncio.timeout(timeout_s):
                await main()

        with installed(loop, 1):
            loop.run_until_complete(bounded())

    module: ModuleType
    for module in (test_host_streams, test_host_faults):
        monkeypatch.setattr(module, "started", started)
        monkeypatch.setattr(module, "run", run)
    monkeypatch.setattr(test_host_streams, "room_bytes", lambda stream: stream._port._room_bytes)
    shared()
