"""Reads of a store: blocks, hashes and proofs of a journal, and the queries of other packages.

Runs in the calling thread on a read-only connection that never holds a snapshot open between
calls. What is read of a journal is believed only after it was checked: a block against its leaf
hash, a tile against the signed root, a proof by the same function that its receiver uses.

A read takes the `JournalState` it is about. The database may already be ahead of it; that is
harmless, because rows are only added, and the last chunk row only grows.
"""

from __future__ import annotations

import sqlite3
import time
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Generic, TypeVar

from core.ids import Hash
from core.limits import HASH_SIZE_BYTES
from journal.database import SQLITE_ERRORS, blob_of, connect_reader, fault_of
from journal.errors import NoSuchBlock, ProofRefused, QueryTooLong, StoreCorrupt
from journal.layout import TILE_LEVEL, JournalState, Tile, hash_key, unpack_chunk
from journal.limits import (
    CHUNK_LARGE_SIZE_BYTES,
    CHUNKS_CACHED_MAX,
    NODES_CACHED_MAX,
    QUERY_STEPS,
    QUERY_TIME_MS_MAX,
    READ_ROWS,
    TILES_CACHED_MAX,
)
from journal.merkle import (
    full_root,
    leaf_hash,
    node_hash,
    subtree_consistency_proof,
    subtree_inclusion_proof,
    subtree_root,
    verify_consistency,
    verify_inclusion,
)
from journal.statements import SqlValue

_V = TypeVar("_V")


class _Cache(Generic[_V]):
    """Keeps the values used last, at most `count_max` of them."""

    def __init__(self, count_max: int) -> None:
        self._count_max = count_max
        self._values: OrderedDict[tuple[int, int], _V] = OrderedDict()

    def get(self, key: tuple[int, int]) -> _V | None:
        value = self._values.get(key)
        if value is not None:
            self._values.move_to_end(key)
        return value

    def put(self, key: tuple[int, int], value: _V) -> None:
        self._values[key] = value
        self._values.move_to_end(key)
        if len(self._values) > self._count_max:
            self._values.popitem(last=False)


