"""A store that nobody runs: copied as it is at one moment, and checked whole, without its key.

The copy is made over a read-only connection that holds one moment of the file: in the write-ahead
log's mode that stops no writer, however long it takes; the log only can not start over meanwhile.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final, TypeAlias

from journal.audit import Audit, audit_state
from journal.database import SQLITE_ERRORS, checked_states, connect_reader, fault_of
from journal.disk import OS_DISK, Disk
from journal.errors import StoreCorrupt
from journal.reader import Reader
from journal.statements import SqlValue

CopyProgress: TypeAlias = Callable[[int, int], None]
"""(pages done, pages in all)."""

_PAGES_STEP: Final = 256
"""Pages copied between two calls of the progress: 2 MiB."""


def copy_store(
    source: Path, target: Path, progress: CopyProgress | None = None, disk: Disk = OS_DISK
) -> None:
    """Copy the database at `source` as it is now to the new file `target`, durably.

    Whoever runs on the source goes on. Raises a leaf of journal.errors, or OSError for `target`.
    """
    os.close(os.open(target, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
    reader = connect_reader(source, disk)
    writer = sqlite3.connect(target, isolation_level=None)
    try:
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM journal_store").fetchone()
        _sync(source.with_name(source.name + "-wal"))
        reader.backup(
            writer,
            pages=_PAGES_STEP,
            sleep=0,
            progress=lambda _, left, pages: (
                None if progress is None else progress(pages - left, pages)
            ),
        )
        # One file holds it all: no log beside it.
        writer.execute("PRAGMA journal_mode = DELETE")
    except SQLITE_ERRORS as error:
        raise fault_of(error, writing=True, ours=True) from error
    finally:
        writer.close()
        reader.close()
    _sync(target)


class StoreAtRest:
    """A store that nobody runs, for reading and checking. Needs no key, writes nothing."""

    def __init__(self, path: Path, disk: Disk = OS_DISK, *, checks_pages: bool = True) -> None:
        """Open it and check every signed head; raises StoreCorrupt, NotAStore or ReadFailed.

        `checks_pages`: SQLite checks its own pages too, which takes 5 s a GiB.
        """
        connection = connect_reader(path, disk)
        try:
            check = "PRAGMA integrity_check(1)" if checks_pages else "SELECT 'ok'"
            found = connection.execute(check).fetchone()
            if found != ("ok",):
                raise StoreCorrupt(f"SQLite finds it damaged: {found[0]}")
            self.cell_id, states = checked_states(connection)
        except SQLITE_ERRORS as error:
            raise fault_of(error, writing=False, ours=True) from error
        finally:
            connection.close()
        self._states = {state.name: state for state in states}
        self._reader = Reader(path, disk)

    @property
    def heads(self) -> dict[str, str]:
        """Signed heads by journal."""
        return {name: state.head for name, state in self._states.items()}

    def close(self) -> None:
        """Let go of the file."""
        self._reader.close()

    def query(self, sql: str, parameters: Sequence[SqlValue] = ()) -> list[tuple[Any, ...]]:
        """Return all rows of a statement that reads; see `Reader.query`."""
        return self._reader.query(sql, parameters)

    def length(self, journal: str) -> int:
        """Return how many blocks a journal has."""
        state = self._states.get(journal)
        return 0 if state is None else state.size

    def blocks(self, journal: str, start: int = 0) -> Iterator[bytes | None]:
        """Yield the blocks of a journal from `start` on, each checked, None for a cleared one."""
        state = self._states.get(journal)
        if state is None:
            return
        for part in self._reader.slots(state, start, state.size):
            yield from (slot if isinstance(slot, bytes) else None for slot in part)

    async def audit(self) -> list[Audit]:
        """Check every row of every journal; raises StoreCorrupt or ReadFailed."""
        return [await audit_state(self._reader, state) for state in self._states.values()]


def _sync(path: Path) -> None:
    """Make durable what is in a file: a copy must not hold what its original can still lose."""
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        return
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
