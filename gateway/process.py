"""What the processes of cells and hyphae have in common: logging, and how signals end them."""

from __future__ import annotations

import asyncio
import os
import resource
import signal
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Final, Protocol

from gateway.limits import DESCRIPTORS_WANTED
from gateway.logs import Logs
from settings import LoggingConfig

_FORCED: Final = 130


class Stoppable(Protocol):
    """A daemon."""

    def stop(self) -> None:
        """Have `run` end."""
        ...

    async def run(self) -> None:
        """Run until `stop` was called."""
        ...


async def run_until_signalled(
    daemon: Stoppable, hangup: Callable[[], Awaitable[None]] | None = None
) -> None:
    """Run until SIGINT or SIGTERM; a second one ends the process at once.

    `hangup` is awaited after each SIGHUP; one that comes meanwhile is served after it.
    """
    stops = 0
    hung_up = asyncio.Event()

    def on_signal() -> None:
        nonlocal stops
        stops += 1
        if stops > 1:
            os._exit(_FORCED)
        daemon.stop()

    async def serve_hangups(hangup: Callable[[], Awaitable[None]]) -> None:
        while True:
            await hung_up.wait()
            hung_up.clear()
            await hangup()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, on_signal)
    if hangup is None:
        await daemon.run()
        return
    loop.add_signal_handler(signal.SIGHUP, hung_up.set)
    serving = asyncio.create_task(serve_hangups(hangup), name="hangups")
    try:
        await daemon.run()
    finally:
        serving.cancel()


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
