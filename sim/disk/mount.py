"""What one incarnation of a process has of a virtual disk: open files, locks, shared memory.

All of it is gone when the process dies, and the files stay. A watcher sees each operation that
changes something before and after it is done, and may say that the process dies there: then this
and every later operation of the mount has no effect and fails, and a new process is a new mount.

Lock levels are SQLite's (https://www.sqlite.org/c3ref/c_lock_exclusive.html); locks of the
WAL-index are shared or exclusive per slot. Nothing waits here: what another connection holds is
refused at once.
"""

from __future__ import annotations

import ctypes
import errno
from collections.abc import Callable
from typing import Final, NamedTuple, TypeAlias

from sim.disk.files import Kind, VirtualFile, VirtualFiles
from sim.disk.limits import SHARED_REGIONS_MAX

UNLOCKED: Final = 0
SHARED: Final = 1
RESERVED: Final = 2
PENDING: Final = 3
EXCLUSIVE: Final = 4


class Operation(NamedTuple):
    """One operation that changes something. `number` counts those of the mount, from 1."""

    number: int
    is_done: bool
    kind: Kind
    path: str
    offset: int
    size_bytes: int


Watcher: TypeAlias = Callable[[Operation], bool]
"""Called before and after each operation; True: the process dies now."""


class Handle:
    """A file that a connection has open, and the locks that the connection holds."""

    __slots__ = ("exclusive", "file", "is_new_entry", "level", "mount", "path", "shared")

    def __init__(self, mount: Mount, path: str, file: VirtualFile, *, is_new_entry: bool) -> None:
        self.mount = mount
        self.path = path
        self.file = file
        self.is_new_entry = is_new_entry
        """Whether the first sync syncs the folder too, as SQLite does for logs it may have made."""
        self.level = UNLOCKED
        self.shared = 0
        self.exclusive = 0
        """Masks of the slots of the WAL-index that are locked."""


