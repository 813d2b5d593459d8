"""Where log lines go: standard error and a file, each by a thread of its own; never waits.

A full disk or a terminal that nobody reads holds up nothing but that thread: lines that find no
room are dropped and counted. The file is put aside when it is full, and old ones are deleted.
"""

from __future__ import annotations

import contextlib
import os
import queue
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from gateway.limits import LOG_RETRY_S, LOG_WAITING_MAX

_DAY_S: Final = 86_400


class LineWriter:
    """Hands lines to a thread that writes them. `write` may raise OSError: then they are lost."""

    def __init__(self, write: Callable[[bytes], None], name: str) -> None:
        self._write = write
        self._waiting: queue.Queue[bytes | threading.Event] = queue.Queue(LOG_WAITING_MAX)
        self.dropped = 0
        """Lines that were lost."""
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def put(self, line: bytes) -> None:
        """Have a line written soon, or dropped."""
        try:
            self._waiting.put_nowait(line)
        except queue.Full:
            self.dropped += 1

    def flush(self, timeout_s: float) -> None:
        """Wait until what was put before is written, but no longer than this."""
        done = threading.Event()
        with contextlib.suppress(queue.Full):
            self._waiting.put(done, timeout=timeout_s)
            done.wait(timeout_s)

    def close(self, timeout_s: float) -> None:
        """Write what waits, and end."""
        self.flush(timeout_s)
        self._is_over.set()
        with contextlib.suppress(queue.Full):
            self._waiting.put_nowait(threading.Event())

    def _run(self) -> None:
        while not self._is_over.is_set():
            lines: list[bytes] = []
            done: list[threading.Event] = []
            self._sort_in(self._waiting.get(), lines, done)
            with contextlib.suppress(queue.Empty):
                while len(lines) < LOG_WAITING_MAX:
                    self._sort_in(self._waiting.get_nowait(), lines, done)
            try:
                if lines:
                    self._write(b"".join(lines))
            except (OSError, ValueError):  # no room, or the stream was closed
                self.dropped += len(lines)
            for event in done:
                event.set()

    @staticmethod
    def _sort_in(
        one: bytes | threading.Event, lines: list[bytes], done: list[threading.Event]
    ) -> None:
        if isinstance(one, bytes):
            lines.append(one)
        else:
            done.append(one)


@dataclass(frozen=True, slots=True)
class Keeping:
    """How much of the log is kept in files."""

    size_bytes_max: int
    files_kept: int
    days_kept: int


class RotatingFile:
    """A file, for its owner only; its thread is the only one that uses it."""

    def __init__(self, path: Path, keeping: Keeping) -> None:
        self._path = path
        self._keeping = keeping
        self._descriptor: int | None = None
        self._size_bytes = 0
        self._retry_s = 0.0

    def write(self, data: bytes) -> None:
        """Append lines; raises OSError, and then not more often than every few seconds tries."""
        now_s = time.monotonic()
        if now_s < self._retry_s:
            raise OSError(0, "waits to try again")
        try:
            self._append(data)
        except OSError:
            self._retry_s = now_s + LOG_RETRY_S
            self.close()
            raise

    def close(self) -> None:
        """Close the file."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            os.close(descriptor)

    def _append(self, data: bytes) -> None:
        if self._descriptor is not None and self._size_bytes >= self._keeping.size_bytes_max:
            self.close()
            put_aside(self._path, self._keeping, time.time())
        if self._descriptor is None:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
            self._descriptor = os.open(self._path, flags, 0o600)
            self._size_bytes = os.fstat(self._descriptor).st_size
        while data:
            count = os.write(self._descriptor, data)
            self._size_bytes += count
            data = data[count:]


def put_aside(path: Path, keeping: Keeping, now_s: float) -> None:
    """Rename `path` to `path`.1, `path`.1 to `path`.2 and so on; delete what is too many or old."""
    numbered = sorted(aside_files(path), reverse=True)
    for number, file in numbered:
        is_old = now_s - file.stat().st_mtime > keeping.days_kept * _DAY_S
        if number >= keeping.files_kept or is_old:
            file.unlink(missing_ok=True)
        else:
            file.rename(path.with_name(f"{path.name}.{number + 1}"))
    if keeping.files_kept:
        path.rename(path.with_name(f"{path.name}.1"))
    else:
        path.unlink(missing_ok=True)


def aside_files(path: Path) -> list[tuple[int, Path]]:
    """Return the files that were put aside, with their numbers; the newest has the smallest."""
    found = []
    for file in path.parent.glob(f"{path.name}.*"):
        number = file.name.rpartition(".")[2]
        if number.isascii() and number.isdecimal() and len(number) < 6:
            found.append((int(number), file))
    return sorted(found)
