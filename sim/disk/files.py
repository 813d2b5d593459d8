"""Files in memory that know what a power cut would leave of them.

A write changes what every reader sees at once, and is durable only after a `sync` of that file;
names made or deleted are durable after a `sync_folder`. Until then a power cut keeps, loses or
tears (by sector) each of them, in any combination: more than any real file system does.

Kept per file is what undoes the changes since the last sync, newest last. So a sync is cheap, an
append copies nothing but itself, and the durable content exists only when a power cut asks for it.

Invariants: what was synced survives every power cut; `used_bytes` is the sum of all lengths.
Not here: processes, locks, SQLite, time. Chance comes in as an argument.
"""

from __future__ import annotations

import errno
import os
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from random import Random
from typing import Final, Literal, Self, TypeAlias

from sim.disk.limits import SECTOR_SIZE_BYTES

Kind: TypeAlias = Literal["read", "write", "sync", "truncate", "delete"]

CHANGES: Final[frozenset[Kind]] = frozenset({"write", "sync", "truncate", "delete"})
"""Operations that change something, so that a crash can come before or after them."""


@dataclass(slots=True)
class _Change:
    """One write or truncation since the last sync, and what undoes it."""

    offset: int
    size_bytes: int  # that were written; 0: the file was cut at `offset`
    before: bytes  # what was there, up to the end of the file then
    length_before: int
    is_settled: bool = False  # it is durable, but waits for an earlier one that is not


class VirtualFile:
    """One file: its content as everybody sees it, and what undoes it to what is durable."""

    __slots__ = ("_changes", "_forgotten", "content")

    def __init__(self, content: bytes = b"") -> None:
        self.content = bytearray(content)
        self._changes: list[_Change] = []
        self._forgotten = False

    @property
    def is_synced(self) -> bool:
        """Whether a power cut would leave the file as it is."""
        return not self._changes

    def write(self, data: bytes, offset: int) -> None:
        """Put `data` at `offset`; a gap before it reads as zeros."""
        content, end = self.content, offset + len(data)
        length = len(content)
        if not data:
            return
        self._changes.append(
            _Change(offset, len(data), bytes(memoryview(content)[offset:end]), length)
        )
        if offset > length:
            content.extend(bytes(offset - length))
        content[offset:end] = data

    def truncate(self, length: int) -> None:
        """Cut the file, or make it longer with zeros."""
        content = self.content
        if length > len(content):
            self.write(bytes(length - len(content)), len(content))
        elif length < len(content):
            before = bytes(memoryview(content)[length:])
            self._changes.append(_Change(length, 0, before, len(content)))
            del content[length:]

    def sync(self) -> None:
        """Make all that was done durable, but for what a failed sync has forgotten."""
        if not self._forgotten:
            self._changes.clear()
            return
        for change in self._changes[self._kept_from() :]:
            change.is_settled = True

    def forget(self) -> None:
        """Note that a sync failed: no later one makes durable what this one should have.

        The page cache drops its mark of what is still to be written, on Linux and elsewhere.
        """
        if self._changes:
            self._forgotten = True
            self._changes.append(_Change(-1, 0, b"", -1))  # all before this one is forgotten

    def durable(self) -> bytes:
        """Return the content that a power cut leaves at least: only what was synced."""
        return bytes(self._after_power_cut(None))

    def power_cut(self, random: Random) -> None:
        """Become what a power cut leaves; all of it is durable then."""
        if self._changes:
            self.content[:] = self._after_power_cut(random)
        self._changes.clear()
        self._forgotten = False

    def flip(self, bit: int) -> None:
        """Turn one bit around, as a disk does that rots."""
        self.content[bit >> 3] ^= 1 << (bit & 7)

    def _kept_from(self) -> int:
        marks = [at for at, change in enumerate(self._changes) if change.offset < 0]
        return marks[-1] + 1

    def _after_power_cut(self, random: Random | None) -> bytearray:
        """Undo all changes, then make again those that are durable or that `random` keeps."""
        content = bytearray(self.content)
        written: list[bytes] = []
        for change in reversed(self._changes):
            if change.offset < 0:
                written.append(b"")
                continue
            end = change.offset + change.size_bytes
            written.append(bytes(memoryview(content)[change.offset : end]))
            if change.size_bytes:
                content[change.offset : end] = change.before
                del content[change.length_before :]
            else:
                content += change.before
        for change, data in zip(self._changes, reversed(written), strict=True):
            if change.offset < 0:
                continue
            fate = "kept" if change.is_settled else _fate(random)
            if fate == "lost":
                continue
            if not change.size_bytes:
                del content[change.offset :]
                continue
            for start, end in _sectors(change) if fate == "torn" else [(0, len(data))]:
                if fate == "kept" or (random is not None and random.random() < 0.5):
                    _put(content, data[start:end], change.offset + start)
        return content


