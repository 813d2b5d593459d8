"""All routes of a cell's gateway together: who answers what, and whatever goes wrong with it."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TypeAlias

import structlog
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import WebSocketRoute

from core.errors import InvariantBroken, MyceldError
from gateway.answers import STATUSES, error_answer
from gateway.api import Api
from gateway.bodies import BodyBudget
from gateway.cell import Cell
from gateway.cell_routes import CellRoutes
from gateway.consensus_routes import ConsensusRoutes
from gateway.doctor_routes import DoctorRoutes
from gateway.errors import NoSuchRoute, Unexpected, WrongMethod
from gateway.governance_routes import GovernanceRoutes
from gateway.grant_routes import GrantRoutes
from gateway.grants import Grants
from gateway.journal_routes import JournalRoutes
from gateway.light_routes import LightRoutes
from gateway.member_routes import MemberRoutes
from gateway.message_routes import ContentRoutes, MessageRoutes
from gateway.operations import Family, Operation, handler_of
from gateway.order_routes import OrderRoutes
from gateway.prana_routes import PranaRoutes
from gateway.process_routes import ProcessRoutes
from gateway.proof_routes import ProofRoutes
from gateway.public_routes import PublicRoutes
from gateway.reference_files import reference_routes
from gateway.repair_routes import RepairRoutes
from gateway.service_routes import ServiceRoutes, note_request
from gateway.state_routes import StateRoutes
from gateway.stream_routes import StreamRoutes
from gateway.trust_routes import TrustRoutes
from gateway.waiting import Waiting

Endpoint: TypeAlias = Callable[[Request], Awaitable[Response]]

_log: structlog.stdlib.BoundLogger = structlog.get_logger("gateway")


class Routes(Waiting):
    """Everything a client can ask; `app` is the ASGI application behind the door."""

    def __init__(
        self,
        cell: Cell,
        *,
        statuses: Mapping[type[MyceldError], int] | None = None,
        now_ns: Callable[[], int] = time.time_ns,
        grants: Grants | None = None,
    ) -> None:
        super().__init__()
        self._cell = cell
        self._statuses = {**STATUSES, **(statuses or {})}
        self._budget = BodyBudget()
        self.streams = StreamRoutes(cell)
        self._families = self._all_families(now_ns, grants)
        self.app = Api(
            self._families,
            self._guarded,
            more=[WebSocketRoute("/api/v1/stream", self.streams.stream), *reference_routes()],
        )
        self.app.add_exception_handler(HTTPException, self._unrouted)

    def stop_waiting(self) -> None:
        """Answer every request that waits, and say goodbye to all subscribers."""
        super().stop_waiting()
        self.streams.hub.stop()

    def operations(self) -> list[Operation]:
        """Return the operations of all families."""
        return [operation for family in self._families for operation in family.operations()]

    def _all_families(self, now_ns: Callable[[], int], grants: Grants | None) -> Sequence[Family]:
        cell = self._cell
        return (
            PublicRoutes(cell, self.operations, now_ns=now_ns),
            CellRoutes(cell, self),
            OrderRoutes(cell, self),
            StateRoutes(cell, self),
            ProofRoutes(cell, self),
            MemberRoutes(cell, self),
            JournalRoutes(cell, self),
            TrustRoutes(cell, self),
            GovernanceRoutes(cell, self),
            PranaRoutes(cell, self),
            MessageRoutes(cell, self),
            ContentRoutes(cell, self),
            ServiceRoutes(cell, self),
            RepairRoutes(cell, self),
            ConsensusRoutes(cell, self),
            DoctorRoutes(cell),
            ProcessRoutes(cell),
            GrantRoutes(grants, lambda: now_ns() // 1_000_000),
            self.streams,
            LightRoutes(cell, self),
        )

    def _guarded(self, operation: Operation) -> Endpoint:
        endpoint, path = handler_of(operation, self._budget), operation.path

        async def guarded(request: Request) -> Response:
            try:
                answer = await endpoint(request)
            except MyceldError as error:
                note_request(self._cell, request, path, error)
                if isinstance(error, InvariantBroken):
                    _log.exception("invariant broken", path=request.url.path, code=error.code)
                return error_answer(error, self._statuses)
            except Exception:  # noqa: BLE001 - supervises requests: no traceback may leave
                _log.exception("unexpected error", path=request.url.path)
                unexpected = Unexpected("the gateway met an unexpected error")
                note_request(self._cell, request, path, unexpected)
                return error_answer(unexpected)
            note_request(self._cell, request, path, None)
            return answer

        return guarded

    async def _unrouted(self, request: Request, error: Exception) -> Response:
        if isinstance(error, HTTPException) and error.status_code == 405:
            refusal = error_answer(WrongMethod(f"{request.method} is not possible here"))
            refusal.headers.update(error.headers or {})
            return refusal
        return error_answer(NoSuchRoute("there is nothing at this path"))
