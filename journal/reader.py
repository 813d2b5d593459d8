"""Reads of a store: blocks of a journal, byte offsets, and the queries of other packages.

Runs in the calling thread on a read-only connection. What is read of a journal is believed only
after it was checked: a block against its leaf hash, which leads to the signed root.

A read takes the `JournalState` it is about. The database may already be ahead of it; that is
harmless as long as rows were only added. `is_stale` tells whether that is so.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.ids import Hash
from journal.database import SQLITE_ERRORS, connect_reader, fault_of
from journal.disk import Disk
from journal.errors import BlockCleared, NoSuchBlock, QueryTooLong, StoreCorrupt
from journal.hashes import HashReader
from journal.layout import JournalState, Slot, length_of, unpack_chunk
from journal.limits import (
    QUERY_ELAPSED_MS_MAX,
    QUERY_STEPS,
    QUERY_TIME_MS_MAX,
    READ_ROWS,
    ROW_CACHED_SIZE_BYTES_MAX,
    ROWS_CACHED_SIZE_BYTES,
)
from journal.merkle import leaf_hash
from journal.rows import Row, RowCache
from journal.statements import SqlValue


class Reader:
    """Owns a read-only connection and its caches. `hashes` reads over the same connection."""

    def __init__(self, path: Path, disk: Disk) -> None:
        self._connection = connect_reader(path, disk)
        self._rows = RowCache(ROWS_CACHED_SIZE_BYTES)
        self.hashes = HashReader(self._connection)

    def close(self) -> None:
        """Close the connection, and the transaction if one is open."""
        self._connection.close()

    def pin(self) -> None:
        """Hold on to the database as it is now, until `close`."""
        self._execute("BEGIN", ())
        self._execute("SELECT count(*) FROM journal_store", ())

    def query(self, sql: str, parameters: Sequence[SqlValue] = ()) -> list[tuple[Any, ...]]:
        """Return all rows of one statement that reads.

        Raises QueryTooLong after QUERY_TIME_MS_MAX of CPU time or QUERY_ELAPSED_MS_MAX in all,
        StatementRefused or ReadFailed.
        """
        watch = _Watch(time.thread_time(), time.monotonic())
        self._connection.set_progress_handler(watch.is_over, QUERY_STEPS)
        try:
            return self._connection.execute(sql, parameters).fetchall()
        except SQLITE_ERRORS as error:
            if getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_INTERRUPT:
                raise QueryTooLong(f"stopped after {watch.words()}: {sql[:80]!r}") from error
            raise fault_of(error, writing=False) from error
        finally:
            self._connection.set_progress_handler(None, 0)

    def is_stale(self, state: JournalState) -> bool:
        """Whether the journal was truncated or cleared on disk since it was in this state."""
        found = self._execute("SELECT edits FROM journal_head WHERE number = ?", (state.number,))
        return found != [(state.edits,)]

    def is_at(self, state: JournalState) -> bool:
        """Whether the journal on disk is at this very length, and was not edited since."""
        sql = "SELECT edits, size FROM journal_head WHERE number = ?"
        return self._execute(sql, (state.number,)) == [(state.edits, state.size)]

    def slot(self, state: JournalState, index: int) -> Slot:
        """Return block `index` as it is stored, checked, or the length of a cleared one.

        Raises NoSuchBlock, StoreCorrupt or ReadFailed.
        """
        if not 0 <= index < state.size:
            raise NoSuchBlock(f"journal {state.name} has {state.size} blocks, not block {index}")
        if index >= state.open_first:
            return state.open_blocks[index - state.open_first]
        row = self._rows.find((state.number, state.edits), index) or self._row(state, index)
        at = index - row.first
        slot = row.slots[at]
        if isinstance(slot, bytes) and not row.checked >> at & 1:
            self._check(state, index, slot)
            row.checked |= 1 << at
        return slot

    def block(self, state: JournalState, index: int) -> bytes:
        """Return block `index` as it is stored, checked.

        Raises NoSuchBlock, BlockCleared, StoreCorrupt or ReadFailed.
        """
        slot = self.slot(state, index)
        if isinstance(slot, int):
            raise BlockCleared(f"journal {state.name}: block {index} was cleared")
        return slot

    def slots(self, state: JournalState, start: int, end: int) -> Iterator[list[Slot]]:
        """Yield [start, end) as `slot` does, in lists of a few rows each."""
        if not 0 <= start <= end <= state.size:
            raise NoSuchBlock(f"journal {state.name} has {state.size} blocks, not [{start}, {end})")
        at = start
        while at < end:
            if at >= state.open_first and state.open_blocks:
                yield list(state.open_blocks[at - state.open_first : end - state.open_first])
                return
            part: list[Slot] = []
            for first, _, body in self._rows_from(state, at):
                slots = unpack_chunk(body)
                if not isinstance(first, int) or not first <= at < first + len(slots):
                    break
                for slot in slots[at - first : end - first]:
                    if isinstance(slot, bytes):
                        self._check(state, at, slot)
                    part.append(slot)
                    at += 1
                if at >= end:
                    break
            if not part:
                raise StoreCorrupt(f"journal {state.name}: block {at} is missing")
            yield part

    def blocks(self, state: JournalState, start: int, end: int) -> Iterator[list[bytes]]:
        """Yield blocks [start, end) as they are stored; raises BlockCleared at a cleared one."""
        for slots in self.slots(state, start, end):
            blocks = [slot for slot in slots if isinstance(slot, bytes)]
            if len(blocks) < len(slots):
                raise BlockCleared(f"journal {state.name}: [{start}, {end}) was cleared in part")
            yield blocks

    def node(self, state: JournalState, level: int, number: int) -> bytes:
        """Return the hash of a full subtree of the journal, checked."""
        return self.hashes.node(state, level, number)

    def root(self, state: JournalState, size: int) -> Hash:
        """Return the root of the journal's first `size` blocks."""
        return self.hashes.root(state, size)

    def rows(self, state: JournalState) -> Iterator[tuple[int, int, list[Slot]]]:
        """Yield all chunk rows as they are: first index, bytes before it, slots."""
        at = 0
        while at < state.size:
            found = self._rows_from(state, at)
            if not found:
                raise StoreCorrupt(f"journal {state.name}: block {at} is missing")
            for first, before, body in found:
                slots = unpack_chunk(body)
                if first != at or not isinstance(before, int):
                    raise StoreCorrupt(f"journal {state.name}: block {at} is missing")
                at += len(slots)
                yield first, before, slots

    def seek(self, state: JournalState, offset: int) -> tuple[int, int]:
        """Return the block in which byte `offset` of the contents lies, and where in it.

        The end of the journal is (length, 0). Searches the rows by interpolation and halving in
        turn; their byte counts are compared with their neighbours' by an audit only.
        """
        overhead = state.overhead_bytes
        end = state.size_bytes - overhead * state.size
        if not 0 <= offset <= end:
            raise NoSuchBlock(f"journal {state.name} has {end} bytes, not {offset}")
        low, low_bytes, high, high_bytes = 0, 0, state.size, end  # the row lies in [low, high)
        halve = False
        while offset < end:
            guess = (low + high) // 2
            if not halve and high_bytes > low_bytes:
                guess = low + (offset - low_bytes) * (high - low) // (high_bytes - low_bytes)
            halve = not halve
            first, before, body = self._row_of(state, min(max(guess, low), high - 1))
            if not low <= first < high or type(before) is not int:
                raise StoreCorrupt(f"journal {state.name}: its rows are not in order")
            before -= overhead * first
            if offset < before:
                high, high_bytes = first, before
                continue
            slots = unpack_chunk(body)
            for at, slot in enumerate(slots, start=first):
                length = length_of(slot) - overhead
                if offset < before + length:
                    return at, offset - before
                before += length
            low, low_bytes = first + len(slots), before
            if low >= high:
                raise StoreCorrupt(f"journal {state.name}: its rows do not add up to their bytes")
        return state.size, 0

    def _check(self, state: JournalState, index: int, block: bytes) -> None:
        if leaf_hash(block) != self.hashes.node(state, 0, index):
            raise StoreCorrupt(f"journal {state.name}: block {index} is not the one it signed")

    def _row(self, state: JournalState, index: int) -> Row:
        first, _, body = self._row_of(state, index)
        row = Row(first, unpack_chunk(body), len(body))
        if not 0 <= index - first < len(row.slots):
            raise StoreCorrupt(f"journal {state.name}: block {index} is missing")
        if row.size_bytes <= ROW_CACHED_SIZE_BYTES_MAX:
            self._rows.put((state.number, state.edits), row)
        return row

    def _row_of(self, state: JournalState, index: int) -> tuple[Any, Any, Any]:
        found = self._execute(
            f"SELECT first, before, body FROM journal_chunk_{state.number} "  # noqa: S608 - an integer
            "WHERE first <= ? ORDER BY first DESC LIMIT 1",
            (index,),
        )
        if not found:
            raise StoreCorrupt(f"journal {state.name}: block {index} is missing")
        first, before, body = found[0]
        return first, before, body

    def _rows_from(self, state: JournalState, index: int) -> list[tuple[Any, ...]]:
        return self._execute(
            f"SELECT first, before, body FROM journal_chunk_{state.number} WHERE first >= "  # noqa: S608 - an integer
            f"(SELECT max(first) FROM journal_chunk_{state.number} WHERE first <= ?) "
            "ORDER BY first LIMIT ?",
            (index, READ_ROWS),
        )

    def _execute(self, sql: str, parameters: tuple[int, ...]) -> list[tuple[Any, ...]]:
        try:
            return self._connection.execute(sql, parameters).fetchall()
        except SQLITE_ERRORS as error:
            raise fault_of(error, writing=False, ours=True) from error


@dataclass(frozen=True, slots=True)
class _Watch:
    """What a query may take; begun in its thread, by that thread's clock and the common one."""

    work_began_s: float
    began_s: float

    def is_over(self) -> bool:
        """Return whether it took too long."""
        work_s = time.thread_time() - self.work_began_s
        elapsed_s = time.monotonic() - self.began_s
        return work_s * 1000 > QUERY_TIME_MS_MAX or elapsed_s * 1000 > QUERY_ELAPSED_MS_MAX

    def words(self) -> str:
        """Say what it took."""
        work_ms = 1000 * (time.thread_time() - self.work_began_s)
        elapsed_ms = 1000 * (time.monotonic() - self.began_s)
        return f"{work_ms:.0f} ms of work in {elapsed_ms:.0f} ms"
