"""How requests wait for their answers: each with a deadline, and none beyond the gateway's end."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

from core.errors import MyceldError
from gateway.errors import AnswerTooLate, GatewayStopping, NotReachedInTime
from gateway.limits import READ_TIMEOUT_S, WAIT_GRACE_S
from gateway.views import Stage

T = TypeVar("T")


class Waiting:
    """Knows all that wait."""

    def __init__(self) -> None:
        self._deadlines: set[asyncio.Timeout] = set()
        self._stopping = False

    def stop_waiting(self) -> None:
        """Answer every request that waits with GatewayStopping, now and from now on."""
        self._stopping = True
        now = asyncio.get_running_loop().time()
        for deadline in self._deadlines:
            deadline.reschedule(now)

    async def reached(self, work: Awaitable[T], wait: Stage, timeout_s: float) -> T:
        """See `gateway.trust_routes.Waits`."""
        late = NotReachedInTime(f"stage {wait.word} was not reached in {timeout_s:g} s")
        return await self.within(work, timeout_s + WAIT_GRACE_S, late)

    async def read(self, work: Awaitable[T]) -> T:
        """See `gateway.trust_routes.Waits`."""
        late = AnswerTooLate(f"the cell did not answer in {READ_TIMEOUT_S:.0f} s")
        return await self.within(work, READ_TIMEOUT_S, late)

    async def within(self, work: Awaitable[T], limit_s: float, late: MyceldError) -> T:
        """Return what the work comes to; raises `late` after `limit_s`, or GatewayStopping."""
        try:
            async with asyncio.timeout(0 if self._stopping else limit_s) as deadline:
                self._deadlines.add(deadline)
                try:
                    return await work
                finally:
                    self._deadlines.discard(deadline)
        except TimeoutError as error:
            if not deadline.expired():
                raise
            if self._stopping:
                raise GatewayStopping("the cell is stopping") from error
            raise late from error
