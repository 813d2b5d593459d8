"""The wall clock of a cell: all of the daemon reads it here.

A test of real cells may put it wrong (`node/faults.py`); otherwise it is the machine's. What only
measures how long something takes uses the monotonic clock, which nothing puts wrong.
"""

from __future__ import annotations

import time

_skew_ns = 0


def wall_ns() -> int:
    """Return the time in ns since 1970, as this cell believes it is."""
    return time.time_ns() + _skew_ns


def skew_by(offset_ns: int) -> None:
    """Have this process believe that it is `offset_ns` later than its machine says."""
    global _skew_ns  # noqa: PLW0603 - one process, one clock
    _skew_ns = offset_ns
