"""A Want is answered whole, at a cost that does not grow with the history, and not too often."""

from __future__ import annotations

import time
from collections.abc import Sequence

from core.ids import CellId
from gossip.answers import Answers
from gossip.effects import SendEvents
from gossip.index import EventIndex
from gossip.limits import WANT_AGAIN_MS_MIN, WANT_INTERVAL_MS_MIN, WANT_PATIENCE_MS
from gossip.score import Misbehaviour
from hashgraph.event import Event
from tests.gossip.world import chain, event

A, B = CellId("a"), CellId("b")
FLOOD = Misbehaviour.WANT_FLOOD


def _answers(*events: Event, members: int = 2) -> Answers:
    index = EventIndex(members)
    for item in events:
        index.add(item, 100)
    return Answers(index)


def _whole(answers: Answers, sends: Sequence[SendEvents]) -> list[int]:
    """Take an answer out to its end; return its arrivals."""
    arrivals: list[int] = []
    todo = list(sends)
    while todo:
        send = todo.pop()
        arrivals += send.arrivals
        if not send.last:
            todo += answers.drained(send.peer)
    return arrivals


def test_a_want_soon_after_another_one_waits_until_it_is_due() -> None:
    answers = _answers(*chain(0, 10))
    assert _whole(answers, answers.wanted(A, (4, 0), 0)) == list(range(4, 10))
    assert answers.wanted(A, (8, 0), 10) == []
    assert answers.wait_ms(10) == WANT_INTERVAL_MS_MIN - 10
    assert answers.tick(WANT_INTERVAL_MS_MIN - 1) == []
    assert _whole(answers, answers.tick(WANT_INTERVAL_MS_MIN)) == [8, 9]
    assert answers.wait_ms(WANT_INTERVAL_MS_MIN) is None
    assert answers.take_blamed() == []
    assert _whole(answers, answers.wanted(B, (9, 0), 11)) == [9], "the others wait for nobody"


def test_asking_again_for_what_was_sent_is_answered_late_and_blamed() -> None:
    answers = _answers(*chain(0, 10))
    for vector in ((0, 0), (0, 0)):
        answers.wanted(A, vector, 0)
    assert answers.take_blamed() == [(A, FLOOD)]
    assert answers.tick(WANT_AGAIN_MS_MIN - 1) == []
    assert _whole(answers, answers.tick(WANT_AGAIN_MS_MIN)) == list(range(10))
    # Also with another vector that tells no more than the one before.
    answers.wanted(A, (9, 0), 10_000)
    answers.wanted(A, (8, 0), 10_000 + WANT_INTERVAL_MS_MIN)
    assert answers.take_blamed() == [(A, FLOOD)]
    assert (
        answers.wait_ms(10_000 + WANT_INTERVAL_MS_MIN) == WANT_AGAIN_MS_MIN - WANT_INTERVAL_MS_MIN
    )


def test_one_who_lost_patience_or_asks_with_tips_is_not_blamed() -> None:
    events = chain(0, 10)
    answers = _answers(*events)
    answers.wanted(A, (5, 0), 0)
    answers.wanted(A, ((events[4].id,), ()), WANT_INTERVAL_MS_MIN)
    answers.wanted(B, (5, 0), 0)
    answers.wanted(B, (5, 0), WANT_PATIENCE_MS)
    assert answers.take_blamed() == []


def test_a_flood_of_wants_costs_an_answer_now_and_then() -> None:
    answers = _answers(*chain(0, 1500))
    sent = 0
    for now_ms in range(0, 10_000, 5):
        sends = answers.wanted(A, (now_ms % 3, 0), now_ms) + answers.tick(now_ms)
        sent += sum(len(send.arrivals) for send in sends)
        sent += sum(len(send.arrivals) for send in answers.drained(A))
    assert sent <= 1500 * (10_000 // WANT_AGAIN_MS_MIN + 2)
    assert len(answers.take_blamed()) > 1000


def test_a_new_want_takes_the_place_of_the_answer_under_way() -> None:
    answers = _answers(*chain(0, 5000))
    first = answers.wanted(A, (0, 0), 0)
    assert first[0].arrivals == tuple(range(1024))
    assert answers.wanted(A, (4990, 0), 100) == [], "the link has to drain first"
    assert _whole(answers, answers.drained(A)) == list(range(4990, 5000))
    assert not answers.is_streaming(A)


def test_what_an_answer_costs_does_not_grow_with_the_history() -> None:
    def cost_s(length: int) -> float:
        trunk = chain(0, length)
        # What the asker lacks is at the very beginning and at the very end.
        index = EventIndex(2)
        for item in (*chain(1, 3), *trunk):
            index.add(item, 100)
        answers, want = Answers(index), ((trunk[-3].id,), ())
        # Of this thread alone: what else the machine does is not the answer's.
        best = 1.0
        for number in range(20):
            began = time.thread_time()
            sends = answers.wanted(CellId(str(number)), want, 0)
            best = min(best, time.thread_time() - began)
            assert [send.arrivals for send in sends] == [(0, 1, 2, length + 1, length + 2)]
        return best

    assert cost_s(20_000) < 5 * cost_s(200) + 0.001


def test_branches_are_told_apart_by_their_tips() -> None:
    trunk = chain(0, 3)
    left = [event(0, trunk[-1], salt=b"l")]
    left.append(event(0, left[0], salt=b"l"))
    right = [event(0, trunk[1], salt=b"r")]
    answers = _answers(*trunk, *left, *right)
    whole = {
        (left[1].id, right[0].id): [],
        (left[1].id,): [5],
        (right[0].id,): [2, 3, 4],
        (left[0].id,): [4, 5],
        (): list(range(6)),
        (event(1).id,): list(range(6)),
    }
    for number, (tips, expected) in enumerate(whole.items()):
        asker = CellId(str(number))
        assert _whole(answers, answers.wanted(asker, (tips, 0), 0)) == expected
