"""SQLite on virtual files: a VFS of its C interface, written with ctypes, one per process.

It is registered in the very library that the module `sqlite3` uses, beside the operating system's
VFS; a connection chooses it by the URI of `uri_of`. A name `/sim/<number><path>` is the file
`path` of the mount with that number; files without a name are SQLite's temporary ones.

Rules: no exception leaves a callback (it would be printed and taken for success); what a process
that died still does fails. The structures are those of sqlite3.h, `sqlite3_vfs` version 2 and
`sqlite3_io_methods` version 2 (https://www.sqlite.org/c3ref/io_methods.html).
"""

from __future__ import annotations

import _sqlite3
import ctypes
import errno
import itertools
import os
import sqlite3
import time
from collections.abc import Callable
from ctypes import CFUNCTYPE, c_char_p, c_double, c_int, c_int64, c_void_p, memmove
from typing import Any, ClassVar, Final, TypeAlias, TypeVar
from urllib.parse import quote

from core.errors import check
from sim.disk.files import VirtualFiles
from sim.disk.limits import PATH_SIZE_BYTES_MAX
from sim.disk.mount import Handle, Mount
from sim.errors import NoSqliteSymbols

VFS_NAME: Final = "myceld-sim"

_PREFIX: Final = "/sim/"
_OK: Final = 0
_BUSY: Final = 5
_NOT_FOUND: Final = 12
_FULL: Final = 13
_CANNOT_OPEN: Final = 14
_IO: Final = 10
_IO_READ: Final = _IO | 1 << 8
_IO_SHORT_READ: Final = _IO | 2 << 8
_IO_WRITE: Final = _IO | 3 << 8
_IO_FSYNC: Final = _IO | 4 << 8
_IO_TRUNCATE: Final = _IO | 6 << 8
_IO_DELETE: Final = _IO | 10 << 8
_IO_ACCESS: Final = _IO | 13 << 8
_IO_LOCK: Final = _IO | 15 << 8
_IO_SHM_LOCK: Final = _IO | 20 << 8
_IO_SHM_MAP: Final = _IO | 21 << 8
_IO_DELETE_NO_ENTRY: Final = _IO | 23 << 8
_OPEN_CREATE: Final = 0x4
_OPEN_LOGS: Final = 0x800 | 0x4000 | 0x80000  # rollback, super-journal, write-ahead log
_SHM_UNLOCK: Final = 1
_SHM_EXCLUSIVE: Final = 8
_SECTOR_SIZE_BYTES: Final = 4096  # what SQLite's own VFS says; writes tear into smaller ones here
_POWERSAFE_OVERWRITE: Final = 0x1000  # a torn write leaves the bytes beside it as they were
_JULIAN_EPOCH_MS: Final = 210_866_760_000_000
_TEST_CONTROL_SEED: Final = 28

_Callback: TypeAlias = Callable[..., Any]
_Structure = TypeVar("_Structure", bound=ctypes.Structure)

_mounts: Final[dict[int, Mount]] = {}
_numbers: Final = itertools.count(1)
_handles: Final[dict[int, Handle]] = {}  # by the address of SQLite's own structure
_escaped: Final[list[BaseException]] = []
_registered: Final[list[ctypes.CDLL]] = []  # one, once the VFS is known to it


class _IoMethods(ctypes.Structure):
    _fields_: ClassVar = [
        ("iVersion", c_int),
        ("xClose", CFUNCTYPE(c_int, c_void_p)),
        ("xRead", CFUNCTYPE(c_int, c_void_p, c_void_p, c_int, c_int64)),
        ("xWrite", CFUNCTYPE(c_int, c_void_p, c_void_p, c_int, c_int64)),
        ("xTruncate", CFUNCTYPE(c_int, c_void_p, c_int64)),
        ("xSync", CFUNCTYPE(c_int, c_void_p, c_int)),
        ("xFileSize", CFUNCTYPE(c_int, c_void_p, c_void_p)),
        ("xLock", CFUNCTYPE(c_int, c_void_p, c_int)),
        ("xUnlock", CFUNCTYPE(c_int, c_void_p, c_int)),
        ("xCheckReservedLock", CFUNCTYPE(c_int, c_void_p, c_void_p)),
        ("xFileControl", CFUNCTYPE(c_int, c_void_p, c_int, c_void_p)),
        ("xSectorSize", CFUNCTYPE(c_int, c_void_p)),
        ("xDeviceCharacteristics", CFUNCTYPE(c_int, c_void_p)),
        ("xShmMap", CFUNCTYPE(c_int, c_void_p, c_int, c_int, c_int, c_void_p)),
        ("xShmLock", CFUNCTYPE(c_int, c_void_p, c_int, c_int, c_int)),
        ("xShmBarrier", CFUNCTYPE(None, c_void_p)),
        ("xShmUnmap", CFUNCTYPE(c_int, c_void_p, c_int)),
    ]


