"""The store of a cell: all its journals, and the tables of other packages, in one SQLite file.

    store = await Store.open(path, signer=key.sign, cell_id=cell_id, durability="power")
    journal = await store.journal("consensus")
    index, length = await journal.append(b"block")

Every change is a commit in one queue, written in order by one writer (see `journal.committer`).

Invariants: order is first in, first out; a commit is whole or not there; what was acknowledged as
durable survives a power cut, with all that was acknowledged before it; a caller that stops waiting
changes nothing about its commit; a failed write leaves memory at what is on disk, and readable.
This module does not know what blocks mean and has no thread of its own beside aiosqlite's.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, Self, TypeAlias, get_args

from core.ids import CellId, public_key_of
from journal.audit import Audit, Progress
from journal.checkpoint import Sign, check_journal_name
from journal.committer import Committer
from journal.disk import OS_DISK, ConnectionThread, Disk
from journal.errors import (
    CommitRefused,
    JournalHeld,
    NoDurability,
    StoreClosed,
    StoreUnavailable,
    TooManyOpen,
)
from journal.events import Appended, Event, Subscription, Truncated
from journal.layout import JournalState, States
from journal.limits import (
    BLOCK_SIZE_BYTES_MAX,
    COMMIT_OVERHEAD_BYTES,
    COMMIT_SIZE_BYTES_MAX,
    SNAPSHOTS_MAX,
    SUBSCRIPTIONS_MAX,
)
from journal.log import Journal
from journal.pen import Pen
from journal.reader import Reader
from journal.snapshot import Snapshot
from journal.statements import (
    SqlValue,
    Statement,
    check_statement,
    size_of_statements,
    split_script,
)
from journal.waiting import within
from journal.writer import Batch, Positions, Writer

Durability: TypeAlias = Literal["process", "power"]
"""What an append survives unless it says otherwise: a crash of the process, or a power cut."""

OnHeld: TypeAlias = Callable[[str], None]
"""Told the name of a journal that somebody without its pen wanted to write."""


class Store:
    """All journals of a cell in one file. Made by `Store.open`; one process at a time."""

    def __init__(
        self,
        path: Path,
        writer: Writer,
        thread: ConnectionThread,
        *,
        durability: Durability,
        disk: Disk,
    ) -> None:
        self.writer = writer
        self.cell_id = writer.cell_id
        self.public_key = writer.public_key
        self.durable_default = durability == "power"
        self._path = path
        self._thread = thread
        self._disk = disk
        self._reader: Reader | None = Reader(path, disk)
        self._subscriptions: list[Subscription] = []
        self._snapshots: list[Snapshot] = []
        self._pens: dict[str, tuple[Pen, OnHeld]] = {}
        self._committer = Committer(
            writer, thread, path, disk, on_change=self._on_change, before_close=self._release
        )

    @classmethod
    async def open(
        cls,
        path: Path | str,
        *,
        signer: Sign,
        cell_id: str,
        former: CellId | None = None,
        durability: Durability = "power",
        encryption_keys: Mapping[str, bytes] | None = None,
        timeout_s: float | None = None,
        disk: Disk = OS_DISK,
    ) -> Self:
        """Open or create the store at `path` and check every signed head.

        `signer` signs bytes with the cell's key; it is called in the writer's thread or the
        caller's. A store that belongs to the cell id `former` goes over to `cell_id`, in one
        durable commit. `encryption_keys`: 32 bytes per journal that is, or will be, encrypted.
        Raises NotACellId, WrongCell, NotAStore, StoreCorrupt, StoreUnavailable, SignerFailed,
        WrongEncryptionKey, NotEncrypted, NotAJournalName, NoDurability, TimedOut or a disk's
        fault.
        """
        if durability not in get_args(Durability):
            raise NoDurability(f"{durability!r} is no durability")
        path = Path(path)
        keys = {check_journal_name(name): key for name, key in (encryption_keys or {}).items()}
        writer = Writer(
            path,
            disk,
            cell_id=cell_id,
            public_key=public_key_of(cell_id),
            sign=signer,
            former=former,
        )
        thread = disk.thread(writer.connect)
        store: Self | None = None
        try:
            await within(timeout_s, thread)
            for name, key in keys.items():
                writer.use_key(name, key)
            store = cls(path, writer, thread, durability=durability, disk=disk)
        except sqlite3.Error as error:
            raise StoreUnavailable(f"{path}: {error}") from error
        finally:
            if store is None:
                await thread.close()
                thread.join()
        return store

    async def create_tables(self, sql: str, *, timeout_s: float | None = None) -> None:
        """Run a script of `CREATE … IF NOT EXISTS` statements in one durable commit.

        Names that start with `journal_` are the store's own. Raises StatementRefused.
        """
        statements: list[Statement] = [(part, [()]) for part in split_script(sql)]
        await self.commit(Batch({}, statements, durable=True), timeout_s=timeout_s)

    async def journal(self, name: str, *, timeout_s: float | None = None) -> Journal:
        """Return the journal `name`, created on first use; raises NotAJournalName."""
        if name not in self._committer.states:
            await self.commit(Batch({name: ()}), timeout_s=timeout_s)
        return Journal(self, self._committer, name)

    def journals(self) -> list[str]:
        """Return the names of all journals, in the order of their creation."""
        return list(self._committer.states)

    def lengths(self) -> dict[str, int]:
        """Return the length of each journal."""
        return {name: state.size for name, state in self._committer.states.items()}

    @property
    def path(self) -> Path:
        """Where the database is."""
        return self._path

    def pen(self, name: str, on_held: OnHeld = lambda _: None) -> Pen:
        """Return the only way to append to a journal, until it is given back.

        `on_held` is told of those who try without. Raises NotAJournalName, or JournalHeld when it
        is out already.
        """
        self.check_held(check_journal_name(name))
        made = Pen(self, name)
        self._pens[name] = (made, on_held)
        return made

    def take_back(self, pen: Pen) -> None:
        """Let others have a journal; for `Pen.give_back`."""
        if self._pens.get(pen.name, (None,))[0] is pen:
            del self._pens[pen.name]

    def check_held(self, name: str, pen: object = None) -> None:
        """Raise JournalHeld if another pen than this one is out; for `Journal`."""
        held = self._pens.get(name)
        if held is not None and held[0] is not pen:
            held[1](name)
            raise JournalHeld(f"journal {name} is written by the part that holds it")

    async def transaction(
        self,
        appends: Mapping[str, Sequence[bytes]],
        statements: Sequence[Statement] = (),
        durable: bool | None = None,  # noqa: FBT001 - the agreed API
        *,
        timeout_s: float | None = None,
    ) -> Positions:
        """Append to journals and run statements, all or nothing; see `commit`."""
        return await self.commit(Batch(appends, statements, durable), timeout_s=timeout_s)

    async def commit(self, batch: Batch, *, timeout_s: float | None = None) -> Positions:
        """Queue one commit and return, once it is written, its positions per journal.

        Journals named for the first time are created. A caller that is cancelled or times out
        after this began stops waiting only: the commit goes on. Raises CommitRefused,
        NotAJournalName, JournalHeld, StatementRefused, EncryptionKeyMissing, QueueFull,
        StoreClosed, TimedOut, or for everybody whose commit shared the transaction DiskFull,
        WriteFailed, SignerFailed or StoreUnavailable.
        """
        self._committer.check_open()
        known = self._committer.states
        frozen = Batch(
            {
                name if name in known else check_journal_name(name): tuple(blocks)
                for name, blocks in batch.appends.items()
            },
            tuple([(sql, tuple(rows)) for sql, rows in batch.statements]),
            batch.durable,
            batch.pen,
        )
        for sql, _ in frozen.statements:
            check_statement(sql)
        future = self.put(frozen)
        return await (future if timeout_s is None else within(timeout_s, future))

    async def sync(self, *, timeout_s: float | None = None) -> None:
        """Return once an fsync covers all that was committed before the call."""
        await within(timeout_s, self._committer.sync())

    async def settle(self, *, timeout_s: float | None = None) -> None:
        """Return once all that was queued before the call is written, durable or not."""
        await self.commit(Batch({}, (), durable=False), timeout_s=timeout_s)

    def query(self, sql: str, parameters: Sequence[SqlValue] = ()) -> list[tuple[Any, ...]]:
        """Return the rows of a short read-only statement, run in the calling thread.

        Sees every acknowledged commit. Raises QueryTooLong, StatementRefused or ReadFailed.
        """
        return self.reader().query(sql, parameters)

    def events(self, journal: str | None = None) -> Subscription:
        """Return a subscription to the events of one journal, or of all; close it after use.

        Raises TooManyOpen or StoreClosed.
        """
        self._committer.check_open()
        if len(self._subscriptions) >= SUBSCRIPTIONS_MAX:
            raise TooManyOpen(f"{SUBSCRIPTIONS_MAX} subscriptions are open")
        subscription = Subscription(journal, self._subscriptions.remove)
        self._subscriptions.append(subscription)
        return subscription

    async def snapshot(self, journal: str, *, timeout_s: float | None = None) -> Snapshot:
        """Return a journal as it is now; see `Journal.snapshot`. Raises TooManyOpen."""
        self._committer.check_open()
        if len(self._snapshots) >= SNAPSHOTS_MAX:
            raise TooManyOpen(f"{SNAPSHOTS_MAX} snapshots are open")
        reader = Reader(self._path, self._disk)
        snapshot: Snapshot | None = None
        try:
            reader.pin()
            while not reader.is_at(state := self.state_of(journal)):
                await self.settle(timeout_s=timeout_s)
                if self.state_of(journal) is state:
                    break  # nothing was on its way to be acknowledged: it is damage, to be read
                reader.close()
                reader = Reader(self._path, self._disk)
                reader.pin()
            snapshot = Snapshot(
                reader,
                self.state_of(journal),
                self.writer.seal_of(journal),
                self.writer.shown_head,
                self._snapshots.remove,
            )
            self._snapshots.append(snapshot)
        finally:
            if snapshot is None:
                reader.close()
        return snapshot

    async def audit(
        self, progress: Progress | None = None, *, timeout_s: float | None = None
    ) -> list[Audit]:
        """Verify every journal whole; see `Journal.audit`. `progress`: over all blocks."""
        return await within(timeout_s, self._audit(progress))

    async def _audit(self, progress: Progress | None) -> list[Audit]:
        total = sum(state.size for state in self._committer.states.values())
        done, audits = 0, []
        for name in self.journals():
            before = done
            audit = await (await self.journal(name)).audit(
                None if progress is None else lambda at, _, b=before: progress(b + at, total)  # type: ignore[misc]  # a bound default
            )
            audits.append(audit)
            done += audit.blocks
        return audits

    async def close(self, *, timeout_s: float | None = None) -> None:
        """Write what waits, then close files and end the threads; later calls raise StoreClosed.

        After TimedOut that goes on by itself.
        """
        await within(timeout_s, self._committer.close())

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    def put(self, batch: Batch) -> asyncio.Future[Positions]:
        """Queue a commit that nobody changes any more, of checked names; for `Journal`."""
        if self._pens:
            for name, blocks in batch.appends.items():
                if blocks:
                    self.check_held(name, batch.pen)
        size_bytes = _size_of(batch)
        if size_bytes > COMMIT_SIZE_BYTES_MAX:
            raise CommitRefused(f"a commit of {size_bytes} bytes is too large")
        durable = self.durable_default if batch.durable is None else batch.durable
        return self._committer.put(batch, durable=durable, size_bytes=size_bytes)

    def state_of(self, name: str) -> JournalState:
        """Return the acknowledged state of a journal; for `Journal`."""
        return self._committer.states[name]

    def show(self, name: str, show: Callable[[str, JournalState], None] | None) -> None:
        """Call `show` with each head of a journal that an fsync covers, until it is None.

        The publish barrier for those who are shown every head; each commit to that journal is
        fsynced at once meanwhile, whether or not it waits for that. For `Shelf`.
        """
        if show is None:
            self._committer.show(name, None)
        else:
            self._committer.show(name, lambda state: show(self.writer.shown_head(state), state))

    def reader(self) -> Reader:
        """Return the reader, or raise StoreClosed; for `Journal`."""
        if self._reader is None:
            raise StoreClosed("the store is closed")
        return self._reader

    def tell(self, event: Event) -> None:
        """Give an event to its subscribers; for `Journal`."""
        for subscription in self._subscriptions:
            subscription.put(event)

    def _release(self) -> None:
        for snapshot in tuple(self._snapshots):
            snapshot.close()
        for subscription in tuple(self._subscriptions):
            subscription.close()
        if self._reader is not None:
            self._reader.close()
            self._reader = None

    def _on_change(self, before: States, after: States) -> None:
        if not self._subscriptions:
            return
        for name, state in after.items():
            for event in _events_between(before.get(name), state):
                self.tell(event)


def _events_between(old: JournalState | None, new: JournalState) -> list[Event]:
    if old is new:
        return []
    if old is not None and new.fork != old.fork:
        return [Truncated(new.name, new.fork, new.size)]
    start = 0 if old is None else old.size
    return [Appended(new.name, new.fork, start, new.size)] if new.size > start else []


def _size_of(batch: Batch) -> int:
    size_bytes = COMMIT_OVERHEAD_BYTES
    for name, blocks in batch.appends.items():
        for block in blocks:
            if not isinstance(block, bytes) or len(block) > BLOCK_SIZE_BYTES_MAX:
                raise CommitRefused(
                    f"journal {name}: a block is at most {BLOCK_SIZE_BYTES_MAX} bytes"
                )
            size_bytes += len(block)
    return size_bytes + size_of_statements(batch.statements) if batch.statements else size_bytes
