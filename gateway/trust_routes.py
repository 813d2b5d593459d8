"""The routes of trust: what this cell says of others, how it sees them, and why."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final, Protocol, TypeAlias, TypeVar

from starlette.requests import Request
from starlette.responses import Response

from core.limits import INT_MAX
from gateway import asks
from gateway.answers import JsonAnswer
from gateway.trust_views import AttestWish, InteractionsQuery, TrustCell
from gateway.views import Stage

T = TypeVar("T")
Row: TypeAlias = tuple[str, str, Callable[[Request], Awaitable[Response]]]

_ATTEST: Final = frozenset({"cell", "score", "scope", "expires_round", "wait", "timeout_s"})
_INTERACTIONS: Final = frozenset({"cell", "of", "before", "limit"})
_REVOKE: Final = frozenset({"cell", "scope", "wait", "timeout_s"})


class Waits(Protocol):
    """How the gateway waits for the cell: with deadlines, and never beyond its own end."""

    async def read(self, work: Awaitable[T]) -> T:
        """Return what the cell answers at once; raises AnswerTooLate, GatewayStopping."""
        ...

    async def reached(self, work: Awaitable[T], wait: Stage, timeout_s: float) -> T:
        """Return what the cell answers at a stage; raises NotReachedInTime, GatewayStopping."""
        ...


class TrustRoutes:
    """Everything that a client can ask about trust."""

    def __init__(self, cell: TrustCell, waits: Waits, budget: asks.BodyBudget) -> None:
        self._cell = cell
        self._waits = waits
        self._budget = budget

    def table(self) -> list[Row]:
        """Return (method, path, endpoint) of each."""
        return [
            ("POST", "/api/v1/trust/attest", self.attest),
            ("POST", "/api/v1/trust/revoke", self.revoke),
            ("GET", "/api/v1/trust/cell", self.trust_of),
            ("GET", "/api/v1/trust/graph", self.graph),
            ("GET", "/api/v1/trust/interactions", self.interactions),
        ]

    async def attest(self, request: Request) -> Response:
        """POST /api/v1/trust/attest."""
        fields = await asks.read_fields(request, _ATTEST, self._budget)
        wish = AttestWish(
            asks.cell_named(fields),
            asks.scope(fields),
            asks.score_millionths(fields),
            asks.expires_round(fields),
        )
        return await self._submit(wish, fields)

    async def revoke(self, request: Request) -> Response:
        """POST /api/v1/trust/revoke."""
        fields = await asks.read_fields(request, _REVOKE, self._budget)
        return await self._submit(
            AttestWish(asks.cell_named(fields), asks.scope(fields), None), fields
        )

    async def trust_of(self, request: Request) -> Response:
        """GET /api/v1/trust/cell."""
        fields = asks.query_fields(request, frozenset({"cell", "limit", "scope"}))
        _, paths_max = asks.page(fields)
        work = self._cell.trust_of(asks.cell_named(fields), paths_max, asks.scope(fields))
        return JsonAnswer(await self._waits.read(work))

    async def graph(self, request: Request) -> Response:
        """GET /api/v1/trust/graph."""
        fields = asks.query_fields(request, frozenset({"limit", "scope"}))
        _, limit = asks.page(fields)
        work = self._cell.trust_graph(limit, asks.scope(fields))
        return JsonAnswer(await self._waits.read(work))

    async def interactions(self, request: Request) -> Response:
        """GET /api/v1/trust/interactions."""
        fields = asks.query_fields(request, _INTERACTIONS)
        _, limit = asks.page(fields)
        before = asks.query_int(fields, "before", default=INT_MAX, low=0, high=INT_MAX)
        cell = asks.cell_named(fields) if "cell" in fields or "of" in fields else ""
        of = asks.cell_named({"cell": fields["of"]}) if "of" in fields else ""
        work = self._cell.interactions(InteractionsQuery(cell, of, before, limit))
        return JsonAnswer(await self._waits.read(work))

    async def _submit(self, wish: AttestWish, fields: asks.Fields) -> Response:
        wait, timeout_s = asks.stage(fields, Stage.STORED) or Stage.STORED, asks.timeout_s(fields)
        work = self._cell.attest(wish, wait=wait, timeout_s=timeout_s)
        return JsonAnswer(await self._waits.reached(work, wait, timeout_s))
