"""The daemon has one wall clock, which a test may put wrong."""

from __future__ import annotations

import time
from pathlib import Path

from node.clock import skew_by, wall_ns

NODE = Path(__file__).resolve().parents[2] / "node"
BEFORE_THE_DAEMON = {"founding.py", "joining.py"}
THE_DOCTOR = {"doctor/directory.py", "doctor/examination.py", "doctor/space.py"}
"""A program of its own, which looks at the machine's clock among other things."""


def test_the_clock_is_the_machine_s_unless_it_is_put_wrong() -> None:
    for skew_ns in (0, 3600 * 10**9, -3600 * 10**9, 0):
        skew_by(skew_ns)
        try:
            before, shown, after = time.time_ns(), wall_ns(), time.time_ns()
        finally:
            skew_by(0)
        assert before <= shown - skew_ns <= after


def test_nothing_else_in_the_daemon_reads_the_machine_s() -> None:
    readers = {
        path.relative_to(NODE).as_posix()
        for path in NODE.rglob("*.py")
        if "time.time()" in path.read_text() or "time.time_ns" in path.read_text()
    }
    assert readers == {"clock.py", *BEFORE_THE_DAEMON, *THE_DOCTOR}
