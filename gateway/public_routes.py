"""The routes that need no token: that the cell runs, which one it is, and what can be asked."""

from __future__ import annotations

import inspect
import time
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Final

from gateway.cell import Cell
from gateway.operations import Operation, get
from gateway.policy import ROWS
from gateway.public_views import (
    EndpointsView,
    EndpointView,
    HealthView,
    InfoView,
    PublicStatusView,
    ServiceHealth,
)

DOCUMENT_PATH: Final = "/api/v1/openapi.json"
_HEALTH: Final = ("healthy", "degraded", "unhealthy")


class PublicRoutes:
    """Everything that anybody can ask."""

    tag = "public"

    def __init__(
        self,
        cell: Cell,
        everything: Callable[[], Sequence[Operation]],
        *,
        now_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        """`everything` returns the operations of all families."""
        self._cell = cell
        self._everything = everything
        self._now_ns = now_ns

    def operations(self) -> Sequence[Operation]:
        """See Family."""
        return [
            get("/api/public/health", self.health),
            get("/api/public/status", self.status),
            get("/api/public/info", self.info),
            get("/api/public/endpoints", self.endpoints),
        ]

    async def health(self) -> HealthView:
        """Return how the cell and its services are."""
        begun_ns = time.perf_counter_ns()
        status, services = self._cell.status(), self._cell.services().items
        return HealthView(
            status=worst([service.status for service in services]),
            timestamp_ns=self._now_ns(),
            uptime_s=status.uptime_s,
            response_time_ms=(time.perf_counter_ns() - begun_ns) / 1e6,
            version=status.version,
            services={each.name: ServiceHealth(each.status, each.why) for each in services},
        )

    async def status(self) -> PublicStatusView:
        """Return how far the network is, without names."""
        status = self._cell.status()
        return PublicStatusView(
            **{name: getattr(status, name) for name in PublicStatusView.__dataclass_fields__}
        )

    async def info(self) -> InfoView:
        """Return which cell this is."""
        status = self._cell.status()
        return InfoView(**{name: getattr(status, name) for name in InfoView.__dataclass_fields__})

    async def endpoints(self) -> EndpointsView:
        """List all that can be asked, with the scope that each needs."""
        return self._endpoints

    @cached_property
    def _endpoints(self) -> EndpointsView:
        scopes = {(row.method, row.path): row.scope for row in ROWS}
        return EndpointsView(
            DOCUMENT_PATH,
            [
                EndpointView(
                    each.method,
                    each.path,
                    scopes[each.method, each.path].value,
                    inspect.cleandoc(each.endpoint.__doc__ or "").partition("\n\n")[0],
                )
                for each in self._everything()
            ],
        )


def worst(statuses: Sequence[str]) -> str:
    """Return the worst of several healths; `healthy` of none."""
    return max(statuses, key=_HEALTH.index, default=_HEALTH[0])
