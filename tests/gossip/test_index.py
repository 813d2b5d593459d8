"""The index tells what is here, what a peer lacks and what we lack, forks included."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import InvariantBroken
from core.ids import EventId, MemberIndex
from gossip.errors import TimeStandsStill
from gossip.index import EventIndex
from gossip.limits import EVENTS_FRAME_COUNT_MAX, EVENTS_FRAME_SIZE_BYTES, TIPS_MAX
from hashgraph.event import Event
from tests.gossip.world import chain, event

MEMBERS = 3


def _random_graph(random: Random, size: int, *, forks: bool) -> list[Event]:
    """Events in an order in which parents come first."""
    events: list[Event] = []
    for number in range(size):
        creator = random.randrange(MEMBERS)
        own = [e for e in events if e.creator == creator]
        parent = own[-1] if own else None
        if forks and random.random() < 0.25:
            parent = random.choice([*own, None])
        others = [e for e in events if e.creator != creator]
        picked = random.sample(others, min(len(others), random.randint(0, 2)))
        one_each = list({e.creator: e for e in picked}.values())
        events.append(event(creator, parent, one_each, salt=number.to_bytes(2, "big")))
    return events


def _part_of(random: Random, events: list[Event]) -> list[Event]:
    """Some of the events, with all ancestors, in an order of its own."""
    by_id = {e.id: e for e in events}
    wanted: set[EventId] = set()
    todo = random.sample(events, random.randint(0, min(4, len(events))))
    while todo:
        item = todo.pop()
        if item.id not in wanted:
            wanted.add(item.id)
            parents = [*item.other_parents, *([item.self_parent] if item.self_parent else [])]
            todo += [by_id[parent] for parent in parents]
    return [e for e in events if e.id in wanted]


def _index(events: list[Event]) -> EventIndex:
    index = EventIndex(MEMBERS)
    for at, item in enumerate(events):
        assert index.add(item, 1) == at
    return index


def _model_forked(events: list[Event], creator: int) -> bool:
    sequences = [e.sequence for e in events if e.creator == creator]
    return len(sequences) != len(set(sequences))


def _model_tips(events: list[Event], creator: int) -> list[EventId]:
    parents = {e.self_parent for e in events}
    return sorted(e.id for e in events if e.creator == creator and e.id not in parents)


_SEEDS = st.integers(0, 10**6)


@given(_SEEDS, st.integers(0, 25), st.booleans())
@settings(deadline=None, max_examples=60)
def test_the_vector_is_that_of_the_definition(seed: int, size: int, forks: bool) -> None:  # noqa: FBT001 - drawn by hypothesis
    events = _random_graph(Random(seed), size, forks=forks)  # noqa: S311 - chance of a test
    index = _index(events)
    counts = [sum(e.creator == creator for e in events) for creator in range(MEMBERS)]
    expected = tuple(
        tuple(_model_tips(events, c)) if _model_forked(events, c) else counts[c]
        for c in range(MEMBERS)
    )
    assert index.vector() == expected
    assert index.vector(exact=True) == tuple(tuple(_model_tips(events, c)) for c in range(MEMBERS))
    for creator, item in enumerate(expected):
        own = [e.sequence for e in events if e.creator == creator]
        assert index.count(MemberIndex(creator)) == max(own, default=-1) + 1
        assert index.is_forked(MemberIndex(creator)) == isinstance(item, tuple)
    assert len(index) == size
    assert all(e.id in index and events[index.arrival(e.id)] == e for e in events)


@given(_SEEDS, st.integers(0, 25), st.booleans(), st.booleans())
@settings(deadline=None, max_examples=120)
def test_what_lies_beyond_an_exact_vector_is_exactly_what_its_teller_lacks(
    seed: int,
    size: int,
    forks: bool,  # noqa: FBT001 - drawn by hypothesis
    exact: bool,  # noqa: FBT001 - drawn by hypothesis
) -> None:
    random = Random(seed)  # noqa: S311 - chance of a test
    events = _random_graph(random, size, forks=forks)
    here, there = _part_of(random, events), _part_of(random, events)
    index, other = _index(here), _index(there)
    known = {e.id for e in there}
    sent = [here[at] for at in index.beyond(other.vector(exact=exact))]
    lacking = [e for e in here if e.id not in known]
    if not forks and not exact:
        assert sent == lacking
    # Parents before children, and with tips nothing is left out, whoever forked.
    assert sent == [e for e in here if e in sent]
    if exact:
        assert set(lacking) <= set(sent)
    assert index.lacks(other.vector(exact=True)) == any(
        tip not in index for c in range(MEMBERS) for tip in _model_tips(there, c)
    )
    if not forks:
        assert index.lacks(other.vector()) == bool(known - {e.id for e in here})


@given(_SEEDS, st.integers(0, 25))
@settings(deadline=None, max_examples=60)
def test_to_one_who_knows_the_forks_nothing_is_sent_twice(seed: int, size: int) -> None:
    random = Random(seed)  # noqa: S311 - chance of a test
    here = _random_graph(random, size, forks=True)
    index = _index(here)
    assert list(index.beyond(index.vector(exact=True))) == []
    assert list(index.beyond(index.vector())) == []
    assert list(index.beyond((0,) * MEMBERS)) == list(range(size))


def test_a_teller_of_one_branch_gets_the_other_from_the_fork_on() -> None:
    one = chain(0, 4)
    other = [event(0, one[1], salt=b"x")]
    other.append(event(0, other[0], salt=b"x"))
    index = _index([*one, *other])
    assert list(index.beyond((4, 0, 0))) == [2, 3, 4, 5]
    assert index.count(MemberIndex(0)) == 4
    assert index.vector()[0] == tuple(sorted((one[3].id, other[1].id)))
    assert index.forkers == frozenset({MemberIndex(0)})


def test_two_first_events_are_a_fork() -> None:
    index = _index([*chain(1, 2), *chain(1, 1, salt=b"x")])
    assert index.is_forked(MemberIndex(1))
    assert list(index.beyond((0, 2, 0))) == [0, 1, 2]


def test_tips_told_are_bounded() -> None:
    first = event(0)
    index = _index([first, *(event(0, first, salt=bytes([n])) for n in range(TIPS_MAX + 9))])
    tips = index.vector()[0]
    assert isinstance(tips, tuple)
    assert len(tips) == TIPS_MAX


def test_an_event_arrives_once() -> None:
    index = _index(chain(0, 1))
    with pytest.raises(InvariantBroken):
        index.add(event(0), 1)


@pytest.mark.parametrize(("time_ns", "fits"), [(6, True), (5, False), (4, False)])
def test_time_grows_along_a_chain(time_ns: int, fits: bool) -> None:  # noqa: FBT001 - a table
    first = event(0, time_ns=5)
    index = _index([first])
    if fits:
        index.check_time(first.id, time_ns)
    else:
        with pytest.raises(TimeStandsStill):
            index.check_time(first.id, time_ns)


def test_chunks_keep_both_bounds_and_tell_whether_more_may_come() -> None:
    small = _index(chain(0, EVENTS_FRAME_COUNT_MAX + 5))
    arrivals = iter(range(len(small)))
    assert small.chunk(arrivals) == (tuple(range(EVENTS_FRAME_COUNT_MAX)), True)
    assert small.chunk(arrivals) == (tuple(range(EVENTS_FRAME_COUNT_MAX, len(small))), False)
    assert small.chunk(arrivals) == ((), False)
    large = EventIndex(1)
    for item in chain(0, 5):
        large.add(item, EVENTS_FRAME_SIZE_BYTES // 2)
    assert large.chunk(iter(range(5))) == ((0, 1), True)