class _File(ctypes.Structure):
    _fields_: ClassVar = [("pMethods", c_void_p)]


class _Vfs(ctypes.Structure):
    _fields_: ClassVar = [
        ("iVersion", c_int),
        ("szOsFile", c_int),
        ("mxPathname", c_int),
        ("pNext", c_void_p),
        ("zName", c_char_p),
        ("pAppData", c_void_p),
        ("xOpen", CFUNCTYPE(c_int, c_void_p, c_char_p, c_void_p, c_int, c_void_p)),
        ("xDelete", CFUNCTYPE(c_int, c_void_p, c_char_p, c_int)),
        ("xAccess", CFUNCTYPE(c_int, c_void_p, c_char_p, c_int, c_void_p)),
        ("xFullPathname", CFUNCTYPE(c_int, c_void_p, c_char_p, c_int, c_void_p)),
        ("xDlOpen", c_void_p),
        ("xDlError", c_void_p),
        ("xDlSym", c_void_p),
        ("xDlClose", c_void_p),
        ("xRandomness", CFUNCTYPE(c_int, c_void_p, c_int, c_void_p)),
        ("xSleep", CFUNCTYPE(c_int, c_void_p, c_int)),
        ("xCurrentTime", CFUNCTYPE(c_int, c_void_p, c_void_p)),
        ("xGetLastError", c_void_p),
        ("xCurrentTimeInt64", CFUNCTYPE(c_int, c_void_p, c_void_p)),
    ]


def register() -> None:
    """Make the VFS known to SQLite, once per process; raises NoSqliteSymbols."""
    if _registered:
        return
    library = _library()
    # A barrier has nothing to do, as one thread sees its own writes in order; and there is one at
    # every read of the WAL-index. So it is a function in C that takes and does nothing.
    _METHODS.xShmBarrier = CFUNCTYPE(None, c_void_p)(_address_of(library.sqlite3_libversion))
    if library.sqlite3_vfs_register(ctypes.byref(_VFS), 0) != _OK:
        raise NoSqliteSymbols("SQLite refuses another VFS")
    _registered.append(library)


def seed_sqlite(seed: int) -> None:
    """Make SQLite's own chance (the salts of its logs) the same in every run of this process."""
    library = _library()
    library.sqlite3_test_control.argtypes = [c_int]
    library.sqlite3_test_control(_TEST_CONTROL_SEED, c_int(seed & 0x7FFFFFFF or 1), c_void_p(None))


def add_mount(mount: Mount) -> int:
    """Make a mount's files reachable, and return its number."""
    register()
    number = next(_numbers)
    _mounts[number] = mount
    return number


def remove_mount(number: int) -> None:
    """Let nothing be opened on a mount any more; what is open stays so."""
    _mounts.pop(number, None)


def uri_of(number: int, path: str, *, read_only: bool = False) -> str:
    """Return the URI by which a connection opens a file of a mount."""
    mode = "&mode=ro" if read_only else ""
    return f"file:{_PREFIX}{number}{quote(path)}?vfs={VFS_NAME}{mode}"


def check_callbacks() -> None:
    """Raise InvariantBroken if a callback failed by a bug of the simulator's own."""
    check(not _escaped, f"a callback of the virtual disk failed: {_escaped[:1]!r}")


def _library() -> ctypes.CDLL:
    try:
        library = ctypes.CDLL(getattr(_sqlite3, "__file__", None))
        library.sqlite3_libversion.restype = c_char_p
        version = library.sqlite3_libversion().decode()
        _ = library.sqlite3_vfs_register, library.sqlite3_test_control
    except (AttributeError, OSError) as error:
        raise NoSqliteSymbols(str(error)) from error
    if version != sqlite3.sqlite_version:
        raise NoSqliteSymbols(f"found SQLite {version}, Python has {sqlite3.sqlite_version}")
    return library


def _address_of(function: Any) -> int:  # noqa: ANN401 - of a library, in ctypes
    address = ctypes.cast(function, c_void_p).value
    assert address is not None  # noqa: S101 - for the type checker: it was found by its name
    return address


