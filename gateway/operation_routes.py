"""The routes of operations: the configuration read again, the log, and its levels."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final, TypeAlias

from starlette.requests import Request
from starlette.responses import Response

from core.limits import INT_MAX
from gateway import asks
from gateway.answers import JsonAnswer
from gateway.errors import BadRequest
from gateway.operation_views import OperationCell

Row: TypeAlias = tuple[str, str, Callable[[Request], Awaitable[Response]]]

_NOTHING: Final[frozenset[str]] = frozenset()
_LOGS: Final = frozenset({"after", "limit", "start"})
_LEVELS: Final = frozenset({"levels"})


class OperationRoutes:
    """Everything that a client can ask about how the process runs."""

    def __init__(self, cell: OperationCell, budget: asks.BodyBudget) -> None:
        self._cell = cell
        self._budget = budget

    def table(self) -> list[Row]:
        """Return (method, path, endpoint) of each."""
        return [
            ("POST", "/api/v1/config/reload", self.reload),
            ("GET", "/api/v1/logs", self.lines),
            ("POST", "/api/v1/logs/levels", self.levels),
        ]

    async def reload(self, request: Request) -> Response:
        """POST /api/v1/config/reload."""
        await asks.read_fields(request, _NOTHING, self._budget)
        return JsonAnswer(self._cell.reload_config())

    async def lines(self, request: Request) -> Response:
        """GET /api/v1/logs."""
        fields = asks.query_fields(request, _LOGS)
        _, limit = asks.page(fields)
        after = asks.query_int(fields, "after", default=0, low=0, high=INT_MAX)
        return JsonAnswer(self._cell.log_lines(after, limit))

    async def levels(self, request: Request) -> Response:
        """POST /api/v1/logs/levels."""
        fields = await asks.read_fields(request, _LEVELS, self._budget)
        wished = fields.get("levels", {})
        if not isinstance(wished, dict) or not all(isinstance(v, str) for v in wished.values()):
            raise BadRequest("levels: expected an object of components and levels")
        return JsonAnswer(self._cell.log_levels(wished))
