"""The routes of a state that is not the one that the network certified: where, and its repair."""

from __future__ import annotations

from collections.abc import Sequence

from gateway.operations import Operation, get, post
from gateway.repair_views import DivergenceView, RepairCell
from gateway.waiting import Waiting


class RepairRoutes:
    """Everything that a client can ask about a divergence."""

    tag = "repair"

    def __init__(self, cell: RepairCell, waits: Waiting) -> None:
        self._cell = cell
        self._waits = waits

    def operations(self) -> Sequence[Operation]:
        """See Family."""
        return [
            get("/api/v1/divergence", self.divergence),
            post("/api/v1/repair", self.repair),
        ]

    async def divergence(self) -> DivergenceView:
        """Return whether and where this cell's state is not the certified one."""
        return self._cell.divergence()

    async def repair(self) -> DivergenceView:
        """Begin to take over the certified state."""
        return await self._waits.read(self._cell.repair())
