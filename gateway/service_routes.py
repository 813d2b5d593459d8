"""The routes of a cell's services, its audit journal, and proofs of identity.

Here is also what has every act of a client noted, whichever route it came by.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final, Protocol, TypeAlias, TypeVar

from starlette.requests import Request
from starlette.responses import Response

from core.errors import LocalMisuse, MyceldError, RemoteViolation
from core.limits import INT_MAX
from gateway import asks
from gateway.answers import JsonAnswer
from gateway.callers import OWNER, Caller
from gateway.service_views import ActsQuery, RequestNote, ServiceCell

T = TypeVar("T")
Row: TypeAlias = tuple[str, str, Callable[[Request], Awaitable[Response]]]

_NOTHING: Final[frozenset[str]] = frozenset()
_ACTS: Final = frozenset({"before", "limit", "since_ms", "refused"})
_VERIFY: Final = frozenset({"cell"})


class Reads(Protocol):
    """How the gateway waits for what the cell answers at once."""

    async def read(self, work: Awaitable[T]) -> T:
        """Return the answer; raises AnswerTooLate, GatewayStopping."""
        ...


class ServiceRoutes:
    """Everything that a client can ask about services."""

    def __init__(self, cell: ServiceCell, waits: Reads, budget: asks.BodyBudget) -> None:
        self._cell = cell
        self._waits = waits
        self._budget = budget

    def table(self) -> list[Row]:
        """Return (method, path, endpoint) of each."""
        return [
            ("GET", "/api/v1/services", self.services),
            ("GET", "/api/v1/cell", self.describe),
            ("GET", "/api/v1/audit", self.acts),
            ("POST", "/api/v1/identity/verify", self.verify),
        ]

    async def services(self, request: Request) -> Response:
        """GET /api/v1/services."""
        asks.query_fields(request, _NOTHING)
        return JsonAnswer(self._cell.services())

    async def describe(self, request: Request) -> Response:
        """GET /api/v1/cell."""
        cell = asks.cell_named(asks.query_fields(request, _VERIFY))
        return JsonAnswer(await self._waits.read(self._cell.describe(cell)))

    async def acts(self, request: Request) -> Response:
        """GET /api/v1/audit."""
        fields = asks.query_fields(request, _ACTS)
        _, limit = asks.page(fields)
        before = asks.query_int(fields, "before", default=INT_MAX, low=0, high=INT_MAX)
        query = ActsQuery(
            limit,
            before if "before" in fields else None,
            asks.query_int(fields, "since_ms", default=0, low=0, high=INT_MAX),
            refused=asks.query_int(fields, "refused", default=0, low=0, high=1) == 1,
        )
        return JsonAnswer(await self._waits.read(self._cell.acts(query)))

    async def verify(self, request: Request) -> Response:
        """POST /api/v1/identity/verify."""
        cell = asks.cell_named(await asks.read_fields(request, _VERIFY, self._budget))
        return JsonAnswer(await self._waits.read(self._cell.verify_identity(cell)))


def note_request(cell: ServiceCell, request: Request, path: str, error: MyceldError | None) -> None:
    """Have an act noted: every POST. What only reads changes nothing, and is not."""
    if request.method != "POST":
        return
    code, reason = ("", "") if error is None else (error.code, type(error).__name__)
    refused = isinstance(error, LocalMisuse | RemoteViolation)
    subject = asks.subject_of(request)
    caller: Caller | None = getattr(request.state, "caller", None)
    actor = OWNER if caller is None else caller.actor
    cell.note_request(RequestNote(actor, f"POST {path}", subject, code, reason, refused))


def note_turned_away(cell: ServiceCell, actor: str, action: str, error: MyceldError) -> None:
    """Have a request noted that did not get through the door."""
    reason = type(error).__name__
    cell.note_request(RequestNote(actor, action, "", error.code, reason, is_refused=True))
