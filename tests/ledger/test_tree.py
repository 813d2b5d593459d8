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
from ledger.tree import EMPTY_ROOT, StateTree

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
