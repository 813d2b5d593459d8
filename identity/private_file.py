"""Small files for their owner only, written so that they appear whole and survive a power cut."""

from __future__ import annotations

import os
from pathlib import Path


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
            os.fsync(file.fileno())
        if replace:
            temporary.replace(path)
        else:
            os.link(temporary, path)  # unlike rename, this never replaces
    finally:
        temporary.unlink(missing_ok=True)
    directory = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