def _failed(error: BaseException, code: int) -> int:
    """Return the result code for what an operation raised."""
    if not isinstance(error, OSError):
        _escaped.append(error)
        return code
    return _FULL if error.errno == errno.ENOSPC else code


def _set_int(address: int, value: int) -> None:
    c_int.from_address(address).value = value


def _mount_of(name: bytes) -> tuple[Mount, str]:
    number, _, path = name.decode()[len(_PREFIX) :].partition("/")
    mount = _mounts.get(int(number))
    if mount is None:
        raise FileNotFoundError(errno.ENOENT, "no such mount")
    return mount, f"/{path}"


# -- sqlite3_vfs -------------------------------------------------------------------------------


def _open(_: int, name: bytes | None, address: int, flags: int, flags_out: int | None) -> int:
    file = _File.from_address(address)
    file.pMethods = None
    try:
        mount, path = (_temporary(), "/") if name is None else _mount_of(name)
        _handles[address] = mount.open(
            path, create=bool(flags & _OPEN_CREATE), is_log=bool(flags & _OPEN_LOGS)
        )
        if flags_out:
            _set_int(flags_out, flags)
        file.pMethods = _METHODS_ADDRESS
    except BaseException as error:  # noqa: BLE001 - none may leave a callback
        return _failed(error, _CANNOT_OPEN)
    return _OK


def _temporary() -> Mount:
    """Return a disk for one file that nobody else sees, and no fault hits."""
    return Mount(VirtualFiles(), on_death=int)


def _delete(_: int, name: bytes, synced: int) -> int:
    try:
        mount, path = _mount_of(name)
        mount.delete(path, synced=bool(synced & 1))
    except BaseException as error:  # noqa: BLE001 - none may leave a callback
        missing = isinstance(error, OSError) and error.errno == errno.ENOENT
        return _failed(error, _IO_DELETE_NO_ENTRY if missing else _IO_DELETE)
    return _OK


def _access(_: int, name: bytes, flags: int, result: int) -> int:
    try:
        mount, path = _mount_of(name)
        mount.check_alive()
        file = mount.files.find(path)
        # An empty file counts as none, as in SQLite's own VFS, unless it is to be read or written.
        _set_int(result, int(file is not None and (flags != 0 or len(file.content) > 0)))
    except BaseException as error:  # noqa: BLE001 - none may leave a callback
        return _failed(error, _IO_ACCESS)
    return _OK


def _full_path(_: int, name: bytes, size_bytes: int, out: int) -> int:
    if len(name) >= size_bytes:
        return _CANNOT_OPEN
    memmove(out, name + b"\0", len(name) + 1)
    return _OK


def _randomness(_: int, size_bytes: int, out: int) -> int:
    memmove(out, os.urandom(size_bytes), size_bytes)
    return size_bytes


def _sleep(_: int, microseconds: int) -> int:
    """Do not wait: whoever holds the lock runs in this thread, and only afterwards."""
    return microseconds


def _time_ms(_: int, out: int) -> int:
    c_int64.from_address(out).value = _JULIAN_EPOCH_MS + time.time_ns() // 1_000_000
    return _OK


def _time_days(_: int, out: int) -> int:
    now_ms = _JULIAN_EPOCH_MS + time.time_ns() // 1_000_000
    c_double.from_address(out).value = now_ms / 86_400_000
    return _OK


# -- sqlite3_io_methods --------------------------------------------------------------------------


def _close(address: int) -> int:
    try:
        handle = _handles.pop(address)
        handle.mount.close(handle)
    except BaseException as error:  # noqa: BLE001 - none may leave a callback
        return _failed(error, _IO)
    return _OK


def _read(address: int, out: int, size_bytes: int, offset: int) -> int:
    try:
        handle = _handles[address]
        data = handle.mount.read(handle.file, size_bytes, offset)
        memmove(out, data, len(data))
        if len(data) < size_bytes:
            ctypes.memset(out + len(data), 0, size_bytes - len(data))
            return _IO_SHORT_READ
    except BaseException as error:  # noqa: BLE001 - none may leave a callback
        return _failed(error, _IO_READ)
    return _OK


def _write(address: int, data: int, size_bytes: int, offset: int) -> int:
    try:
        handle = _handles[address]
        handle.mount.write(handle.path, handle.file, ctypes.string_at(data, size_bytes), offset)
    except BaseException as error:  # noqa: BLE001 - none may leave a callback
        return _failed(error, _IO_WRITE)
    return _OK


