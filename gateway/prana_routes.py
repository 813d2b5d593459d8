"""The routes of amounts: accounts, supply, multi-signature accounts, tokens, and what pays."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Final, TypeAlias

from starlette.requests import Request
from starlette.responses import Response

from core.limits import INT_MAX
from gateway import asks
from gateway.answers import JsonAnswer, listing
from gateway.limits import ACCOUNT_NAME_LENGTH_MAX
from gateway.prana_views import ActWish, PranaCell
from gateway.trust_routes import Waits
from gateway.views import Stage
from ledger.limits import KIND_LENGTH_MAX

Row: TypeAlias = tuple[str, str, Callable[[Request], Awaitable[Response]]]

_ACT: Final = frozenset({"kind", "arguments", "wait", "timeout_s"})
_NOTHING: Final[frozenset[str]] = frozenset()


class PranaRoutes:
    """Everything that a client can ask about amounts."""

    def __init__(self, cell: PranaCell, waits: Waits, budget: asks.BodyBudget) -> None:
        self._cell = cell
        self._waits = waits
        self._budget = budget

    def table(self) -> list[Row]:
        """Return (method, path, endpoint) of each."""
        return [
            ("POST", "/api/v1/act", self.act),
            ("GET", "/api/v1/prana/account", self.account),
            ("GET", "/api/v1/prana/history", self.history),
            ("GET", "/api/v1/prana/supply", self.supply),
            ("GET", "/api/v1/prana/multisig", self.multisig),
            ("GET", "/api/v1/prana/multisigs", self.multisigs),
            ("GET", "/api/v1/prana/token", self.token),
            ("GET", "/api/v1/prana/tokens", self.tokens),
        ]

    async def act(self, request: Request) -> Response:
        """POST /api/v1/act."""
        fields = await asks.read_fields(request, _ACT, self._budget)
        arguments = fields.get("arguments", {})
        if not isinstance(arguments, Mapping):
            asks.refuse("arguments", "expected an object")
        wish = ActWish(_text(fields, "kind", KIND_LENGTH_MAX), arguments)
        wait, timeout_s = asks.stage(fields, Stage.STORED) or Stage.STORED, asks.timeout_s(fields)
        work = self._cell.act(wish, wait=wait, timeout_s=timeout_s)
        return JsonAnswer(await self._waits.reached(work, wait, timeout_s))

    async def account(self, request: Request) -> Response:
        """GET /api/v1/prana/account."""
        fields = asks.query_fields(request, frozenset({"account"}))
        return JsonAnswer(await self._waits.read(self._cell.purse(_account(fields))))

    async def history(self, request: Request) -> Response:
        """GET /api/v1/prana/history."""
        fields = asks.query_fields(request, frozenset({"account", "before", "limit"}))
        _, limit = asks.page(fields)
        before = asks.query_int(fields, "before", default=INT_MAX, low=1, high=INT_MAX)
        work = self._cell.moves(_account(fields), before, limit)
        return JsonAnswer(await self._waits.read(work))

    async def supply(self, request: Request) -> Response:
        """GET /api/v1/prana/supply."""
        asks.query_fields(request, _NOTHING)
        return JsonAnswer(await self._waits.read(self._cell.supply()))

    async def multisig(self, request: Request) -> Response:
        """GET /api/v1/prana/multisig."""
        fields = asks.query_fields(request, frozenset({"account"}))
        return JsonAnswer(await self._waits.read(self._cell.multisig(_account(fields))))

    async def multisigs(self, request: Request) -> Response:
        """GET /api/v1/prana/multisigs."""
        fields = asks.query_fields(request, frozenset({"account", "limit"}))
        _, limit = asks.page(fields)
        return listing(await self._waits.read(self._cell.multisigs(_account(fields), limit)))

    async def token(self, request: Request) -> Response:
        """GET /api/v1/prana/token."""
        fields = asks.query_fields(request, frozenset({"symbol", "account"}))
        work = self._cell.token(_text(fields, "symbol", ACCOUNT_NAME_LENGTH_MAX), _account(fields))
        return JsonAnswer(await self._waits.read(work))

    async def tokens(self, request: Request) -> Response:
        """GET /api/v1/prana/tokens."""
        _, limit = asks.page(asks.query_fields(request, frozenset({"limit"})))
        return listing(await self._waits.read(self._cell.tokens(limit)))


def _account(fields: asks.Fields) -> str:
    return _text(fields, "account", ACCOUNT_NAME_LENGTH_MAX) if "account" in fields else ""


def _text(fields: asks.Fields, name: str, length_max: int) -> str:
    value = fields.get(name)
    if not isinstance(value, str) or not 0 < len(value) <= length_max:
        asks.refuse(name, f"expected text of at most {length_max} characters")
    return value
