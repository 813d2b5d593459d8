"""Caps on what this cell opens itself, and who yields when places for newcomers run out."""

from __future__ import annotations

import asyncio
import contextlib
import socket

import pytest
import trio
import trio.testing

from gossip.host import DialFailed, PeerStream, TooManyDials
from gossip.host.slots import NoUpgradeSlot, Slots, UpgradeSlots
from tests.gossip.host.host_world import assert_serves, ignore, run, started


def test_outbound_connections_are_capped_and_their_places_come_back() -> None:
    async def main() -> None:
        async with (
            started("a", ignore) as a,
            started("c") as c,
            started("b", outbound_connections_max=2) as b,
        ):
            held = [await b.dial(a.addresses[0], timeout_s=5) for _ in range(2)]
            with pytest.raises(TooManyDials) as caught:
                await b.dial(c.addresses[0], timeout_s=5)
            assert (caught.value.code, caught.value.retryable) == ("MYC-HOST-015", True)
            await held[0].abort()
            await _until_it_serves(b, c)
            await held[1].abort()

    run(main)


async def _until_it_serves(b: object, c: object) -> None:
    for _ in range(100):
        with contextlib.suppress(TooManyDials):
            await assert_serves(c, b)  # type: ignore[arg-type]  # both are hosts
            return
        await asyncio.sleep(0.02)
    raise AssertionError("the place never came back")


def test_dials_beyond_those_at_once_wait_their_turn_within_their_deadline() -> None:
    async def main() -> None:
        with socket.create_server(("127.0.0.1", 0)) as silent:
            async with started("a") as a, started("b", dialling_max=1) as b:
                dead_end = f"/ip4/127.0.0.1/tcp/{silent.getsockname()[1]}/p2p/{a.cell_id}"
                stuck = asyncio.create_task(b.dial(dead_end, timeout_s=1))
                await asyncio.sleep(0.1)
                with pytest.raises(DialFailed, match="no answer"):
                    await b.dial(a.addresses[0], timeout_s=0.2)
                waiting: PeerStream = await b.dial(a.addresses[0], timeout_s=5)
                await waiting.close()
                with pytest.raises(DialFailed):
                    await stuck

    run(main)


def test_slots_are_bounded_in_all_and_per_holder() -> None:
    slots = Slots(total_max=3, each_max=2)
    assert [slots.take("a") for _ in range(3)] == [True, True, False]
    assert [slots.take("b") for _ in range(2)] == [True, False]
    slots.free("a")
    assert len(slots) == 2
    assert slots.take("b")


def test_when_upgrade_places_run_out_the_oldest_of_the_most_crowded_address_yields() -> None:
    async def main() -> None:
        slots = UpgradeSlots(total_max=5, each_max=3)
        yielded: list[str] = []

        async def hold(name: str, started: trio.Event) -> None:
            with slots.place(name[0]) as scope:
                started.set()
                await trio.sleep(60)
            if scope.cancelled_caught:
                yielded.append(name)

        async with trio.open_nursery() as nursery:
            for name in ("a1", "a2", "a3", "b1", "b2"):
                begun = trio.Event()
                nursery.start_soon(hold, name, begun)
                await begun.wait()
            with pytest.raises(NoUpgradeSlot), slots.place("a"):
                pass
            with slots.place("honest"):
                await trio.testing.wait_all_tasks_blocked()
                assert yielded == ["a1"]
                assert len(slots) == 5
            assert len(slots) == 4
            nursery.cancel_scope.cancel()
        assert len(slots) == 0

    trio.run(main)
