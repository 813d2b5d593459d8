"""Parents named by place are found, whatever forked, and at a bounded cost."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256
from itertools import product
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.ids import Epoch, EventId, MemberIndex, NetworkId
from core.ids import Sequence as SequenceNumber
from hashgraph import Event, Places, UnresolvedEvent, decode_event, encode_event, make_event
from hashgraph.errors import UnresolvableEvent
from hashgraph.limits import RESOLUTIONS_MAX

NETWORK = NetworkId(bytes(32))
MEMBERS = 4


def made(
    creator: int, parent: Event | None = None, others: Sequence[Event] = (), *, salt: bytes = b""
) -> Event:
    return make_event(
        network_id=NETWORK,
        epoch=Epoch(0),
        creator=MemberIndex(creator),
        sequence=SequenceNumber(0 if parent is None else parent.sequence + 1),
        self_parent=None if parent is None else parent.id,
        other_parents=others,
        time_ns=1,
        payload=[salt],
        sign=lambda body: sha256(body).digest() * 2,
    )


def sent(event: Event, *, hints: bool = False) -> UnresolvedEvent:
    data = encode_event(event, hints=hints)
    return decode_event(data, network_id=NETWORK, epoch=Epoch(0))


def known(*events: Event) -> Places:
    places = Places(MEMBERS)
    for event in events:
        places.add(event)
    return places


def parents_of(event: Event) -> list[EventId]:
    return [*([] if event.self_parent is None else [event.self_parent]), *event.other_parents]


def twins(creator: int, count: int) -> list[Event]:
    return [made(creator, salt=bytes([number])) for number in range(count)]


def test_an_event_is_resolved_once_all_its_parents_are_here() -> None:
    a, b, c = made(0), made(1), made(2)
    event = made(0, a, [b, c])
    for here in ([], [a], [a, b], [b, c]):
        assert known(*here).resolve(sent(event)) is None
        assert known(*here).resolve(sent(event, hints=True)) is None
    assert known(a, b, c).resolve(sent(event)) == event
    assert known(a, b, c).resolve(sent(made(3))) == made(3)


def test_another_branch_is_not_taken_for_the_parent() -> None:
    left, right = twins(1, 2)
    event = made(0, None, [right])
    assert known(left).resolve(sent(event)) is None
    assert known(left).resolve(sent(event, hints=True)) is None
    for here in ([left, right], [right, left]):
        found = known(*here).resolve(sent(event))
        assert found is not None
        assert found.other_parents == (right.id,)


def test_hints_that_name_an_event_of_another_place_do_not_help() -> None:
    first = made(1)
    second = made(1, first)
    lying = made(0, None, [made(1, salt=b"not it")])
    honest = made(0, None, [second])
    places = known(first, second)
    assert places.resolve(sent(lying, hints=True)) is None
    assert places.resolve(sent(honest, hints=True)) == honest


def test_more_combinations_than_the_bound_need_hints() -> None:
    # Three forkers with four events each at one place: 64 combinations.
    branches = [twins(creator, 4) for creator in (1, 2, 3)]
    places = known(*(event for branch in branches for event in branch))
    resolved = 0
    for parents in product(*branches):
        event = made(0, None, parents)
        resolved += places.resolve(sent(event)) == event
        assert places.resolve(sent(event, hints=True)) == event
    assert resolved == RESOLUTIONS_MAX


def test_an_unresolvable_event_costs_at_most_the_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    branches = [twins(creator, 64) for creator in (1, 2, 3)]
    places = known(*(event for branch in branches for event in branch))
    event = sent(made(0, None, [made(1, salt=b"?"), branches[1][0], branches[2][0]]))
    tried = 0

    def count(_: UnresolvedEvent, __: Sequence[EventId]) -> None:
        nonlocal tried
        tried += 1

    monkeypatch.setattr(UnresolvedEvent, "resolved", count)
    assert places.resolve(event) is None
    assert tried == RESOLUTIONS_MAX


@given(st.integers(0, 10**6), st.integers(1, 40))
@settings(deadline=None, max_examples=80)
def test_a_journal_in_the_order_of_adding_is_read_without_doubt(seed: int, size: int) -> None:
    """Whoever adds events in some order, with hints where needed, finds the same parents again."""
    random = Random(seed)  # noqa: S311 - chance of a test
    graph: list[Event] = []
    for number in range(size):
        creator = random.randrange(MEMBERS)
        own = [e for e in graph if e.creator == creator]
        parent = random.choice([*own, None]) if random.random() < 0.3 else next(reversed(own), None)
        others = {e.creator: e for e in random.sample(graph, min(len(graph), 3))}
        others.pop(MemberIndex(creator), None)
        graph.append(made(creator, parent, list(others.values()), salt=number.to_bytes(2, "big")))
    places, journal, added = Places(MEMBERS), [], list[Event]()
    waiting = random.sample(graph, len(graph))
    while waiting:
        for event in list(waiting):
            signed = sent(event, hints=random.random() < 0.5)
            found = places.resolve(signed) or places.resolve(sent(event, hints=True))
            if found is not None:
                assert parents_of(found) == parents_of(event)
                journal.append(encode_event(found, hints=places.needs_hints(signed, found)))
                places.add(found)
                added.append(found)
                waiting.remove(event)
    again = Places(MEMBERS)
    for block, event in zip(journal, added, strict=True):
        stored = decode_event(block, network_id=NETWORK, epoch=Epoch(0))
        resolved = again.resolve_stored(stored)
        assert resolved == event
        assert parents_of(resolved) == parents_of(event)
        again.add(resolved)
    for event, block in zip(added, journal, strict=True):
        stored = decode_event(block, network_id=NETWORK, epoch=Epoch(0))
        assert parents_of(again.resolve_stored(stored)) == parents_of(event), "later forks as well"


def test_a_journal_with_a_hole_is_said_to_be_damaged() -> None:
    first, other = made(0), made(1)
    event = sent(made(0, first, [other]))
    for here in ([], [first], [first, made(1, salt=b"another")]):
        with pytest.raises(UnresolvableEvent):
            known(*here).resolve_stored(event)
