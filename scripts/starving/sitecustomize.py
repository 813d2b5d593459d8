"""Python imports this at its start when `scripts/starve` has put it on the path."""

from __future__ import annotations

import asyncio
import os
import time
from concurrent.futures import thread
from importlib.util import find_spec
from random import Random
from typing import Any, Final

TURN: Final = 0.01
"""Chance of a stall at a turn of an event loop, if STARVE is 1."""
WORK: Final = 0.05
"""The same, of what a worker thread begins."""
MEAN_S: Final = 0.06
MOST_S: Final = 1.0
LONG: Final = 0.05
"""The share of stalls that are long: 0.5 to 2 s."""

_random = Random()  # noqa: S311 - nothing is secret about it
_sleep = time.sleep
_often = float(os.environ.get("STARVE", "1"))


def _stall(chance: float) -> None:
    if _random.random() >= chance * _often:
        return
    if _random.random() < LONG:
        _sleep(_random.uniform(0.5, 2.0))
    else:
        _sleep(min(_random.expovariate(1 / MEAN_S), MOST_S))


def _starve_asyncio() -> None:
    real = asyncio.BaseEventLoop
    turn: Any = vars(real)["_run_once"]

    def _run_once(loop: asyncio.BaseEventLoop) -> None:
        if type(loop).time is real.time:  # a loop with a time of its own knows no stalls
            _stall(TURN)
        turn(loop)

    setattr(real, "_run_once", _run_once)  # noqa: B010 - the type checker knows of no such method


def _starve_threads() -> None:
    item: Any = vars(thread)["_WorkItem"]
    work = item.run

    def run(self: Any) -> None:  # noqa: ANN401 - a private class
        _stall(WORK)
        work(self)

    item.run = run


def _starve_trio() -> None:
    from trio._core._io_epoll import EpollIOManager as Events  # noqa: PLC0415 - if it is there

    wait: Any = Events.get_events

    def get_events(self: Any, timeout: float) -> Any:  # noqa: ANN401 - a private class
        _stall(TURN)
        return wait(self, timeout)

    setattr(Events, "get_events", get_events)  # noqa: B010 - as above


os.register_at_fork(after_in_child=_random.seed)
_starve_asyncio()
_starve_threads()
if find_spec("trio") is not None:
    _starve_trio()