def _truncate(address: int, length: int) -> int:
    try:
        handle = _handles[address]
        handle.mount.truncate(handle.path, handle.file, length)
    except BaseException as error:  # noqa: BLE001 - none may leave a callback
        return _failed(error, _IO_TRUNCATE)
    return _OK


def _sync(address: int, _: int) -> int:
    try:
        handle = _handles[address]
        handle.mount.sync(handle.path, handle.file, with_folder=handle.is_new_entry)
        handle.is_new_entry = False
    except BaseException as error:  # noqa: BLE001 - none may leave a callback
        return _failed(error, _IO_FSYNC)
    return _OK


def _file_size(address: int, out: int) -> int:
    c_int64.from_address(out).value = len(_handles[address].file.content)
    return _OK


def _lock(address: int, level: int) -> int:
    try:
        handle = _handles[address]
        return _OK if handle.mount.lock(handle, level) else _BUSY
    except BaseException as error:  # noqa: BLE001 - none may leave a callback
        return _failed(error, _IO_LOCK)


def _unlock(address: int, level: int) -> int:
    handle = _handles[address]
    handle.mount.unlock(handle, level)
    return _OK


def _check_reserved(address: int, out: int) -> int:
    try:
        handle = _handles[address]
        _set_int(out, int(handle.mount.is_reserved(handle)))
    except BaseException as error:  # noqa: BLE001 - none may leave a callback
        return _failed(error, _IO_LOCK)
    return _OK


def _file_control(_: int, __: int, ___: int) -> int:
    return _NOT_FOUND


def _sector_size(_: int) -> int:
    return _SECTOR_SIZE_BYTES


def _characteristics(_: int) -> int:
    return _POWERSAFE_OVERWRITE


def _shm_map(address: int, number: int, size_bytes: int, extend: int, out: int) -> int:
    try:
        handle = _handles[address]
        region = handle.mount.map(handle, number, size_bytes, extend=bool(extend))
        c_void_p.from_address(out).value = region or None
    except BaseException as error:  # noqa: BLE001 - none may leave a callback
        return _failed(error, _IO_SHM_MAP)
    return _OK


def _shm_lock(address: int, first: int, count: int, flags: int) -> int:
    try:
        handle = _handles[address]
        mask = (1 << count) - 1 << first
        if flags & _SHM_UNLOCK:
            handle.mount.unlock_slots(handle, mask)
            return _OK
        exclusive = bool(flags & _SHM_EXCLUSIVE)
        return _OK if handle.mount.lock_slots(handle, mask, exclusive=exclusive) else _BUSY
    except BaseException as error:  # noqa: BLE001 - none may leave a callback
        return _failed(error, _IO_SHM_LOCK)


def _shm_unmap(address: int, _: int) -> int:
    handle = _handles[address]
    handle.mount.unmap(handle)
    return _OK


def _filled(structure: _Structure, callbacks: dict[str, _Callback]) -> _Structure:
    """Return the structure with pointers to our functions; it keeps them alive."""
    types = {name: kind for name, kind, *_ in structure._fields_}
    for name, function in callbacks.items():
        setattr(structure, name, types[name](function))
    return structure


_METHODS: Final[_IoMethods] = _filled(
    _IoMethods(2),
    {
        "xClose": _close,
        "xRead": _read,
        "xWrite": _write,
        "xTruncate": _truncate,
        "xSync": _sync,
        "xFileSize": _file_size,
        "xLock": _lock,
        "xUnlock": _unlock,
        "xCheckReservedLock": _check_reserved,
        "xFileControl": _file_control,
        "xSectorSize": _sector_size,
        "xDeviceCharacteristics": _characteristics,
        "xShmMap": _shm_map,
        "xShmLock": _shm_lock,
        "xShmUnmap": _shm_unmap,
    },
)

_METHODS_ADDRESS: Final = ctypes.addressof(_METHODS)

_VFS: Final[_Vfs] = _filled(
    _Vfs(2, ctypes.sizeof(_File), PATH_SIZE_BYTES_MAX, None, VFS_NAME.encode()),
    {
        "xOpen": _open,
        "xDelete": _delete,
        "xAccess": _access,
        "xFullPathname": _full_path,
        "xRandomness": _randomness,
        "xSleep": _sleep,
        "xCurrentTime": _time_days,
        "xCurrentTimeInt64": _time_ms,
    },
)
