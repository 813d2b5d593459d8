"""The single writer: turns the commits that wait into one SQLite transaction.

Everything here runs in the writer's thread and owns the writing connection. Merged commits share
one transaction, one fsync (if any of them asks for it) and one signature per touched journal. If
one of them is refused, nothing of the transaction stays and each is tried alone, so that only the
one at fault fails; the order never changes.

Invariants: the states in memory are those on disk, before and after, whether or not a write
failed; a durable transaction fsyncs the log even if it changes no page itself.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, TypeAlias

from core.errors import InvariantBroken, MyceldError, OperationalFault, check
from core.ids import Hash, PublicKey
from journal.checkpoint import Sign, sign_checkpoint
from journal.database import (
    SQLITE_ERRORS,
    call_signer,
    connect_writer,
    create_journal_tables,
    fault_of,
    prepare,
)
from journal.errors import CommitRefused, StatementRefused, WrittenByAnother
from journal.layout import Appender, JournalState, Rows
from journal.limits import JOURNALS_MAX, PAGE_SIZE_BYTES, WAL_SIZE_BYTES
from journal.merkle import EMPTY_ROOT, Frontier
from journal.statements import SqlValue, Statement

Positions: TypeAlias = dict[str, tuple[int, int]]
"""Per journal of a commit: the index of its first block, and the length after its last."""

_WAL_HEADER_BYTES: Final = 32
_FRAME_HEADER_BYTES: Final = 24
_FRAME_BYTES: Final = _FRAME_HEADER_BYTES + PAGE_SIZE_BYTES
_TICK: Final = "UPDATE journal_store SET syncs = syncs + 1"
_REFUSALS: Final = (StatementRefused, CommitRefused)


@dataclass(frozen=True, slots=True)
class Batch:
    """One commit: blocks for journals and statements on other tables, all or nothing.

    `durable`: True waits for an fsync, False for the page cache, None is the store's default.
    """

    appends: Mapping[str, Sequence[bytes]]
    statements: Sequence[Statement] = ()
    durable: bool | None = None


@dataclass(frozen=True, slots=True)
class Written:
    """What became of the merged commits, in their order, and the states after them."""

    outcomes: list[Positions | MyceldError]
    states: dict[str, JournalState]
    wal_is_long: bool


class Writer:
    """Owns the writing connection; each method runs in its thread, one at a time."""

    def __init__(self, path: Path, cell_id: str, public_key: PublicKey, sign: Sign) -> None:
        self._path = path
        self._cell_id = cell_id
        self._public_key = public_key
        self._sign = sign
        self._states: dict[str, JournalState] = {}
        self._synchronous = "NORMAL"
        self._unsynced = True
        self._wal_frames = WAL_SIZE_BYTES // _FRAME_BYTES
        self._wal_frames_next = self._wal_frames
        self._wal_file = -1

    def connect(self) -> sqlite3.Connection:
        """Open the file and check all heads; raises a leaf of journal.errors."""
        connection = connect_writer(self._path)
        try:
            self._states = prepare(connection, self._cell_id, self._public_key, self._sign)
        except MyceldError:
            connection.close()
            raise
        return connection

    def states(self) -> dict[str, JournalState]:
        """Return the state of each journal on disk."""
        return dict(self._states)

    def write(
        self, connection: sqlite3.Connection, batches: Sequence[Batch], *, durable: bool
    ) -> Written:
        """Commit `batches` in order; a failure is the outcome of those it hit."""
        outcomes: list[Positions | MyceldError]
        try:
            outcomes = list(self._transact(connection, batches, durable=durable))
        except _REFUSALS as error:
            if len(batches) == 1:
                outcomes = [error]
            else:
                outcomes = self._write_each(connection, batches, durable=durable)
        except (OperationalFault, InvariantBroken) as error:
            outcomes = [error] * len(batches)
        return Written(outcomes, self.states(), self._wal_is_long())

    def checkpoint(self, connection: sqlite3.Connection) -> None:
        """Copy the write-ahead log into the database, as far as no reader needs it.

        Raises DiskFull (the log just stays) or WriteFailed.
        """
        try:
            row = connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
        except SQLITE_ERRORS as error:
            raise fault_of(error, writing=True) from error
        _, frames, copied = row
        # A reader in another process can hold pages back; then look again after as much more.
        self._wal_frames_next = self._wal_frames if frames == copied else frames + self._wal_frames

    def release(self) -> None:
        """Close what is open beside the connection."""
        if self._wal_file >= 0:
            os.close(self._wal_file)
            self._wal_file = -1

    def _write_each(
        self, connection: sqlite3.Connection, batches: Sequence[Batch], *, durable: bool
    ) -> list[Positions | MyceldError]:
        outcomes: list[Positions | MyceldError] = []
        for at, batch in enumerate(batches):
            try:
                outcomes.extend(self._transact(connection, [batch], durable=durable))
            except _REFUSALS as error:
                outcomes.append(error)
            except (OperationalFault, InvariantBroken) as error:
                outcomes.extend([error] * (len(batches) - at))
                break
        return outcomes

    def _transact(
        self, connection: sqlite3.Connection, batches: Sequence[Batch], *, durable: bool
    ) -> list[Positions]:
        """Run one transaction; whatever it raises, nothing of it stays."""
        try:
            self._set_synchronous(connection, "FULL" if durable else "NORMAL")
            connection.execute("BEGIN IMMEDIATE")
            appenders: dict[str, Appender] = {}
            created: dict[str, JournalState] = {}
            positions = [self._apply(connection, batch, appenders, created) for batch in batches]
            states = created | self._write_rows(connection, appenders)
            if durable and self._unsynced:
                # SQLite fsyncs only if the transaction wrote a page; earlier commits need it.
                connection.execute(_TICK)
            check(connection.in_transaction, "a statement ended the transaction")
            connection.execute("COMMIT")
        except SQLITE_ERRORS as error:
            raise fault_of(error, writing=True) from error
        finally:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
        self._states.update(states)
        self._unsynced = not durable
        return positions

    def _apply(
        self,
        connection: sqlite3.Connection,
        batch: Batch,
        appenders: dict[str, Appender],
        created: dict[str, JournalState],
    ) -> Positions:
        positions: Positions = {}
        for name, blocks in batch.appends.items():
            appender = appenders.get(name)
            if appender is None:
                state = self._states.get(name)
                if state is None:
                    state = created[name] = self._create(connection, name, len(created))
                appender = appenders[name] = Appender(state)
            index = appender.size
            appender.append(blocks)
            positions[name] = (index, appender.size)
        for sql, rows in batch.statements:
            _run_statement(connection, sql, rows)
        return positions

    def _create(self, connection: sqlite3.Connection, name: str, created: int) -> JournalState:
        number = len(self._states) + created + 1
        if number > JOURNALS_MAX:
            raise CommitRefused(f"a store has at most {JOURNALS_MAX} journals")
        state = JournalState(
            number=number,
            name=name,
            fork=0,
            size=0,
            root=EMPTY_ROOT,
            head="",
            frontier=Frontier(),
            tail=(),
            open_first=0,
            open_blocks=(),
        )
        state = replace(state, head=self._head(state, 0, EMPTY_ROOT))
        create_journal_tables(connection, number)
        connection.execute(
            "INSERT INTO journal_head (number, name, fork, size, head, tail) "
            "VALUES (?, ?, 0, 0, ?, x'')",
            (number, name, state.head),
        )
        return state

    def _write_rows(
        self, connection: sqlite3.Connection, appenders: Mapping[str, Appender]
    ) -> dict[str, JournalState]:
        states = {}
        for name, appender in appenders.items():
            old = appender.state
            if appender.size == old.size:
                continue
            root = appender.root()
            rows, state = appender.finish(self._head(old, appender.size, root), root)
            try:
                _write_journal(connection, old, state, rows)
            except SQLITE_ERRORS as error:
                raise fault_of(error, writing=True, ours=True) from error
            states[name] = state
        return states

    def _head(self, state: JournalState, size: int, root: Hash) -> str:
        origin = f"{self._cell_id}/{state.name}/{state.fork}"
        return sign_checkpoint(
            origin, size, root, self._public_key, lambda body: call_signer(self._sign, body)
        )

    def _set_synchronous(self, connection: sqlite3.Connection, wanted: str) -> None:
        if self._synchronous != wanted:
            connection.execute(f"PRAGMA synchronous = {wanted}")
            self._synchronous = wanted

    def _wal_is_long(self) -> bool:
        """Whether the write-ahead log has so many frames in use (SQLite file format, section 4).

        The file never shrinks; a frame is in use if it has the salt of the log's header.
        """
        try:
            if self._wal_file < 0:
                wal = f"{self._path}-wal"
                self._wal_file = os.open(wal, os.O_RDONLY | os.O_CLOEXEC)
            header = os.pread(self._wal_file, _WAL_HEADER_BYTES, 0)
            at = _WAL_HEADER_BYTES + self._wal_frames_next * _FRAME_BYTES
            frame = os.pread(self._wal_file, _FRAME_HEADER_BYTES, at)
        except OSError:
            return True  # a checkpoint too many costs little, a log without bound costs the disk
        return len(frame) == _FRAME_HEADER_BYTES and frame[8:16] == header[16:24]


def _run_statement(
    connection: sqlite3.Connection, sql: str, rows: Sequence[Sequence[SqlValue]]
) -> None:
    try:
        if len(rows) == 1:
            connection.execute(sql, rows[0])
        else:
            connection.executemany(sql, rows)
    except (OverflowError, TypeError, ValueError) as error:
        raise StatementRefused(f"{sql[:80]!r}: {error}") from error


def _write_journal(
    connection: sqlite3.Connection, old: JournalState, state: JournalState, rows: Rows
) -> None:
    number = state.number
    connection.executemany(
        f"INSERT OR REPLACE INTO journal_chunk_{number} VALUES (?, ?)",  # noqa: S608 - an integer
        rows.chunks,
    )
    if rows.hashes:
        connection.executemany(
            f"INSERT INTO journal_hash_{number} VALUES (?, ?)",  # noqa: S608 - an integer
            rows.hashes,
        )
    updated = connection.execute(
        "UPDATE journal_head SET size = ?, head = ?, tail = ? WHERE number = ? AND head = ?",
        (state.size, state.head, b"".join(state.tail), number, old.head),
    )
    if updated.rowcount != 1:
        raise WrittenByAnother(
            f"journal {state.name}: its head on disk is not of {old.size} blocks"
        )
