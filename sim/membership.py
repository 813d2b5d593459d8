"""Members of a simulated network change its roster, rules and keys, as people would."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any, Final

from core.errors import MyceldError
from core.ids import TransactionId
from gateway.governance_views import ActionWish, ProposalWish
from gateway.views import MemberChange, ReceiptView, Stage
from ledger.epoch_rules import TRANSACTION_VERSIONS
from ledger.limits import EPOCH_ROUNDS_MIN, PROPOSAL_ROUNDS_MAX
from sim.scenario import Action

if TYPE_CHECKING:
    from node.cell import RunningCell
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


class Motion:
    """One proposal about the rules, and the votes of all other members."""

    def __init__(self, world: World, action: Action) -> None:
        self._world = world
        self._by = world.cells[action.cells[0]]
        self._action = action

    async def run(self) -> None:
        """Propose, and let everybody vote, as far as they can be reached."""
        action = self._wish()
        wish = ProposalWish(self._action.name, (action,), PROPOSAL_ROUNDS_MAX)
        proposal = await self._submit(
            self._by,
            lambda running: running.propose(wish, wait=Stage.ORDERED, timeout_s=_PATIENCE_S),
        )
        if proposal is None:
            return
        if self._action.name == "upgrade":
            await asyncio.sleep(_PATIENCE_S / 8)  # until they have told what they know
        others = [cell for cell in self._world.cells if cell is not self._by and cell.is_honest]
        async with asyncio.TaskGroup() as group:
            for at, cell in enumerate(others):
                group.create_task(self._vote(cell, proposal, at))

    async def _vote(self, cell: SimCell, proposal: bytes, at: int) -> None:
        """Vote; one changes its mind."""
        against = self._action.name == "text"
        words = ["no" if against else "yes"]
        if at == 0:
            words.insert(0, "yes" if against else "abstain")
        for word in words:
            await self._submit(
                cell,
                lambda running, word=word: running.vote(  # type: ignore[misc]  # a bound default
                    proposal, word, wait=Stage.ORDERED, timeout_s=_PATIENCE_S
                ),
            )

    def _wish(self) -> ActionWish:
        amount, parts = self._action.amount, self._by.parts
        match self._action.name:
            case "epochs":
                return ActionWish("set", name="epoch_rounds", value=EPOCH_ROUNDS_MIN + amount)
            case "upgrade":
                epoch = 0 if parts is None else parts.execution.ledger.roster.epoch
                return ActionWish(
                    "upgrade",
                    epoch=epoch + 2,
                    rule_set=amount,
                    transaction_version=TRANSACTION_VERSIONS[amount - 1],
                    release=f"rule set {amount}",
                )
        return ActionWish("text")

    async def _submit(
        self, cell: SimCell, ask: Callable[[RunningCell], Coroutine[Any, Any, ReceiptView]]
    ) -> bytes | None:
        """Return the transaction's id once it is ordered; None when it was refused or is late."""
        try:
            async with asyncio.timeout(_PATIENCE_S):
                receipt = await cell.ask(ask)
        except (MyceldError, TimeoutError):
            return None
        identity = TransactionId(bytes.fromhex(receipt.id))
        self._world.referee.told(identity, cell.index, Stage.ORDERED)
        return identity
