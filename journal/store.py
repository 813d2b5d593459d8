"""The store of a cell: all its journals, and the tables of other packages, in one SQLite file.

    store = await Store.open(path, signer=key.sign, cell_id=cell_id, durability="power")
    journal = await store.journal("consensus")
    index, length = await journal.append(b"block")

Every change is a commit in one queue. Whenever the writer's thread is free it takes all commits
that wait and writes them, in order, as one SQLite transaction with one fsync (group commit).

Invariants: order is first in, first out; a commit is whole or not there; what was acknowledged as
durable survives a power cut, with all that was acknowledged before it; a caller that stops waiting
changes nothing about its commit; a failed write leaves memory at what is on disk, and readable.
This module does not know what blocks mean and has no thread of its own beside aiosqlite's.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Self, TypeAlias, TypeVar

import aiosqlite

from core.errors import InvariantBroken, MyceldError
from core.ids import Hash, public_key_of
from journal.checkpoint import Sign, check_journal_name
from journal.errors import (
    CommitRefused,
    DiskFull,
    QueueFull,
    StoreClosed,
    StoreUnavailable,
    WriteFailed,
    WriterStopped,
)
from journal.layout import JournalState
from journal.limits import (
    BLOCK_SIZE_BYTES_MAX,
    COMMIT_OVERHEAD_BYTES,
    COMMIT_SIZE_BYTES_MAX,
    QUEUE_SIZE_BYTES_MAX,
    TRANSACTION_SIZE_BYTES_MAX,
)
from journal.reader import Reader
from journal.statements import (
    SqlValue,
    Statement,
    check_statement,
    size_of_statements,
    split_script,
)
from journal.writer import Batch, Positions, Writer, Written

Durability: TypeAlias = Literal["process", "power"]
"""What an append survives unless it says otherwise: a crash of the process, or a power cut."""

_T = TypeVar("_T")


class _WriterThread(aiosqlite.Connection):
    """aiosqlite's connection and thread; runs one function of ours per hop."""

    async def run(self, function: Callable[[sqlite3.Connection], _T]) -> _T:
        """Return `function(connection)`, run in the writer's thread."""
        result: _T = await self._execute(function, self._conn)  # type: ignore[no-untyped-call]  # upstream has no types there
        return result

    def join(self) -> None:
        """Wait for the thread, which ends within microseconds of `close`."""
        self._thread.join()


@dataclass(slots=True)
class _Waiting:
    batch: Batch
    durable: bool
    size_bytes: int
    future: asyncio.Future[Positions]


class Journal:
    """One append-only log of a store. Made by `Store.journal`."""

    def __init__(self, store: Store, name: str) -> None:
        self._store = store
        self.name = name

    @property
    def length(self) -> int:
        """Number of blocks acknowledged so far."""
        return self._state.size

    def root(self) -> Hash:
        """Return the root over all `length` blocks."""
        return self._state.root

    def checkpoint(self) -> str:
        """Return the signed head of the present length, for use inside this cell.

        A power cut may take it back. What leaves the cell is `publish()`.
        """
        return self._state.head

    async def publish(self) -> str:
        """Return the signed head of the present length once an fsync covers it.

        The publish barrier: only such a head may be shown to others.
        """
        state = self._state
        await self._store.sync()
        return state.head

    async def append(
        self,
        blocks: bytes | Sequence[bytes],
        durable: bool | None = None,  # noqa: FBT001 - the agreed API
    ) -> tuple[int, int]:
        """Append one block or several and return (index of the first, length after the last).

        `durable`: True waits for an fsync, False does not, None is the store's default.
        Raises CommitRefused, QueueFull, StoreClosed or a write's fault.
        """
        batch = [blocks] if isinstance(blocks, bytes) else blocks
        positions = await self._store.commit(Batch({self.name: batch}, (), durable))
        return positions[self.name]

    async def get(self, index: int) -> bytes:
        """Return block `index`; raises NoSuchBlock, StoreCorrupt or ReadFailed."""
        return self._store.reader().block(self._state, index)

    async def get_many(self, indexes: Iterable[int]) -> list[bytes]:
        """Return the blocks at `indexes`, in that order."""
        reader, state = self._store.reader(), self._state
        return [reader.block(state, index) for index in indexes]

    async def read(self, start: int = 0, end: int | None = None) -> AsyncIterator[bytes]:
        """Yield blocks [start, end), `end` being the present length unless given."""
        state = self._state
        for part in self._store.reader().blocks(state, start, state.size if end is None else end):
            for block in part:
                yield block
            await asyncio.sleep(0)

    async def prove_inclusion(self, index: int, size: int | None = None) -> list[bytes]:
        """Return the inclusion proof of block `index` in the tree of `size` (present length)."""
        state = self._state
        return self._store.reader().prove_inclusion(
            state, index, state.size if size is None else size
        )

    async def prove_consistency(self, size1: int, size2: int | None = None) -> list[bytes]:
        """Return the proof that the first `size1` blocks begin the first `size2`."""
        state = self._state
        return self._store.reader().prove_consistency(
            state, size1, state.size if size2 is None else size2
        )

    @property
    def _state(self) -> JournalState:
        return self._store.state_of(self.name)


