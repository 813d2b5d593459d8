"""What the database takes of its disk, and what is left there."""

from __future__ import annotations

import shutil
from pathlib import Path


def disk_use(path: Path) -> tuple[dict[str, int], int]:
    """Return the bytes of the database and of its log, by name, and the bytes that are free."""
    files = {"database": path, "log": path.with_name(f"{path.name}-wal")}
    sizes = {name: file.stat().st_size for name, file in files.items() if file.exists()}
    return sizes, shutil.disk_usage(path.parent).free
