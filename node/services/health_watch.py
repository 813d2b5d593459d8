"""Notes in the nucleus journal when the health of a service changes, at a bounded rate.

A service that flaps between two states would fill a disk with its changes: each has a few rows, and
one more every HEALTH_ROW_S. What is not written is counted, and the next row says how many there
were. What is journaled last is always how the service is, a little later at most.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from gossip.budget import Bucket
from identity.record import Record
from node.limits import HEALTH_CHECK_S, HEALTH_ROW_S, HEALTH_ROWS_BURST
from node.services.nucleus import HEALTH, Nucleus, wall_ms
from node.session import now_ms

HEALTHY: Final = "healthy"
DEGRADED: Final = "degraded"
UNHEALTHY: Final = "unhealthy"


@dataclass(frozen=True, slots=True)
class Health:
    """`degraded`: it works, but not as it should; `unhealthy`: it does not do its work."""

    status: str = HEALTHY
    why: str = ""


@dataclass(frozen=True, slots=True)
class Since:
    """Since when a service is as it is, by the wall clock; 0 since the start."""

    status: str
    time_ms: int = 0


@dataclass(slots=True)
class _Watched:
    written: str
    """The status that the journal has last."""
    seen: str
    since_ms: int
    budget: Bucket
    unwritten: int = 0


class HealthChanges:
    """Makes rows of what changed. Pure; services begin as healthy, so a bad start is a change."""

    def __init__(self) -> None:
        self._watched: dict[str, _Watched] = {}

    def take(self, found: Mapping[str, Health], *, now_ms: int, time_ms: int) -> list[Record]:
        """Return the rows to be written now. `now_ms` is a clock that never goes back."""
        rows = []
        for service, health in found.items():
            watched = self._watched.get(service)
            if watched is None:
                budget = Bucket(1 / HEALTH_ROW_S, HEALTH_ROWS_BURST, now_ms)
                watched = self._watched[service] = _Watched(HEALTHY, HEALTHY, 0, budget)
            if health.status != watched.seen:
                watched.seen, watched.since_ms = health.status, time_ms
                watched.unwritten += 1
            if watched.unwritten and watched.budget.has(now_ms):
                if watched.seen != watched.written or watched.unwritten > 1:
                    watched.budget.spend(1, now_ms)
                    rows.append(Record(time_ms, HEALTH, service, _detail(watched, health)))
                watched.written, watched.unwritten = watched.seen, 0
        return rows

    def since(self, service: str) -> Since:
        """Return since when a service is as it was seen last."""
        watched = self._watched.get(service)
        return Since(HEALTHY) if watched is None else Since(watched.seen, watched.since_ms)


class HealthWatch:
    """Looks at the services of one cell. `run` is its only task."""

    def __init__(self, nucleus: Nucleus, look: Callable[[], Mapping[str, Health]]) -> None:
        self._nucleus = nucleus
        self._look = look
        self.changes = HealthChanges()

    async def run(self) -> None:
        """Look every HEALTH_CHECK_S, and write what changed, until cancelled."""
        while True:
            await asyncio.sleep(HEALTH_CHECK_S)
            rows = self.changes.take(self._look(), now_ms=now_ms(), time_ms=wall_ms())
            if rows:
                await self._nucleus.health_changed(rows)


def _detail(watched: _Watched, health: Health) -> str:
    more = f" ({watched.unwritten} changes)" if watched.unwritten > 1 else ""
    why = f": {health.why}" if health.why else ""
    return f"{watched.written} -> {watched.seen}{more}{why}"
