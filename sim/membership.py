"""Members of a simulated network change its roster and their keys, as people would."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from core.errors import MyceldError
from core.ids import TransactionId
from gateway.views import MemberChange, Stage
from sim.scenario import Action

if TYPE_CHECKING:
    from sim.cell import SimCell
    from sim.world import World

_PATIENCE_S: Final = 8.0


class Rotation:
    """One cell takes another key."""

    def __init__(self, world: World, cell: SimCell) -> None:
        self._world = world
        self._cell = cell

    async def run(self) -> None:
        """Ask the cell, and remember what it was told."""
        try:
            async with asyncio.timeout(_PATIENCE_S):
                rotation = await self._cell.ask(
                    lambda running: running.rotate_key(wait=Stage.STORED, timeout_s=_PATIENCE_S)
                )
        except (MyceldError, TimeoutError):
            return
        identity = TransactionId(bytes.fromhex(rotation.receipt.id))
        self._world.referee.told(identity, self._cell.index, Stage.STORED)


class Membership:
    """One proposal, and its approvals by all other members."""

    def __init__(self, world: World, action: Action) -> None:
        self._world = world
        self._by = world.cells[action.cells[0]]
        self._whom = world.cells[action.cells[1]]
        self._action = action

    async def run(self) -> None:
        """Propose, and let everybody approve, as far as they can be reached."""
        name = self._action.name
        change = MemberChange(
            name,
            cell=self._whom.key.cell_id,
            weight=0 if name == "remove" else self._action.amount,
            name=f"cell-{self._whom.index + 1}" if name == "add" else "",
        )
        proposal = await self._submit(self._by, change)
        if proposal is None:
            return
        others = [cell for cell in self._world.cells if cell is not self._by and cell.is_honest]
        async with asyncio.TaskGroup() as group:
            for cell in others:
                group.create_task(self._submit(cell, MemberChange("approve", proposal=proposal)))

    async def _submit(self, cell: SimCell, change: MemberChange) -> bytes | None:
        """Return the transaction's id once it is ordered; None when it was refused or is late."""
        try:
            async with asyncio.timeout(_PATIENCE_S):
                receipt = await cell.ask(
                    lambda running: running.change_members(
                        change, wait=Stage.ORDERED, timeout_s=_PATIENCE_S
                    )
                )
        except (MyceldError, TimeoutError):
            return None
        identity = TransactionId(bytes.fromhex(receipt.id))
        self._world.referee.told(identity, cell.index, Stage.ORDERED)
        return identity
