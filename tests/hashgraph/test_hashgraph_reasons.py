"""What reasons say is what the definitions give: from them alone the whole order follows."""

from __future__ import annotations

from functools import reduce

import pytest

from core.ids import EventId, MemberIndex
from hashgraph import Engine, Event
from hashgraph.limits import ROUNDS_PASSED_SHOWN_MAX
from hashgraph.reasons import Reasons, first_votes, median_ns, reasons
from tests.hashgraph.hashgraph_cases import Case, bare_event, random_case


def ancestries(events: tuple[Event, ...]) -> dict[EventId, set[EventId]]:
    """By walking parents: nothing of the engine."""
    below: dict[EventId, set[EventId]] = {}
    for event in events:
        own = () if event.self_parent is None else (event.self_parent,)
        below[event.id] = {event.id}.union(*(below[p] for p in (*own, *event.other_parents)))
    return below


def engine_of(case: Case, events: tuple[Event, ...]) -> Engine:
    engine = Engine(
        case.weights,
        coin_period=case.coin_period,
        first_round=case.first_round,
        rule_set=case.rule_set,
    )
    for event in events:
        engine.add(event)
    return engine


def order_by(found: list[Reasons], by_id: dict[EventId, Event]) -> list[EventId]:
    """Sort as findOrder does, with nothing but what the reasons name."""

    def key(reason: Reasons) -> tuple[int, int, int, EventId]:
        assert reason.received is not None
        signatures = [int.from_bytes(by_id[j.judge].signature, "big") for j in reason.judges]
        whitening = reduce(int.__xor__, signatures)
        own = int.from_bytes(by_id[reason.id].signature, "big")
        median = median_ns([by_id[judge.first].time_ns for judge in reason.judges])
        return reason.received, median, own ^ whitening, reason.id

    return [reason.id for reason in sorted(found, key=key)]


@pytest.mark.parametrize("seed", range(60))
def test_the_order_follows_from_the_reasons_alone(seed: int) -> None:
    case = random_case(seed, forks=seed % 2 == 1, uneven=seed % 3 == 0, rule_set=2)
    events = case.events
    expected = case.by_oracle()
    engine = engine_of(case, events)
    below = ancestries(events)
    by_id = {event.id: event for event in events}
    ordered = []
    for event in events:
        found = reasons(engine, event.id)
        assert (found.round, found.received) == (
            expected.round[event.id],
            expected.received.get(event.id),
        )
        if found.received is not None:
            ordered.append(found)
            assert not found.pending
        for look in (*found.passed, *found.pending):
            assert {one.id for one in look.witnesses} == expected.witnesses[look.round]
            for one in look.witnesses:
                assert one.has == (event.id in below[one.id])
                assert one.famous == expected.famous[one.id]
        for look in found.passed:
            assert look.decided
            judges = [one for one in look.witnesses if one.judge]
            assert look.lacking or not judges  # else it would have been received here
            assert set(look.lacking) == {one.id for one in judges if not one.has}
        for look in found.pending:
            assert not look.decided
            judges_yet = [one for one in look.witnesses if one.famous is not False]
            assert set(look.lacking) == {one.id for one in judges_yet if not one.has}
        for judge in found.judges:
            chain = [judge.judge]
            while (parent := by_id[chain[-1]].self_parent) and event.id in below[parent]:
                chain.append(parent)
            assert judge.first == chain[-1]
        votes = first_votes(engine, event.id) if found.witness else ()
        for voter, sees in votes:
            assert sees == engine.sees(voter, event.id)
            assert not sees or event.id in below[voter]
        if found.witness:
            strong = [w for w in engine.witnesses(engine.round_of(event.id)) if w == event.id]
            assert strong == [event.id]
            assert all(engine.strongly_sees(event.id, other) for other in found.strongly_sees)
    assert order_by(ordered, by_id) == [item.event.id for item in expected.order]


def test_an_event_that_came_late_says_whose_judges_lacked_it() -> None:
    """Member 3 makes an event and tells nobody for many rounds."""
    tips = [bare_event(member, None, ()) for member in range(4)]
    hidden = tips[3]
    events = list(tips)
    tips = tips[:3]
    for step in range(1, 80):
        tips = [
            bare_event(m, tips[m], [tips[o] for o in range(3) if o != m], time_ns=step)
            for m in range(3)
        ]
        events += tips
    engine = Engine([1, 1, 1, 1])
    for event in events:
        engine.add(event)
    found = reasons(engine, hidden.id)
    assert found.received is None
    assert len(found.passed) == ROUNDS_PASSED_SHOWN_MAX
    assert found.passed[-1].round == engine.last_decided_round
    assert all(len(look.lacking) == 3 for look in (*found.passed, *found.pending))
    assert [look.round for look in found.pending] == list(
        range(engine.last_decided_round + 1, engine.last_round + 1)
    )
    assert {engine.round_of(one) for one in found.passed[0].lacking} == {found.passed[0].round}
    assert engine.tips(MemberIndex(3)) == (hidden.id,)
