"""What the processes of cells and hyphae have in common: logging, and how signals end them."""

from __future__ import annotations

import asyncio
import contextlib
import os
import resource
import signal
import sys
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from types import FrameType
from typing import Any, Final, NoReturn, Protocol

import click
import structlog

from gateway.errors import StopTookTooLong
from gateway.limits import DESCRIPTORS_WANTED, STOP_DEADLINE_S, STOP_TASKS_TOLD_MAX
from gateway.logs import Logs
from settings import LoggingConfig

_FAILED: Final = 1
_FORCED: Final = 130
_LOG: Final = structlog.get_logger("cell")


class Stoppable(Protocol):
    """A daemon."""

    def stop(self) -> None:
        """Have `run` end."""
        ...

    async def run(self) -> None:
        """Run until `stop` was called."""
        ...


async def run_until_signalled(
    daemon: Stoppable,
    hangup: Callable[[], Awaitable[None]] | None = None,
    *,
    last_words: Callable[[], None] = lambda: None,
    deadline_s: float = STOP_DEADLINE_S,
) -> None:
    """Run until SIGINT or SIGTERM; a second one ends the process at once.

    `hangup` is awaited after each SIGHUP; one that comes meanwhile is served after it. Whatever
    hangs, the process ends `deadline_s` after the signal, having said what hung and called
    `last_words`; if it can not even do that, the system ends it after half as long again. Nothing
    that was acknowledged is lost by either.
    """
    loop = asyncio.get_running_loop()
    signalled = False

    def on_signal(_number: int, _frame: FrameType | None) -> None:
        nonlocal signalled
        if signalled:
            os._exit(_FORCED)
        signalled = True
        # The kernel's, as neither the loop nor the interpreter may be able to do anything by then.
        signal.setitimer(signal.ITIMER_REAL, 1.5 * deadline_s)
        with contextlib.suppress(RuntimeError):  # the loop was closed: it is ending already
            loop.call_soon_threadsafe(stop)

    def stop() -> None:
        loop.call_later(deadline_s, _give_up, deadline_s, last_words)
        daemon.stop()

    # Not the loop's own handlers: those are called only once the loop is free.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, on_signal)
    if hangup is None:
        await daemon.run()
        return
    hung_up = asyncio.Event()
    loop.add_signal_handler(signal.SIGHUP, hung_up.set)
    serving = asyncio.create_task(_serve_hangups(hung_up, hangup), name="hangups")
    try:
        await daemon.run()
    finally:
        serving.cancel()


def tell(line: str) -> None:
    """Print a line for whoever started the process, if somebody still reads."""
    try:
        click.echo(line)
    except OSError:
        # They are gone, and the interpreter must not try once more when it ends.
        nobody = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nobody, sys.stdout.fileno())
        os.close(nobody)


def start_logging(
    config: LoggingConfig, home: Path, *, level: str | None = None, as_json: bool = False
) -> Logs:
    """Log as configured; what the command line says goes before that."""
    if level is not None:
        config = replace(config, level=level)
    if as_json:
        config = replace(config, format="json")
    logs = Logs(config, home)
    logs.take_all()
    return logs


def raise_descriptors() -> None:
    """Let this process have as many open files as its connections can come to, if it may."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = DESCRIPTORS_WANTED if hard == resource.RLIM_INFINITY else min(DESCRIPTORS_WANTED, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


async def _serve_hangups(hung_up: asyncio.Event, hangup: Callable[[], Awaitable[None]]) -> None:
    while True:
        await hung_up.wait()
        hung_up.clear()
        await hangup()


def _give_up(deadline_s: float, last_words: Callable[[], None]) -> NoReturn:
    """End the process, having said what did not end."""
    places = sorted(f"{task.get_name()} at {_place(task)}" for task in asyncio.all_tasks())
    error = StopTookTooLong(f"not stopped {deadline_s:g} s after it was asked to")
    _LOG.error(str(error), remedy=error.remedy, waiting=places[:STOP_TASKS_TOLD_MAX])
    last_words()
    os._exit(_FAILED)


def _place(task: asyncio.Task[Any]) -> str:
    """Return the innermost line that a task waits at."""
    at = "?"
    inner: Any = task.get_coro()
    while (frame := getattr(inner, "cr_frame", None)) is not None:
        at = f"{frame.f_code.co_qualname}:{frame.f_lineno}"
        inner = getattr(inner, "cr_await", None)
    return at
