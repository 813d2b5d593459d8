"""The routes of the cell itself: what it does, what it measures, whom it knows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Final

from starlette.responses import Response

from gateway.cell import Cell
from gateway.kinds import OneOf
from gateway.operations import Operation, Page, get
from gateway.reading import Ask
from gateway.views import PeerView, SporeView, StatusView
from gateway.waiting import Waiting

METRICS_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
"""Of the text format of Prometheus."""


class SporeAsk(Ask):
    """Which spore is wanted."""

    type: Annotated[str | None, OneOf(("seed",))] = None
    """`seed` for one to keep in a file; else what a peer is told that connects now."""


class CellRoutes:
    """Everything that a client can ask about the cell itself."""

    tag = "cell"

    def __init__(self, cell: Cell, waits: Waiting) -> None:
        self._cell = cell
        self._waits = waits

    def operations(self) -> Sequence[Operation]:
        """See Family."""
        return [
            get("/api/v1/status", self.status),
            get("/api/v1/metrics", self.metrics, media_type=METRICS_TYPE),
            get("/api/v1/peers", self.peers),
            get("/api/v1/spore", self.spore),
        ]

    async def status(self) -> StatusView:
        """Return what the cell is doing, and what it waits for."""
        return self._cell.status()

    async def metrics(self) -> Response:
        """Return all that the cell measures of itself, in the text format of Prometheus."""
        return Response(self._cell.metrics(), media_type=METRICS_TYPE)

    async def peers(self) -> Page[PeerView]:
        """List the peers, members first."""
        return Page(self._cell.peers())

    async def spore(self, query: SporeAsk) -> SporeView:
        """Return a signed record from which other cells find this one."""
        return await self._waits.read(self._cell.spore(seed=query.type is not None))
