"""Who waits for a stage hears of it exactly when it is reached, and memory stays bounded."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from core.ids import Round, TransactionId
from gateway.views import Stage
from node import receipts as receipts_module
from node.errors import NotStoredYet
from node.receipts import Receipts

A, B, C, D = (TransactionId(bytes([number]) * 32) for number in range(4))


def _in_a_loop(test: Callable[[], Awaitable[None]]) -> None:
    async def main() -> None:
        await test()

    asyncio.run(main())


def test_a_waiter_wakes_at_its_stage_and_not_before() -> None:
    async def test() -> None:
        receipts = Receipts()
        futures = {stage: receipts.wait(A, stage) for stage in Stage}
        for reached in Stage:
            receipts.reached([B], reached)
            receipts.reached([A], reached)
            for wanted, future in futures.items():
                assert future.done() == (wanted <= reached)
        track = receipts.track(A)
        assert track is not None
        assert track.waiters == []

    _in_a_loop(test)


def test_a_later_stage_wakes_those_who_wait_for_an_earlier_one() -> None:
    async def test() -> None:
        receipts = Receipts()
        future = receipts.wait(A, Stage.STORED)
        receipts.reached([A], Stage.APPLIED)
        assert future.done()

    _in_a_loop(test)


def test_a_stage_reached_already_is_not_waited_for() -> None:
    async def test() -> None:
        receipts = Receipts()
        receipts.reached([A], Stage.ACCEPTED)
        receipts.reached([A], Stage.ORDERED)
        assert receipts.wait(A, Stage.STORED).done()
        assert receipts.wait(A, Stage.ORDERED).done()
        assert not receipts.wait(A, Stage.APPLIED).done()

    _in_a_loop(test)


def test_the_time_of_a_stage_is_that_of_its_first_time() -> None:
    receipts = Receipts()
    receipts.reached([A], Stage.STORED)
    track = receipts.track(A)
    assert track is not None
    first = dict(track.stages_ns)
    receipts.reached([A], Stage.STORED)
    assert track.stages_ns == first
    assert track.stage is Stage.STORED
    assert receipts.track(B) is None


def test_what_others_submitted_is_not_remembered() -> None:
    receipts = Receipts()
    receipts.reached([A], Stage.ORDERED)
    receipts.applied(Round(1), [A])
    receipts.certified(Round(1))
    assert receipts.track(A) is None


def test_applied_rounds_are_certified_up_to_the_certified_one() -> None:
    receipts = Receipts()
    receipts.reached([A, B, C, D], Stage.STORED)
    receipts.applied(Round(1), [A])
    receipts.applied(Round(2), [])
    receipts.applied(Round(3), [B, C])
    receipts.applied(Round(5), [D])

    def stages() -> list[Stage | None]:
        tracks = [receipts.track(one) for one in (A, B, C, D)]
        return [None if track is None else track.stage for track in tracks]

    receipts.certified(Round(0))
    assert stages() == [Stage.APPLIED] * 4
    receipts.certified(Round(4))
    assert stages() == [Stage.CERTIFIED] * 3 + [Stage.APPLIED]
    receipts.certified(Round(4))
    receipts.certified(Round(9))
    assert stages() == [Stage.CERTIFIED] * 4


def test_who_stops_waiting_is_forgotten_and_wakes_nobody_else() -> None:
    async def test() -> None:
        receipts = Receipts()
        one, two = receipts.wait(A, Stage.STORED), receipts.wait(A, Stage.STORED)
        receipts.stop_waiting(A, one)
        assert one.cancelled()
        assert receipts.track(A) is not None
        receipts.stop_waiting(A, two)
        assert receipts.track(A) is None
        receipts.stop_waiting(A, two)
        three = receipts.wait(B, Stage.STORED)
        three.cancel()
        receipts.reached([B], Stage.STORED)
        track = receipts.track(B)
        assert track is not None
        assert track.waiters == []

    _in_a_loop(test)


def test_everybody_hears_that_the_cell_stops() -> None:
    async def test() -> None:
        receipts = Receipts()
        futures = [receipts.wait(one, Stage.STORED) for one in (A, A, B)]
        futures[1].cancel()
        receipts.fail_all(NotStoredYet("stopping"))
        for future in (futures[0], futures[2]):
            with pytest.raises(NotStoredYet):
                await future
        receipts.fail_all(NotStoredYet("again"))

    _in_a_loop(test)


def test_the_oldest_that_nobody_waits_for_is_forgotten_first(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(receipts_module, "RECEIPTS_TRACKED_MAX", 2)

    async def test() -> None:
        receipts = Receipts()
        waiting = receipts.wait(A, Stage.STORED)
        receipts.reached([B], Stage.STORED)
        receipts.reached([C], Stage.STORED)
        assert receipts.track(A) is not None
        assert receipts.track(B) is None
        assert receipts.track(C) is not None
        receipts.reached([A], Stage.STORED)
        assert waiting.done()

    _in_a_loop(test)


def test_a_waiter_is_heard_even_when_all_others_wait_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(receipts_module, "RECEIPTS_TRACKED_MAX", 2)

    async def test() -> None:
        receipts = Receipts()
        futures = [receipts.wait(one, Stage.STORED) for one in (A, B, C, D)]
        receipts.reached([A, B, C, D], Stage.STORED)
        assert all(future.done() for future in futures)

    _in_a_loop(test)
