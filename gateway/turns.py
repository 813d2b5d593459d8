"""Whose request begins next, when more come at once than the event loop does at a time.

In each round of the loop only so many requests begin, and those who ask take turns: a crowd of
requests of one token or address waits for itself, others and the cell's own work go on between.
While many wait, the rounds pause: consensus goes before them, and a crowd gets no more than a part
of the loop. The owner, and who has nothing else at work, waits for no pause. Nobody waits while
there is no crowd. Bounded by the requests that the door lets wait.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict, deque

from gateway.limits import BEGIN_PER_ROUND_MAX, CROWD_MIN, CROWD_PAUSE_S_MAX, CROWD_REST


class Turns:
    """One line for each who asks."""

    def __init__(self, per_round_max: int = BEGIN_PER_ROUND_MAX) -> None:
        self._per_round_max = per_round_max
        self._left = per_round_max
        self._lines: OrderedDict[str, deque[asyncio.Future[None]]] = OrderedDict()
        self._waiting = 0
        """In these lines; those in the next one go before them."""
        self._first: deque[asyncio.Future[None]] = deque()
        self._is_first_due = True
        self._began_s = 0.0
        self._rests_until_s = 0.0
        self._planned: asyncio.Handle | None = None
        """The next round."""

    async def wait(self, whom: str, *, is_owner: bool = False, is_alone: bool = False) -> None:
        """Return when it is somebody's turn; `is_alone`: who has nothing else at work."""
        loop = asyncio.get_running_loop()
        if self._planned is None:
            self._planned = loop.call_soon(self._next_round, loop)
        if self._left > 0 and not self._first and (is_owner or not self._lines):
            self._left -= 1
            return
        turn = loop.create_future()
        # Many that are alone are a crowd together.
        if not (is_owner or (is_alone and len(self._first) < CROWD_MIN)):
            self._lines.setdefault(whom, deque()).append(turn)
            self._waiting += 1
        else:
            self._first.append(turn)
            if isinstance(self._planned, asyncio.TimerHandle):
                self._planned.cancel()
                self._planned = loop.call_soon(self._next_round, loop)
        await turn

    def _next_round(self, loop: asyncio.AbstractEventLoop) -> None:
        self._left = self._per_round_max
        rests = loop.time() < self._rests_until_s
        is_crowd = self._waiting >= CROWD_MIN and not rests
        if is_crowd:
            loop.call_soon(self._begin, loop)  # before what begins here, as `_rest` comes behind it
        while self._left > 0 and (self._first or (self._lines and not rests)):
            turn = self._next_turn(rests=rests)
            if not turn.cancelled():
                turn.set_result(None)
                self._left -= 1
        if is_crowd:
            self._left = 0
            self._planned = loop.call_soon(self._rest, loop)
        elif self._first or self._left < self._per_round_max or (self._lines and not rests):
            self._planned = loop.call_soon(self._next_round, loop)
        else:
            self._planned = self._after_rest(loop) if self._lines else None

    def _next_turn(self, *, rests: bool) -> asyncio.Future[None]:
        if self._first and (rests or self._is_first_due or not self._lines):
            self._is_first_due = False
            return self._first.popleft()
        self._is_first_due = True
        whom, line = self._lines.popitem(last=False)
        turn = line.popleft()
        self._waiting -= 1
        if line:
            self._lines[whom] = line
        return turn

    def _begin(self, loop: asyncio.AbstractEventLoop) -> None:
        self._began_s = loop.time()

    def _rest(self, loop: asyncio.AbstractEventLoop) -> None:
        """Pause for what has begun, which has had its first and longest part by now."""
        now_s = loop.time()
        self._rests_until_s = now_s + min(CROWD_PAUSE_S_MAX, CROWD_REST * (now_s - self._began_s))
        if self._first:
            self._planned = loop.call_soon(self._next_round, loop)
        else:
            self._planned = self._after_rest(loop)

    def _after_rest(self, loop: asyncio.AbstractEventLoop) -> asyncio.TimerHandle:
        return loop.call_at(self._rests_until_s, self._next_round, loop)
