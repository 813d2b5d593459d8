"""What simulations leave behind: processes that never end, which a test has to bury."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator
from typing import Any

import pytest

from sim.loop import SimLoop


@pytest.fixture(autouse=True)
def _buried(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Close the coroutines that still wait: collected later, they would blame another test."""
    loops: list[SimLoop] = []
    make = SimLoop.__init__

    def kept(loop: SimLoop, *args: Any, **options: Any) -> None:  # noqa: ANN401 - those of SimLoop
        loops.append(loop)
        make(loop, *args, **options)

    monkeypatch.setattr(SimLoop, "__init__", kept)
    yield
    for loop in loops:
        loop.on_error = lambda _life, _context: None
        asyncio.events._set_running_loop(loop)
        for task in asyncio.all_tasks(loop):
            with contextlib.suppress(Exception):
                task.get_coro().close()
        asyncio.events._set_running_loop(None)
