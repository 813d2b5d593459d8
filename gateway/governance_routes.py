"""The routes of governance: proposals, votes, and the rules that hold."""

from __future__ import annotations

from collections.abc import Sequence

from gateway.asks import HashPath, WaitAsk
from gateway.errors import NoProposal, NoSuchCell
from gateway.governance_asks import ProposalAsk, ProposalsAsk, VoteAsk
from gateway.governance_views import GovernanceCell, GovernanceView, ProposalsView, RulesView
from gateway.operations import INTAKE, Operation, get, post
from gateway.views import ReceiptView
from gateway.waiting import Waiting


class GovernanceRoutes:
    """Everything that a client can ask about governance."""

    tag = "governance"

    def __init__(self, cell: GovernanceCell, waits: Waiting) -> None:
        self._cell = cell
        self._waits = waits

    def operations(self) -> Sequence[Operation]:
        """See Family."""
        return [
            get("/api/v1/governance/proposals", self.proposals, NoProposal),
            post("/api/v1/governance/proposals", self.propose, NoSuchCell, *INTAKE),
            get("/api/v1/governance/proposals/{id}", self.proposal, NoProposal),
            post("/api/v1/governance/votes", self.vote, *INTAKE),
            post("/api/v1/governance/announce", self.announce, *INTAKE),
            get("/api/v1/governance/rules", self.rules),
        ]

    async def propose(self, body: ProposalAsk) -> ReceiptView:
        """Propose what the members may decide."""
        work = self._cell.propose(body.wish(), wait=body.wait, timeout_s=body.timeout_s)
        return await self._waits.reached(work, body.wait, body.timeout_s)

    async def vote(self, body: VoteAsk) -> ReceiptView:
        """Vote on a proposal."""
        work = self._cell.vote(body.proposal, body.vote, wait=body.wait, timeout_s=body.timeout_s)
        return await self._waits.reached(work, body.wait, body.timeout_s)

    async def announce(self, body: WaitAsk) -> ReceiptView:
        """Announce which versions this cell knows."""
        work = self._cell.announce(wait=body.wait, timeout_s=body.timeout_s)
        return await self._waits.reached(work, body.wait, body.timeout_s)

    async def proposals(self, query: ProposalsAsk) -> ProposalsView:
        """List proposals, the newest first."""
        work = self._cell.proposals(query.state, query.after, query.limit)
        return await self._waits.read(work)

    async def proposal(self, path: HashPath) -> GovernanceView:
        """Return one proposal with its votes."""
        return await self._waits.read(self._cell.proposal(path.id))

    async def rules(self) -> RulesView:
        """Return the rules that hold, and which versions the members know."""
        return await self._waits.read(self._cell.rules())
