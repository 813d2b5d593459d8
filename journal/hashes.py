"""The hashes of a journal as they are stored, checked against its signed root, and its proofs.

Every hash handed out leads to the root of the `JournalState` it was asked of: a stored subtree's
hash is believed only together with its sibling, if both give their parent's, which leads up to one
of the peaks that the state holds. Hashes of full subtrees never change between two edits, so what
was checked once stays in bounded caches.
"""

from __future__ import annotations

import sqlite3
from collections import OrderedDict
from functools import partial
from typing import Any, Generic, TypeAlias, TypeVar

from core.ids import Hash
from core.limits import HASH_SIZE_BYTES
from journal.database import SQLITE_ERRORS, blob_of, fault_of
from journal.errors import NoSuchBlock, ProofRefused, StoreCorrupt
from journal.layout import JournalState, hash_key
from journal.limits import NODES_CACHED_MAX, TILE_HASHES, TILES_CACHED_MAX
from journal.merkle import (
    full_root,
    node_hash,
    subtree_consistency_proof,
    subtree_inclusion_proof,
    subtree_root,
    verify_consistency,
    verify_inclusion,
    verify_subtree_consistency,
)
from journal.tile import TILE_LEVEL, Tile

_V = TypeVar("_V")
_Key: TypeAlias = tuple[int, int, int, int]


class _Cache(Generic[_V]):
    """Keeps the values used last, at most `count_max` of them."""

    def __init__(self, count_max: int) -> None:
        self._count_max = count_max
        self._values: OrderedDict[_Key, _V] = OrderedDict()

    def get(self, key: _Key) -> _V | None:
        value = self._values.get(key)
        if value is not None:
            self._values.move_to_end(key)
        return value

    def put(self, key: _Key, value: _V) -> None:
        self._values[key] = value
        if len(self._values) > self._count_max:
            self._values.popitem(last=False)


class HashReader:
    """Reads hashes of any journal of one store over one connection."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._tiles: _Cache[Tile] = _Cache(TILES_CACHED_MAX)
        self._nodes: _Cache[bytes] = _Cache(NODES_CACHED_MAX)

    def node(self, state: JournalState, level: int, number: int) -> bytes:
        """Return the hash of a full subtree of the journal; raises StoreCorrupt or ReadFailed."""
        start = number << level
        if start < state.size & -TILE_HASHES:
            if level < TILE_LEVEL:
                tile = self.tile(state, start >> TILE_LEVEL)
                return tile.node(level, number & ((1 << (TILE_LEVEL - level)) - 1))
            return self._upper(state, level, number)
        if level == 0:
            return state.tail[start - state.tail_start]
        key = (state.number, state.edits, level, number)
        value = self._nodes.get(key)
        if value is None:
            at = start - state.tail_start
            value = full_root(state.tail[at : at + (1 << level)])
            self._nodes.put(key, value)
        return value

    def tile(self, state: JournalState, number: int) -> Tile:
        """Return a full tile whose root was checked."""
        key = (state.number, state.edits, 0, number)
        tile = self._tiles.get(key)
        if tile is None:
            rows = self._rows(state, hash_key(0, number), hash_key(0, number))
            tile = Tile.from_bytes(rows[0])
            if tile.root != self._upper(state, TILE_LEVEL, number):
                raise StoreCorrupt(f"journal {state.name}: tile {number} is not the one it signed")
            self._tiles.put(key, tile)
        return tile

    def root(self, state: JournalState, size: int) -> Hash:
        """Return the root of the journal's first `size` blocks."""
        if not 0 <= size <= state.size:
            raise NoSuchBlock(f"journal {state.name} has {state.size} blocks, not {size}")
        if size == state.size:
            return state.root
        return self._subtree_root(state, 0, size)

    def prove_inclusion(self, state: JournalState, index: int, size: int) -> list[bytes]:
        """Return the proof of block `index` in the tree of `size`, already verified."""
        root = self.root(state, size)
        if not 0 <= index < size:
            raise NoSuchBlock(f"block {index} is not among the first {size}")
        proof = subtree_inclusion_proof(index, 0, size, partial(self.node, state))
        try:
            verify_inclusion(self.node(state, 0, index), index, size, proof, root)
        except ProofRefused as error:
            raise _contradiction(state) from error
        return proof

    def prove_consistency(self, state: JournalState, size1: int, size2: int) -> list[bytes]:
        """Return the proof that the first `size1` blocks begin the first `size2`, verified."""
        root2 = self.root(state, size2)
        if not 1 <= size1 <= size2:
            raise NoSuchBlock(f"no consistency proof leads from {size1} to {size2} blocks")
        root1 = self.root(state, size1)
        proof = subtree_consistency_proof(0, size1, size2, partial(self.node, state))
        try:
            verify_consistency(size1, size2, proof, root1, root2)
        except ProofRefused as error:
            raise _contradiction(state) from error
        return proof

    def prove_range(
        self, state: JournalState, start: int, end: int, size: int
    ) -> tuple[Hash, list[bytes]]:
        """Return the root of subtree [start, end) and the proof of it in the tree of `size`.

        Raises NoSuchBlock, and ProofRefused if the range is no subtree.
        """
        root = self.root(state, size)
        if not 0 <= start < end <= size:
            raise NoSuchBlock(f"[{start}, {end}) is not among the first {size}")
        proof = subtree_consistency_proof(start, end, size, partial(self.node, state))
        part = self._subtree_root(state, start, end)
        try:
            verify_subtree_consistency(start, end, size, proof, part, root)
        except ProofRefused as error:
            raise _contradiction(state) from error
        return part, proof

    def _subtree_root(self, state: JournalState, start: int, end: int) -> Hash:
        return subtree_root(start, end, partial(self.node, state))

    def _upper(self, state: JournalState, level: int, number: int) -> bytes:
        """Return the hash of a stored subtree, checked up to a peak of the state."""
        size = state.size
        if size >> level & 1 and number == (size >> level) - 1:
            return state.frontier.peak(level)
        key = (state.number, state.edits, level, number)
        value = self._nodes.get(key)
        if value is not None:
            return value
        parent = self._upper(state, level + 1, number >> 1)
        left = number & ~1
        pair = self._rows(state, hash_key(level, left), hash_key(level, left + 1))
        if {len(value) for value in pair} != {HASH_SIZE_BYTES} or node_hash(*pair) != parent:
            raise StoreCorrupt(f"journal {state.name}: hash {number} of level {level} is wrong")
        self._nodes.put((state.number, state.edits, level, left), pair[0])
        self._nodes.put((state.number, state.edits, level, left + 1), pair[1])
        return pair[number & 1]

    def _rows(self, state: JournalState, low: int, high: int) -> list[bytes]:
        """Return the rows with these keys, both included."""
        try:
            found: list[tuple[Any]] = self._connection.execute(
                f"SELECT body FROM journal_hash_{state.number} "  # noqa: S608 - an integer
                "WHERE key >= ? AND key <= ? ORDER BY key",
                (low, high),
            ).fetchall()
        except SQLITE_ERRORS as error:
            raise fault_of(error, writing=False, ours=True) from error
        if len(found) != high - low + 1:
            raise StoreCorrupt(f"journal {state.name}: stored hash {low:#x} is missing")
        return [blob_of(body) for (body,) in found]


def _contradiction(state: JournalState) -> StoreCorrupt:
    return StoreCorrupt(f"journal {state.name}: its hashes do not fit its root")
