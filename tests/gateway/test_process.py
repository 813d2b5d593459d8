"""A process that was told to stop ends, whatever hangs in it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable

import pytest

from tests.network.devnet import ROOT

_PROGRAM = """
import asyncio, sys, threading, time
from pathlib import Path
from gateway.process import run_until_signalled, start_logging, tell
from settings import LoggingConfig

class Daemon:
    def __init__(self, kind):
        self.kind, self.stopped = kind, asyncio.Event()

    def stop(self):
        tell("stopping")
        self.stopped.set()

    async def run(self):
        tell("ready")
        if self.kind == "blocks":
            time.sleep(60)
        await self.stopped.wait()
        if self.kind == "hangs":
            await self.never_done()

    async def never_done(self):
        await asyncio.get_running_loop().create_future()

async def main(kind):
    logs = start_logging(LoggingConfig(), Path("."))
    await run_until_signalled(Daemon(kind), last_words=logs.close, deadline_s=float(sys.argv[2]))

asyncio.run(main(sys.argv[1]))
if sys.argv[1] == "thread":
    threading.Thread(target=time.sleep, args=(60,)).start()
"""


def _run(kind: str, deadline_s: float, meanwhile: Callable[[int], None] = lambda _: None) -> _Done:
    """Start the program, signal it once it is ready, and wait for its end."""
    with subprocess.Popen(
        [sys.executable, "-c", _PROGRAM, kind, str(deadline_s)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        if kind == "unread":
            process.stdout.close()
        began_s = time.monotonic()
        process.send_signal(signal.SIGTERM)
        meanwhile(process.pid)
        process.wait(30)
        assert process.stderr is not None
        return process.returncode, time.monotonic() - began_s, process.stderr.read()


_Done = tuple[int, float, str]


def test_what_hangs_is_named_when_the_deadline_is_over() -> None:
    status, took_s, told = _run("hangs", 0.3)
    assert status == 1
    assert took_s >= 0.3
    assert "MYC-GATEWAY-096" in told
    assert "Daemon.never_done:" in told


@pytest.mark.parametrize("kind", ["blocks", "thread"])
def test_the_system_ends_what_can_not_end_itself(kind: str) -> None:
    """A loop that is blocked, and a thread that the interpreter waits for at its end."""
    status, took_s, _ = _run(kind, 0.2)
    assert status == -signal.SIGALRM
    assert took_s >= 0.3


def test_a_second_signal_ends_it_at_once_even_if_the_loop_is_blocked() -> None:
    def again(pid: int) -> None:
        time.sleep(0.2)  # two that are pending together may be one
        os.kill(pid, signal.SIGTERM)

    status, took_s, _ = _run("blocks", 60, again)
    assert status == 130
    assert took_s < 30


def test_it_stops_cleanly_when_nobody_reads_what_it_prints_any_more() -> None:
    status, _, told = _run("unread", 60)
    assert (status, told) == (0, "")
