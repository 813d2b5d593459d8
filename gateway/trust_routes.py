"""The routes of trust: what this cell says of others, how it sees them, and why."""

from __future__ import annotations

from collections.abc import Sequence

from gateway.errors import NoSuchCell
from gateway.operations import INTAKE, Operation, get, post
from gateway.trust_asks import AttestAsk, GraphAsk, InteractionsAsk, RevokeAsk, TrustAsk
from gateway.trust_views import InteractionsView, TrustCell, TrustGraphView, TrustWhyView
from gateway.views import ReceiptView
from gateway.waiting import Waiting


class TrustRoutes:
    """Everything that a client can ask about trust."""

    tag = "trust"

    def __init__(self, cell: TrustCell, waits: Waiting) -> None:
        self._cell = cell
        self._waits = waits

    def operations(self) -> Sequence[Operation]:
        """See Family."""
        return [
            post("/api/v1/trust/attest", self.attest, NoSuchCell, *INTAKE),
            post("/api/v1/trust/revoke", self.revoke, NoSuchCell, *INTAKE),
            get("/api/v1/trust/cell", self.trust_of, NoSuchCell),
            get("/api/v1/trust/graph", self.graph),
            get("/api/v1/trust/interactions", self.interactions, NoSuchCell),
        ]

    async def attest(self, body: AttestAsk) -> ReceiptView:
        """Say how far this cell trusts another one."""
        return await self._submit(body)

    async def revoke(self, body: RevokeAsk) -> ReceiptView:
        """Take back what this cell said of another one."""
        return await self._submit(body)

    async def trust_of(self, query: TrustAsk) -> TrustWhyView:
        """Return how far this cell trusts another one, and by which ways."""
        work = self._cell.trust_of(query.cell, query.limit, query.scope)
        return await self._waits.read(work)

    async def graph(self, query: GraphAsk) -> TrustGraphView:
        """Return who says what of whom, and what that comes to for this cell."""
        return await self._waits.read(self._cell.trust_graph(query.limit, query.scope, query.start))

    async def interactions(self, query: InteractionsAsk) -> InteractionsView:
        """List what two cells signed together, the newest first."""
        return await self._waits.read(self._cell.interactions(query.query()))

    async def _submit(self, body: AttestAsk | RevokeAsk) -> ReceiptView:
        work = self._cell.attest(body.wish(), wait=body.wait, timeout_s=body.timeout_s)
        return await self._waits.reached(work, body.wait, body.timeout_s)
