"""The queue before the single writer, and the one task that empties it (group commit).

Whenever the writer is free, the task takes all commits that wait, in order, and has them written
as one transaction. Transactions with an fsync, and large ones, run in the writer's thread; a small
one without is written at once in the event loop's, which the task then holds for less than the way
to the thread and back would take. The connection is never used from both at once: only the task
uses it. Space that edits free is given back in steps, between the commits.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from core.errors import InvariantBroken, MyceldError
from journal.copier import LogCopier
from journal.disk import ConnectionThread, Disk
from journal.edits import Clear, Edit, Truncate
from journal.errors import (
    DiskFull,
    QueueFull,
    SignerFailed,
    StoreClosed,
    WriteFailed,
    WriterStopped,
)
from journal.layout import JournalState, States
from journal.limits import (
    COMMIT_OVERHEAD_BYTES,
    FSYNCS_BEFORE_FILL,
    INLINE_BLOCKS_MAX,
    INLINE_SIZE_BYTES_MAX,
    QUEUE_SIZE_BYTES_MAX,
    TRANSACTION_SIZE_BYTES_MAX,
)
from journal.syncer import Mark, Syncer
from journal.writer import Batch, Positions, Writer, Written


@dataclass(slots=True)
class _Waiting:
    what: Batch | Edit | None  # None: an fsync of all before it
    durable: bool
    size_bytes: int
    future: asyncio.Future[Positions]


class Committer:
    """Owns the queue and the writer. `states` are acknowledged, `durable_states` fsynced.

    `on_change` gets the states before and after each transaction. `before_close` closes the other
    connections: the last one to close is the writer's, which then clears the log away.
    """

    def __init__(
        self,
        writer: Writer,
        thread: ConnectionThread,
        path: Path,
        disk: Disk,
        *,
        on_change: Callable[[States, States], None],
        before_close: Callable[[], None],
    ) -> None:
        self.states = writer.states()
        self.broken: MyceldError | None = None
        self._writer = writer
        self._thread = thread
        self._on_change = on_change
        self._before_close = before_close
        self._waiting: deque[_Waiting] = deque()
        self._waiting_bytes = 0
        self._wake = asyncio.Event()
        self._commits = 0
        self._fsyncs_before_fill = FSYNCS_BEFORE_FILL
        self._shown: dict[str, Callable[[JournalState], None]] = {}
        self._is_writing = False
        self._copier = LogCopier(path, disk, self._wake)
        self._syncer = Syncer(path.with_name(path.name + "-wal"), disk, self._show, self._break)
        self._changed: asyncio.Future[None] | None = None
        self._freed: asyncio.Future[None] | None = None
        self._closing = False
        self._loop = asyncio.get_running_loop()
        self._task = asyncio.create_task(self._write_all(), name="journal-writer")

    @property
    def durable_states(self) -> States:
        """The newest states that an fsync since the opening covers."""
        return self._syncer.durable.states

    def check_open(self) -> None:
        """Raise StoreClosed, or what broke the writer."""
        if self.broken is not None:
            raise _again(self.broken)
        if self._closing:
            raise StoreClosed("the store is closed")

    def put(
        self, what: Batch | Edit | None, *, durable: bool, size_bytes: int = COMMIT_OVERHEAD_BYTES
    ) -> asyncio.Future[Positions]:
        """Queue one commit or edit; raises QueueFull, StoreClosed or what broke the writer."""
        self.check_open()
        if self._waiting_bytes + size_bytes > QUEUE_SIZE_BYTES_MAX:
            raise QueueFull(f"{self._waiting_bytes} bytes wait for the writer")
        future: asyncio.Future[Positions] = self._loop.create_future()
        self._waiting.append(_Waiting(what, durable, size_bytes, future))
        self._waiting_bytes += size_bytes
        self._wake.set()
        return future

    def sync(self) -> asyncio.Future[Positions]:
        """Return a future that is done once an fsync covers all that was put before the call."""
        if self._waiting or self._is_writing:
            return self.put(None, durable=False)
        self.check_open()
        future: asyncio.Future[Positions] = self._loop.create_future()
        self._syncer.sync(Mark(self._commits, self.states), future)
        return future

    def show(self, name: str, show: Callable[[JournalState], None] | None) -> None:
        """Give each state of a journal to `show` once an fsync covers it, until it is None.

        Meanwhile an fsync follows each commit to that journal at once.
        """
        if show is None:
            self._shown.pop(name, None)
            return
        self.check_open()
        self._shown[name] = show
        self._fsyncs_before_fill = min(self._fsyncs_before_fill, 0)
        self._wake.set()
        self._show(self.durable_states)
        self._syncer.sync(Mark(self._commits, self.states))

    def changed(self) -> asyncio.Future[None]:
        """Return a future that is done once the states are others than now, or the store closed."""
        self.check_open()
        if self._changed is None:
            self._changed = asyncio.get_running_loop().create_future()
        return asyncio.shield(self._changed)

    def freed(self) -> asyncio.Future[None]:
        """Return a future that is done once the space that is free now was given back."""
        self.check_open()
        if self._freed is None:
            self._freed = asyncio.get_running_loop().create_future()
        self._wake.set()
        return asyncio.shield(self._freed)

    async def close(self) -> None:
        """Write what waits, then close files and end the thread."""
        self._closing = True
        self._wake.set()
        await asyncio.shield(self._task)

    async def _write_all(self) -> None:
        """The one task that uses the writing connection; ends when the store is closed."""
        group: list[_Waiting] = []
        try:
            while self._waiting or not self._closing:
                if self._fsyncs_before_fill == 0:
                    self._fsyncs_before_fill = -1
                    await self._thread.run(self._copier.fill)
                if self._waiting:
                    group = self._take_group()
                    await self._write_group(group)
                    group = []
                await self._watch_log()
                if self._freed is not None:
                    await self._free_pages()
                elif not self._waiting and not self._closing and self._fsyncs_before_fill:
                    self._wake.clear()
                    await self._wake.wait()
        finally:
            if group or not self._closing:
                self.broken = self.broken or WriterStopped("the writer ended by an error")
            self._closing = True
            self._give_up([*group, *self._waiting])
            self._waiting.clear()
            self._tell_changed()
            self._tell_freed()
            await self._copier.close()
            await self._syncer.close()
            self._before_close()
            await self._thread.close()
            self._thread.join()

    def _take_group(self) -> list[_Waiting]:
        """Take what is written as one transaction: an edit alone, or commits up to a bound."""
        group = [self._waiting.popleft()]
        size_bytes = group[0].size_bytes
        if isinstance(group[0].what, Batch):
            while self._waiting and isinstance(self._waiting[0].what, Batch):
                size_bytes += self._waiting[0].size_bytes
                if size_bytes > TRANSACTION_SIZE_BYTES_MAX:
                    break
                group.append(self._waiting.popleft())
        return group

    async def _write_group(self, group: list[_Waiting]) -> None:
        if self.broken is not None:
            self._give_up(group)
            return
        if group[0].what is None:
            self._waiting_bytes -= group[0].size_bytes
            self._syncer.sync(Mark(self._commits, self.states), group[0].future)
            return
        durable = any(waiting.durable for waiting in group)
        self._is_writing = True
        written = await self._write(group, durable=durable)
        self._is_writing = False
        if durable and self._fsyncs_before_fill > 0:
            self._fsyncs_before_fill -= 1
        before, self.states = self.states, written.states
        self._commits += 1
        mark = Mark(self._commits, written.states)
        if durable and not all(isinstance(outcome, MyceldError) for outcome in written.outcomes):
            self._syncer.covered(mark)
        for waiting, outcome in zip(group, written.outcomes, strict=True):
            self._waiting_bytes -= waiting.size_bytes
            if isinstance(outcome, MyceldError):
                if isinstance(outcome, (WriteFailed, InvariantBroken)):
                    self.broken = outcome
                _fail(waiting, outcome)
            elif not waiting.future.done():
                waiting.future.set_result(outcome)
        if any(before.get(name) is not written.states.get(name) for name in self._shown):
            self._syncer.sync(mark)
        self._on_change(before, written.states)
        self._tell_changed()

    async def _write(self, group: list[_Waiting], *, durable: bool) -> Written:
        edit = group[0].what
        batches = [waiting.what for waiting in group if isinstance(waiting.what, Batch)]
        if isinstance(edit, (Truncate, Clear)):
            return await self._thread.run(
                lambda connection: self._writer.edit(connection, edit, durable=durable)
            )
        if not durable and _is_small(group, batches):
            return self._thread.run_here(
                lambda connection: self._writer.write(connection, batches, durable=False)
            )
        return await self._thread.run(
            lambda connection: self._writer.write(connection, batches, durable=durable)
        )

    async def _watch_log(self) -> None:
        """Have the log copied if it is long, beside what is written but for the end of it."""
        self.broken = self.broken or self._copier.failed
        if self.broken is not None:
            return
        if self._copier.watch():
            await self._copier.idle()
        if self._copier.rest_is_due:
            await asyncio.sleep(0)  # those who were just acknowledged go first
            try:
                await self._thread.run(self._copier.copy_rest)
            except DiskFull:
                return  # the log stays as it is; a write that finds no room says so to its caller
            except MyceldError as error:
                self.broken = error

    async def _free_pages(self) -> None:
        more = False
        await self._copier.idle()
        try:
            if self.broken is None and not self._closing:
                more = await self._thread.run(self._writer.free_pages)
        except DiskFull:
            pass  # what is free stays in the file, and is used by the next appends
        except MyceldError as error:
            self.broken = error
        if not more:
            self._copier.starts_over()
            self._tell_freed()

    def _show(self, states: States) -> None:
        for name, show in self._shown.items():
            with contextlib.suppress(SignerFailed):  # the next append calls it too, and says so
                if name in states:
                    show(states[name])

    def _break(self, error: MyceldError) -> None:
        self.broken = self.broken or error

    def _tell_changed(self) -> None:
        if self._changed is not None:
            self._changed.set_result(None)
            self._changed = None

    def _tell_freed(self) -> None:
        if self._freed is not None:
            self._freed.set_result(None)
            self._freed = None

    def _give_up(self, group: Iterable[_Waiting]) -> None:
        for waiting in group:
            self._waiting_bytes -= waiting.size_bytes
            _fail(waiting, self.broken or WriterStopped("the writer ended before this commit"))


def _is_small(group: list[_Waiting], batches: list[Batch]) -> bool:
    if len(group) > INLINE_BLOCKS_MAX:
        return False
    if sum(waiting.size_bytes for waiting in group) > INLINE_SIZE_BYTES_MAX:
        return False
    work = 0
    for batch in batches:
        work += sum(map(len, batch.appends.values()))
        work += sum(len(rows) for _, rows in batch.statements)
    return work <= INLINE_BLOCKS_MAX


def _fail(waiting: _Waiting, error: MyceldError) -> None:
    if not waiting.future.done():
        waiting.future.set_exception(_again(error))


def _again(error: MyceldError) -> MyceldError:
    """Return an error of its own for each caller: tracebacks must not grow into each other."""
    return type(error)(error.detail)
