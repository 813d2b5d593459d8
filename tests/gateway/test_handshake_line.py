"""Handshakes take turns by address, and no more of the loop than their share."""

from __future__ import annotations

import asyncio

import pytest

from gateway.handshake_line import HandshakeLine
from gateway.limits import (
    HANDSHAKE_BURST_S,
    HANDSHAKES_LOOKED_MAX,
    HANDSHAKES_OF_ADDRESS_MAX,
    HANDSHAKES_WAITING_MAX,
)
from tests.gateway.working_loop import WorkingLoop, run

SHARE, WORK_S = 0.125, 0.01


class Worked:
    """What was begun, each of which takes a while; whoever has a negative number has gone."""

    def __init__(self, loop: WorkingLoop) -> None:
        self._loop = loop
        self.order: list[int] = []
        self.late = 0
        self.line = HandshakeLine(self.begin, SHARE, is_late=self.is_late)

    def begin(self, who: int) -> bool:
        if who < 0:
            return False
        self.order.append(who)
        self._loop.work(WORK_S)
        self.line.charge(WORK_S)
        return True

    def is_late(self) -> None:
        self.late += 1

    async def all_begun(self) -> None:
        while self.line:  # noqa: ASYNC110 - nothing tells of what is waited for here
            await asyncio.sleep(WORK_S)


def test_who_comes_alone_waits_for_one_of_each_other_address() -> None:
    async def talk(loop: WorkingLoop) -> None:
        worked = Worked(loop)
        for who in range(20):
            worked.line.join(who, "crowd" if who % 2 else "others")
        worked.line.join(99, "alone")
        await worked.all_begun()
        assert worked.order.index(99) == 2
        assert sorted(worked.order) == [*range(20), 99]
        assert [who for who in worked.order if who % 2 and who < 99] == [*range(1, 20, 2)]

    run(talk)


def test_a_crowd_gets_its_share_and_what_was_saved_up() -> None:
    async def talk(loop: WorkingLoop) -> None:
        worked = Worked(loop)
        await asyncio.sleep(10 * HANDSHAKE_BURST_S)
        began_s = loop.time()
        for who in range(100):
            worked.line.join(who, "crowd")
        await worked.all_begun()
        span_s = loop.time() - began_s
        wanted_s = 100 * WORK_S / SHARE - HANDSHAKE_BURST_S
        assert span_s == pytest.approx(wanted_s, rel=0.1)
        assert worked.late

    run(talk)


def test_a_few_wait_for_no_pause() -> None:
    async def talk(loop: WorkingLoop) -> None:
        worked = Worked(loop)
        await asyncio.sleep(HANDSHAKE_BURST_S)
        began_s = loop.time()
        for who in range(6):
            worked.line.join(who, "page")
        await worked.all_begun()
        assert loop.time() - began_s == pytest.approx(6 * WORK_S, abs=WORK_S)
        assert not worked.late

    run(talk)


def test_who_has_gone_costs_no_turn_and_who_leaves_is_forgotten() -> None:
    async def talk(loop: WorkingLoop) -> None:
        worked, gone = Worked(loop), 8 * HANDSHAKES_LOOKED_MAX
        await asyncio.sleep(HANDSHAKE_BURST_S)
        for who in range(-gone, 0):
            worked.line.join(who, "crowd")
        worked.line.join(1, "crowd")
        worked.line.join(2, "crowd")
        worked.line.leave(2)
        worked.line.leave(2)
        for _ in range(gone // HANDSHAKES_LOOKED_MAX + 2):
            await asyncio.sleep(0)
        assert worked.order == [1]
        assert not worked.line
        assert not worked.late

    run(talk)


def test_an_address_has_room_for_a_few_and_for_one_however_many_others_there_are() -> None:
    async def talk(loop: WorkingLoop) -> None:
        line = Worked(loop).line
        for who in range(HANDSHAKES_OF_ADDRESS_MAX):
            assert not line.is_full("crowd")
            line.join(who, "crowd")
        assert line.is_full("crowd")
        for who in range(HANDSHAKES_WAITING_MAX):
            assert not line.is_full(f"{who}")
            line.join(1000 + who, f"{who}")
        assert line.is_full("1")
        assert not line.is_full("another")
        line.close()
        assert len(line) == 0

    run(talk)
