"""What is done at an open with the write-ahead log of a run that did not end cleanly.

An fsync that failed may have dropped what it was to write, while the system goes on showing it from
memory; no later fsync says so, and a power cut then leaves a hole in the log, under everything that
was acknowledged since. So all that is seen of such a log is written once more before anything is
added to it. What was being copied into the database when the run ended needs no such care: SQLite
copies a log that it finds from its beginning.
"""

from __future__ import annotations

import errno
import sqlite3
from pathlib import Path
from typing import Final

from core.failpoint import hit
from journal.disk import Disk, LogFile
from journal.errors import DiskFull, WriteFailed

_STEP_BYTES: Final = 1 << 20


def write_log_again(connection: sqlite3.Connection, path: Path, disk: Disk) -> None:
    """Make durable what is seen of the log of the database at `path`.

    Raises sqlite3.Error while another process writes to it, WriteFailed or DiskFull.
    """
    connection.execute("BEGIN IMMEDIATE")  # nobody else writes to the log now
    try:
        log = disk.open_log(path.with_name(path.name + "-wal"), writable=True)
        try:
            _rewrite(log)
        finally:
            log.close()
    except FileNotFoundError:
        pass  # a database that was never written to
    except OSError as error:
        fault = DiskFull if error.errno == errno.ENOSPC else WriteFailed
        raise fault(f"writing the log again: {error.strerror}") from error
    finally:
        connection.execute("ROLLBACK")


def _rewrite(log: LogFile) -> None:
    hit("journal.recovery.before")
    size_bytes = log.size_bytes()
    for at in range(0, size_bytes, _STEP_BYTES):
        log.write(log.read(_STEP_BYTES, at), at)
    if size_bytes:
        log.sync()
    hit("journal.recovery.after")
