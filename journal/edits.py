"""Truncating and clearing: the changes of a journal that are not appends.

Both run inside a transaction of the writer and return the state that holds once it is committed,
with the old head; the writer signs. A truncation is believed only as far as the stored hashes lead
to the signed root: no damage on disk can make the cell sign another history.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TypeAlias

from core.codec import encode
from core.errors import check
from journal.database import load_open_chunk
from journal.errors import NoSuchBlock, StoreCorrupt
from journal.hashes import HashReader
from journal.layout import JournalState, Slot, hash_key, length_of, unpack_chunk
from journal.limits import CHUNK_BLOCKS_MAX, NODE_LEVEL_MAX
from journal.merkle import EMPTY_ROOT, Frontier
from journal.tile import TILE_LEVEL


@dataclass(frozen=True, slots=True)
class Truncate:
    """Keep the first `length` blocks and go on as the next fork.

    `theirs`: the head that contradicts ours and makes the journal go on as another fork; both are
    kept as evidence.
    """

    name: str
    length: int | None
    theirs: str | None = None


@dataclass(frozen=True, slots=True)
class Clear:
    """Forget the bytes of blocks [start, end); `pruned`: all before it are forgotten then."""

    name: str
    start: int
    end: int
    pruned: int


Edit: TypeAlias = Truncate | Clear


def truncate(connection: sqlite3.Connection, state: JournalState, length: int) -> JournalState:
    """Delete the rows behind `length`; raises NoSuchBlock or StoreCorrupt."""
    if not 0 <= length <= state.size:
        raise NoSuchBlock(f"journal {state.name} has {state.size} blocks, not {length}")
    frontier, tail = _cut_tree(connection, state, length)
    size_bytes = _cut_chunks(connection, state, length) if length < state.size else state.size_bytes
    for level in (0, *range(TILE_LEVEL, NODE_LEVEL_MAX)):
        kept = length >> (level or TILE_LEVEL)
        if kept >= state.size >> (level or TILE_LEVEL):
            continue
        connection.execute(
            f"DELETE FROM journal_hash_{state.number} WHERE key >= ? AND key < ?",  # noqa: S608 - an integer
            (hash_key(level, kept), hash_key(level + 1, 0)),
        )
    new = state._replace(
        fork=state.fork + 1,
        size=length,
        root=frontier.root(),
        frontier=frontier,
        tail=tail,
        size_bytes=size_bytes,
        edits=state.edits + 1,
        pruned=min(state.pruned, length),
    )
    return load_open_chunk(connection, new)


def clear(connection: sqlite3.Connection, state: JournalState, edit: Clear) -> JournalState:
    """Rewrite the rows of [start, end) with lengths in place of blocks."""
    check(0 <= edit.start <= edit.end <= state.size, "the range is in the journal")
    written: list[tuple[int, int, bytes]] = []
    gone: list[tuple[int]] = []
    for first, before, slots in _merged(_rows(connection, state, edit.start, edit.end), edit, gone):
        written.append((first, before, encode(list(slots))))
    table = f"journal_chunk_{state.number}"
    connection.executemany(f"DELETE FROM {table} WHERE first = ?", gone)  # noqa: S608 - an integer
    connection.executemany(f"INSERT OR REPLACE INTO {table} VALUES (?, ?, ?)", written)  # noqa: S608 - an integer
    new = state._replace(edits=state.edits + 1, pruned=max(state.pruned, edit.pruned))
    return load_open_chunk(connection, new)


def _cut_tree(
    connection: sqlite3.Connection, state: JournalState, length: int
) -> tuple[Frontier, tuple[bytes, ...]]:
    """Return the frontier and tail of the first `length` blocks, proven from the signed root."""
    if length == state.size:
        return state.frontier.copy(), state.tail
    if length == 0:
        return Frontier(), ()
    hashes = HashReader(connection)
    hashes.prove_consistency(state, length, state.size)  # raises if what is stored does not fit
    tiles_end = length >> TILE_LEVEL << TILE_LEVEL
    peaks, at = [], 0
    for level in range(tiles_end.bit_length() - 1, TILE_LEVEL - 1, -1):
        if tiles_end >> level & 1:
            peaks.append(hashes.node(state, level, at >> level))
            at += 1 << level
    tail = tuple([hashes.node(state, 0, leaf) for leaf in range(tiles_end, length)])
    frontier = Frontier(tiles_end, peaks)
    frontier.extend(tail)
    check(frontier.root() == hashes.root(state, length) != EMPTY_ROOT, "both roots are of one tree")
    return frontier, tail


def _cut_chunks(connection: sqlite3.Connection, state: JournalState, length: int) -> int:
    """Delete blocks from `length` on and return the bytes of those before."""
    table = f"journal_chunk_{state.number}"
    size_bytes = 0
    if length:
        first, before, slots = next(_rows(connection, state, length - 1, length))
        slots = slots[: length - first]
        size_bytes = before + sum(map(length_of, slots))
        connection.execute(
            f"UPDATE {table} SET body = ? WHERE first = ?",  # noqa: S608 - an integer
            (encode(list(slots)), first),
        )
    connection.execute(f"DELETE FROM {table} WHERE first >= ?", (length,))  # noqa: S608 - an integer
    return size_bytes


def _rows(
    connection: sqlite3.Connection, state: JournalState, start: int, end: int
) -> Iterator[tuple[int, int, list[Slot]]]:
    """Yield the rows that hold [start, end); raises StoreCorrupt if one is missing."""
    table = f"journal_chunk_{state.number}"
    found = connection.execute(
        f"SELECT first, before, body FROM {table} WHERE first < ? AND first >= "  # noqa: S608 - an integer
        f"(SELECT max(first) FROM {table} WHERE first <= ?) ORDER BY first",
        (end, start),
    )
    at = start
    for first, before, body in found:
        slots = unpack_chunk(body)
        if type(before) is not int or not first <= at < first + len(slots):
            break
        at = first + len(slots)
        yield first, before, slots
    if at < end:
        raise StoreCorrupt(f"journal {state.name}: the row of block {at} is missing")


def _merged(
    rows: Iterable[tuple[int, int, list[Slot]]], edit: Clear, gone: list[tuple[int]]
) -> Iterator[tuple[int, int, list[Slot]]]:
    """Yield the rows cleared; those with no block left become one, `gone` gets the others."""
    run: tuple[int, int, list[Slot]] | None = None
    for first, before, old in rows:
        slots = [
            length_of(slot) if edit.start <= at < edit.end else slot
            for at, slot in enumerate(old, start=first)
        ]
        empty = not any(isinstance(slot, bytes) for slot in slots)
        if run and empty and len(run[2]) + len(slots) <= CHUNK_BLOCKS_MAX:
            run[2].extend(slots)
            gone.append((first,))
            continue
        if run:
            yield run
        run = None
        if empty:
            run = (first, before, slots)
        else:
            yield first, before, slots
    if run:
        yield run
