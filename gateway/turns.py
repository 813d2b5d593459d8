"""Whose request begins next, when more come at once than the event loop does at a time.

In each round of the loop only so many requests begin, and those who ask take turns: a crowd of
requests of one token or address waits for itself, others and the cell's own work go on between.
Nothing waits while there is no crowd. Bounded by the requests that the door lets wait.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict, deque

from gateway.limits import BEGIN_PER_ROUND_MAX


class Turns:
    """One line for each who asks."""

    def __init__(self, per_round_max: int = BEGIN_PER_ROUND_MAX) -> None:
        self._per_round_max = per_round_max
        self._left = per_round_max
        self._lines: OrderedDict[str, deque[asyncio.Future[None]]] = OrderedDict()
        self._is_round_planned = False

    async def wait(self, whom: str) -> None:
        """Return when it is somebody's turn."""
        loop = asyncio.get_running_loop()
        if not self._is_round_planned:
            self._is_round_planned = True
            loop.call_soon(self._next_round, loop)
        if self._left > 0 and not self._lines:
            self._left -= 1
            return
        turn = loop.create_future()
        self._lines.setdefault(whom, deque()).append(turn)
        await turn

    def _next_round(self, loop: asyncio.AbstractEventLoop) -> None:
        self._left = self._per_round_max
        while self._left > 0 and self._lines:
            whom, line = self._lines.popitem(last=False)
            turn = line.popleft()
            if line:
                self._lines[whom] = line
            if not turn.cancelled():
                turn.set_result(None)
                self._left -= 1
        self._is_round_planned = bool(self._lines) or self._left < self._per_round_max
        if self._is_round_planned:
            loop.call_soon(self._next_round, loop)
