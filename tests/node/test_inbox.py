"""The inbox of consensus: a flooding peer waits for itself, own words never wait."""

from __future__ import annotations

import asyncio

import pytest

from core.ids import CellId, Epoch
from gossip.wire import Events, Have, Want
from node.inbox import (
    MEMBER_LANE,
    STRANGER_LANE,
    Connected,
    ConsensusInbox,
    FrameFrom,
    Gone,
    Wake,
)
from tests.waiting import run

FLOOD, QUIET = CellId("flood"), CellId("quiet")
SMALL = Have(Epoch(0), (0,))


def _events(count: int, size_bytes: int) -> Events:
    return Events(Epoch(0), (bytes(size_bytes),) * count, last=False)


def test_a_flood_holds_up_only_who_sends_it() -> None:
    async def main() -> None:
        inbox = ConsensusInbox()

        async def flood() -> None:
            while True:
                await inbox.put(FrameFrom(FLOOD, _events(1000, 200)), MEMBER_LANE)

        flooding = asyncio.create_task(flood())
        for _ in range(3):
            await asyncio.sleep(0)
        waiting = inbox.qsize()
        await inbox.put(FrameFrom(QUIET, _events(1, 200)), MEMBER_LANE)
        taken = [await inbox.get() for _ in range(3)]
        assert FrameFrom(QUIET, _events(1, 200)) in taken
        assert waiting <= MEMBER_LANE.count_max
        assert inbox.size_bytes <= MEMBER_LANE.size_bytes_max + 200_000
        flooding.cancel()
        await asyncio.wait([flooding])

    run(main())


def test_a_stranger_that_floods_gets_its_small_share_and_members_the_rest() -> None:
    async def main() -> None:
        inbox, members = ConsensusInbox(), [CellId("one"), CellId("two")]
        for number in range(60):
            for peer in members:
                await inbox.put(FrameFrom(peer, Want(Epoch(number), ())), MEMBER_LANE)
        for number in range(STRANGER_LANE.count_max):
            await inbox.put(FrameFrom(FLOOD, Want(Epoch(number), ())), STRANGER_LANE)
        first = [inbox.get_nowait() for _ in range(51)]
        assert sum(isinstance(item, FrameFrom) and item.peer == FLOOD for item in first) <= 4

    run(main())


def test_what_this_cell_says_itself_comes_first_and_a_second_wake_adds_nothing() -> None:
    async def main() -> None:
        inbox = ConsensusInbox()
        for _ in range(10):
            await inbox.put(FrameFrom(FLOOD, SMALL), MEMBER_LANE)
        inbox.get_nowait()
        for _ in range(1000):
            inbox.put_nowait(Wake())
        assert inbox.qsize() == 10
        assert Wake() in [inbox.get_nowait() for _ in range(2)]

    run(main())


def test_that_a_peer_came_and_went_stays_in_order_with_what_it_said_and_never_waits() -> None:
    async def main() -> None:
        inbox = ConsensusInbox()
        await inbox.put(Connected(FLOOD))
        for _ in range(STRANGER_LANE.count_max - 1):
            await inbox.put(FrameFrom(FLOOD, SMALL))
        for _ in range(20):
            await inbox.put(Gone(FLOOD))
            await inbox.put(Connected(FLOOD))
        heard = [inbox.get_nowait() for _ in range(inbox.qsize())]
        assert heard[0] == Connected(FLOOD)
        assert heard[1:16] == [FrameFrom(FLOOD, SMALL)] * 15
        assert heard[16:] == [Gone(FLOOD), Connected(FLOOD)] * 20
        with pytest.raises(asyncio.QueueEmpty):
            inbox.get_nowait()

    run(main())


def test_a_reader_that_waits_is_woken_and_a_writer_goes_on_when_there_is_room() -> None:
    async def main() -> None:
        inbox = ConsensusInbox()
        reading = asyncio.create_task(inbox.get())
        await asyncio.sleep(0)
        inbox.put_nowait(Wake())
        assert await reading == Wake()
        for _ in range(STRANGER_LANE.count_max):
            await inbox.put(FrameFrom(FLOOD, SMALL))
        writing = asyncio.create_task(inbox.put(FrameFrom(FLOOD, SMALL)))
        await asyncio.sleep(0)
        assert not writing.done()
        inbox.get_nowait()
        await writing

    run(main())


def test_a_writer_that_gave_up_leaves_no_trace() -> None:
    async def main() -> None:
        inbox = ConsensusInbox()
        for _ in range(STRANGER_LANE.count_max):
            await inbox.put(FrameFrom(FLOOD, SMALL))
        writing = asyncio.create_task(inbox.put(FrameFrom(FLOOD, SMALL)))
        await asyncio.sleep(0)
        writing.cancel()
        await asyncio.wait([writing])
        later = asyncio.create_task(inbox.put(FrameFrom(FLOOD, Have(Epoch(1), ()))))
        await asyncio.sleep(0)
        inbox.get_nowait()
        await later
        assert inbox.qsize() == STRANGER_LANE.count_max

    run(main())
