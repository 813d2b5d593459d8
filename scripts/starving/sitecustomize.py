"""Python imports this at its start when `scripts/starve` has put it on the path.

What stalls is changed as it is imported, by whoever imports it: a program loads what it loaded
before, and this.
"""

from __future__ import annotations

import os
import sys
import time

TYPE_CHECKING = False
if TYPE_CHECKING:  # typing is not loaded for it
    from collections.abc import Callable, Sequence
    from importlib.machinery import ModuleSpec
    from types import ModuleType
    from typing import Any

TURN = 0.01
"""Chance of a stall at a turn of an event loop, if STARVE is 1."""
WORK = 0.05
"""The same, of what a worker thread begins."""
MEAN_S = 0.06
MOST_S = 1.0
LONG = 0.05
"""The share of stalls that are long: 0.5 to 2 s."""

_often = float(os.environ.get("STARVE", "1"))
_sleep = time.sleep


def _stall(chance: float) -> None:
    if _uniform() >= chance * _often:
        return
    if _uniform() < LONG:
        _sleep(0.5 + 1.5 * _uniform())
    else:
        import math  # noqa: PLC0415 - not every program has it

        _sleep(min(-MEAN_S * math.log(1 - _uniform()), MOST_S))


def _uniform() -> float:
    """Return a number from 0 to 1, below it. Nothing has to be seeded anew after a fork."""
    return int.from_bytes(os.urandom(6), "big") / 2**48


def _starve_asyncio(module: Any) -> None:  # noqa: ANN401 - its private parts are meant
    real = module.BaseEventLoop
    turn = real._run_once  # noqa: SLF001 - there is no public name

    def run_once(loop: Any) -> None:  # noqa: ANN401 - as above
        if type(loop).time is real.time:  # a loop with a time of its own knows no stalls
            _stall(TURN)
        turn(loop)

    real._run_once = run_once  # noqa: SLF001 - as above


def _starve_threads(module: Any) -> None:  # noqa: ANN401 - as above
    work = module._WorkItem.run  # noqa: SLF001 - there is no public name

    def run(item: Any) -> None:  # noqa: ANN401 - as above
        _stall(WORK)
        work(item)

    module._WorkItem.run = run  # noqa: SLF001 - as above


def _starve_trio(module: Any) -> None:  # noqa: ANN401 - as above
    events = module.EpollIOManager
    wait = events.get_events

    def get_events(manager: Any, timeout: float) -> Any:  # noqa: ANN401 - as above
        _stall(TURN)
        return wait(manager, timeout)

    events.get_events = get_events


_STARVED: dict[str, Callable[[Any], None]] = {
    "asyncio.base_events": _starve_asyncio,
    "concurrent.futures.thread": _starve_threads,
    "trio._core._io_epoll": _starve_trio,
}


class _Finder:
    """Finds what all others find, and has it changed once it is loaded."""

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if name not in _STARVED:
            return None
        for finder in sys.meta_path:
            spec = None if finder is self else finder.find_spec(name, path, target)
            if spec is not None and spec.loader is not None:
                _change_once_loaded(spec.loader, _STARVED[name])
                return spec
        return None


def _change_once_loaded(loader: Any, starve: Callable[[Any], None]) -> None:  # noqa: ANN401 - of any kind
    load = loader.exec_module

    def load_and_starve(module: ModuleType) -> None:
        load(module)
        starve(module)

    loader.exec_module = load_and_starve


sys.meta_path.insert(0, _Finder())
