"""The single writer: turns the commits that wait into one SQLite transaction.

Everything here runs in the writer's thread and owns the writing connection. Merged commits share
one transaction, one fsync (if any of them asks for it) and one signature per touched journal. If
one of them is refused, nothing of the transaction stays and each is tried alone, so that only the
one at fault fails; the order never changes.

Invariants: the states in memory are those on disk, before and after, whether or not a write
failed; a durable transaction fsyncs the log even if it changes no page itself.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeAlias, TypeVar

from core.errors import InvariantBroken, LocalMisuse, MyceldError, OperationalFault, check
from core.failpoint import hit
from core.ids import CellId, Hash, PublicKey
from journal.bundle import NewHead, is_bundled, sign_together
from journal.checkpoint import Sign, sign_checkpoint
from journal.database import (
    SQLITE_ERRORS,
    call_signer,
    connect_writer,
    create_journal_tables,
    fault_of,
    prepare,
)
from journal.disk import Disk
from journal.edits import Clear, Edit, clear, truncate
from journal.errors import (
    CommitRefused,
    EncryptionKeyMissing,
    NotEncrypted,
    StatementRefused,
    WrittenByAnother,
)
from journal.layout import Appender, JournalState, Rows
from journal.limits import (
    EVIDENCE_KEPT_MAX,
    FREE_PAGES_STEP,
    JOURNALS_MAX,
    LOCK_TIMEOUT_MS,
)
from journal.merkle import EMPTY_ROOT, Frontier
from journal.sealing import Seal
from journal.statements import SqlValue, Statement

Positions: TypeAlias = dict[str, tuple[int, int]]
"""Per journal of a commit: the index of its first block, and the length after its last."""

_TICK: Final = "UPDATE journal_store SET syncs = syncs + 1"
_REFUSALS: Final = LocalMisuse
"""Faults of one commit alone."""

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Batch:
    """One commit: blocks for journals and statements on other tables, all or nothing.

    `durable`: True waits for an fsync, False for the page cache, None is the store's default.
    """

    appends: Mapping[str, Sequence[bytes]]
    statements: Sequence[Statement] = ()
    durable: bool | None = None
    pen: object = None
    """The pen of the journal that is appended to, if it is held (`journal.pen`)."""


@dataclass(frozen=True, slots=True)
class Written:
    """What became of the merged commits, in their order, and the states after them."""

    outcomes: list[Positions | MyceldError]
    states: dict[str, JournalState]


class Writer:
    """Owns the writing connection; each method runs in its thread, one at a time."""

    def __init__(
        self,
        path: Path,
        disk: Disk,
        *,
        cell_id: str,
        public_key: PublicKey,
        sign: Sign,
        former: CellId | None = None,
    ) -> None:
        self._former = former
        self._path = path
        self._disk = disk
        self.cell_id = cell_id
        self.public_key = public_key
        self._sign = sign
        self._states: dict[str, JournalState] = {}
        self._seals: dict[str, Seal] = {}
        self._shown: dict[str, tuple[str, str]] = {}
        self._synchronous = "NORMAL"
        self._unsynced = True

    def connect(self) -> sqlite3.Connection:
        """Open the file and check all heads; raises a leaf of journal.errors."""
        connection = connect_writer(self._path, self._disk)
        try:
            self._states = prepare(
                connection, self.cell_id, self.public_key, self._sign, self._former
            )
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
        return Written(outcomes, self.states())

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

    def edit(self, connection: sqlite3.Connection, edit: Edit, *, durable: bool) -> Written:
        """Truncate or clear, in a transaction of its own."""

        def change() -> tuple[Positions, dict[str, JournalState]]:
            old = self._states.get(edit.name)
            if old is None:
                raise CommitRefused(f"there is no journal {edit.name}")
            if isinstance(edit, Clear):
                new = clear(connection, old, edit)
            else:
                new = truncate(connection, old, old.size if edit.length is None else edit.length)
                new = new._replace(head=self.head_of(new, new.size, new.root))
                if edit.theirs is not None:
                    _keep_evidence(connection, old, self.shown_head(old), edit.theirs)
            _update_head(connection, old, new)
            return {edit.name: (new.size, new.size)}, {edit.name: new}

        outcome: Positions | MyceldError
        try:
            outcome = self._in_transaction(connection, change, durable=durable)
        except MyceldError as error:
            outcome = error
        self._renew_salts()
        return Written([outcome], self.states())

    def free_pages(self, connection: sqlite3.Connection) -> bool:
        """Give a few free pages back to the file system; tell whether there are more.

        Raises DiskFull or WriteFailed.
        """
        try:
            before = connection.execute("PRAGMA freelist_count").fetchone()
            connection.execute(f"PRAGMA incremental_vacuum({FREE_PAGES_STEP})").fetchall()
            self._unsynced = True
            after = connection.execute("PRAGMA freelist_count").fetchone()
            if (0,) < after < before:  # the pragma hides that a disk is full, and moves nothing
                return True
            # A snapshot may keep the log in use: then it is cut at a later edit, not waited for.
            connection.execute("PRAGMA busy_timeout = 0")
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
            connection.execute(f"PRAGMA busy_timeout = {LOCK_TIMEOUT_MS}")
        except SQLITE_ERRORS as error:
            raise fault_of(error, writing=True) from error
        return False

    def use_key(self, name: str, key: bytes) -> Seal:
        """Encrypt the journal `name` with `key`; one that is there must have been created so.

        Raises WrongEncryptionKey or NotEncrypted.
        """
        seal = Seal(key, self.cell_id, name)
        state = self._states.get(name)
        if state is not None and not state.key_check:
            raise NotEncrypted(f"journal {name} is not encrypted")
        if state is not None:
            seal.check_key(state.key_check)
        self._seals[name] = seal
        return seal

    def _transact(
        self, connection: sqlite3.Connection, batches: Sequence[Batch], *, durable: bool
    ) -> list[Positions]:
        """Run one transaction; whatever it raises, nothing of it stays."""

        def change() -> tuple[list[Positions], dict[str, JournalState]]:
            appenders: dict[str, Appender] = {}
            created: dict[str, JournalState] = {}
            positions = [self._apply(connection, batch, appenders, created) for batch in batches]
            return positions, created | self._write_rows(connection, appenders)

        try:
            return self._in_transaction(connection, change, durable=durable)
        except BaseException:
            self._renew_salts()  # what was encrypted may be in the log, and its indexes are free
            raise

    def _in_transaction(
        self,
        connection: sqlite3.Connection,
        change: Callable[[], tuple[_T, dict[str, JournalState]]],
        *,
        durable: bool,
    ) -> _T:
        try:
            self._set_synchronous(connection, "FULL" if durable else "NORMAL")
            connection.execute("BEGIN IMMEDIATE")
            result, states = change()
            if durable and self._unsynced:
                # SQLite fsyncs only if the transaction wrote a page; earlier commits need it.
                connection.execute(_TICK)
            check(connection.in_transaction, "a statement ended the transaction")
            hit("journal.durable.before" if durable else "journal.commit.before")
            connection.execute("COMMIT")
            hit("journal.durable.after" if durable else "journal.commit.after")
        except SQLITE_ERRORS as error:
            raise fault_of(error, writing=True) from error
        finally:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
        self._states.update(states)
        self._unsynced = not durable
        return result

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
                seal = self._seals.get(name)
                if state.key_check and seal is None:
                    raise EncryptionKeyMissing(f"journal {name} is encrypted")
                appender = appenders[name] = Appender(state, seal)
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
        seal = self._seals.get(name)
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
            key_check=b"" if seal is None else seal.key_check(),
        )
        state = state._replace(head=self.head_of(state, 0, EMPTY_ROOT))
        create_journal_tables(connection, number)
        connection.execute(
            "INSERT INTO journal_head VALUES (?, ?, 0, 0, 0, 0, 0, ?, ?)",
            (number, name, state.key_check, state.head),
        )
        return state

    def _write_rows(
        self, connection: sqlite3.Connection, appenders: Mapping[str, Appender]
    ) -> dict[str, JournalState]:
        grown = [appender for appender in appenders.values() if appender.size > appender.state.size]
        roots = [appender.root() for appender in grown]
        states = {}
        for appender, root, head in zip(grown, roots, self._heads(grown, roots), strict=True):
            old, name = appender.state, appender.state.name
            rows, state = appender.finish(head, root)
            try:
                _write_journal(connection, old, state, rows)
            except SQLITE_ERRORS as error:
                raise fault_of(error, writing=True, ours=True) from error
            states[name] = state
        return states

    def _heads(self, grown: Sequence[Appender], roots: Sequence[Hash]) -> list[str]:
        """Return the new heads of a transaction, by one signature in all."""
        heads: list[NewHead] = [
            (self._origin(appender.state), appender.size, root)
            for appender, root in zip(grown, roots, strict=True)
        ]
        if len(heads) < 2:
            return [sign_checkpoint(*head, self.public_key, self._call_signer) for head in heads]
        return sign_together(heads, self.public_key, self._call_signer)

    def head_of(self, state: JournalState, size: int, root: Hash) -> str:
        """Return a signed head of the first `size` blocks; raises SignerFailed."""
        return sign_checkpoint(self._origin(state), size, root, self.public_key, self._call_signer)

    def shown_head(self, state: JournalState) -> str:
        """Return the head of `state` as others can verify it; raises SignerFailed."""
        if not is_bundled(state.head, self.public_key):
            return state.head
        kept, head = self._shown.get(state.name, ("", ""))
        if kept != state.head:
            head = self.head_of(state, state.size, state.root)
            self._shown[state.name] = (state.head, head)
        return head

    def _origin(self, state: JournalState) -> str:
        return f"{self.cell_id}/{state.name}/{state.fork}"

    def _call_signer(self, message: bytes) -> bytes:
        return call_signer(self._sign, message)

    def seal_of(self, name: str) -> Seal | None:
        """Return the key of a journal, if it is encrypted and the key was given."""
        return self._seals.get(name)

    def _renew_salts(self) -> None:
        for seal in self._seals.values():
            seal.renew()

    def _set_synchronous(self, connection: sqlite3.Connection, wanted: str) -> None:
        if self._synchronous != wanted:
            connection.execute(f"PRAGMA synchronous = {wanted}")
            self._synchronous = wanted


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
    sql = f"INSERT OR REPLACE INTO journal_chunk_{number} VALUES (?, ?, ?)"  # noqa: S608 - an integer
    if len(rows.chunks) == 1:
        connection.execute(sql, rows.chunks[0])
    else:
        connection.executemany(sql, rows.chunks)
    if rows.hashes:
        connection.executemany(
            f"INSERT INTO journal_hash_{number} VALUES (?, ?)",  # noqa: S608 - an integer
            rows.hashes,
        )
    if state.tail_differs(old):
        _put_tail(connection, state)
    updated = connection.execute(
        "UPDATE journal_head SET size = ?, bytes = ?, head = ? WHERE number = ? AND head = ?",
        (state.size, state.size_bytes, state.head, number, old.head),
    )
    if updated.rowcount != 1:
        raise _overtaken(old)


def _update_head(connection: sqlite3.Connection, old: JournalState, new: JournalState) -> None:
    updated = connection.execute(
        "UPDATE journal_head SET fork = ?, size = ?, bytes = ?, edits = ?, pruned = ?, head = ? "
        "WHERE number = ? AND head = ? AND edits = ?",
        (
            *(new.fork, new.size, new.size_bytes, new.edits, new.pruned, new.head),
            *(new.number, old.head, old.edits),
        ),
    )
    if updated.rowcount != 1:
        raise _overtaken(old)
    _put_tail(connection, new)


def _put_tail(connection: sqlite3.Connection, state: JournalState) -> None:
    row = (state.number, b"".join(state.closed_tail))
    connection.execute("INSERT OR REPLACE INTO journal_tail VALUES (?, ?)", row)


def _keep_evidence(
    connection: sqlite3.Connection, state: JournalState, ours: str, theirs: str
) -> None:
    connection.execute(
        "INSERT OR IGNORE INTO journal_evidence (number, ours, theirs) SELECT ?, ?, ? "
        "WHERE (SELECT count(*) FROM journal_evidence WHERE number = ?) < ?",
        (state.number, ours, theirs, state.number, EVIDENCE_KEPT_MAX),
    )


def _overtaken(old: JournalState) -> WrittenByAnother:
    return WrittenByAnother(
        f"journal {old.name}: its head on disk is not the one of {old.size} blocks"
    )
