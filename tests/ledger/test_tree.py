"""The root of the map is that of its definition, however it is written, kept and read again."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from core.errors import InvariantBroken
from core.ids import Epoch
from ledger import patches, tree
from ledger.errors import StatePageLost
from ledger.limits import PAGE_LEAVES_MAX, PAGE_LEAVES_MERGED, PAGES_CACHED_MAX
from ledger.page import PATCHED_BYTES
from ledger.prover import prove_keys
from ledger.tree import Inner, Snapshot, StateTree
from ledger.trie import EMPTY_ROOT, KEY_SIZE_BYTES_MAX, bit, first_difference
from tests.ledger.map_world import bits_of, fetcher, slow_root, some_keys
from tests.ledger.pages import PageDisk

KEYS = st.one_of(
    st.binary(max_size=3),
    st.text("ab", max_size=9).map(str.encode),
    st.integers(0, 300).map(lambda number: b"value/%d" % number),
)
STATES = st.dictionaries(KEYS, st.binary(max_size=5), max_size=120)


@given(KEYS, KEYS)
def test_bits_and_first_differences_are_those_of_the_definition(one: bytes, other: bytes) -> None:
    bits, others = bits_of(one), bits_of(other)
    assert [bit(one, at) for at in range(len(bits))] == [int(digit) for digit in bits]
    assert (one < other) == (bits < others)
    if one != other:
        at = first_difference(one, other)
        assert bits[:at] == others[:at]
        assert bits[at] != others[at]


@given(STATES)
@settings(deadline=None)
def test_the_root_equals_the_definition(state: dict[bytes, bytes]) -> None:
    tree = StateTree()
    tree.update(state.items())
    assert tree.root() == slow_root(state)


@given(STATES, st.randoms(use_true_random=False))
@settings(deadline=None)
def test_neither_order_nor_batches_nor_what_was_there_before_change_the_root(
    state: dict[bytes, bytes], random: Random
) -> None:
    once = StateTree()
    once.update(state.items())
    disk = PageDisk()
    often = StateTree(disk.read)
    keys = list({*state, *(key + b"x" for key in state)})
    random.shuffle(keys)
    for at in range(0, len(keys), 7):
        disk.write(often.update((key, b"before") for key in keys[at : at + 7]))
    random.shuffle(keys)
    while keys:
        some, keys = keys[: random.randint(1, 60)], keys[60:] if len(keys) > 60 else []
        disk.write(often.update((key, state.get(key)) for key in some))
    for key in {*state, *(key + b"x" for key in state)}:
        disk.write(often.update([(key, state.get(key))]))
    assert often.root() == once.root()


class Maps(RuleBasedStateMachine):
    """A map on a disk against a dict and the definition."""

    def __init__(self) -> None:
        super().__init__()
        self.limits = pytest.MonkeyPatch()
        self.limits.setattr(tree, "PATCH_SIZE_BYTES_MAX", 12 * PATCHED_BYTES)
        self.limits.setattr(patches, "PATCHES_SIZE_BYTES_MAX", 20 * PATCHED_BYTES)
        self.disk = PageDisk()
        self.tree = StateTree(self.disk.read)
        self.state: dict[bytes, bytes] = {}
        self.epoch = 0
        self.ends: dict[Epoch, tuple[Snapshot, dict[bytes, bytes]]] = {}

    @rule(changes=st.dictionaries(KEYS, st.none() | st.binary(max_size=3), max_size=60))
    def write(self, changes: dict[bytes, bytes | None]) -> None:
        self.disk.write(self.tree.update(changes.items()))
        for key, value in changes.items():
            if value is None:
                self.state.pop(key, None)
            else:
                self.state[key] = value

    @rule(values=st.lists(st.binary(max_size=3), min_size=1, max_size=4), random=st.randoms())
    def change_some(self, values: list[bytes], random: Random) -> None:
        keys = random.sample(sorted(self.state), min(len(values), len(self.state)))
        self.write(dict(zip(keys, values, strict=False)))

    @rule(changes=st.dictionaries(KEYS, st.none() | st.binary(max_size=3), max_size=60))
    def crash_before_it_is_durable(self, changes: dict[bytes, bytes | None]) -> None:
        self.tree.update({**changes, **dict.fromkeys(list(self.state)[:9], b"lost")}.items())
        self.restart()

    @rule(prefix=KEYS)
    def delete_much(self, prefix: bytes) -> None:
        self.write({key: None for key in self.state if key.startswith(prefix[:1])})

    @rule()
    def seal(self) -> None:
        epoch = Epoch(self.epoch)
        self.ends[epoch] = (self.tree.seal(epoch), dict(self.state))
        self.epoch += 1
        self.ends.pop(Epoch(epoch - 2), None)
        self.disk.drop(epoch - 1)

    @rule()
    def restart(self) -> None:
        self.tree = StateTree(self.disk.read)
        ends = self.tree.restore(self.disk.heads(), Epoch(self.epoch), tuple(self.ends))
        self.ends = {epoch: (ends[epoch], state) for epoch, (_, state) in self.ends.items()}

    @rule(changes=st.dictionaries(KEYS, st.none() | st.binary(max_size=3), max_size=20))
    def fork(self, changes: dict[bytes, bytes | None]) -> None:
        origins = [(self.tree.present(), self.state), *self.ends.values()]
        for origin, state in origins:
            fork = origin.fork()
            fork.update(changes.items())
            wanted = {**state, **changes}
            assert fork.root() == slow_root({k: v for k, v in wanted.items() if v is not None})

    def teardown(self) -> None:
        self.limits.undo()

    @invariant()
    def what_waits_to_be_written_is_bounded(self) -> None:
        waiting = self.tree._pages.patches
        assert waiting.size_bytes <= 20 * PATCHED_BYTES
        assert all(len(patch) <= 12 * PATCHED_BYTES for patch in waiting._of.values())
        stored = {head.id: head.patch for head in self.disk.heads().heads if head.patch}
        assert stored == {at: one for at, one in waiting._of.items() if at in self.disk.rows}

    @invariant()
    def roots_are_those_of_the_definition(self) -> None:
        assert self.tree.root() == slow_root(self.state)
        for snapshot, state in self.ends.values():
            assert snapshot.root == slow_root(state)

    @invariant()
    def old_entries_can_be_proven(self) -> None:
        for snapshot, state in self.ends.values():
            for key in sorted(state)[:3]:
                prove_keys(snapshot, [key], fetcher(state))

    @invariant()
    def pages_are_neither_too_large_nor_left_behind(self) -> None:
        alive = {head.id for head in self.disk.heads().heads if head.died is None}
        counts = [row.leaves for number, row in self.disk.rows.items() if number in alive]
        assert sum(counts) == len(self.state)
        assert max(counts, default=0) <= PAGE_LEAVES_MAX


TestMaps = Maps.TestCase
TestMaps.settings = settings(deadline=None, max_examples=60, stateful_step_count=25)


def test_an_empty_map_has_the_empty_root_and_becomes_empty_again() -> None:
    tree, disk = StateTree(), PageDisk()
    assert tree.root() == EMPTY_ROOT
    keys = some_keys(Random(1), 500)  # noqa: S311 - chance of a test
    disk.write(tree.update((key, b"v") for key in keys))
    disk.write(tree.update((key, None) for key in keys))
    assert tree.root() == EMPTY_ROOT
    assert disk.rows == {}


def test_a_key_that_comes_and_goes_does_not_cut_and_join_pages_each_time() -> None:
    disk = PageDisk()
    tree = StateTree(disk.read)
    keys = [b"%05d" % number for number in range(PAGE_LEAVES_MAX)]
    disk.write(tree.update((key, b"v") for key in keys))
    disk.write(tree.update([(b"one more", b"v")]))
    pages = len(disk.rows)
    assert pages > 1
    for _ in range(5):
        disk.write(tree.update([(b"one more", None)]))
        disk.write(tree.update([(b"one more", b"v")]))
        assert len(disk.rows) == pages
    disk.write(tree.update((key, None) for key in keys[PAGE_LEAVES_MERGED - 1 :]))
    assert len(disk.rows) < pages


def test_ways_as_deep_as_keys_can_make_them_need_no_recursion() -> None:
    keys = [b"a" * length for length in range(KEY_SIZE_BYTES_MAX + 1)]
    keys += [key[:-1] + bytes((ord("a") ^ 1 << flip,)) for key in keys[1:] for flip in range(8)]
    disk = PageDisk()
    tree = StateTree(disk.read)
    disk.write(tree.update((key, b"v") for key in keys))
    deepest, todo = 0, [(tree.present().top, 0)]
    while todo:
        node, depth = todo.pop()
        deepest = max(deepest, depth)
        if isinstance(node, Inner):
            todo += [(node.left, depth + 1), (node.right, depth + 1)]
    assert deepest > 2 * sys.getrecursionlimit()
    again = StateTree(disk.read)
    again.restore(disk.heads(), Epoch(0))
    assert again.root() == tree.root()
    disk.write(again.update((key, None) for key in keys[1:]))
    assert again.root() == slow_root({keys[0]: b"v"})


def test_a_key_that_is_too_long_is_refused_by_the_map() -> None:
    with pytest.raises(InvariantBroken, match="longer than any"):
        StateTree().update([(b"k" * (KEY_SIZE_BYTES_MAX + 1), b"v")])


def test_a_page_that_is_lost_or_another_one_stops_at_once() -> None:
    disk = PageDisk()
    keys = some_keys(Random(2), 4 * PAGE_LEAVES_MAX)  # noqa: S311 - chance of a test
    disk.write(StateTree(disk.read).update((key, b"v") for key in keys))
    one, other = list(disk.rows)[:2]
    rows = dict(disk.rows)
    for spoiled in ({**rows, one: rows[other]}, {k: v for k, v in rows.items() if k != one}):
        tree = StateTree(disk.read)
        disk.rows = rows
        tree.restore(disk.heads(), Epoch(0))
        disk.rows = spoiled
        with pytest.raises(StatePageLost):
            tree.update((key, b"w") for key in keys)


def test_what_is_kept_of_pages_is_bounded() -> None:
    disk = PageDisk()
    tree = StateTree(disk.read)
    random = Random(3)  # noqa: S311 - chance of a test
    state: dict[bytes, bytes] = {}
    for _ in range(12):
        changes = {random.randbytes(8): b"v" for _ in range(3000)}
        disk.write(tree.update(changes.items()))
        state |= changes
    disk.write(tree.update([(b"the last one", b"v")]))
    assert len(disk.rows) > 1.2 * PAGES_CACHED_MAX
    assert len(tree._pages._unsaved) <= 2
    prove_keys(tree.present(), sorted(state)[::9], fetcher(state))
    kept = len(tree._pages._kept) + len(tree._pages._kept_before)
    assert PAGES_CACHED_MAX // 2 <= kept <= PAGES_CACHED_MAX


_PROGRAM = """
from random import Random
from ledger.tree import StateTree
from tests.ledger.map_world import some_keys
tree = StateTree()
keys = some_keys(Random(4), 800)
tree.update({key: key[::-1] for key in set(keys)}.items())
tree.update({key: None for key in set(keys[::3])}.items())
print(tree.root().hex())
"""


def test_every_process_computes_the_same_root() -> None:
    keys = some_keys(Random(4), 800)  # noqa: S311 - chance of a test
    wanted = slow_root({key: key[::-1] for at, key in enumerate(keys) if at % 3})
    for seed in ("0", "1", "77"):
        done = subprocess.run(
            [sys.executable, "-c", _PROGRAM],
            check=True,
            capture_output=True,
            cwd=Path(__file__).parents[2],
            env={**os.environ, "PYTHONHASHSEED": seed},
            text=True,
        )
        assert done.stdout.strip() == wanted.hex()
