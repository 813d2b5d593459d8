"""What the processes of cells and hyphae have in common: logging, and how signals end them."""

from __future__ import annotations

import asyncio
import logging
import os
import resource
import signal
import sys
from typing import Final, Protocol

import structlog

from gateway.limits import DESCRIPTORS_WANTED

_FORCED: Final = 130


class Stoppable(Protocol):
    """A daemon."""

    def stop(self) -> None:
        """Have `run` end."""
        ...

    async def run(self) -> None:
        """Run until `stop` was called."""
        ...


async def run_until_signalled(daemon: Stoppable) -> None:
    """Run until SIGINT or SIGTERM; a second one ends the process at once."""
    stops = 0

    def on_signal() -> None:
        nonlocal stops
        stops += 1
        if stops > 1:
            os._exit(_FORCED)
        daemon.stop()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, on_signal)
    await daemon.run()


def start_logging(level: str, *, as_json: bool) -> None:
    """Log to stderr: one line an event, or JSON."""
    number = logging.getLevelNamesMapping()[level.upper()]
    renderer = (
        structlog.processors.JSONRenderer()
        if as_json
        # Plain tracebacks: the other formatters show the values of variables, and some are secret.
        else structlog.dev.ConsoleRenderer(
            colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback
        )
    )
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso"),
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
    logging.basicConfig(level=max(number, logging.WARNING), stream=sys.stderr)


def raise_descriptors() -> None:
    """Let this process have as many open files as its connections can come to, if it may."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = DESCRIPTORS_WANTED if hard == resource.RLIM_INFINITY else min(DESCRIPTORS_WANTED, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