class VirtualFiles:
    """A disk: files by path, what is durable of them, its capacity and its faults.

    `used_bytes` may not grow beyond `capacity_bytes` (None: no bound). `counts` has the number of
    operations by kind. Operations raise OSError: ENOSPC, ENOENT, or EIO where `fail` says so.
    """

    def __init__(self, *, capacity_bytes: int | None = None) -> None:
        self.capacity_bytes = capacity_bytes
        self.used_bytes = 0
        self.counts: Counter[Kind] = Counter()
        self._files: dict[str, VirtualFile] = {}
        self._durable: dict[str, VirtualFile] = {}
        self._failing: tuple[frozenset[Kind], int, int] | None = None

    def paths(self) -> list[str]:
        """Return the paths of all files, in the order in which they were made."""
        return list(self._files)

    def find(self, path: str) -> VirtualFile | None:
        """Return the file at `path`, if there is one."""
        return self._files.get(path)

    def create(self, path: str) -> VirtualFile:
        """Return the file at `path`, an empty one if there is none."""
        file = self._files.get(path)
        if file is None:
            file = self._files[path] = VirtualFile()
        return file

    def read(self, file: VirtualFile, size_bytes: int, offset: int) -> bytes:
        """Return what is at `offset`: less than asked for at the end of the file."""
        self._count("read")
        return bytes(memoryview(file.content)[offset : offset + size_bytes])

    def write(self, file: VirtualFile, data: bytes, offset: int) -> None:
        """Write all of `data`, or nothing if there is no room."""
        self._count("write")
        self._grow(offset + len(data) - len(file.content) if data else 0)
        file.write(data, offset)

    def truncate(self, file: VirtualFile, length: int) -> None:
        """Cut the file, or make it longer with zeros."""
        self._count("truncate")
        growth = length - len(file.content)
        self._grow(growth)
        if growth < 0:
            self.used_bytes += growth
        file.truncate(length)

    def sync(self, file: VirtualFile) -> None:
        """Make the file's content durable; its name is only after `sync_folder`."""
        try:
            self._count("sync")
        except OSError:
            file.forget()
            raise
        file.sync()

    def delete(self, path: str) -> None:
        """Take the name away, durably only after `sync_folder`."""
        self._count("delete")
        file = self._files.pop(path, None)
        if file is None:
            raise _error(errno.ENOENT)
        self.used_bytes -= len(file.content)

    def sync_folder(self) -> None:
        """Make all names, made and deleted, durable."""
        self._durable = dict(self._files)

    def fail(self, count: int | None, *, after: int = 0, kinds: Iterable[Kind] = CHANGES) -> None:
        """Fail with EIO: the next `count` operations (None: all) of `kinds`, but for `after`."""
        self._failing = (frozenset(kinds), after, -1 if count is None else count)

    def power_cut(self, random: Random) -> None:
        """Become what is there after a power cut: of what was not synced, anything."""
        kept = dict(self._durable)
        for path in dict.fromkeys([*self._durable, *self._files]):
            now, before = self._files.get(path), self._durable.get(path)
            if now is not before and random.random() < 0.5:
                kept.pop(path, None)
                if now is not None:
                    kept[path] = now
        for file in kept.values():
            file.power_cut(random)
        self.become(kept)

    def rot(self, random: Random, *, bits: int = 1, paths: Iterable[str] | None = None) -> None:
        """Flip some bits anywhere in what is there, or in the files at `paths`."""
        chosen = [self._files[path] for path in (self._files if paths is None else paths)]
        total = sum(len(file.content) for file in chosen) * 8
        for _ in range(bits if total else 0):
            at = random.randrange(total)
            for file in chosen:
                if at < len(file.content) * 8:
                    file.flip(at)
                    break
                at -= len(file.content) * 8

    def copy(self) -> Self:
        """Return a disk with the files as they are seen now, all durable, without faults."""
        return self._image({path: bytes(file.content) for path, file in self._files.items()})

    def synced_copy(self) -> Self:
        """Return a disk with the durable files only: the least that a power cut leaves."""
        return self._image({path: file.durable() for path, file in self._durable.items()})

    def _image(self, contents: dict[str, bytes]) -> Self:
        image = type(self)(capacity_bytes=self.capacity_bytes)
        image.become({path: VirtualFile(content) for path, content in contents.items()})
        return image

    def become(self, files: dict[str, VirtualFile]) -> None:
        """Hold these files, all durable."""
        self._files, self._durable = files, dict(files)
        self.used_bytes = sum(len(file.content) for file in files.values())

    def _count(self, kind: Kind) -> None:
        self.counts[kind] += 1
        if self._failing is None or kind not in self._failing[0]:
            return
        kinds, after, count = self._failing
        if after > 0:
            self._failing = (kinds, after - 1, count)
        elif count:
            self._failing = (kinds, 0, max(count - 1, -1))
            raise _error(errno.EIO)
        else:
            self._failing = None

    def _grow(self, growth_bytes: int) -> None:
        if growth_bytes <= 0:
            return
        used_bytes = self.used_bytes + growth_bytes
        if self.capacity_bytes is not None and used_bytes > self.capacity_bytes:
            raise _error(errno.ENOSPC)
        self.used_bytes = used_bytes


def _error(number: int) -> OSError:
    return OSError(number, os.strerror(number))


def _fate(random: Random | None) -> Literal["kept", "lost", "torn"]:
    return "lost" if random is None else random.choice(("kept", "lost", "torn"))


def _sectors(change: _Change) -> list[tuple[int, int]]:
    """Return where the sectors of a write begin and end, counted from its first byte."""
    end = change.offset + change.size_bytes
    first = change.offset - change.offset % SECTOR_SIZE_BYTES
    return [
        (max(at, change.offset) - change.offset, min(at + SECTOR_SIZE_BYTES, end) - change.offset)
        for at in range(first, end, SECTOR_SIZE_BYTES)
    ]


def _put(content: bytearray, data: bytes, offset: int) -> None:
    if offset > len(content):
        content.extend(bytes(offset - len(content)))
    content[offset : offset + len(data)] = data
