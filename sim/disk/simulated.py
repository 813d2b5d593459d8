"""The disk of a simulated machine, and what a process that runs on it gives to its store.

A `SimDisk` outlives the processes that mount it, one at a time. Calls run in the loop's thread, but
begin and end after virtual times drawn from the machine's chance, as if a thread had worked and the
disk had turned meanwhile. So tasks interleave as on a real machine, and the same chance gives the
same order.
"""

from __future__ import annotations

import asyncio
import sqlite3
import weakref
from collections import deque
from collections.abc import Callable, Generator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from random import Random
from typing import Any, Protocol, Self, TypeVar

from journal.disk import ConnectionThread, LogFile, Worker
from sim.disk.files import VirtualFiles
from sim.disk.limits import LATENCY_HOP_MS, LATENCY_SYNC_MS
from sim.disk.mount import Handle, Mount, Watcher
from sim.disk.vfs import add_mount, check_callbacks, remove_mount, uri_of
from sim.errors import DiskMisused

_T = TypeVar("_T")


class Mortal(Protocol):
    """The process that uses a mount."""

    def kill(self) -> object:
        """End it here and now: nothing of it runs again."""


@dataclass(frozen=True, slots=True)
class Latency:
    """What calls take, least and most, in milliseconds; short ones come more often."""

    hop_ms: tuple[float, float] = LATENCY_HOP_MS
    sync_ms: tuple[float, float] = LATENCY_SYNC_MS


NO_LATENCY = Latency((0.0, 0.0), (0.0, 0.0))
"""For tests on a real loop."""


class SimDisk:
    """A machine's disk. `files` holds what is on it, and may be given faults at any time."""

    def __init__(
        self, random: Random, files: VirtualFiles | None = None, latency: Latency | None = None
    ) -> None:
        self.files = files or VirtualFiles()
        self.random = random
        self.latency = latency or Latency()
        self._watcher: Watcher | None = None
        self._mounted: MountedDisk | None = None
        self._dead: list[MountedDisk] = []

    def mount(self, life: Mortal | None = None) -> MountedDisk:
        """Return the disk for a new process, which is killed where the watcher says so.

        Raises DiskMisused while another process uses it.
        """
        if self._mounted is not None and not self._mounted.is_unused:
            raise DiskMisused("the disk is mounted by a process that did not end")
        self.crash(power=False)  # without effect on files that were closed
        for dead in self._dead:  # not when they die, which may be inside a call of SQLite
            dead.bury()
        self._dead.clear()
        mounted = self._mounted = MountedDisk(self, life)
        mounted.mount.watcher = self._watcher
        return mounted

    def watch(self, watcher: Watcher | None) -> None:
        """Have a watcher called at each operation of this process and later ones, until None."""
        self._watcher = watcher
        if self._mounted is not None:
            self._mounted.mount.watcher = watcher

    @property
    def operations(self) -> int:
        """How many operations the present process has begun; 0 while there is none."""
        return 0 if self._mounted is None else self._mounted.mount.operations

    def crash(self, *, power: bool) -> None:
        """End the mount as its process ends by kill -9, or with the power of the machine."""
        if self._mounted is not None:
            self._mounted.die()
            self._dead.append(self._mounted)
            self._mounted = None
        if power:
            self.files.power_cut(self.random)

    def copy(self) -> VirtualFiles:
        """Return what is on the disk now, as a backup of a running machine at one moment."""
        return self.files.copy()

    def put_back(self, files: VirtualFiles) -> None:
        """Put what `copy` returned in place; raises DiskMisused while a process uses the disk."""
        if self._mounted is not None and not self._mounted.is_unused:
            raise DiskMisused("the disk is in use")
        self.files = files.copy()

    def rot(self, bits: int) -> None:
        """Flip some bits of what is there."""
        self.files.rot(self.random, bits=bits)


class MountedDisk:
    """The disk of one process: what `Store.open(disk=)` takes."""

    def __init__(self, disk: SimDisk, life: Mortal | None) -> None:
        self.mount = Mount(disk.files, on_death=_nothing if life is None else life.kill)
        self.mount.on_sync = self._spend_sync
        self._number = add_mount(self.mount)
        self._random = disk.random
        self._latency = disk.latency
        self._spent_s = 0.0
        self._connections: weakref.WeakSet[_Connection] = weakref.WeakSet()

    @property
    def is_unused(self) -> bool:
        """Whether the process is dead, or has closed all its files."""
        return self.mount.is_dead or not self.mount.has_open_files

    def die(self) -> None:
        """Let nothing that the process still does have any effect."""
        self.mount.die()
        remove_mount(self._number)

    def bury(self) -> None:
        """Close the connections of the dead process; outside of any call of SQLite only."""
        check_callbacks()
        for connection in list(self._connections):
            connection.close()

    def create(self, path: Path) -> bool:
        """See `journal.disk.Disk`."""
        handle = self.mount.open(_name(path), create=True)
        is_empty = not handle.file.content
        self.mount.close(handle)
        return is_empty

    def connect(
        self, path: Path, *, read_only: bool = False, any_thread: bool = False
    ) -> sqlite3.Connection:
        """See `journal.disk.Disk`."""
        connection = sqlite3.connect(
            uri_of(self._number, _name(path), read_only=read_only),
            uri=True,
            isolation_level=None,
            check_same_thread=not any_thread,
            factory=_Connection,
        )
        self._connections.add(connection)
        return connection

    def open_log(self, path: Path, *, writable: bool) -> LogFile:
        """See `journal.disk.Disk`."""
        return _SimLogFile(self.mount.open(_name(path), create=False), writable=writable)

    def thread(self, connect: Callable[[], sqlite3.Connection]) -> ConnectionThread:
        """See `journal.disk.Disk`."""
        return _SimThread(self, connect)

    def worker(self, name: str) -> Worker:
        """See `journal.disk.Disk`."""
        del name  # a thread has one, and there is none
        return _Lane(self)

    def clock(self) -> float:
        """Return the seconds that syncs took so far; what else runs takes no virtual time."""
        return self._spent_s

    def hop_s(self) -> float:
        """Draw what the way to a thread and back takes."""
        return self._draw_s(self._latency.hop_ms)

    def _spend_sync(self) -> None:
        self._spent_s += self._draw_s(self._latency.sync_ms)

    def _draw_s(self, bounds_ms: tuple[float, float]) -> float:
        least, most = bounds_ms
        return (least + (most - least) * self._random.random() ** 4) / 1000


