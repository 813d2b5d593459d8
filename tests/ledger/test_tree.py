"""The root of the state is that of its definition, whatever the order and batches of writing."""

from __future__ import annotations

import hashlib
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from core.errors import InvariantBroken
from ledger import tree as tree_module
from ledger.tree import (
    EMPTY_ROOT,
    TOP,
    Place,
    StateTree,
    places_of,
    root_of_entries,
    root_of_frontier,
)

_ENTRIES = st.dictionaries(st.binary(max_size=3), st.binary(max_size=5), max_size=40)


def _hash(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


def slow_root(entries: dict[bytes, bytes]) -> bytes:
    """The definition, word by word, from all entries at once."""

    def of(items: list[tuple[str, bytes]], depth: int) -> bytes:
        if not items:
            return bytes(32)
        if len(items) == 1:
            return items[0][1]
        left = [item for item in items if item[0][depth] == "0"]
        right = [item for item in items if item[0][depth] == "1"]
        return _hash(b"\x01" + of(left, depth + 1) + of(right, depth + 1))

    leaves = []
    for key, value in entries.items():
        path = _hash(key)
        bits = f"{int.from_bytes(path, 'big'):0256b}"
        leaves.append((bits, _hash(b"\x00" + path + _hash(value))))
    return of(leaves, 0)


@given(_ENTRIES)
@settings(deadline=None)
def test_the_root_equals_the_recursive_definition(entries: dict[bytes, bytes]) -> None:
    tree = StateTree()
    for key, value in entries.items():
        tree.put(key, value)
    assert tree.root() == slow_root(entries)
    assert len(tree) == len(entries)


@given(_ENTRIES, st.randoms(use_true_random=False), st.integers(1, 7))
@settings(deadline=None)
def test_the_root_does_not_depend_on_the_order_or_the_batches_of_writing(
    entries: dict[bytes, bytes],
    random: Random,
    batch: int,
) -> None:
    items = list(entries.items())
    random.shuffle(items)
    tree = StateTree()
    for at, (key, value) in enumerate(items):
        tree.put(key, b"overwritten later")
        tree.put(key, value)
        if at % batch == 0:
            tree.root()
    assert tree.root() == slow_root(entries)


class _Updates(RuleBasedStateMachine):
    """Puts and roots in any order, against the definition."""

    def __init__(self) -> None:
        super().__init__()
        self.tree = StateTree()
        self.entries: dict[bytes, bytes] = {}

    @rule(key=st.binary(max_size=1), value=st.binary(max_size=2))
    def put(self, key: bytes, value: bytes) -> None:
        self.tree.put(key, value)
        self.entries[key] = value

    @rule()
    def root(self) -> None:
        assert self.tree.root() == slow_root(self.entries)

    @invariant()
    def length_is_that_of_the_map(self) -> None:
        assert len(self.tree) == len(self.entries)


_Updates.TestCase.settings = settings(deadline=None, max_examples=40, stateful_step_count=30)
TestUpdates = _Updates.TestCase


def test_the_empty_map_and_a_single_entry_have_the_defined_roots() -> None:
    tree = StateTree()
    assert tree.root() == EMPTY_ROOT == bytes(32)
    tree.put(b"k", b"v")
    assert tree.root() == _hash(b"\x00" + _hash(b"k") + _hash(b"v"))


def test_a_value_belongs_to_its_key() -> None:
    roots = set()
    for entries in ({b"a": b"1", b"b": b"2"}, {b"a": b"2", b"b": b"1"}, {b"a": b"1"}, {b"a": b""}):
        roots.add(slow_root(entries))
    assert len(roots) == 4


def test_long_common_paths_split_where_they_differ_and_equal_ones_never() -> None:
    one = tree_module._Leaf(bytes(32), bytes(32))
    other = tree_module._Leaf(bytes(31) + b"\x01", bytes(32))
    node = tree_module._split(one, other, 0)
    for _ in range(255):
        assert node.right is None
        assert isinstance(node.left, tree_module._Inner)
        node = node.left
    assert (node.left, node.right) == (one, other)
    with pytest.raises(InvariantBroken):
        tree_module._split(one, one, 0)


@given(_ENTRIES, _ENTRIES, _ENTRIES)
@settings(deadline=None)
def test_a_snapshot_stays_what_it_was_whatever_is_written_later(
    first: dict[bytes, bytes], second: dict[bytes, bytes], third: dict[bytes, bytes]
) -> None:
    tree = StateTree()
    entries: dict[bytes, bytes] = {}
    snapshots = []
    for batch in (first, second, third):
        seen: set[bytes] = set()
        for key, value in batch.items():
            assert tree.put(key, value) == (key not in seen)
            assert not tree.put(key, value)
            seen.add(key)
        entries |= batch
        snapshots.append((tree.seal(), dict(entries)))
    for snapshot, wanted in snapshots:
        assert snapshot.root == slow_root(wanted)
        keys = snapshot.keys(TOP, len(wanted))
        assert keys is not None
        assert keys == sorted(wanted, key=_hash)
        assert not wanted or snapshot.keys(TOP, len(wanted) - 1) is None


@given(_ENTRIES, st.integers(1, 6), st.randoms(use_true_random=False))
@settings(deadline=None)
def test_a_frontier_leads_to_its_place_and_no_other_one_does(
    entries: dict[bytes, bytes], levels: int, random: Random
) -> None:
    tree = StateTree()
    for key, value in entries.items():
        tree.put(key, value)
    snapshot = tree.seal()
    todo = [(TOP, bytes(snapshot.root))]
    found: dict[bytes, bytes] = {}
    while todo:
        place, digest = todo.pop()
        keys = snapshot.keys(place, 2)
        if keys is not None:
            piece = [(key, entries[key]) for key in keys]
            assert root_of_entries(piece, place) == digest
            found |= dict(piece)
            if len(piece) == 2:
                assert root_of_entries(piece[::-1], place) is None
            continue
        frontier = snapshot.frontier(place, levels)
        assert root_of_frontier(frontier, place) == digest
        at = random.randrange(len(frontier))
        fewer = [*frontier[:at], *frontier[at + 1 :]]
        assert root_of_frontier(fewer, place) is None
        depth, _ = frontier[at]
        other = [*frontier[:at], (depth, bytes(31) + b"x"), *frontier[at + 1 :]]
        assert root_of_frontier(other, place) != digest
        places = places_of(frontier, place)
        assert places[-1].end == place.end
        todo += [
            (below, of) for below, (_, of) in zip(places, frontier, strict=True) if of != EMPTY_ROOT
        ]
    assert found == entries


def test_a_frontier_that_goes_nowhere_leads_nowhere() -> None:
    digest = bytes(32)
    for frontier in (
        [],
        [(0, digest)],
        [(1, digest)],
        [(1, digest)] * 3,
        [(2, digest), (1, digest)],
    ):
        assert root_of_frontier(frontier, TOP) is None
    assert root_of_frontier([(257, digest)] * 2, Place(256, 0)) is None
