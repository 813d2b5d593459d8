"""A process that was told to stop ends, whatever hangs in it."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from tests.network.devnet import ROOT
from tests.waiting import PATIENCE_S

_Program: TypeAlias = subprocess.Popen[str]

_PROGRAM = """
import asyncio, signal, sys, threading, time
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
            until_signalled()
            time.sleep(600)
        await self.stopped.wait()
        if self.kind == "hangs":
            await self.never_done()

    async def never_done(self):
        await asyncio.get_running_loop().create_future()

def until_signalled():
    for _ in range(30_000):
        if signal.getitimer(signal.ITIMER_REAL)[0]:
            tell("signalled")
            return
        time.sleep(0.01)

def no_alarm(which, seconds):
    tell(f"an alarm after {seconds:g} s")

async def main(kind):
    if kind == "hangs":
        signal.setitimer = no_alarm
    logs = start_logging(LoggingConfig(), Path("."))
    await run_until_signalled(Daemon(kind), last_words=logs.close, deadline_s=float(sys.argv[2]))

asyncio.run(main(sys.argv[1]))
if sys.argv[1] == "thread":
    if signal.getitimer(signal.ITIMER_REAL)[0]:
        tell("the alarm is set")
        signal.setitimer(signal.ITIMER_REAL, 0.1)  # it comes sooner, so that nobody waits
    threading.Thread(target=time.sleep, args=(600,)).start()
"""


@dataclass(frozen=True)
class _Done:
    """How the program ended, how long after the signal, and what it printed after `ready`."""

    status: int
    took_s: float
    printed: str
    told: str


def _run(
    kind: str, deadline_s: float, meanwhile: Callable[[_Program], None] = lambda _: None
) -> _Done:
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
        meanwhile(process)
        process.wait(PATIENCE_S)
        took_s = time.monotonic() - began_s
        printed = "" if process.stdout.closed else process.stdout.read()
        assert process.stderr is not None
        return _Done(process.returncode, took_s, printed, process.stderr.read())


def test_what_hangs_is_named_when_the_deadline_is_over() -> None:
    done = _run("hangs", 0.3)
    assert done.status == 1
    assert done.took_s >= 0.3
    assert "MYC-GATEWAY-096" in done.told
    assert "Daemon.never_done:" in done.told
    assert "an alarm after 0.45 s" in done.printed


def test_the_system_ends_a_loop_that_is_blocked() -> None:
    done = _run("blocks", 0.2)
    assert done.status == -signal.SIGALRM
    assert done.took_s >= 0.3


def test_the_system_ends_an_interpreter_that_waits_for_a_thread() -> None:
    done = _run("thread", PATIENCE_S)
    assert "the alarm is set" in done.printed
    assert done.status == -signal.SIGALRM


def test_a_second_signal_ends_it_at_once_even_if_the_loop_is_blocked() -> None:
    def again(process: _Program) -> None:
        assert process.stdout is not None
        assert process.stdout.readline() == "signalled\n"  # two that are pending may be one
        process.send_signal(signal.SIGTERM)

    assert _run("blocks", 2 * PATIENCE_S, again).status == 130


def test_it_stops_cleanly_when_nobody_reads_what_it_prints_any_more() -> None:
    done = _run("unread", PATIENCE_S)
    assert (done.status, done.told) == (0, "")
