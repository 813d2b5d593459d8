"""Orphans are bounded, nobody's rubbish costs another one room, and what came wakes who waited."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.ids import CellId, MemberIndex
from core.ids import Sequence as SequenceNumber
from gossip import orphans as module
from gossip.limits import ORPHANS_PER_PEER_MAX, ORPHANS_PUZZLED_MAX
from gossip.orphans import Orphans
from hashgraph.event import UnresolvedEvent
from hashgraph.header import Place
from tests.gossip.world import chain, event, unresolved

A, B, C = CellId("a"), CellId("b"), CellId("c")


def _place(creator: int, sequence: int) -> Place:
    return MemberIndex(creator), SequenceNumber(sequence)


def _items(creator: int, count: int, *, salt: bytes = b"") -> list[UnresolvedEvent]:
    return [unresolved(item) for item in chain(creator, count + 1, salt=salt)[1:]]


def _before(item: UnresolvedEvent) -> tuple[Place, ...]:
    return (_place(item.creator, item.sequence - 1),)


def _add(orphans: Orphans, peer: CellId, *items: UnresolvedEvent) -> list[bool]:
    return [orphans.add(peer, item, _before(item), 0) for item in items]


def test_an_orphan_is_woken_by_what_comes_to_its_place_and_by_nothing_else() -> None:
    orphans = Orphans()
    first, second = _items(0, 2)
    _add(orphans, A, first, second)
    orphans.wake(_place(0, 7))
    orphans.wake(_place(1, 0))
    assert orphans.take_awake() == []
    orphans.wake(_place(0, 0))
    assert [o.event for o in orphans.take_awake()] == [first]
    assert orphans.take_awake() == []
    orphans.forget(first.id)
    orphans.wake(_place(0, 1))
    orphans.forget(second.id)
    assert orphans.take_awake() == [], "what is forgotten meanwhile is not handed out"
    assert len(orphans) == orphans.size_bytes == 0


def test_each_peer_has_so_many_and_no_more() -> None:
    orphans = Orphans()
    items = _items(0, ORPHANS_PER_PEER_MAX + 5)
    assert _add(orphans, A, *items) == [True] * ORPHANS_PER_PEER_MAX + [False] * 5
    assert _add(orphans, B, *_items(1, 5)) == [True] * 5
    orphans.forget_of(A)
    assert len(orphans) == 5
    assert orphans.of(A) == []


def test_who_takes_most_room_loses_its_newest_when_another_one_needs_some(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    orphans = Orphans()
    heavy, light = _items(0, 20), _items(1, 4)
    size = len(heavy[0].encoded)
    monkeypatch.setattr(module, "ORPHANS_SIZE_BYTES_MAX", 20 * size)
    assert all(_add(orphans, A, *heavy))
    assert _add(orphans, A, *_items(0, 1, salt=b"x")) == [False], "nobody displaces its own"
    assert all(_add(orphans, B, *light)), "one with less is never refused"
    kept = {orphan.event.id for orphan in orphans.of(A)}
    assert kept == {item.id for item in heavy[:16]}
    assert len(orphans.of(B)) == 4
    assert orphans.size_bytes <= 20 * size


def test_peers_with_equal_shares_do_not_displace_each_other(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    orphans = Orphans()
    one, other = _items(0, 4), _items(1, 5)
    monkeypatch.setattr(module, "ORPHANS_SIZE_BYTES_MAX", 8 * len(one[0].encoded))
    assert all(_add(orphans, A, *one))
    assert _add(orphans, B, *other) == [True] * 4 + [False]


def test_an_event_larger_than_all_the_room_displaces_nobody(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    orphans = Orphans()
    small = _items(0, 3)
    monkeypatch.setattr(module, "ORPHANS_SIZE_BYTES_MAX", 5 * len(small[0].encoded))
    _add(orphans, A, *small)
    large = unresolved(event(1, chain(1, 1)[0], salt=bytes(5000)))
    assert _add(orphans, B, large) == [False]
    assert len(orphans) == 3


def test_puzzled_ones_of_a_creator_are_few_and_others_are_not_counted() -> None:
    orphans = Orphans()
    places = (_place(0, 0), _place(1, 0))
    puzzled = [unresolved(event(2, None, [], salt=bytes([n]))) for n in range(20)]
    kept = [orphans.add(A, item, places, 0) for item in puzzled]
    assert kept == [True] * ORPHANS_PUZZLED_MAX + [False] * (20 - ORPHANS_PUZZLED_MAX)
    assert orphans.add(A, unresolved(event(3)), places, 0), "of another creator"
    assert all(_add(orphans, A, *_items(2, 5))), "these lack something that is not here"
    orphans.wake(places[1])
    woken = orphans.take_awake()
    assert len(woken) == ORPHANS_PUZZLED_MAX + 1
    assert all(orphans.wait(orphan.event.id, places) for orphan in woken)


def test_one_that_comes_again_with_hints_replaces_itself() -> None:
    orphans = Orphans()
    first, second = chain(0, 2)
    bare, hinted = unresolved(second), unresolved(second, hints=True)
    assert first.id in hinted.hints
    _add(orphans, A, bare)
    _add(orphans, B, hinted)
    assert len(orphans) == 1
    assert [orphan.event.hints for orphan in orphans.of(B)] == [hinted.hints]
    assert orphans.of(A) == []
    assert orphans.size_bytes == len(hinted.encoded)


@given(st.integers(0, 10**6))
@settings(deadline=None, max_examples=60)
def test_the_room_is_never_exceeded_and_a_light_peer_always_gets_in(seed: int) -> None:
    random = Random(seed)  # noqa: S311 - chance of a test
    bound = 4_000
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "ORPHANS_SIZE_BYTES_MAX", bound)
        orphans = Orphans()
        for number in range(60):
            peer = random.choice([A, A, A, B, C])
            parent = chain(random.randrange(3), random.randint(1, 4))[-1]
            salt = number.to_bytes(2, "big") * random.randint(1, 300)
            item = unresolved(event(parent.creator, parent, salt=salt))
            before = sum(orphan.size_bytes for orphan in orphans.of(peer))
            kept = orphans.add(peer, item, _before(item), number)
            share = bound / 3
            assert kept or before + len(item.encoded) > share, "within its share nobody is refused"
            if random.random() < 0.2:
                orphans.wake(_before(item)[0])
                for orphan in orphans.take_awake():
                    if random.random() < 0.5:
                        orphans.forget(orphan.event.id)
                    else:
                        orphans.wait(orphan.event.id, _before(orphan.event))
            if random.random() < 0.1:
                orphans.forget_of(random.choice([A, B, C]))
            assert orphans.size_bytes <= bound
            assert orphans.size_bytes == sum(o.size_bytes for p in (A, B, C) for o in orphans.of(p))
            assert len(orphans) == sum(len(orphans.of(p)) for p in (A, B, C))
