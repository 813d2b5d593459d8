"""The engine as its callers meet it: misuse, forks, queries and letting go of events."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from hashlib import sha256
from random import Random

import pytest

from core.ids import EventId, MemberIndex, Round, Sequence
from hashgraph import Engine, Event, Fork
from hashgraph.errors import (
    BrokenChain,
    DuplicateEvent,
    UnfitRules,
    UnknownEvent,
    UnknownMember,
    UnknownParent,
)
from hashgraph.limits import MEMBERS_MAX, WEIGHT_TOTAL_MAX
from tests.hashgraph.hashgraph_cases import bare_event, random_case, split_vote_case


def all_to_all(*, members: int = 4, rounds: int = 6) -> list[Event]:
    """Every member hears every other in each step: two steps make a round."""
    tips = [bare_event(member, None, ()) for member in range(members)]
    events = list(tips)
    for step in range(1, 2 * rounds):
        tips = [
            bare_event(m, tips[m], [tips[o] for o in range(members) if o != m], time_ns=step)
            for m in range(members)
        ]
        events += tips
    return events


def engine_with(events: list[Event], members: int = 4) -> Engine:
    engine = Engine([1] * members)
    for event in events:
        engine.add(event)
    return engine


def answers(engine: Engine, events: list[Event]) -> list[object]:
    known = [event for event in events if event.id in engine]
    return [
        len(engine),
        engine.heights(),
        engine.forked_creators,
        engine.branches(),
        engine.last_round,
        engine.last_decided_round,
        engine.unordered_count,
        [(engine.round_of(e.id), engine.famous(e.id), engine.received_round(e.id)) for e in known],
        [engine.tips(MemberIndex(member)) for member in range(4)],
    ]


def test_all_to_all_gossip_decides_every_round_with_all_judges() -> None:
    engine = Engine([1, 1, 1, 1])
    decided = [item for event in all_to_all() for item in engine.add(event).decided]
    assert [item.round for item in decided] == [1, 2, 3, 4]
    assert all(len(item.judges) == 4 for item in decided)
    assert engine.last_decided_round == 4
    assert engine.decided_rounds == (1, 2, 3, 4)
    assert engine.undecided_count == engine.last_round - 4
    assert engine.unordered_count == len(engine) - sum(len(item.ordered) for item in decided)


def test_a_member_alone_orders_its_own_events() -> None:
    engine = Engine([5], first_round=0)
    tip = bare_event(0, None, ())
    order = [item.event.id for d in engine.add(tip).decided for item in d.ordered]
    chain = [tip.id]
    for step in range(9):
        tip = bare_event(0, tip, (), time_ns=step)
        chain.append(tip.id)
        order += [item.event.id for d in engine.add(tip).decided for item in d.ordered]
    assert order == chain[: len(order)]
    assert len(order) >= 7


def test_consensus_times_strictly_increase_also_over_the_border_of_epochs() -> None:
    engine = Engine([1, 1, 1, 1], last_time_ns=1_000)
    times = [
        item.consensus_time_ns
        for event in all_to_all()
        for decided in engine.add(event).decided
        for item in decided.ordered
    ]
    assert times == sorted(set(times))
    assert times[0] == 1_001


def test_an_event_whose_parents_are_missing_changes_nothing() -> None:
    events = all_to_all()
    engine = engine_with(events[:10])
    before = answers(engine, events)
    with pytest.raises(UnknownParent):
        engine.add(events[20])
    assert answers(engine, events) == before


def test_an_event_added_twice_changes_nothing() -> None:
    events = all_to_all()
    engine = engine_with(events)
    before = answers(engine, events)
    for event in events:
        with pytest.raises(DuplicateEvent):
            engine.add(event)
    assert answers(engine, events) == before


def test_events_that_contradict_their_parents_are_refused_and_change_nothing() -> None:
    events = all_to_all()
    engine = engine_with(events[:8])
    before = answers(engine, events)
    good = events[8]
    fresh = EventId(sha256(b"another").digest())
    for bad, error in (
        (replace(good, id=fresh, creator=MemberIndex(4)), UnknownMember),
        (replace(good, id=fresh, creator=MemberIndex(1)), BrokenChain),
        (replace(good, id=fresh, sequence=Sequence(3)), BrokenChain),
        (replace(good, id=fresh, self_parent=None), BrokenChain),
    ):
        with pytest.raises(error):
            engine.add(bad)
        assert answers(engine, events) == before
    engine.add(good)


@pytest.mark.parametrize(
    ("weights", "coin_period"),
    [
        ([], 10),
        ([0, 0], 10),
        ([1, -1, 3], 10),
        ([1] * (MEMBERS_MAX + 1), 10),
        ([WEIGHT_TOTAL_MAX, 1], 10),
        ([1, 1], 1),
    ],
)
def test_rules_that_cannot_work_are_refused(weights: list[int], coin_period: int) -> None:
    with pytest.raises(UnfitRules):
        Engine(weights, coin_period=coin_period)


def test_a_fork_is_reported_with_both_events_and_both_branches_are_kept() -> None:
    engine = Engine([1, 1, 1, 1])
    first = bare_event(0, None, ())
    left, right = (bare_event(0, first, (), salt=salt) for salt in ("left", "right"))
    assert engine.add(first).fork is None
    assert engine.add(left).fork is None
    assert engine.add(right).fork == Fork(MemberIndex(0), Sequence(1), left.id, right.id)
    assert engine.forked_creators == (0,)
    assert engine.tips(MemberIndex(0)) == (left.id, right.id)
    assert engine.events_at(MemberIndex(0), Sequence(1)) == (left.id, right.id)
    assert engine.branches() == (0, 1, 2, 3, 0)
    assert engine.branch_of(right.id) == 4
    assert engine.branch_vector(right.id) == (0, -1, -1, -1, 1)
    assert engine.ancestor_vector(right.id) == (1, -1, -1, -1)
    assert engine.is_ancestor(right.id, first.id)
    assert not engine.is_ancestor(right.id, left.id)
    longer = bare_event(0, right, ())
    assert engine.add(longer).fork is None
    assert engine.heights() == (2, -1, -1, -1)


def test_two_first_events_of_a_member_are_a_fork() -> None:
    engine = Engine([1, 1])
    one, two = (bare_event(1, None, (), salt=salt) for salt in ("one", "two"))
    engine.add(one)
    assert engine.add(two).fork == Fork(MemberIndex(1), Sequence(0), one.id, two.id)
    assert engine.add(bare_event(1, None, (), salt="three")).fork is not None
    assert len(engine.tips(MemberIndex(1))) == 3


def test_a_witness_that_turns_up_after_its_round_was_decided_is_not_famous() -> None:
    events = all_to_all(members=4)
    late = [event for event in events if event.creator == 3]
    engine = Engine([1, 1, 1, 1])
    tips = [bare_event(member, None, ()) for member in range(3)]
    for tip in tips:
        engine.add(tip)
    for step in range(1, 12):
        tips = [
            bare_event(m, tips[m], [tips[o] for o in range(3) if o != m], time_ns=step)
            for m in range(3)
        ]
        for tip in tips:
            engine.add(tip)
    assert engine.last_decided_round >= 1
    effects = engine.add(late[0])
    assert effects.witness
    assert effects.round_created == 1
    assert engine.famous(late[0].id) is False
    child = bare_event(0, tips[0], [late[0]], time_ns=99)
    engine.add(child)
    assert engine.received_round(late[0].id) is None


def test_questions_about_unknown_events_are_misuse() -> None:
    engine = engine_with(all_to_all()[:4])
    unknown = EventId(bytes(32))
    assert unknown not in engine
    for ask in (
        engine.event,
        engine.round_of,
        engine.is_witness,
        engine.famous,
        engine.received_round,
        engine.ancestor_vector,
        engine.branch_vector,
        engine.branch_of,
    ):
        with pytest.raises(UnknownEvent):
            ask(unknown)
    assert engine.witnesses(Round(99)) == ()
    assert engine.events_at(MemberIndex(0), Sequence(99)) == ()


def test_an_ordered_event_is_let_go_of() -> None:
    engine = Engine([1, 1, 1, 1])
    events = all_to_all(rounds=8)
    handed_out: set[EventId] = set()
    for event in events:
        for decided in engine.add(event).decided:
            handed_out.update(item.event.id for item in decided.ordered)
    assert handed_out
    for event in events:
        assert engine.event(event.id) is (None if event.id in handed_out else event)


def test_ancestor_vectors_equal_a_walk_over_the_parents() -> None:
    for seed in range(20):
        case = random_case(seed, forks=True, uneven=False)
        engine = Engine(case.weights)
        below: dict[EventId, set[EventId]] = {}
        by_id = {event.id: event for event in case.events}
        for event in case.events:
            engine.add(event)
            own = [] if event.self_parent is None else [event.self_parent]
            below[event.id] = {event.id}.union(*(below[p] for p in [*own, *event.other_parents]))
        for event in Random(seed).sample(case.events, 5):  # noqa: S311 - a test that repeats
            heights = [-1] * len(case.weights)
            for ancestor in below[event.id]:
                creator = by_id[ancestor].creator
                heights[creator] = max(heights[creator], by_id[ancestor].sequence)
            assert engine.ancestor_vector(event.id) == tuple(heights)
            for other in case.events:
                assert engine.is_ancestor(event.id, other.id) == (other.id in below[event.id])


def test_forkers_below_an_event_are_those_with_two_events_at_one_place_in_its_ancestry() -> None:
    found = 0
    for seed in range(20):
        case = random_case(seed, forks=True, uneven=False)
        engine = Engine(case.weights)
        below: dict[EventId, set[EventId]] = {}
        by_id = {event.id: event for event in case.events}
        for event in case.events:
            own = [] if event.self_parent is None else [event.self_parent]
            parents = {parent for p in [*own, *event.other_parents] for parent in below[p]}
            places = Counter((by_id[p].creator, by_id[p].sequence) for p in parents)
            forkers = {creator for (creator, _), count in places.items() if count > 1}
            assert engine.forkers_below(event) == tuple(sorted(forkers))
            found += len(forkers)
            engine.add(event)
            below[event.id] = {event.id, *parents}
    assert found > 100


def test_the_coin_is_asked_in_coin_rounds_only() -> None:
    case = split_vote_case(coin_period=4, split_rounds=3)
    asked: list[Event] = []

    def coin(event: Event) -> bool:
        asked.append(event)
        return True

    engine = Engine(case.weights, coin_period=4, coin=coin)
    for event in case.events:
        engine.add(event)
    assert {engine.round_of(event.id) for event in asked} == {5}
    assert len(asked) == 4
