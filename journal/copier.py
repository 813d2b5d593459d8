"""Copying the write-ahead log into the database beside the writer, which goes on meanwhile.

The log starts over only when all of it was copied and nobody reads it. So what came while a large
part was copied is copied next, and the little that then remains is for the writer's own
connection, between two transactions. A log that grows faster than it is copied makes the writer
wait at its bound.
"""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
from pathlib import Path
from typing import Final

from core.errors import MyceldError
from core.failpoint import hit
from journal.database import SQLITE_ERRORS, connect_copier, fault_of
from journal.disk import ConnectionThread, Disk, LogFile
from journal.errors import DiskFull
from journal.limits import PAGE_SIZE_BYTES, WAL_REST_SIZE_BYTES, WAL_SIZE_BYTES, WAL_SIZE_BYTES_MAX

_HEADER_BYTES: Final = 32
_FRAME_HEADER_BYTES: Final = 24
_FRAME_BYTES: Final = _FRAME_HEADER_BYTES + PAGE_SIZE_BYTES
_ZEROS_BYTES: Final = 1 << 20
_FRAMES_MAX: Final = WAL_SIZE_BYTES_MAX // _FRAME_BYTES
_REST_FRAMES: Final = WAL_REST_SIZE_BYTES // _FRAME_BYTES


class LogCopier:
    """Watches the length of the log, and copies it.

    `failed` is set once a copy has failed; `wake` whenever one has ended.
    """

    def __init__(self, path: Path, disk: Disk, wake: asyncio.Event) -> None:
        self.failed: MyceldError | None = None
        self._path = path
        self._log_path = path.with_name(path.name + "-wal")
        self._disk = disk
        self._wake = wake
        self._thread: ConnectionThread | None = None
        self._task: asyncio.Task[None] | None = None
        self._rest = False
        self._step = WAL_SIZE_BYTES // _FRAME_BYTES
        self._start_at = self._step
        self._log: LogFile | None = None

    @property
    def rest_is_due(self) -> bool:
        """Whether the writer's connection is to copy the rest now."""
        return self._rest

    def watch(self) -> bool:
        """Start a copy if the log is long; return whether it is so long that writes must wait."""
        if self._task is not None:
            return self._is_too_long()
        if not self._rest and self._has_frames(self._start_at):
            self._task = asyncio.create_task(self._copy(), name="journal-copier")
        return False

    async def idle(self) -> None:
        """Return once no copy runs."""
        if self._task is not None:
            await asyncio.shield(self._task)

    def copy_rest(self, connection: sqlite3.Connection) -> None:
        """Copy what is left, on the writer's connection; raises DiskFull (it stays) or WriteFailed.

        A reader in another process can hold pages back; then look again after as much more.
        """
        self._rest = False
        frames, copied = _copy(connection)
        self._start_at = self._step if frames == copied else frames + self._step

    def fill(self, _: sqlite3.Connection) -> None:
        """Give the log its usual length in zeros; in the writer's thread, between transactions.

        An fsync takes half the time where the file does not grow (0.08 ms, not 0.16, on ext4).
        Zeros do not have the salt of the header, so they are behind the end of the log. What goes
        wrong here costs that time only; a write that goes wrong says so itself.
        """
        with contextlib.suppress(OSError):
            log = self._disk.open_log(self._log_path, writable=True)
            try:
                _fill(log, _HEADER_BYTES + (self._step + 2 * _REST_FRAMES) * _FRAME_BYTES)
            finally:
                log.close()

    def starts_over(self) -> None:
        """Note that the log was cut."""
        self._start_at = self._step

    async def close(self) -> None:
        """Finish the copy that runs, and end the thread."""
        await self.idle()
        if self._thread is not None:
            await self._thread.close()
            self._thread.join()
        if self._log is not None:
            self._log.close()
            self._log = None

    async def _copy(self) -> None:
        """Copy until little comes meanwhile, or pages are held back."""
        try:
            thread = self._thread = self._thread or await self._connect()
            before = -1
            while True:
                frames, copied = await thread.run(_copy)
                if not self._has_frames(copied + _REST_FRAMES) or self._is_too_long():
                    self._rest = True
                    return
                if copied == before:  # by a reader; the writer holds back its own last part only
                    self._start_at = frames + self._step
                    return
                before = copied
        except DiskFull:
            self._start_at += (
                self._step
            )  # the log stays; a write without room says so to its caller
        except MyceldError as error:
            self.failed = error
        finally:
            self._task = None
            self._wake.set()

    async def _connect(self) -> ConnectionThread:
        thread = self._disk.thread(lambda: connect_copier(self._path, self._disk))
        try:
            await thread
        except MyceldError:
            await thread.close()
            thread.join()
            raise
        return thread

    def _is_too_long(self) -> bool:
        return self._has_frames(self._start_at + _FRAMES_MAX)

    def _has_frames(self, count: int) -> bool:
        """Whether the write-ahead log has so many frames in use (SQLite file format, section 4).

        The file never shrinks; a frame is in use if it has the salt of the log's header.
        """
        try:
            if self._log is None:
                self._log = self._disk.open_log(self._log_path, writable=False)
            header = self._log.read(_HEADER_BYTES, 0)
            frame = self._log.read(_FRAME_HEADER_BYTES, _HEADER_BYTES + count * _FRAME_BYTES)
        except OSError:
            return True  # a copy too many costs little, a log without bound costs the disk
        used = header[:4] != bytes(4) and frame[8:16] == header[16:24]
        return used and len(frame) == _FRAME_HEADER_BYTES


def _copy(connection: sqlite3.Connection) -> tuple[int, int]:
    """Copy the log as far as no reader needs it; return its frames, and those copied so far."""
    try:
        hit("journal.checkpoint.before")
        row = connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
        hit("journal.checkpoint.after")
    except SQLITE_ERRORS as error:
        raise fault_of(error, writing=True) from error
    _, frames, copied = row
    return frames, copied


def _fill(log: LogFile, size_bytes: int) -> None:
    size_before = log.size_bytes()
    try:
        for at in range(size_before, size_bytes, _ZEROS_BYTES):
            log.write(bytes(min(_ZEROS_BYTES, size_bytes - at)), at)
        log.sync()
    except OSError:
        log.truncate(size_before)
