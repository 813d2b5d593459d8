"""The routes of consensus: what it does, its rounds, windows of the hashgraph, and reasons."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final, Protocol, TypeAlias, TypeVar

from starlette.requests import Request
from starlette.responses import Response

from gateway import asks
from gateway.answers import JsonAnswer
from gateway.consensus_views import ConsensusCell, DagQuery

T = TypeVar("T")
Row: TypeAlias = tuple[str, str, Callable[[Request], Awaitable[Response]]]

_NOTHING: Final[frozenset[str]] = frozenset()
_WINDOW: Final = frozenset({"start", "limit", "after", "from_round", "to_round"})


class Reads(Protocol):
    """How the gateway waits for what the cell answers at once."""

    async def read(self, work: Awaitable[T]) -> T:
        """Return the answer; raises AnswerTooLate, GatewayStopping."""
        ...


class ConsensusRoutes:
    """Everything that a client can ask of the hashgraph."""

    def __init__(self, cell: ConsensusCell, waits: Reads) -> None:
        self._cell = cell
        self._waits = waits

    def table(self) -> list[Row]:
        """Return (method, path, endpoint) of each."""
        return [
            ("GET", "/api/v1/consensus", self.consensus),
            ("GET", "/api/v1/consensus/rounds/{round}", self.round),
            ("GET", "/api/v1/consensus/events", self.events),
            ("GET", "/api/v1/consensus/events/{id}", self.event),
            ("GET", "/api/v1/consensus/events/{id}/why", self.why),
        ]

    async def consensus(self, request: Request) -> Response:
        """GET /api/v1/consensus."""
        asks.query_fields(request, _NOTHING)
        return JsonAnswer(await self._waits.read(self._cell.consensus()))

    async def round(self, request: Request) -> Response:
        """GET /api/v1/consensus/rounds/{round}."""
        asks.query_fields(request, _NOTHING)
        number = asks.index(request.path_params, "round")
        return JsonAnswer(await self._waits.read(self._cell.witnesses(number)))

    async def events(self, request: Request) -> Response:
        """GET /api/v1/consensus/events."""
        fields = asks.query_fields(request, _WINDOW)
        if "after" in fields and fields.keys() - {"after", "limit"}:
            asks.refuse("after", "goes with `limit` alone")
        _, limit = asks.page(fields)

        def number(name: str) -> int | None:
            return asks.index(fields, name) if name in fields else None

        after = fields.get("after")
        query = DagQuery(
            start=number("start"),
            after=after if isinstance(after, str) else None,
            from_round=number("from_round"),
            to_round=number("to_round"),
            limit=limit,
        )
        return JsonAnswer(await self._waits.read(self._cell.dag(query)))

    async def event(self, request: Request) -> Response:
        """GET /api/v1/consensus/events/{id}."""
        asks.query_fields(request, _NOTHING)
        return JsonAnswer(await self._waits.read(self._cell.event(_id(request))))

    async def why(self, request: Request) -> Response:
        """GET /api/v1/consensus/events/{id}/why."""
        asks.query_fields(request, _NOTHING)
        return JsonAnswer(await self._waits.read(self._cell.why(_id(request))))


def _id(request: Request) -> bytes:
    """Return the event id in the path: as long as that of a transaction."""
    return asks.transaction_id(request)
