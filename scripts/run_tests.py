"""Run all tests, several pytest processes at a time; `scripts/test` starts it without arguments.

Tests of real processes and connections mostly wait, and their times matter: two parts. All others
compute: they run beside them at low priority and take what processor time is left. One part is
shown as it comes, the others when they are over; in the end the closing lines of all. The exit
status is that of the first part that failed.

Tests marked `long` are left out unless MYCELD_LONG is set.
"""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import FrameType
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[1]
WAITING: Final = ("tests/gossip/host", "tests/interop", "tests/network", "tests/node/discovery")
CLIENTS: Final = ("tests/cli", "tests/docs", "tests/explorer", "tests/scripts")
"""They wait for cells, too, and are half of all that waits."""
SERVING: Final = ("tests/gateway", "tests/hypha", "tests/myceld", "tests/node")
"""They compute, and wait for their own sockets now and then; `tests/node/discovery` is above."""
SIMULATING: Final = ("tests/sim",)
SEEDS: Final = "tests/sim/test_seeds.py"
"""All other simulations and these compute for as long as each other, and as all in no list."""
NICE: Final = ("nice", "-n", "15")
"""Hostile peers in tests of real cells are at 10: they do not wait for the other parts either."""
ENDING: Final = (signal.SIGINT, signal.SIGTERM)
POLL_S: Final = 0.2
STOP_S: Final = 60
"""For what tests started to be stopped."""


def main() -> int:
    """Run all parts; return the exit status."""
    choice = () if os.environ.get("MYCELD_LONG") else ("-m", "not long")
    color = ("--color=yes",) if sys.stdout.isatty() else ()
    pytest = (sys.executable, "-m", "pytest", *color, *choice)
    simulating = [folder for folder in SIMULATING if (ROOT / folder).is_dir()]
    elsewhere = [f"--ignore={folder}" for folder in WAITING]
    others = [*elsewhere, *(f"--ignore={folder}" for folder in (*CLIENTS, *SERVING, *simulating))]
    beside = {
        "tests of commands and pages": (*pytest, *CLIENTS),
        "tests of what serves": (*NICE, *pytest, *SERVING, *elsewhere),
        "tests that compute": (*NICE, *pytest, *others),
    }
    if simulating:
        beside["simulations"] = (*NICE, *pytest, *simulating, f"--ignore={SEEDS}")
        beside["seeds"] = (*NICE, *pytest, SEEDS)
    return run_at_a_time((*pytest, *WAITING), beside)


def run_at_a_time(shown: Sequence[str], beside: Mapping[str, Sequence[str]]) -> int:
    """Run a command, and others by name beside it; return the first status not 0, else 0."""
    signal.signal(signal.SIGTERM, _interrupt)
    # A shell lets what it starts with & ignore Ctrl-C, and so would the parts.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    processes: list[subprocess.Popen[bytes]] = []
    reading, writing = os.pipe()
    with ExitStack() as stack:
        logs = [stack.enter_context(tempfile.TemporaryFile()) for _ in beside]
        try:
            _start(processes, shown, writing)
            os.close(writing)
            for command, log in zip(beside.values(), logs, strict=True):
                _start(processes, command, log.fileno())
            closings = [_copy(reading, processes[0])]
            statuses = [process.wait() for process in processes]
        except BaseException:
            _stop(processes)
            raise
        for name, log in zip(beside, logs, strict=True):
            _say(f"\n== pytest, {name}\n".encode())
            log.seek(0)
            closings.append(_copy(log.fileno()))
    _say(b"\n== pytest, all parts\n" + b"".join(line + b"\n" for line in closings))
    return next((abs(status) for status in statuses if status), 0)


def _start(processes: list[subprocess.Popen[bytes]], command: Sequence[str], output: int) -> None:
    """Start a part. A request to end is heard before or behind it: none runs that is not known."""
    signal.pthread_sigmask(signal.SIG_BLOCK, ENDING)
    try:
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            stdout=output,
            stderr=subprocess.STDOUT,
            preexec_fn=lambda: signal.pthread_sigmask(signal.SIG_UNBLOCK, ENDING),  # noqa: PLW1509 - there is one thread
        )
        processes.append(process)
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, ENDING)


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
    """A request to end is Ctrl-C for all parts: fixtures stop the cells that they started."""
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
