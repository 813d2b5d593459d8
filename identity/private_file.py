"""Small files for their owner only, written so that they appear whole and survive a power cut."""

from __future__ import annotations

import os
from pathlib import Path

from core.failpoint import hit


def sweep_private(path: Path) -> None:
    """Remove what a process left that was killed while it wrote `path`: it may be a secret.

    Raises OSError.
    """
    for left in path.parent.glob(f".{path.name}.*"):
        number = left.name.rpartition(".")[2]
        if number.isascii() and number.isdecimal() and not _is_running(int(number)):
            left.unlink(missing_ok=True)


def write_private(path: Path, text: str, *, replace: bool) -> None:
    """Write `text` to `path` with mode 0600: whole or not at all, and durably.

    With `replace` an existing file gives way; without it FileExistsError is raised. Raises OSError,
    and leaves no half-written copy of what may be a secret.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            hit("file.fsync.before")
            os.fsync(file.fileno())
            hit("file.fsync.after")
        hit("file.rename.before")
        if replace:
            temporary.replace(path)
        else:
            os.link(temporary, path)  # unlike rename, this never replaces
        hit("file.rename.after")
    finally:
        temporary.unlink(missing_ok=True)
    directory = os.open(path.parent, os.O_RDONLY)
    try:
        hit("file.directory.before")
        os.fsync(directory)
        hit("file.directory.after")
    finally:
        os.close(directory)


def _is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        return True
    return True
