"""Caps on what this cell opens itself, and who yields when places for newcomers run out."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from typing import TYPE_CHECKING

import pytest
import trio
import trio.testing

from gossip.host import DialFailed, Host, PeerStream, TooManyDials
from gossip.host.addresses import address_key, parse_dial_address
from gossip.host.slots import NoPlace, Places, Slots
from tests.gossip.host.host_world import (
    HANG_S,
    assert_serves,
    eventually,
    eventually_there,
    ignore,
    read_all,
    run,
    started,
)

if TYPE_CHECKING:
    from gossip.host.engine import Engine


def test_outbound_connections_are_capped_and_their_places_come_back() -> None:
    async def main() -> None:
        async with (
            started("a", ignore) as a,
            started("c") as c,
            started("b", outbound_connections_max=2) as b,
        ):
            held = [await b.dial(a.addresses[0], timeout_s=HANG_S) for _ in range(2)]
            with pytest.raises(TooManyDials) as caught:
                await b.dial(c.addresses[0], timeout_s=HANG_S)
            assert (caught.value.code, caught.value.retryable) == ("MYC-HOST-015", True)
            await held[0].abort()
            await _until_it_serves(b, c)
            await held[1].abort()

    run(main)


async def _until_it_serves(b: Host, c: Host) -> None:
    async with asyncio.timeout(HANG_S):
        while True:
            with contextlib.suppress(TooManyDials):
                await assert_serves(c, b)
                return
            await asyncio.sleep(0.02)


def test_dials_beyond_those_at_once_wait_their_turn_within_their_deadline() -> None:
    async def main() -> None:
        with socket.create_server(("127.0.0.1", 0)) as silent:
            async with started("a") as a, started("b", dialling_max=1) as b:
                dead_end = f"/ip4/127.0.0.1/tcp/{silent.getsockname()[1]}/p2p/{a.cell_id}"
                stuck = asyncio.create_task(b.dial(dead_end, timeout_s=HANG_S))
                await eventually_there(b, lambda engine: _dialling(engine) == 1)
                with pytest.raises(DialFailed, match="no answer"):
                    await b.dial(a.addresses[0], timeout_s=0.2)
                waiting = asyncio.create_task(b.dial(a.addresses[0], timeout_s=HANG_S))
                await eventually_there(b, lambda engine: _waiting(engine) == 1)
                stuck.cancel()
                stream: PeerStream = await waiting
                await stream.close()
                await asyncio.wait([stuck])

    run(main)


def _dialling(engine: Engine) -> int:
    assert engine._dialler is not None
    return engine._dialler._places.borrowed_tokens


def _waiting(engine: Engine) -> int:
    assert engine._dialler is not None
    return engine._dialler._places.statistics().tasks_waiting


def test_slots_are_bounded_in_all_and_per_holder() -> None:
    slots = Slots(total_max=3, each_max=2)
    assert [slots.take("a") for _ in range(3)] == [True, True, False]
    assert [slots.take("b") for _ in range(2)] == [True, False]
    slots.free("a")
    assert len(slots) == 2
    assert slots.take("b")


def test_when_places_run_out_the_oldest_idle_holder_of_the_most_crowded_address_yields() -> None:
    async def main() -> None:
        places = Places(total_max=6, each_max=3)
        yielded: list[str] = []

        async def hold(name: str, begun: trio.Event) -> None:
            with places.place(name[0], lambda: "busy" not in name) as scope:
                begun.set()
                await trio.sleep(60)
            if scope.cancelled_caught:
                yielded.append(name)

        async with trio.open_nursery() as nursery:
            for name in ("a1 busy", "a2", "a3", "b1 busy", "b2 busy", "b3 busy"):
                begun = trio.Event()
                nursery.start_soon(hold, name, begun)
                await begun.wait()
            with pytest.raises(NoPlace), places.place("a", lambda: True):
                pass
            with places.place("honest", lambda: False):
                await trio.testing.wait_all_tasks_blocked()
                assert yielded == ["a2"]
                with places.place("honest", lambda: False):
                    await trio.testing.wait_all_tasks_blocked()
                    assert yielded == ["a2", "a3"]
                    assert len(places) == 6
                    with pytest.raises(NoPlace), places.place("late", lambda: True):
                        pass
            assert len(places) == 4
            nursery.cancel_scope.cancel()
        assert len(places) == 0

    trio.run(main)


@pytest.mark.parametrize(
    ("host", "key"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
    ],
)
def test_a_whole_64_of_ipv6_counts_as_one_address(host: str, key: str) -> None:
    assert address_key(host) == key


def test_connections_without_a_purpose_yield_to_newcomers_and_those_in_use_stay() -> None:
    async def main() -> None:
        async with (
            started("a", inbound_connections_max=4, purpose_grace_s=0.2) as a,
            started("b") as b,
            started("idle") as idle,
        ):
            swarm = a._bridge.engine()._swarm  # type: ignore[union-attr]  # the host is started
            used = await b.dial(a.addresses[0], timeout_s=HANG_S)
            engine = idle._bridge.engine()  # type: ignore[union-attr]  # the same
            target = parse_dial_address(a.addresses[0])

            async def take_the_rest() -> None:
                for _ in range(3):
                    await engine._swarm.connect(target)

            idle._bridge.call(engine._nursery.start_soon, take_the_rest)  # type: ignore[union-attr]  # the same
            await eventually(lambda: len(swarm._inbound) == 4)
            await eventually(lambda: len(swarm._upgrading) == 0)
            await asyncio.sleep(0.3)
            for _ in range(3):
                await assert_serves(a, b)
            await used.write(b"still here", timeout_s=HANG_S)
            assert await read_all(used, 10) == b"still here"
            await used.close()
            assert a.restarts == idle.restarts == 0

    run(main)