class Mount:
    """A process's view of the files. `on_death` is called once, when a watcher ends it."""

    def __init__(self, files: VirtualFiles, *, on_death: Callable[[], object]) -> None:
        self.files = files
        self.is_dead = False
        self.watcher: Watcher | None = None
        self.on_sync: Callable[[], object] = _nothing
        self.operations = 0
        self._on_death = on_death
        self._handles: dict[str, list[Handle]] = {}
        self._regions: dict[str, list[ctypes.Array[ctypes.c_char]]] = {}

    @property
    def has_open_files(self) -> bool:
        """Whether the process has not closed all its files."""
        return bool(self._handles)

    def die(self) -> None:
        """End the process: nothing of this mount has any effect any more."""
        self.is_dead = True

    def check_alive(self) -> None:
        """Raise OSError once the process is dead."""
        if self.is_dead:
            raise OSError(errno.EIO, "the process is dead")

    # -- files -----------------------------------------------------------------------------------

    def open(self, path: str, *, create: bool, is_log: bool = False) -> Handle:
        """Open a file; raises FileNotFoundError if it is to be there and is not."""
        self.check_alive()
        file = self.files.create(path) if create else self.files.find(path)
        if file is None:
            raise FileNotFoundError(errno.ENOENT, "no such file")
        handle = Handle(self, path, file, is_new_entry=create and is_log)
        self._handles.setdefault(path, []).append(handle)
        return handle

    def close(self, handle: Handle) -> None:
        """Close a file and let go of its locks."""
        self.unmap(handle)
        handles = self._handles[handle.path]
        handles.remove(handle)
        if not handles:
            del self._handles[handle.path]

    def read(self, file: VirtualFile, size_bytes: int, offset: int) -> bytes:
        """Read; less than asked for at the end of the file."""
        self.check_alive()
        return self.files.read(file, size_bytes, offset)

    def write(self, path: str, file: VirtualFile, data: bytes, offset: int) -> None:
        """Write all of `data`."""
        self._before("write", path, offset, len(data))
        self.files.write(file, data, offset)
        self._after("write", path, offset, len(data))

    def truncate(self, path: str, file: VirtualFile, length: int) -> None:
        """Cut a file to a length."""
        self._before("truncate", path, length, 0)
        self.files.truncate(file, length)
        self._after("truncate", path, length, 0)

    def sync(self, path: str, file: VirtualFile, *, with_folder: bool = False) -> None:
        """Sync a file, and the names in its folder."""
        self._before("sync", path, 0, 0)
        self.on_sync()
        self.files.sync(file)
        if with_folder:
            self.files.sync_folder()
        self._after("sync", path, 0, 0)

    def delete(self, path: str, *, synced: bool) -> None:
        """Delete a file; raises FileNotFoundError."""
        self._before("delete", path, 0, 0)
        self.files.delete(path)
        if synced:
            self.files.sync_folder()
        self._after("delete", path, 0, 0)

    def _before(self, kind: Kind, path: str, offset: int, size_bytes: int) -> None:
        self.check_alive()
        self.operations += 1
        if self.watcher is not None:
            self._tell(Operation(self.operations, False, kind, path, offset, size_bytes))  # noqa: FBT003 - a field

    def _after(self, kind: Kind, path: str, offset: int, size_bytes: int) -> None:
        if self.watcher is not None:
            self._tell(Operation(self.operations, True, kind, path, offset, size_bytes))  # noqa: FBT003 - a field

    def _tell(self, operation: Operation) -> None:
        if self.watcher is not None and self.watcher(operation) and not self.is_dead:
            self.die()
            self._on_death()
        self.check_alive()

    # -- locks on the database -------------------------------------------------------------------

    def lock(self, handle: Handle, level: int) -> bool:
        """Raise the level of a lock; tell whether nobody stood in the way."""
        self.check_alive()
        if handle.level >= level:
            return True
        others = max((h.level for h in self._handles[handle.path] if h is not handle), default=0)
        if level == SHARED:
            granted = others < PENDING
        elif level == RESERVED:
            granted = others < RESERVED
        else:
            granted = others < SHARED
            if not granted and others < RESERVED:
                handle.level = PENDING  # so no new reader comes in
        if granted:
            handle.level = level
        return granted

    def unlock(self, handle: Handle, level: int) -> None:
        """Lower the level of a lock."""
        handle.level = min(handle.level, level)

    def is_reserved(self, handle: Handle) -> bool:
        """Whether any connection is about to write by the rollback journal."""
        self.check_alive()
        return any(other.level >= RESERVED for other in self._handles[handle.path])

    # -- the WAL-index ---------------------------------------------------------------------------

    def map(self, handle: Handle, number: int, size_bytes: int, *, extend: bool) -> int:
        """Return the address of a region of the WAL-index, 0 if there is none."""
        self.check_alive()
        regions = self._regions.setdefault(handle.path, [])
        while extend and len(regions) <= number < SHARED_REGIONS_MAX:
            regions.append(ctypes.create_string_buffer(size_bytes))
        return ctypes.addressof(regions[number]) if number < len(regions) else 0

    def lock_slots(self, handle: Handle, mask: int, *, exclusive: bool) -> bool:
        """Lock slots of the WAL-index; tell whether nobody stood in the way."""
        self.check_alive()
        for other in self._handles[handle.path]:
            if other is not handle and (
                other.exclusive & mask or (exclusive and other.shared & mask)
            ):
                return False
        if exclusive:
            handle.exclusive |= mask
        else:
            handle.shared |= mask
        return True

    def unlock_slots(self, handle: Handle, mask: int) -> None:
        """Unlock slots of the WAL-index."""
        handle.shared &= ~mask
        handle.exclusive &= ~mask

    def unmap(self, handle: Handle) -> None:
        """Let go of the WAL-index. It is gone with the last connection of the file."""
        handle.shared = handle.exclusive = 0
        if len(self._handles[handle.path]) == 1:
            self._regions.pop(handle.path, None)


def _nothing() -> None:
    pass
