"""Fsyncs of the write-ahead log beside the writer, which goes on meanwhile.

Whatever SQLite has committed is in the log file, so an fsync of that file makes all of it durable
(what was copied into the database and cut from the log was fsynced before that). All who wait when
an fsync begins share it. An fsync that failed may have dropped what it was to keep, and a later
one would not say so: the store is broken then.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from core.errors import MyceldError
from core.failpoint import hit
from journal.disk import Disk, LogFile
from journal.errors import WriteFailed
from journal.layout import States
from journal.limits import QUICK_FSYNC_MS, QUICK_FSYNCS_MIN, SLOW_FSYNC_PATIENCE
from journal.writer import Positions


class Mark(NamedTuple):
    """What was committed at one moment: a count that only grows, and the states then."""

    commits: int
    states: States


class _Round(NamedTuple):
    """One fsync, and those who wait for it."""

    mark: Mark
    futures: list[asyncio.Future[Positions] | None]


class Syncer:
    """Makes commits durable on demand. `durable` is the newest mark that an fsync covers.

    `on_durable` is called whenever that has moved, `on_failure` with the error of an fsync that
    failed; after that all calls fail.
    """

    def __init__(
        self,
        log: Path,
        disk: Disk,
        on_durable: Callable[[States], None],
        on_failure: Callable[[MyceldError], None],
    ) -> None:
        self.durable = Mark(-1, {})
        self._log = log
        self._disk = disk
        self._on_durable = on_durable
        self._on_failure = on_failure
        self._file: LogFile | None = None
        self._quick = 0
        self._failed: MyceldError | None = None
        self._running: _Round | None = None
        self._next: _Round | None = None
        self._ended: asyncio.Future[None] | None = None
        self._loop = asyncio.get_running_loop()
        self._thread = disk.worker("journal-fsync")

    def covered(self, mark: Mark) -> None:
        """Note that an fsync, the writer's own or one of these, covers `mark`."""
        if mark.commits > self.durable.commits:
            self.durable = mark
            self._on_durable(mark.states)

    def sync(self, mark: Mark, future: asyncio.Future[Positions] | None = None) -> None:
        """End `future`, with nothing, once an fsync covers `mark`, or with the error of it."""
        if self._failed is not None or mark.commits <= self.durable.commits:
            _settle(future, self._failed)
            return
        running = self._running
        if running is not None and mark.commits <= running.mark.commits:
            running.futures.append(future)
            return
        if self._next is None or self._next.mark.commits < mark.commits:
            self._next = _Round(mark, [] if self._next is None else self._next.futures)
        self._next.futures.append(future)
        if running is None:
            self._begin()

    async def close(self) -> None:
        """Finish what waits, and end the thread."""
        if self._running is not None:
            self._ended = self._loop.create_future()
            await self._ended
        self._thread.close()
        if self._file is not None:
            self._file.close()
            self._file = None

    def _begin(self) -> None:
        self._running, self._next = self._next, None
        if self._quick >= QUICK_FSYNCS_MIN:
            self._loop.call_soon(self._sync_here)  # after those who were just acknowledged
            return
        self._thread.run(self._fsync).add_done_callback(lambda done: self._end(done.result()))

    def _sync_here(self) -> None:
        self._end(self._fsync())

    def _end(self, error: OSError | None) -> None:
        """Tell those who wait, in the loop's thread, and go on with those who came since."""
        ended = self._running
        assert ended is not None  # noqa: S101 - for the type checker: it was begun
        if error is not None:
            self._failed = WriteFailed(f"fsync: {error.strerror}")
            self._on_failure(self._failed)
            if self._next is not None:
                ended.futures.extend(self._next.futures)
                self._next = None
        else:
            self.covered(ended.mark)
        for future in ended.futures:
            _settle(future, self._failed)
        self._running = None
        if self._next is not None:
            self._begin()
        elif self._ended is not None:
            self._ended.set_result(None)

    def _fsync(self) -> OSError | None:
        began = self._disk.clock()
        try:
            hit("journal.fsync.before")
            self._call_fsync()
            hit("journal.fsync.after")
        except OSError as error:
            return error
        took_ms = (self._disk.clock() - began) * 1000
        self._quick = self._quick + 1 if took_ms < QUICK_FSYNC_MS else -SLOW_FSYNC_PATIENCE
        return None

    def _call_fsync(self) -> None:
        if self._file is None:
            self._file = self._disk.open_log(self._log, writable=True)
        self._file.sync()


def _settle(future: asyncio.Future[Positions] | None, error: MyceldError | None) -> None:
    if future is None or future.done():
        return
    if error is None:
        future.set_result({})
    else:
        future.set_exception(type(error)(error.detail))
