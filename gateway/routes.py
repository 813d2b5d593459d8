"""The routes of docs/api.md, each a few lines from request to cell to answer."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Final, TypeAlias

import structlog
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route, WebSocketRoute

from core.errors import InvariantBroken, MyceldError
from gateway import asks
from gateway.answers import STATUSES, JsonAnswer, error_answer, listing
from gateway.api import Api
from gateway.cell import Cell
from gateway.consensus_routes import ConsensusRoutes
from gateway.doctor_routes import DoctorRoutes
from gateway.errors import NoSuchRoute, Unexpected, WrongMethod
from gateway.governance_routes import GovernanceRoutes
from gateway.grant_routes import GrantRoutes
from gateway.grants import Grants
from gateway.light_routes import LightRoutes
from gateway.message_routes import MessageRoutes
from gateway.operations import Operation, handler_of
from gateway.prana_routes import PranaRoutes
from gateway.process_routes import ProcessRoutes
from gateway.proof_routes import ProofRoutes
from gateway.reading import BodyBudget
from gateway.repair_routes import RepairRoutes
from gateway.service_routes import ServiceRoutes, note_request
from gateway.state_routes import StateRoutes
from gateway.stream_routes import StreamRoutes
from gateway.trust_routes import TrustRoutes
from gateway.views import Stage
from gateway.waiting import Waiting

Endpoint: TypeAlias = Callable[[Request], Awaitable[Response]]

METRICS_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
"""Of the text format of Prometheus."""

_HEALTH: Final = ("healthy", "degraded", "unhealthy")
_NOTHING: Final[frozenset[str]] = frozenset()
_PAGE: Final = frozenset({"start", "limit"})
_SUBMIT: Final = frozenset({"transactions", "wait", "timeout_s"})
_PUT: Final = frozenset({"key", "value", "value_hex", "nonce", "wait", "timeout_s"})
_MEMBERS: Final = frozenset({"action", "cell", "weight", "name", "proposal", "wait", "timeout_s"})
_INVITE: Final = frozenset({"role", "name", "weight", "expires_s", "uses_max", "addresses"})
_FOLLOW: Final = frozenset({"cell", "journal"})
_PRUNE: Final = frozenset({"min_index"})
_SPORE: Final = frozenset({"type"})
_RECEIPT: Final = frozenset({"wait", "timeout_s"})

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
        self._now_ns = now_ns
        self._budget = BodyBudget()
        self._grants = GrantRoutes(grants, lambda: now_ns() // 1_000_000)
        self._messages = MessageRoutes(cell, self._budget, self.within, self.read)
        self.streams = StreamRoutes(cell)
        self.app = self._build()

    def stop_waiting(self) -> None:
        """Answer every request that waits, and say goodbye to all subscribers."""
        super().stop_waiting()
        self.streams.hub.stop()

    async def health(self, _request: Request) -> Response:
        """GET /api/public/health."""
        status, services = self._cell.status(), self._cell.services().items
        return JsonAnswer(
            {
                "status": _worst([service.status for service in services]),
                "timestamp_ns": self._now_ns(),
                "uptime_s": status.uptime_s,
                "version": status.version,
                "services": {
                    service.name: {"status": service.status, "why": service.why}
                    for service in services
                },
            }
        )

    async def info(self, _request: Request) -> Response:
        """GET /api/public/info."""
        status = self._cell.status()
        names = ("version", "cell_id", "network_id", "network_name", "role")
        return JsonAnswer({name: getattr(status, name) for name in names})

    async def status(self, request: Request) -> Response:
        """GET /api/v1/status."""
        asks.query_fields(request, _NOTHING)
        return JsonAnswer(self._cell.status())

    async def metrics(self, request: Request) -> Response:
        """GET /api/v1/metrics."""
        asks.query_fields(request, _NOTHING)
        return Response(self._cell.metrics(), media_type=METRICS_TYPE)

    async def peers(self, request: Request) -> Response:
        """GET /api/v1/peers."""
        asks.query_fields(request, _NOTHING)
        return listing(self._cell.peers())

    async def submit(self, request: Request) -> Response:
        """POST /api/v1/transactions."""
        fields = await asks.read_fields(request, _SUBMIT, self._budget)
        transactions = asks.transactions(fields)
        wait, timeout_s = asks.stage(fields, Stage.STORED) or Stage.STORED, asks.timeout_s(fields)
        work = self._cell.submit(transactions, wait=wait, timeout_s=timeout_s)
        return listing(await self.reached(work, wait, timeout_s))

    async def transactions(self, request: Request) -> Response:
        """GET /api/v1/transactions."""
        start, limit = asks.page(asks.query_fields(request, _PAGE))
        items = await self.read(self._cell.transactions(start=start, limit=limit))
        following = items[-1].position + 1 if items else 0
        # A page ends at a gap in the history too: asking for what follows says where it goes on.
        ends_early = bool(items) and following < self._cell.status().transactions_ordered
        return listing(items, following if len(items) >= limit or ends_early else None)

    async def put(self, request: Request) -> Response:
        """POST /api/v1/state/put."""
        fields = await asks.read_fields(request, _PUT, self._budget)
        key, value, nonce = asks.key(fields), asks.value_bytes(fields), asks.nonce(fields)
        wait, timeout_s = asks.stage(fields, Stage.STORED) or Stage.STORED, asks.timeout_s(fields)
        work = self._cell.put(key, value, nonce=nonce, wait=wait, timeout_s=timeout_s)
        return JsonAnswer(await self.reached(work, wait, timeout_s))

    async def receipt(self, request: Request) -> Response:
        """GET /api/v1/receipts/{id}."""
        transaction_id = asks.transaction_id(request)
        fields = asks.query_fields(request, _RECEIPT)
        wait, timeout_s = asks.stage(fields, None), asks.timeout_s(fields)
        work = self._cell.receipt(transaction_id, wait=wait, timeout_s=timeout_s)
        if wait is None:
            return JsonAnswer(await self.read(work))
        return JsonAnswer(await self.reached(work, wait, timeout_s))

    async def rounds(self, request: Request) -> Response:
        """GET /api/v1/rounds."""
        start, limit = asks.page(asks.query_fields(request, _PAGE))
        items = await self.read(self._cell.rounds(start=start, limit=limit))
        following = items[-1].round + 1 if items else 0
        ends_early = bool(items) and following <= self._cell.status().round_applied
        return listing(items, following if len(items) >= limit or ends_early else None)

    async def epochs(self, request: Request) -> Response:
        """GET /api/v1/epochs."""
        start, limit = asks.page(asks.query_fields(request, _PAGE))
        items = await self.read(self._cell.epochs(start=start, limit=limit))
        return listing(items, items[-1].epoch + 1 if len(items) >= limit else None)

    async def members(self, request: Request) -> Response:
        """GET /api/v1/members."""
        asks.query_fields(request, _NOTHING)
        return JsonAnswer(await self.read(self._cell.members()))

    async def change_members(self, request: Request) -> Response:
        """POST /api/v1/members."""
        fields = await asks.read_fields(request, _MEMBERS, self._budget)
        change = asks.member_change(fields)
        wait, timeout_s = asks.stage(fields, Stage.STORED) or Stage.STORED, asks.timeout_s(fields)
        work = self._cell.change_members(change, wait=wait, timeout_s=timeout_s)
        return JsonAnswer(await self.reached(work, wait, timeout_s))

    async def rotate_key(self, request: Request) -> Response:
        """POST /api/v1/key/rotate."""
        fields = await asks.read_fields(request, _RECEIPT, self._budget)
        wait, timeout_s = asks.stage(fields, Stage.STORED) or Stage.STORED, asks.timeout_s(fields)
        work = self._cell.rotate_key(wait=wait, timeout_s=timeout_s)
        return JsonAnswer(await self.reached(work, wait, timeout_s))

    async def create_invite(self, request: Request) -> Response:
        """POST /api/v1/invites."""
        wish = asks.invite_wish(await asks.read_fields(request, _INVITE, self._budget))
        return JsonAnswer(await self.read(self._cell.create_invite(wish)))

    async def invites(self, request: Request) -> Response:
        """GET /api/v1/invites."""
        asks.query_fields(request, _NOTHING)
        return listing(await self.read(self._cell.invites()))

    async def revoke_invite(self, request: Request) -> Response:
        """POST /api/v1/invites/{id}/revoke."""
        invite_id = asks.invite_id(request)
        await asks.read_fields(request, _NOTHING, self._budget)
        return JsonAnswer(await self.read(self._cell.revoke_invite(invite_id)))

    async def account(self, request: Request) -> Response:
        """GET /api/v1/accounts/{public key}."""
        asks.query_fields(request, _NOTHING)
        return JsonAnswer(await self.read(self._cell.account(asks.public_key(request))))

    async def spore(self, request: Request) -> Response:
        """GET /api/v1/spore."""
        seed = asks.is_seed(asks.query_fields(request, _SPORE))
        return JsonAnswer(await self.read(self._cell.spore(seed=seed)))

    async def journals(self, request: Request) -> Response:
        """GET /api/v1/journals."""
        asks.query_fields(request, _NOTHING)
        return listing(await self.read(self._cell.journals()))

    async def journal_blocks(self, request: Request) -> Response:
        """GET /api/v1/journals/{name}/blocks."""
        name = asks.journal_name(request)
        start, limit = asks.page(asks.query_fields(request, _PAGE))
        items = await self.read(self._cell.journal_blocks(name, start=start, limit=limit))
        return listing(items, items[-1].index + 1 if len(items) >= limit else None)

    async def journal_proof(self, request: Request) -> Response:
        """GET /api/v1/journals/{name}/proof."""
        name = asks.journal_name(request)
        index = asks.index(asks.query_fields(request, frozenset({"index"})), "index")
        return JsonAnswer(await self.read(self._cell.journal_proof(name, index)))

    async def audit_journal(self, request: Request) -> Response:
        """POST /api/v1/journals/{name}/audit."""
        name = asks.journal_name(request)
        await asks.read_fields(request, _NOTHING, self._budget)
        return JsonAnswer(await self.read(self._cell.audit_journal(name)))

    async def audit_of_journal(self, request: Request) -> Response:
        """GET /api/v1/journals/{name}/audit."""
        asks.query_fields(request, _NOTHING)
        return JsonAnswer(await self.read(self._cell.audit_of_journal(asks.journal_name(request))))

    async def prune_journal(self, request: Request) -> Response:
        """POST /api/v1/journals/{name}/prune."""
        name = asks.journal_name(request)
        min_index = asks.min_index(await asks.read_fields(request, _PRUNE, self._budget))
        return JsonAnswer(await self.read(self._cell.prune_journal(name, min_index)))

    async def follows(self, request: Request) -> Response:
        """GET /api/v1/follows."""
        asks.query_fields(request, _NOTHING)
        return listing(await self.read(self._cell.follows()))

    async def follow(self, request: Request) -> Response:
        """POST /api/v1/follows."""
        cell, journal = asks.followed(await asks.read_fields(request, _FOLLOW, self._budget))
        return JsonAnswer(await self.read(self._cell.follow(cell, journal)))

    async def stop_following(self, request: Request) -> Response:
        """POST /api/v1/follows/stop."""
        cell, journal = asks.followed(await asks.read_fields(request, _FOLLOW, self._budget))
        return JsonAnswer(await self.read(self._cell.stop_following(cell, journal)))

    def _build(self) -> Api:
        table: list[tuple[str, str, Endpoint]] = [
            ("GET", "/api/public/health", self.health),
            ("GET", "/api/public/info", self.info),
            ("GET", "/api/v1/status", self.status),
            ("GET", "/api/v1/metrics", self.metrics),
            ("GET", "/api/v1/peers", self.peers),
            ("POST", "/api/v1/transactions", self.submit),
            ("GET", "/api/v1/transactions", self.transactions),
            ("POST", "/api/v1/state/put", self.put),
            ("GET", "/api/v1/receipts/{id}", self.receipt),
            ("GET", "/api/v1/rounds", self.rounds),
            ("GET", "/api/v1/epochs", self.epochs),
            ("GET", "/api/v1/members", self.members),
            ("POST", "/api/v1/members", self.change_members),
            ("POST", "/api/v1/key/rotate", self.rotate_key),
            ("GET", "/api/v1/invites", self.invites),
            ("POST", "/api/v1/invites", self.create_invite),
            ("POST", "/api/v1/invites/{id}/revoke", self.revoke_invite),
            ("GET", "/api/v1/accounts/{public_key}", self.account),
            ("GET", "/api/v1/spore", self.spore),
            ("GET", "/api/v1/journals", self.journals),
            ("GET", "/api/v1/journals/{name}/blocks", self.journal_blocks),
            ("GET", "/api/v1/journals/{name}/proof", self.journal_proof),
            ("POST", "/api/v1/journals/{name}/audit", self.audit_journal),
            ("GET", "/api/v1/journals/{name}/audit", self.audit_of_journal),
            ("POST", "/api/v1/journals/{name}/prune", self.prune_journal),
            ("GET", "/api/v1/follows", self.follows),
            ("POST", "/api/v1/follows", self.follow),
            ("POST", "/api/v1/follows/stop", self.stop_following),
            *TrustRoutes(self._cell, self, self._budget).table(),
            *GovernanceRoutes(self._cell, self, self._budget).table(),
            *PranaRoutes(self._cell, self, self._budget).table(),
            *self._messages.table,
            *ServiceRoutes(self._cell, self, self._budget).table(),
            *ProofRoutes(self._cell, self).table(),
            *RepairRoutes(self._cell, self, self._budget).table(),
            *LightRoutes(self._cell, self, self._budget).table(),
            *DoctorRoutes(self._cell).table(),
            ("GET", "/api/v1/events", self.streams.events),
        ]
        api = Api(
            [
                StateRoutes(self._cell, self),
                ConsensusRoutes(self._cell, self),
                ProcessRoutes(self._cell),
                self._grants,
            ],
            self._guarded_operation,
            version=self._cell.status().version,
            more=[
                *(
                    Route(path, self._guarded(endpoint, path), methods=[method])
                    for method, path, endpoint in table
                ),
                WebSocketRoute("/api/v1/stream", self.streams.stream),
            ],
        )
        api.add_exception_handler(HTTPException, self._unrouted)
        return api

    def _guarded_operation(self, operation: Operation) -> Endpoint:
        return self._guarded(handler_of(operation, self._budget), operation.path)

    def _guarded(self, endpoint: Endpoint, path: str) -> Endpoint:
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


def _worst(statuses: Sequence[str]) -> str:
    return max(statuses, key=_HEALTH.index, default=_HEALTH[0])
