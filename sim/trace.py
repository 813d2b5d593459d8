"""What happened in a run, one line a happening, and a digest over all of it.

Two runs of one scenario have equal digests. The lines hold nothing that differs between machines:
no addresses, no real time.
"""

from __future__ import annotations

import hashlib
import json
from collections import deque
from collections.abc import Callable
from typing import TextIO

from sim.limits import TRACE_KEPT_MAX


class Trace:
    """Takes happenings in their order."""

    def __init__(self, now_ms: Callable[[], int], file: TextIO | None = None) -> None:
        """`file` gets each line, if there is one; the last lines are kept in any case."""
        self._now_ms = now_ms
        self._file = file
        self._hash = hashlib.sha256()
        self.last: deque[str] = deque(maxlen=TRACE_KEPT_MAX)
        self.lines = 0

    def note(self, what: str, cell: int | None = None, **facts: object) -> None:
        """Add one line: when, where, what, and its facts."""
        line = json.dumps(
            {"ms": self._now_ms(), "cell": cell, "what": what, **facts},
            separators=(",", ":"),
            default=_plain,
        )
        self._hash.update(line.encode() + b"\n")
        self.lines += 1
        self.last.append(line)
        if self._file is not None:
            self._file.write(line + "\n")

    @property
    def digest(self) -> str:
        """Of all lines so far."""
        return self._hash.hexdigest()


def _plain(value: object) -> object:
    return value.hex() if isinstance(value, bytes) else str(value)
