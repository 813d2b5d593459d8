"""A loop on virtual time in which work takes time, too."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

from sim.loop import SimLoop


class WorkingLoop(SimLoop):
    """A loop on virtual time, which passes when something works, too."""

    def work(self, span_s: float) -> None:
        """Take the processor for a while."""
        self._now_s += span_s


def run(talk: Callable[[WorkingLoop], Coroutine[Any, Any, None]]) -> None:
    """Run a test to its end in such a loop."""
    loop = WorkingLoop()
    loop.run_until_complete(talk(loop))
