"""The routes of governance: proposals, votes, and the rules that hold."""

from __future__ import annotations

from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from core.limits import HASH_SIZE_BYTES
from gateway import asks, governance_asks
from gateway.answers import JsonAnswer, listing
from gateway.governance_views import GovernanceCell
from gateway.trust_routes import Row, Waits
from gateway.views import Stage

_PROPOSE: Final = frozenset({"title", "actions", "rounds", "wait", "timeout_s"})
_VOTE: Final = frozenset({"proposal", "vote", "wait", "timeout_s"})
_ANNOUNCE: Final = frozenset({"wait", "timeout_s"})


class GovernanceRoutes:
    """Everything that a client can ask about governance."""

    def __init__(self, cell: GovernanceCell, waits: Waits, budget: asks.BodyBudget) -> None:
        self._cell = cell
        self._waits = waits
        self._budget = budget

    def table(self) -> list[Row]:
        """Return (method, path, endpoint) of each."""
        return [
            ("GET", "/api/v1/governance/proposals", self.proposals),
            ("POST", "/api/v1/governance/proposals", self.propose),
            ("GET", "/api/v1/governance/proposals/{id}", self.proposal),
            ("POST", "/api/v1/governance/votes", self.vote),
            ("POST", "/api/v1/governance/announce", self.announce),
            ("GET", "/api/v1/governance/rules", self.rules),
        ]

    async def propose(self, request: Request) -> Response:
        """POST /api/v1/governance/proposals."""
        fields = await asks.read_fields(request, _PROPOSE, self._budget)
        wish = governance_asks.proposal_wish(fields)
        wait, timeout_s = _waiting(fields)
        work = self._cell.propose(wish, wait=wait, timeout_s=timeout_s)
        return JsonAnswer(await self._waits.reached(work, wait, timeout_s))

    async def vote(self, request: Request) -> Response:
        """POST /api/v1/governance/votes."""
        fields = await asks.read_fields(request, _VOTE, self._budget)
        proposal, vote = governance_asks.vote(fields)
        wait, timeout_s = _waiting(fields)
        work = self._cell.vote(proposal, vote, wait=wait, timeout_s=timeout_s)
        return JsonAnswer(await self._waits.reached(work, wait, timeout_s))

    async def announce(self, request: Request) -> Response:
        """POST /api/v1/governance/announce."""
        fields = await asks.read_fields(request, _ANNOUNCE, self._budget)
        wait, timeout_s = _waiting(fields)
        work = self._cell.announce(wait=wait, timeout_s=timeout_s)
        return JsonAnswer(await self._waits.reached(work, wait, timeout_s))

    async def proposals(self, request: Request) -> Response:
        """GET /api/v1/governance/proposals."""
        fields = asks.query_fields(request, frozenset({"state", "limit"}))
        _, limit = asks.page(fields)
        work = self._cell.proposals(governance_asks.state(fields), limit)
        return listing(await self._waits.read(work))

    async def proposal(self, request: Request) -> Response:
        """GET /api/v1/governance/proposals/{id}."""
        asks.query_fields(request, frozenset())
        identity = asks.from_hex(request.path_params["id"], "id")
        if len(identity) != HASH_SIZE_BYTES:
            asks.refuse("id", f"expected {2 * HASH_SIZE_BYTES} hex digits")
        return JsonAnswer(await self._waits.read(self._cell.proposal(identity)))

    async def rules(self, request: Request) -> Response:
        """GET /api/v1/governance/rules."""
        asks.query_fields(request, frozenset())
        return JsonAnswer(await self._waits.read(self._cell.rules()))


def _waiting(fields: asks.Fields) -> tuple[Stage, float]:
    return asks.stage(fields, Stage.STORED) or Stage.STORED, asks.timeout_s(fields)