class Reader:
    """Owns the read-only connection and the caches of one store."""

    def __init__(self, path: Path) -> None:
        self._connection = connect_reader(path)
        self._tiles: _Cache[Tile] = _Cache(TILES_CACHED_MAX)
        self._nodes: _Cache[bytes] = _Cache(NODES_CACHED_MAX)
        self._chunks: _Cache[list[bytes]] = _Cache(CHUNKS_CACHED_MAX)

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def query(self, sql: str, parameters: Sequence[SqlValue] = ()) -> list[tuple[Any, ...]]:
        """Return all rows of one statement that reads.

        Raises QueryTooLong after QUERY_TIME_MS_MAX, StatementRefused or ReadFailed.
        """
        deadline = time.monotonic() + QUERY_TIME_MS_MAX / 1000
        self._connection.set_progress_handler(lambda: time.monotonic() > deadline, QUERY_STEPS)
        try:
            return self._connection.execute(sql, parameters).fetchall()
        except SQLITE_ERRORS as error:
            if getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_INTERRUPT:
                raise QueryTooLong(f"stopped after {QUERY_TIME_MS_MAX} ms: {sql[:80]!r}") from error
            raise fault_of(error, writing=False) from error
        finally:
            self._connection.set_progress_handler(None, 0)

    def block(self, state: JournalState, index: int) -> bytes:
        """Return block `index`, checked; raises NoSuchBlock, StoreCorrupt or ReadFailed."""
        if not 0 <= index < state.size:
            raise NoSuchBlock(f"journal {state.name} has {state.size} blocks, not block {index}")
        if index >= state.open_first:
            return state.open_blocks[index - state.open_first]
        first, blocks = self._chunk(state, index)
        return self._checked(state, index, blocks[index - first])

    def blocks(self, state: JournalState, start: int, end: int) -> Iterator[list[bytes]]:
        """Yield the checked blocks [start, end) in lists of a few rows each."""
        if not 0 <= start <= end <= state.size:
            raise NoSuchBlock(f"journal {state.name} has {state.size} blocks, not [{start}, {end})")
        at = start
        while at < end:
            rows = self._rows(
                f"SELECT first, body FROM journal_chunk_{state.number} WHERE first >= "  # noqa: S608 - an integer
                f"(SELECT max(first) FROM journal_chunk_{state.number} WHERE first <= ?) "
                "ORDER BY first LIMIT ?",
                (at, READ_ROWS),
            )
            part: list[bytes] = []
            for first, body in rows:
                blocks = unpack_chunk(blob_of(body))
                if not isinstance(first, int) or not first <= at < first + len(blocks):
                    raise StoreCorrupt(f"journal {state.name}: block {at} is missing")
                for block in blocks[at - first : end - first]:
                    part.append(self._checked(state, at, block))
                    at += 1
                if at >= end:
                    break
            if not part:
                raise StoreCorrupt(f"journal {state.name}: block {at} is missing")
            yield part

    def node(self, state: JournalState, level: int, number: int) -> bytes:
        """Return the hash of a full subtree of the journal."""
        start = number << level
        if start >= state.tail_start:
            return full_root(state.tail[start - state.tail_start :][: 1 << level])
        if level < TILE_LEVEL:
            tile = self._tile(state, start >> TILE_LEVEL)
            return tile.node(level, number & ((1 << (TILE_LEVEL - level)) - 1))
        return self._upper(state, level, number)

    def root(self, state: JournalState, size: int) -> Hash:
        """Return the root of the journal's first `size` blocks."""
        if not 0 <= size <= state.size:
            raise NoSuchBlock(f"journal {state.name} has {state.size} blocks, not {size}")
        if size == state.size:
            return state.root
        return subtree_root(0, size, lambda level, number: self.node(state, level, number))

    def prove_inclusion(self, state: JournalState, index: int, size: int) -> list[bytes]:
        """Return the proof of block `index` in the tree of `size`, already verified."""
        root = self.root(state, size)
        if not 0 <= index < size:
            raise NoSuchBlock(f"block {index} is not among the first {size}")
        proof = subtree_inclusion_proof(
            index, 0, size, lambda level, number: self.node(state, level, number)
        )
        try:
            verify_inclusion(self.node(state, 0, index), index, size, proof, root)
        except ProofRefused as error:
            raise StoreCorrupt(f"journal {state.name}: its hashes do not fit its root") from error
        return proof

    def prove_consistency(self, state: JournalState, size1: int, size2: int) -> list[bytes]:
        """Return the proof that the first `size1` blocks begin the first `size2`, verified."""
        root2 = self.root(state, size2)
        if not 1 <= size1 <= size2:
            raise NoSuchBlock(f"no consistency proof leads from {size1} to {size2} blocks")
        root1 = self.root(state, size1)
        proof = subtree_consistency_proof(
            0, size1, size2, lambda level, number: self.node(state, level, number)
        )
        try:
            verify_consistency(size1, size2, proof, root1, root2)
        except ProofRefused as error:
            raise StoreCorrupt(f"journal {state.name}: its hashes do not fit its root") from error
        return proof

    def _checked(self, state: JournalState, index: int, block: bytes) -> bytes:
        if leaf_hash(block) != self.node(state, 0, index):
            raise StoreCorrupt(f"journal {state.name}: block {index} is not the one it signed")
        return block

    def _chunk(self, state: JournalState, index: int) -> tuple[int, list[bytes]]:
        rows = self._rows(
            f"SELECT first FROM journal_chunk_{state.number} "  # noqa: S608 - an integer
            "WHERE first <= ? ORDER BY first DESC LIMIT 1",
            (index,),
        )
        first: int = rows[0][0] if rows else 0
        key = (state.number, first)
        blocks = self._chunks.get(key)
        if blocks is None or index - first >= len(blocks):
            found = self._rows(
                f"SELECT body FROM journal_chunk_{state.number} WHERE first = ?",  # noqa: S608 - an integer
                (first,),
            )
            blocks = unpack_chunk(blob_of(found[0][0])) if found else []
            if index - first >= len(blocks):
                raise StoreCorrupt(f"journal {state.name}: block {index} is missing")
            if sum(map(len, blocks)) <= CHUNK_LARGE_SIZE_BYTES:
                self._chunks.put(key, blocks)
        return first, blocks

    def _tile(self, state: JournalState, number: int) -> Tile:
        key = (state.number, number)
        tile = self._tiles.get(key)
        if tile is None:
            tile = Tile.from_bytes(self._hash_row(state, hash_key(0, number)))
            self._check_tile(state, number, tile)
            self._tiles.put(key, tile)
        return tile

    def _check_tile(self, state: JournalState, number: int, tile: Tile) -> None:
        """Check that the tile's root leads to the signed root, once, before it is cached."""
        if tile.root != self._upper(state, TILE_LEVEL, number):
            raise StoreCorrupt(f"journal {state.name}: tile {number} is not the one it signed")
        value: bytes = tile.root
        level = TILE_LEVEL
        at = number
        while (at | 1) + 1 << level <= state.tail_start:
            left, right = self._upper(state, level, at & ~1), self._upper(state, level, at | 1)
            value = node_hash(left, right)
            level, at = level + 1, at >> 1
            if value != self._upper(state, level, at):
                raise StoreCorrupt(f"journal {state.name}: hash {at} of level {level} is wrong")
        if value not in state.frontier.hashes:
            raise StoreCorrupt(f"journal {state.name}: tile {number} does not lead to its root")

    def _upper(self, state: JournalState, level: int, number: int) -> bytes:
        key = hash_key(level, number)
        value = self._nodes.get((state.number, key))
        if value is None:
            value = self._hash_row(state, key)
            if len(value) != HASH_SIZE_BYTES:
                raise StoreCorrupt(f"journal {state.name}: hash {number} of level {level} is wrong")
            self._nodes.put((state.number, key), value)
        return value

    def _hash_row(self, state: JournalState, key: int) -> bytes:
        rows = self._rows(f"SELECT body FROM journal_hash_{state.number} WHERE key = ?", (key,))  # noqa: S608 - an integer
        if not rows:
            raise StoreCorrupt(f"journal {state.name}: stored hash {key:#x} is missing")
        return blob_of(rows[0][0])

    def _rows(self, sql: str, parameters: tuple[int, ...]) -> list[tuple[Any, ...]]:
        try:
            return self._connection.execute(sql, parameters).fetchall()
        except SQLITE_ERRORS as error:
            raise fault_of(error, writing=False, ours=True) from error
