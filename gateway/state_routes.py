"""The routes of the state service: values and their history, writes, namespaces."""

from __future__ import annotations

from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from core.limits import INT_MAX
from gateway import asks, state_asks
from gateway.answers import JsonAnswer
from gateway.state_views import StateCell
from gateway.trust_routes import Row, Waits
from gateway.views import Stage

_WRITE: Final = frozenset({"writes", "wait", "timeout_s"})
_ROLLBACK: Final = frozenset({"key", "prefix", "to_round", "wait", "timeout_s"})
_NAMESPACE: Final = frozenset({"name", "owners", "access", "writers", "wait", "timeout_s"})
_CHANGES: Final = frozenset({"prefix", "after_round", "after_key", "limit", "timeout_s"})
_LIST: Final = frozenset({"prefix", "after", "limit"})


class StateRoutes:
    """Everything that a client can ask of the state service, but the simple put."""

    def __init__(self, cell: StateCell, waits: Waits, budget: asks.BodyBudget) -> None:
        self._cell = cell
        self._waits = waits
        self._budget = budget

    def table(self) -> list[Row]:
        """Return (method, path, endpoint) of each."""
        return [
            ("GET", "/api/v1/state/value", self.value),
            ("GET", "/api/v1/state/values", self.values),
            ("GET", "/api/v1/state/history", self.history),
            ("GET", "/api/v1/state/diff", self.differences),
            ("GET", "/api/v1/state/changes", self.changes),
            ("POST", "/api/v1/state/write", self.write),
            ("POST", "/api/v1/state/rollback", self.roll_back),
            ("GET", "/api/v1/state/namespaces", self.namespaces),
            ("GET", "/api/v1/state/namespace", self.namespace),
            ("POST", "/api/v1/state/namespaces/claim", self.claim),
            ("POST", "/api/v1/state/namespaces/set", self.set_namespace),
        ]

    async def value(self, request: Request) -> Response:
        """GET /api/v1/state/value."""
        fields = asks.query_fields(request, frozenset({"key", "at"}))
        key, at = asks.key(fields), state_asks.optional_number(fields, "at")
        return JsonAnswer(await self._waits.read(self._cell.state_value(key, at)))

    async def values(self, request: Request) -> Response:
        """GET /api/v1/state/values."""
        prefix, after, limit = _place(asks.query_fields(request, _LIST))
        return JsonAnswer(await self._waits.read(self._cell.state_entries(prefix, after, limit)))

    async def history(self, request: Request) -> Response:
        """GET /api/v1/state/history."""
        fields = asks.query_fields(request, frozenset({"key", "before", "limit"}))
        _, limit = asks.page(fields)
        before = asks.query_int(fields, "before", default=INT_MAX, low=1, high=INT_MAX)
        work = self._cell.state_history(asks.key(fields), before, limit)
        return JsonAnswer(await self._waits.read(work))

    async def differences(self, request: Request) -> Response:
        """GET /api/v1/state/diff."""
        fields = asks.query_fields(request, _LIST | {"from", "to"})
        rounds = state_asks.number(fields, "from"), state_asks.number(fields, "to")
        if rounds[0] > rounds[1]:
            asks.refuse("to", "expected a round that is not before `from`")
        work = self._cell.state_differences(rounds, *_place(fields))
        return JsonAnswer(await self._waits.read(work))

    async def changes(self, request: Request) -> Response:
        """GET /api/v1/state/changes."""
        fields = asks.query_fields(request, _CHANGES)
        query, timeout_s = state_asks.changes_query(fields), asks.timeout_s(fields)
        work = self._cell.state_changes(query, timeout_s)
        return JsonAnswer(await self._waits.reached(work, Stage.APPLIED, timeout_s))

    async def write(self, request: Request) -> Response:
        """POST /api/v1/state/write."""
        fields = await asks.read_fields(request, _WRITE, self._budget)
        wishes = state_asks.writes(fields)
        wait, timeout_s = _waiting(fields)
        work = self._cell.write_state(wishes, wait=wait, timeout_s=timeout_s)
        return JsonAnswer(await self._waits.reached(work, wait, timeout_s))

    async def roll_back(self, request: Request) -> Response:
        """POST /api/v1/state/rollback."""
        fields = await asks.read_fields(request, _ROLLBACK, self._budget)
        name, to_round, exact = state_asks.rollback(fields)
        wait, timeout_s = _waiting(fields)
        work = self._cell.roll_back(name, to_round, exact=exact, wait=wait, timeout_s=timeout_s)
        return JsonAnswer(await self._waits.reached(work, wait, timeout_s))

    async def namespaces(self, request: Request) -> Response:
        """GET /api/v1/state/namespaces."""
        prefix, after, limit = _place(asks.query_fields(request, _LIST))
        items = await self._waits.read(self._cell.namespaces(prefix, after, limit))
        return JsonAnswer({"items": items, "next": items[-1].name if len(items) == limit else None})

    async def namespace(self, request: Request) -> Response:
        """GET /api/v1/state/namespace."""
        fields = asks.query_fields(request, frozenset({"key"}))
        return JsonAnswer(await self._waits.read(self._cell.namespace(asks.key(fields))))

    async def claim(self, request: Request) -> Response:
        """POST /api/v1/state/namespaces/claim."""
        return await self._set(request, claims=True)

    async def set_namespace(self, request: Request) -> Response:
        """POST /api/v1/state/namespaces/set."""
        return await self._set(request, claims=False)

    async def _set(self, request: Request, *, claims: bool) -> Response:
        fields = await asks.read_fields(request, _NAMESPACE, self._budget)
        wish = state_asks.namespace_wish(fields)
        wait, timeout_s = _waiting(fields)
        work = self._cell.set_namespace(wish, claims=claims, wait=wait, timeout_s=timeout_s)
        return JsonAnswer(await self._waits.reached(work, wait, timeout_s))


def _place(fields: asks.Fields) -> tuple[str, str, int]:
    """Return prefix, the key that was last, and the most that is wanted."""
    _, limit = asks.page({"limit": fields["limit"]} if "limit" in fields else {})
    return state_asks.text(fields, "prefix"), state_asks.text(fields, "after"), limit


def _waiting(fields: asks.Fields) -> tuple[Stage, float]:
    return asks.stage(fields, Stage.STORED) or Stage.STORED, asks.timeout_s(fields)