class _Connection(sqlite3.Connection):
    """A connection that can be referred to weakly."""


class _Lane:
    """Stands for a thread: one call after the other runs, each after a while of its own.

    What the loop does between a call and its running is on no disk yet; nor is it told between its
    running and its result.
    """

    def __init__(self, disk: MountedDisk) -> None:
        self._disk = disk
        self._waiting: deque[tuple[Callable[[], Any], asyncio.Future[Any]]] = deque()
        self._is_busy = False

    def run(self, function: Callable[[], _T]) -> asyncio.Future[_T]:
        """Run a function soon; what it returns or raises comes by the future."""
        future: asyncio.Future[_T] = asyncio.get_running_loop().create_future()
        self._waiting.append((function, future))
        if not self._is_busy:
            self._begin()
        return future

    def close(self) -> None:
        """Do nothing: no thread runs."""

    def _begin(self) -> None:
        self._is_busy = True
        asyncio.get_running_loop().call_later(self._disk.hop_s() / 2, self._carry_out)

    def _carry_out(self) -> None:
        function, future = self._waiting.popleft()
        took_s = self._disk.hop_s() / 2 - self._disk.clock()
        settle: Callable[[], None]
        try:
            settle = partial(future.set_result, function())
        except Exception as error:  # noqa: BLE001 - it belongs to whoever awaits the future
            settle = partial(future.set_exception, error)
        took_s += self._disk.clock()
        asyncio.get_running_loop().call_later(took_s, self._end, future, settle)

    def _end(self, future: asyncio.Future[Any], settle: Callable[[], None]) -> None:
        _settle(future, settle)
        self._is_busy = False
        if self._waiting:
            self._begin()


class _SimThread:
    """Stands for `journal.thread.DatabaseThread`."""

    def __init__(self, disk: MountedDisk, connect: Callable[[], sqlite3.Connection]) -> None:
        self._lane = _Lane(disk)
        self._connect = connect
        self._connection: sqlite3.Connection | None = None

    def __await__(self) -> Generator[Any, None, Self]:
        return self._start().__await__()

    async def _start(self) -> Self:
        self._connection = await self._lane.run(self._connect)
        return self

    async def run(self, function: Callable[[sqlite3.Connection], _T]) -> _T:
        return await self._lane.run(lambda: self.run_here(function))

    def run_here(self, function: Callable[[sqlite3.Connection], _T]) -> _T:
        if self._connection is None:
            raise DiskMisused("there is no connection, or not any more")
        return function(self._connection)

    async def close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            await self._lane.run(connection.close)

    def join(self) -> None:
        """Do nothing: no thread runs."""


class _SimLogFile:
    def __init__(self, handle: Handle, *, writable: bool) -> None:
        self._handle = handle
        self._writable = writable

    def read(self, size_bytes: int, offset: int) -> bytes:
        return self._handle.mount.read(self._handle.file, size_bytes, offset)

    def write(self, data: bytes, offset: int) -> None:
        handle = self._changing()
        handle.mount.write(handle.path, handle.file, data, offset)

    def size_bytes(self) -> int:
        return len(self._handle.file.content)

    def truncate(self, size_bytes: int) -> None:
        handle = self._changing()
        handle.mount.truncate(handle.path, handle.file, size_bytes)

    def sync(self) -> None:
        handle = self._changing()
        handle.mount.sync(handle.path, handle.file)

    def close(self) -> None:
        self._handle.mount.close(self._handle)

    def _changing(self) -> Handle:
        if not self._writable:
            raise DiskMisused(f"{self._handle.path} is open for reading only")
        return self._handle


def _name(path: Path) -> str:
    return f"/{path.as_posix().lstrip('/')}"


def _settle(future: asyncio.Future[Any], settle: Callable[[], None]) -> None:
    if not future.done():
        settle()


def _nothing() -> None:
    pass
