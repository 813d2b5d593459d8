"""The routes for hyphae: cells that keep only heads, and check what they are told.

All of this is what any copy of the network can show; nothing of it is this cell's own.
"""

from __future__ import annotations

from collections.abc import Sequence

from gateway.asks import HashPath
from gateway.errors import NoSuchReceipt
from gateway.light_asks import EpochAsk, HeadAsk, RangeAsk, RoundAsk, StateAsk
from gateway.light_views import LightCell, LightProofView
from gateway.operations import INTAKE, Operation, Page, get, post
from gateway.order_asks import SubmitAsk
from gateway.views import ReceiptView
from gateway.waiting import Waiting


class LightRoutes:
    """Everything that a hypha asks."""

    tag = "light"

    def __init__(self, cell: LightCell, waits: Waiting) -> None:
        self._cell = cell
        self._waits = waits

    def operations(self) -> Sequence[Operation]:
        """See Family."""
        return [
            get("/api/light/head", self.head),
            get("/api/light/state", self.state),
            get("/api/light/range", self.range),
            get("/api/light/receipts/{id}", self.receipt, NoSuchReceipt),
            get("/api/light/round", self.round),
            post("/api/light/transactions", self.submit, *INTAKE),
        ]

    async def head(self, query: HeadAsk) -> LightProofView:
        """Prove the newest certified header, if the hypha does not know it."""
        return await self._waits.read(self._cell.light_head(query.known()))

    async def state(self, query: StateAsk) -> LightProofView:
        """Prove the value of a key of the state, or that there is none."""
        return await self._waits.read(self._cell.light_state(query.key, query.epoch))

    async def range(self, query: RangeAsk) -> LightProofView:
        """Prove what the state has from a key on, the first entries if they are many."""
        work = self._cell.light_range(query.start, query.end, query.limit, query.epoch)
        return await self._waits.read(work)

    async def receipt(self, path: HashPath, query: EpochAsk) -> LightProofView:
        """Prove a transaction's place and outcome."""
        return await self._waits.read(self._cell.light_receipt(path.id, query.epoch))

    async def round(self, query: RoundAsk) -> LightProofView:
        """Prove the header of a round."""
        return await self._waits.read(self._cell.light_round(query.round, query.epoch))

    async def submit(self, body: SubmitAsk) -> Page[ReceiptView]:
        """Submit transactions that are signed already, by whomever."""
        work = self._cell.submit(body.transactions, wait=body.wait, timeout_s=body.timeout_s)
        return Page(await self._waits.reached(work, body.wait, body.timeout_s))
