"""The clock of a loop in tests of the gateway: it is put forward, no time is waited for."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

_LOOK_S: Final = 0.01


class Clock:
    """The clock of the running loop, which a test can put forward: what is due later is due now."""

    def __init__(self) -> None:
        loop = asyncio.get_running_loop()
        self._true = loop.time
        self._ahead_s = 0.0
        loop.time = self.time  # type: ignore[method-assign]  # of this loop only

    def time(self) -> float:
        """Return the time of the loop in seconds."""
        return self._true() + self._ahead_s

    def skip(self, span_s: float) -> None:
        """Let some time have passed."""
        self._ahead_s += span_s

    async def run_until(self, condition: Callable[[], bool], *, step_s: float) -> None:
        """Let time pass in steps, each with room for what is due, until something holds."""
        while not condition():
            self.skip(step_s)
            await asyncio.sleep(_LOOK_S)