class Store:
    """All journals of a cell in one file. Made by `Store.open`; one process at a time."""

    def __init__(
        self, path: Path, writer: Writer, thread: _WriterThread, *, durability: Durability
    ) -> None:
        self._writer = writer
        self._thread = thread
        self._reader: Reader | None = Reader(path)
        self._durable_default = durability == "power"
        self._states = writer.states()
        self._waiting: deque[_Waiting] = deque()
        self._waiting_bytes = 0
        self._wake = asyncio.Event()
        self._closing = False
        self._broken: MyceldError | None = None
        self._task = asyncio.create_task(self._write_all(), name="journal-writer")

    @classmethod
    async def open(
        cls, path: Path | str, *, signer: Sign, cell_id: str, durability: Durability = "power"
    ) -> Self:
        """Open or create the store at `path` and check every signed head.

        `signer` signs bytes with the cell's key; it is called in the writer's thread. Raises
        NotACellId, WrongCell, NotAStore, StoreCorrupt, StoreUnavailable, SignerFailed or a
        disk's fault.
        """
        path = Path(path)
        writer = Writer(path, cell_id, public_key_of(cell_id), signer)
        thread = _WriterThread(writer.connect, iter_chunk_size=1)
        store: Self | None = None
        try:
            await thread
            store = cls(path, writer, thread, durability=durability)
        except sqlite3.Error as error:
            raise StoreUnavailable(f"{path}: {error}") from error
        finally:
            if store is None:
                await thread.close()
                thread.join()
        return store

    async def create_tables(self, sql: str) -> None:
        """Run a script of `CREATE … IF NOT EXISTS` statements in one durable commit.

        Names that start with `journal_` are the store's own. Raises StatementRefused.
        """
        statements: list[Statement] = [(part, [()]) for part in split_script(sql)]
        await self.commit(Batch({}, statements, durable=True))

    async def journal(self, name: str) -> Journal:
        """Return the journal `name`, created on first use; raises NotAJournalName."""
        if name not in self._states:
            await self.commit(Batch({name: ()}))
        return Journal(self, name)

    def journals(self) -> list[str]:
        """Return the names of all journals, in the order of their creation."""
        return list(self._states)

    async def transaction(
        self,
        appends: Mapping[str, Sequence[bytes]],
        statements: Sequence[Statement] = (),
        durable: bool | None = None,  # noqa: FBT001 - the agreed API
    ) -> Positions:
        """Append to journals and run statements, all or nothing; see `commit`."""
        return await self.commit(Batch(appends, statements, durable))

    async def commit(self, batch: Batch) -> Positions:
        """Queue one commit and return, once it is written, its positions per journal.

        Journals named for the first time are created. A caller that is cancelled after this
        began stops waiting only: the commit goes on. Raises CommitRefused, NotAJournalName,
        StatementRefused, QueueFull, StoreClosed, or for everybody whose commit shared the
        transaction DiskFull, WriteFailed, SignerFailed or StoreUnavailable.
        """
        self._check_open()
        frozen = Batch(
            {check_journal_name(name): tuple(blocks) for name, blocks in batch.appends.items()},
            tuple((sql, tuple(rows)) for sql, rows in batch.statements),
            batch.durable,
        )
        for sql, _ in frozen.statements:
            check_statement(sql)
        size_bytes = _size_of(frozen)
        if size_bytes > COMMIT_SIZE_BYTES_MAX:
            raise CommitRefused(f"a commit of {size_bytes} bytes is too large")
        if self._waiting_bytes + size_bytes > QUEUE_SIZE_BYTES_MAX:
            raise QueueFull(f"{self._waiting_bytes} bytes wait for the writer")
        durable = self._durable_default if batch.durable is None else batch.durable
        future: asyncio.Future[Positions] = asyncio.get_running_loop().create_future()
        self._waiting.append(_Waiting(frozen, durable, size_bytes, future))
        self._waiting_bytes += size_bytes
        self._wake.set()
        return await future

    async def sync(self) -> None:
        """Return once an fsync covers all that was committed before the call."""
        await self.commit(Batch({}, (), durable=True))

    def query(self, sql: str, parameters: Sequence[SqlValue] = ()) -> list[tuple[Any, ...]]:
        """Return the rows of a short read-only statement, run in the calling thread.

        Sees every acknowledged commit. Raises QueryTooLong, StatementRefused or ReadFailed.
        """
        return self.reader().query(sql, parameters)

    async def close(self) -> None:
        """Write what waits, then close files and end the thread. Later calls raise StoreClosed."""
        self._closing = True
        self._wake.set()
        await asyncio.shield(self._task)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    def state_of(self, name: str) -> JournalState:
        """Return the acknowledged state of a journal; for `Journal`."""
        return self._states[name]

    def reader(self) -> Reader:
        """Return the reader, or raise StoreClosed; for `Journal`."""
        if self._reader is None:
            raise StoreClosed("the store is closed")
        return self._reader

    def _check_open(self) -> None:
        if self._broken is not None:
            raise _again(self._broken)
        if self._closing:
            raise StoreClosed("the store is closed")

    async def _write_all(self) -> None:
        """The one task that feeds the writer's thread; ends when the store is closed."""
        group: list[_Waiting] = []
        try:
            while self._waiting or not self._closing:
                if not self._waiting:
                    self._wake.clear()
                    await self._wake.wait()
                    continue
                group = self._take_group()
                await self._write_group(group)
                group = []
        finally:
            if group or not self._closing:
                self._broken = self._broken or WriterStopped("the writer ended by an error")
            self._closing = True
            self._give_up([*group, *self._waiting])
            self._waiting.clear()
            if self._reader is not None:
                self._reader.close()
                self._reader = None
            self._writer.release()
            await self._thread.close()
            self._thread.join()

    def _take_group(self) -> list[_Waiting]:
        group = [self._waiting.popleft()]
        size_bytes = group[0].size_bytes
        while self._waiting:
            size_bytes += self._waiting[0].size_bytes
            if size_bytes > TRANSACTION_SIZE_BYTES_MAX:
                break
            group.append(self._waiting.popleft())
        return group

    async def _write_group(self, group: list[_Waiting]) -> None:
        if self._broken is not None:
            self._give_up(group)
            return
        batches = [waiting.batch for waiting in group]
        durable = any(waiting.durable for waiting in group)
        written: Written = await self._thread.run(
            lambda connection: self._writer.write(connection, batches, durable=durable)
        )
        self._states = written.states
        for waiting, outcome in zip(group, written.outcomes, strict=True):
            self._waiting_bytes -= waiting.size_bytes
            if isinstance(outcome, MyceldError):
                if isinstance(outcome, (WriteFailed, InvariantBroken)):
                    self._broken = outcome
                _fail(waiting, outcome)
            elif not waiting.future.done():
                waiting.future.set_result(outcome)
        if written.wal_is_long and self._broken is None:
            await self._copy_log()

    async def _copy_log(self) -> None:
        await asyncio.sleep(0)  # those who were just acknowledged go first
        try:
            await self._thread.run(self._writer.checkpoint)
        except DiskFull:
            return  # the log stays as it is; a write that finds no room says so to its caller
        except MyceldError as error:
            self._broken = error

    def _give_up(self, group: Iterable[_Waiting]) -> None:
        for waiting in group:
            self._waiting_bytes -= waiting.size_bytes
            _fail(waiting, self._broken or WriterStopped("the writer ended before this commit"))


def _fail(waiting: _Waiting, error: MyceldError) -> None:
    if not waiting.future.done():
        waiting.future.set_exception(_again(error))


def _again(error: MyceldError) -> MyceldError:
    """Return an error of its own for each caller: tracebacks must not grow into each other."""
    return type(error)(error.detail)


def _size_of(batch: Batch) -> int:
    size_bytes = COMMIT_OVERHEAD_BYTES
    for name, blocks in batch.appends.items():
        for block in blocks:
            if not isinstance(block, bytes) or len(block) > BLOCK_SIZE_BYTES_MAX:
                raise CommitRefused(
                    f"journal {name}: a block is at most {BLOCK_SIZE_BYTES_MAX} bytes"
                )
            size_bytes += len(block)
    return size_bytes + size_of_statements(batch.statements)
