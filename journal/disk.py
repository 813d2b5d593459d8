"""What the journal asks of the operating system, in one place: connections, threads, the log file.

`OS_DISK` is the real one. Whoever stands in another for it (a simulator) runs the same store on it:
nothing else in this package opens, reads, writes or syncs a file, or starts a thread.

This module knows no table and no error of the journal: it raises OSError and sqlite3's own.
"""

from __future__ import annotations

import asyncio
import os
import sqlite3
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final, Protocol, TypeVar

from journal.thread import DatabaseThread

try:
    import fcntl as _fcntl
except ImportError:  # Windows
    _fcntl = None  # type: ignore[assignment]  # there is then no such module

_FULL_FSYNC: Final = getattr(_fcntl, "F_FULLFSYNC", None)  # macOS: fsync does not reach the platter

_T = TypeVar("_T")


class LogFile(Protocol):
    """The write-ahead log, opened beside SQLite. Every method may raise OSError."""

    def read(self, size_bytes: int, offset: int) -> bytes:
        """Return what is there at `offset`: less than asked for at the end of the file."""

    def write(self, data: bytes, offset: int) -> None:
        """Write all of `data` at `offset`."""

    def size_bytes(self) -> int:
        """Return the length of the file."""

    def truncate(self, size_bytes: int) -> None:
        """Cut the file to a length."""

    def sync(self) -> None:
        """Return once all that was written to the file before, by anyone, survives a power cut."""

    def close(self) -> None:
        """Close this file; SQLite's own stays open."""


class ConnectionThread(Awaitable[object], Protocol):
    """A connection in a thread of its own; awaiting it connects. See `journal.thread`."""

    async def run(self, function: Callable[[sqlite3.Connection], _T]) -> _T:
        """Return `function(connection)`, run in the thread."""

    def run_here(self, function: Callable[[sqlite3.Connection], _T]) -> _T:
        """Return `function(connection)`, run in the calling thread while the other one waits."""

    async def close(self) -> None:
        """Close the connection and end the thread."""

    def join(self) -> None:
        """Wait for the thread, which ends within microseconds of `close`."""


class Worker(Protocol):
    """A thread for calls that may take long, one at a time."""

    def run(self, function: Callable[[], _T]) -> asyncio.Future[_T]:
        """Return a future of the running loop for `function()`."""

    def close(self) -> None:
        """End the thread once it is idle."""


class Disk(Protocol):
    """The files of a store, and the threads that use them."""

    def create(self, path: Path) -> bool:
        """Make the file and its folders unless they are there; tell whether it is empty.

        Raises OSError.
        """

    def connect(
        self, path: Path, *, read_only: bool = False, any_thread: bool = False
    ) -> sqlite3.Connection:
        """Return a connection in autocommit mode, without any pragma; raises sqlite3.Error.

        `any_thread`: several threads use it, never at once.
        """

    def open_log(self, path: Path, *, writable: bool) -> LogFile:
        """Open the write-ahead log at `path`, which SQLite has made; raises OSError."""

    def thread(self, connect: Callable[[], sqlite3.Connection]) -> ConnectionThread:
        """Return a thread, not started, for the connection that `connect` makes there."""

    def worker(self, name: str) -> Worker:
        """Return a thread for calls that may take long."""

    def clock(self) -> float:
        """Return seconds of a clock that tells how long calls of this disk take."""


class OsDisk:
    """The operating system's files and threads."""

    def create(self, path: Path) -> bool:
        """Make the file for its owner alone; see `Disk.create`."""
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        is_empty = os.fstat(descriptor).st_size == 0
        os.close(descriptor)
        return is_empty

    def connect(
        self, path: Path, *, read_only: bool = False, any_thread: bool = False
    ) -> sqlite3.Connection:
        """See `Disk.connect`."""
        return sqlite3.connect(
            f"{path.absolute().as_uri()}?mode=ro" if read_only else path,
            uri=read_only,
            isolation_level=None,
            check_same_thread=not any_thread,
        )

    def open_log(self, path: Path, *, writable: bool) -> LogFile:
        """See `Disk.open_log`."""
        return _OsLogFile(path, os.O_RDWR if writable else os.O_RDONLY)

    def thread(self, connect: Callable[[], sqlite3.Connection]) -> ConnectionThread:
        """See `Disk.thread`."""
        return DatabaseThread(connect, iter_chunk_size=1)

    def worker(self, name: str) -> Worker:
        """See `Disk.worker`."""
        return _OsWorker(name)

    def clock(self) -> float:
        """See `Disk.clock`."""
        return time.perf_counter()


OS_DISK: Final[Disk] = OsDisk()
"""The disk that a store is on unless it is told otherwise."""


class _OsLogFile:
    def __init__(self, path: Path, flags: int) -> None:
        self._file = os.open(path, flags | os.O_CLOEXEC)

    def read(self, size_bytes: int, offset: int) -> bytes:
        return os.pread(self._file, size_bytes, offset)

    def write(self, data: bytes, offset: int) -> None:
        rest = memoryview(data)
        while rest:
            written = os.pwrite(self._file, rest, offset)
            rest, offset = rest[written:], offset + written

    def size_bytes(self) -> int:
        return os.fstat(self._file).st_size

    def truncate(self, size_bytes: int) -> None:
        os.ftruncate(self._file, size_bytes)

    def sync(self) -> None:
        if _FULL_FSYNC is not None:
            _fcntl.fcntl(self._file, _FULL_FSYNC)
        elif hasattr(os, "fdatasync"):
            os.fdatasync(self._file)
        else:
            os.fsync(self._file)

    def close(self) -> None:
        os.close(self._file)


class _OsWorker:
    def __init__(self, name: str) -> None:
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=name)

    def run(self, function: Callable[[], _T]) -> asyncio.Future[_T]:
        return asyncio.get_running_loop().run_in_executor(self._thread, function)

    def close(self) -> None:
        self._thread.shutdown()
