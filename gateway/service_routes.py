"""The routes of a cell's services, its audit journal, and proofs of identity.

Here is also what has every act of a client noted, whichever route it came by.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from starlette.requests import Request

from core.errors import LocalMisuse, MyceldError, RemoteViolation
from gateway.asks import CellAsk, LimitAsk
from gateway.bodies import subject_of
from gateway.callers import OWNER, Caller
from gateway.errors import NoSuchCell
from gateway.kinds import Digits, Index, Switch
from gateway.operations import Operation, get, post
from gateway.service_views import (
    ActsQuery,
    ActsView,
    DescriptionView,
    ProvenView,
    RequestNote,
    ServiceCell,
    ServicesView,
)
from gateway.waiting import Waiting


class ActsAsk(LimitAsk):
    """Which rows of the audit journal are wanted, the newest first."""

    before: Annotated[int | None, Digits()] = None
    """Only rows before this one."""
    since_ms: Index = 0
    """Only rows from this time on, in milliseconds of the Unix epoch."""
    refused: Annotated[bool, Switch()] = False
    """1: only what was refused."""


class ServiceRoutes:
    """Everything that a client can ask about services."""

    tag = "services"

    def __init__(self, cell: ServiceCell, waits: Waiting) -> None:
        self._cell = cell
        self._waits = waits

    def operations(self) -> Sequence[Operation]:
        """See Family."""
        return [
            get("/api/v1/services", self.services),
            get("/api/v1/cell", self.describe, NoSuchCell),
            get("/api/v1/audit", self.acts),
            post("/api/v1/identity/verify", self.verify, NoSuchCell),
        ]

    async def services(self) -> ServicesView:
        """Return this cell with its services, and how each is."""
        return self._cell.services()

    async def describe(self, query: CellAsk) -> DescriptionView:
        """Return what a cell says of itself; another one is asked."""
        return await self._waits.read(self._cell.describe(query.cell))

    async def acts(self, query: ActsAsk) -> ActsView:
        """List rows of the audit journal, the newest first."""
        wanted = ActsQuery(query.limit, query.before, query.since_ms, refused=query.refused)
        return await self._waits.read(self._cell.acts(wanted))

    async def verify(self, body: CellAsk) -> ProvenView:
        """Have a cell prove that it holds its key."""
        return await self._waits.read(self._cell.verify_identity(body.cell))


def note_request(cell: ServiceCell, request: Request, path: str, error: MyceldError | None) -> None:
    """Have an act noted: every POST. What only reads changes nothing, and is not."""
    if request.method != "POST":
        return
    code, reason = ("", "") if error is None else (error.code, type(error).__name__)
    refused = isinstance(error, LocalMisuse | RemoteViolation)
    subject = subject_of(request)
    caller: Caller | None = getattr(request.state, "caller", None)
    actor = OWNER if caller is None else caller.actor
    cell.note_request(RequestNote(actor, f"POST {path}", subject, code, reason, refused))


def note_turned_away(cell: ServiceCell, actor: str, action: str, error: MyceldError) -> None:
    """Have a request noted that did not get through the door."""
    reason = type(error).__name__
    cell.note_request(RequestNote(actor, action, "", error.code, reason, is_refused=True))
