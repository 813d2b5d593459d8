"""Run all tests as two pytest processes at a time; `scripts/test` starts it without arguments.

Tests of real processes and connections mostly wait, and their times matter. All others compute:
they run beside them at low priority and take what processor time is left. What waits is shown as it
comes, what computed when it is over; in the end the closing lines of both. The exit status is that
of the first part that failed.
"""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from types import FrameType
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[1]
PYTEST: Final = (sys.executable, "-m", "pytest")
WAITING: Final = (
    *("tests/cli", "tests/gossip/host", "tests/interop", "tests/network"),
    *("tests/node/discovery", "tests/scripts"),
)
NICE: Final = ("nice", "-n", "15")
"""Hostile peers in tests of real cells are at 10: they shall not wait for the other part either."""
POLL_S: Final = 0.2
STOP_S: Final = 60
"""For what tests started to be stopped."""


def main() -> int:
    """Run both parts; return the exit status."""
    others = [f"--ignore={folder}" for folder in WAITING]
    colour = ["--color=yes"] if sys.stdout.isatty() else []
    return run_both((*PYTEST, *colour, *WAITING), (*NICE, *PYTEST, *colour, *others))


def run_both(shown: Sequence[str], beside: Sequence[str]) -> int:
    """Run two commands at a time; return the first status that is not 0, else 0."""
    signal.signal(signal.SIGTERM, _interrupt)
    processes: list[subprocess.Popen[bytes]] = []
    reading, writing = os.pipe()
    with tempfile.TemporaryFile() as log:
        try:
            processes.append(_start(shown, writing))
            os.close(writing)
            processes.append(_start(beside, log.fileno()))
            closing = _copy(reading, processes[0])
            statuses = [process.wait() for process in processes]
        except BaseException:
            _stop(processes)
            raise
        _say(b"\n== pytest, tests that compute\n")
        log.seek(0)
        closings = (closing, _copy(log.fileno()))
    _say(b"\n== pytest, both parts\n" + b"".join(line + b"\n" for line in closings))
    return next((abs(status) for status in statuses if status), 0)


def _start(command: Sequence[str], output: int) -> subprocess.Popen[bytes]:
    return subprocess.Popen(command, cwd=ROOT, stdout=output, stderr=subprocess.STDOUT)


def _copy(source: int, process: subprocess.Popen[bytes] | None = None) -> bytes:
    """Show what comes from a file, or from a process until it ends; return the last line.

    What a process leaves behind may hold the other end of its pipe: that is not waited for.
    """
    tail = b""
    while True:
        ended = process is not None and process.poll() is not None
        if not select.select([source], [], [], 0 if ended else POLL_S)[0]:
            if ended:
                break
            continue
        data = os.read(source, 1 << 16)
        if not data:
            break
        _say(data)
        tail = (tail + data)[-4096:]
    return tail.rstrip().rpartition(b"\n")[2]


def _say(data: bytes) -> None:
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()


def _interrupt(number: int, frame: FrameType | None) -> None:
    """A request to end is Ctrl-C for both parts: fixtures stop the cells that they started."""
    del number, frame
    raise SystemExit(128 + signal.SIGTERM)


def _stop(processes: Sequence[subprocess.Popen[bytes]]) -> None:
    """End what still runs. Ctrl-C of a terminal has reached them already; twice does no harm."""
    for process in processes:
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
    for process in processes:
        try:
            process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()


if __name__ == "__main__":
    sys.exit(main())
