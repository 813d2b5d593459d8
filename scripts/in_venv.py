"""Importing this makes a script run in the project's environment, whichever Python started it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

_ROOT = Path(__file__).resolve().parent.parent
_VENV = Path(os.environ.get("MYCELD_VENV") or _ROOT / ".venv").absolute()

if Path(sys.prefix).resolve() != _VENV.resolve():
    _PYTHON = _VENV / "bin" / "python"
    if not _PYTHON.exists():
        subprocess.run([_ROOT / "scripts" / "setup", "dev"], check=True)
    os.execv(_PYTHON, [str(_PYTHON), *sys.argv])  # noqa: S606 - the same program again
