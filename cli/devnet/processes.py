"""The processes of a devnet: start, find, stop, wait until ready.

A process is only ever signalled when its pid, its start time and the home on its command line are
those of a cell we started.
"""

from __future__ import annotations

import contextlib
import http.client
import os
import signal
import subprocess
import time
from collections.abc import Iterable, Sequence
from dataclasses import replace
from enum import Enum
from pathlib import Path

import psutil

from cli import daemon
from cli.devnet.directory import Cell, Devnet
from cli.errors import CannotStart, CellNotRunning, NotReady, WillNotStop
from cli.limits import (
    DEVNET_ASK_TIMEOUT_S,
    DEVNET_READY_TIMEOUT_S,
    DEVNET_STOP_TIMEOUT_S,
    LOG_SIZE_BYTES_MAX,
    LOG_TAIL_LINES,
    LOG_TAIL_SIZE_BYTES,
    POLL_S,
)
from core.errors import MyceldError
from myceld.client import Client
from myceld.home import RunFile

_START_TOLERANCE_S = 2.0
_LOADING_LOOKS = 200


class State(Enum):
    """What the process of a cell does."""

    RUNNING = "running"
    PAUSED = "paused"
    STOPPED = "stopped"
    CRASHED = "crashed"


def find(devnet: Devnet, cell: Cell) -> psutil.Process | None:
    """Return the living process of a cell, if it has one."""
    if cell.pid is None:
        return None
    try:
        process = psutil.Process(cell.pid)
        if abs(process.create_time() - cell.started_s) > _START_TOLERANCE_S:
            return None
        # While it loads a program the kernel has closed what `Popen` waits for, and shows no
        # arguments yet: on a busy machine that is long enough to be seen.
        for _ in range(_LOADING_LOOKS):
            if process.status() == psutil.STATUS_ZOMBIE:
                return None
            command = process.cmdline()
            if command:
                return process if str(devnet.home(cell)) in command else None
            time.sleep(POLL_S)
    except psutil.Error:
        pass
    return None


def state_of(devnet: Devnet, cell: Cell) -> State:
    """Return what the process of a cell does."""
    process = find(devnet, cell)
    if process is None:
        return State.STOPPED if cell.pid is None else State.CRASHED
    with contextlib.suppress(psutil.Error):
        if process.status() == psutil.STATUS_STOPPED:
            return State.PAUSED
    return State.RUNNING


def start(devnet: Devnet, cell: Cell) -> Devnet:
    """Start the daemon of a cell, detached from this terminal, and record its pid."""
    command, environment = daemon.node_command(["run", "--home", str(devnet.home(cell))])
    (devnet.home(cell) / "run.json").unlink(missing_ok=True)
    log = devnet.log(cell)
    with contextlib.suppress(FileNotFoundError):
        if log.stat().st_size > LOG_SIZE_BYTES_MAX:
            log.replace(log.with_suffix(".log.1"))
    try:
        with log.open("ab") as output:
            child = subprocess.Popen(
                command,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
    except OSError as error:
        raise CannotStart(f"can not start {cell.name}: {error.strerror}") from error
    _children[child.pid] = child
    try:
        started_s = psutil.Process(child.pid).create_time()
        return devnet.having(replace(cell, pid=child.pid, started_s=started_s))
    except BaseException:
        # A process that is not on record could never be stopped by another command.
        child.kill()
        raise


def wait_ready(devnet: Devnet, cells: Sequence[Cell]) -> None:
    """Wait until each cell has written run.json and answers; raises NotReady."""
    until_s = time.monotonic() + DEVNET_READY_TIMEOUT_S
    waiting = list(cells)
    while waiting:
        waiting = [cell for cell in waiting if not _is_ready(devnet, cell)]
        for cell in waiting:
            if find(devnet, cell) is None:
                raise NotReady(f"{cell.name} stopped by itself while it started")
        if waiting and time.monotonic() > until_s:
            names = ", ".join(cell.name for cell in waiting)
            raise NotReady(f"{names} not ready after {DEVNET_READY_TIMEOUT_S:.0f} s")
        if waiting:
            time.sleep(POLL_S)


def stop(devnet: Devnet, cells: Iterable[Cell], *, at_once: bool = False) -> Devnet:
    """Stop these cells: SIGTERM and a deadline, or at once SIGKILL; record that they are stopped.

    Raises WillNotStop when a process survives even SIGKILL.
    """
    cells = list(cells)
    processes = [process for cell in cells if (process := find(devnet, cell)) is not None]
    if not at_once:
        for process in processes:
            send(process, signal.SIGTERM)
            send(process, signal.SIGCONT)
        processes = _wait_gone(processes, DEVNET_STOP_TIMEOUT_S)
    for process in processes:
        send(process, signal.SIGKILL)
    left = _wait_gone(processes, DEVNET_STOP_TIMEOUT_S)
    if left:
        raise WillNotStop(f"process {left[0].pid} does not end")
    for cell in cells:
        devnet = devnet.having(replace(cell, pid=None, started_s=0.0))
    return devnet


def kill(devnet: Devnet, cell: Cell) -> None:
    """Send SIGKILL and wait until the process is gone; raises CellNotRunning, WillNotStop."""
    process = running(devnet, cell)
    send(process, signal.SIGKILL)
    if _wait_gone([process], DEVNET_STOP_TIMEOUT_S):
        raise WillNotStop(f"process {process.pid} does not end")


def running(devnet: Devnet, cell: Cell) -> psutil.Process:
    """Return the process of a cell; raises CellNotRunning."""
    process = find(devnet, cell)
    if process is None:
        raise CellNotRunning(f"{cell.name} is not running")
    return process


def send(process: psutil.Process, number: signal.Signals) -> None:
    """Send a signal; psutil checks once more that the pid was not reused."""
    with contextlib.suppress(psutil.NoSuchProcess):
        process.send_signal(number)


def reap() -> None:
    """Collect children that ended, so that they are not left as zombies."""
    for pid, child in list(_children.items()):
        if child.poll() is not None:
            del _children[pid]


def log_tail(path: Path) -> list[str]:
    """Return the last lines of a log."""
    try:
        with path.open("rb") as file:
            file.seek(0, os.SEEK_END)
            file.seek(max(0, file.tell() - LOG_TAIL_SIZE_BYTES))
            text = file.read().decode(errors="replace")
    except OSError:
        return []
    return text.splitlines()[-LOG_TAIL_LINES:]


_children: dict[int, subprocess.Popen[bytes]] = {}
"""Daemons started by this very process; at most one per start, and reaped."""


def _is_ready(devnet: Devnet, cell: Cell) -> bool:
    try:
        run = RunFile.read(devnet.home(cell))
        if run.pid != cell.pid:
            return False
        with Client(run.url, certificate=run.certificate, timeout_s=DEVNET_ASK_TIMEOUT_S) as client:
            client.health()
    except (MyceldError, http.client.HTTPException):
        return False
    return True


def _wait_gone(processes: Sequence[psutil.Process], timeout_s: float) -> list[psutil.Process]:
    until_s = time.monotonic() + timeout_s
    left = list(processes)
    while left:
        reap()
        left = [process for process in left if _lives(process)]
        if time.monotonic() > until_s:
            break
        if left:
            time.sleep(POLL_S)
    return left


def _lives(process: psutil.Process) -> bool:
    try:
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.Error:
        return False
