"""A hypha's own API: the part of docs/api.md that it can answer, under the same paths."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from typing import Final, TypeAlias

import structlog
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from core.errors import MyceldError
from gateway.answers import STATUSES, JsonAnswer, error_answer, listing
from gateway.bodies import BodyBudget, query_fields, read_fields
from gateway.errors import Unexpected
from gateway.views import Stage
from gateway.waiting import Waiting
from hypha import asks
from hypha.cell import HyphaCell
from hypha.errors import NoGatewayAnswers, NotForAHypha, NotHandedOn

Endpoint: TypeAlias = Callable[[Request], Awaitable[Response]]

_NOTHING: Final[frozenset[str]] = frozenset()
_KEY: Final = frozenset({"key"})
_VALUES: Final = frozenset({"prefix", "after", "limit", "at"})
_PROOF: Final = frozenset({"key", "round", "prefix", "limit"})
_RECEIPT: Final = frozenset({"wait", "timeout_s"})
_SUBMIT: Final = frozenset({"transactions", "wait", "timeout_s"})
_PUT: Final = frozenset({"key", "value", "value_hex", "nonce", "wait", "timeout_s"})
_ROUND: Final = frozenset({"round", "roster"})
_STATUSES: Final = {**STATUSES, NotForAHypha: 404, NoGatewayAnswers: 503, NotHandedOn: 503}

_log: structlog.stdlib.BoundLogger = structlog.get_logger("hypha")


class HyphaRoutes(Waiting):
    """Everything a client can ask; `app` is the ASGI application behind the door."""

    def __init__(self, cell: HyphaCell) -> None:
        super().__init__()
        self._cell = cell
        self._budget = BodyBudget()
        self.app = self._build()

    async def health(self, _request: Request) -> Response:
        """GET /api/public/health."""
        begun_ns = time.perf_counter_ns()
        status, (service,) = self._cell.status(), self._cell.services()
        return JsonAnswer(
            {
                "status": service.status,
                "timestamp_ns": time.time_ns(),
                "uptime_s": status.uptime_s,
                "response_time_ms": (time.perf_counter_ns() - begun_ns) / 1e6,
                "version": status.version,
                "services": {service.name: {"status": service.status, "why": service.why}},
            }
        )

    async def info(self, _request: Request) -> Response:
        """GET /api/public/info."""
        status = self._cell.status()
        names = ("version", "cell_id", "network_id", "network_name", "role")
        return JsonAnswer({name: getattr(status, name) for name in names})

    async def status(self, request: Request) -> Response:
        """GET /api/v1/status."""
        query_fields(request, _NOTHING)
        return JsonAnswer(self._cell.status())

    async def services(self, request: Request) -> Response:
        """GET /api/v1/services."""
        query_fields(request, _NOTHING)
        return listing(self._cell.services())

    async def state_value(self, request: Request) -> Response:
        """GET /api/v1/state/value."""
        key = asks.key(query_fields(request, _KEY))
        return JsonAnswer(await self.read(self._cell.state_value(key)))

    async def state_values(self, request: Request) -> Response:
        """GET /api/v1/state/values."""
        fields = query_fields(request, _VALUES)
        if "at" in fields:
            raise NotForAHypha("a hypha knows the newest state; ask a cell for an earlier one")
        prefix, after = asks.text(fields, "prefix"), asks.text(fields, "after")
        work = self._cell.state_values(prefix, after, asks.limit(fields))
        return JsonAnswer(await self.read(work))

    async def state_proof(self, request: Request) -> Response:
        """GET /api/v1/state/proof."""
        fields = query_fields(request, _PROOF)
        if "round" in fields:
            raise NotForAHypha("a hypha knows the newest state; ask a cell for an earlier one")
        if "prefix" in fields and "key" not in fields:
            prefix, limit = asks.text(fields, "prefix"), asks.limit(fields)
            return JsonAnswer(await self.read(self._cell.range_proof(prefix, limit)))
        return JsonAnswer(await self.read(self._cell.value_proof(asks.key(fields))))

    async def receipt(self, request: Request) -> Response:
        """GET /api/v1/receipts/{id}."""
        transaction_id = asks.transaction_id(request)
        fields = query_fields(request, _RECEIPT)
        wait, timeout_s = asks.stage(fields), asks.timeout_s(fields)
        work = self._cell.receipt(transaction_id, wait=wait, timeout_s=timeout_s)
        if wait is None:
            return JsonAnswer(await self.read(work))
        return JsonAnswer(await self.reached(work, wait, timeout_s))

    async def receipt_proof(self, request: Request) -> Response:
        """GET /api/v1/receipts/{id}/proof."""
        query_fields(request, _NOTHING)
        work = self._cell.receipt_proof(asks.transaction_id(request))
        return JsonAnswer(await self.read(work))

    async def round_proof(self, request: Request) -> Response:
        """GET /api/v1/rounds/proof."""
        fields = query_fields(request, _ROUND)
        number = asks.round_number(fields)
        if asks.wants_roster(fields):
            raise NotForAHypha("a hypha proves headers; ask a cell for its roster")
        work = self._cell.round_proof(number)
        return JsonAnswer(await self.read(work))

    async def account(self, request: Request) -> Response:
        """GET /api/v1/accounts/{public key}."""
        query_fields(request, _NOTHING)
        return JsonAnswer(await self.read(self._cell.account(asks.public_key(request))))

    async def submit(self, request: Request) -> Response:
        """POST /api/v1/transactions."""
        fields = await read_fields(request, _SUBMIT, self._budget)
        transactions = asks.transactions(fields)
        wait, timeout_s = asks.stage(fields) or Stage.STORED, asks.timeout_s(fields)
        work = self._cell.submit(transactions, wait=wait, timeout_s=timeout_s)
        return listing(await self.reached(work, wait, timeout_s))

    async def put(self, request: Request) -> Response:
        """POST /api/v1/state/put."""
        fields = await read_fields(request, _PUT, self._budget)
        key, value, nonce = asks.key(fields), asks.value_bytes(fields), asks.nonce(fields)
        wait, timeout_s = asks.stage(fields) or Stage.STORED, asks.timeout_s(fields)
        work = self._cell.put(key, value, nonce=nonce, wait=wait, timeout_s=timeout_s)
        return JsonAnswer(await self.reached(work, wait, timeout_s))

    def _build(self) -> Starlette:
        table: list[tuple[str, str, Endpoint]] = [
            ("GET", "/api/public/health", self.health),
            ("GET", "/api/public/info", self.info),
            ("GET", "/api/v1/status", self.status),
            ("GET", "/api/v1/services", self.services),
            ("POST", "/api/v1/transactions", self.submit),
            ("POST", "/api/v1/state/put", self.put),
            ("GET", "/api/v1/state/values", self.state_values),
            ("GET", "/api/v1/state/value", self.state_value),
            ("GET", "/api/v1/state/proof", self.state_proof),
            ("GET", "/api/v1/receipts/{id}", self.receipt),
            ("GET", "/api/v1/receipts/{id}/proof", self.receipt_proof),
            ("GET", "/api/v1/rounds/proof", self.round_proof),
            ("GET", "/api/v1/accounts/{public_key}", self.account),
        ]
        app = Starlette(
            routes=[
                Route(path, _guarded(endpoint), methods=[method])
                for method, path, endpoint in table
            ],
            exception_handlers={HTTPException: self._unrouted},
        )
        app.router.redirect_slashes = False
        return app

    async def _unrouted(self, request: Request, _error: Exception) -> Response:
        refusal = NotForAHypha(f"a hypha does not answer {request.method} at this path")
        return error_answer(refusal, _STATUSES)


def _guarded(endpoint: Endpoint) -> Endpoint:
    async def guarded(request: Request) -> Response:
        try:
            return await endpoint(request)
        except MyceldError as error:
            return error_answer(error, _STATUSES)
        except Exception:  # noqa: BLE001 - supervises requests: no traceback may leave
            _log.exception("unexpected error", path=request.url.path)
            return error_answer(Unexpected("the gateway met an unexpected error"))

    return guarded
