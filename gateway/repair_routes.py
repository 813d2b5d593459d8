"""The routes of a state that is not the one that the network certified: where, and its repair."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final, Protocol, TypeAlias, TypeVar

from starlette.requests import Request
from starlette.responses import Response

from gateway import asks
from gateway.answers import JsonAnswer

T = TypeVar("T")
Row: TypeAlias = tuple[str, str, Callable[[Request], Awaitable[Response]]]

_NOTHING: Final[frozenset[str]] = frozenset()


@dataclass(frozen=True, slots=True)
class DivergenceView:
    """Whether and where this cell's state is not the network's. What is not known is null."""

    diverged: bool
    repairing: bool
    words: str
    certified_round: int | None
    """The round of which the network certified another header."""
    first_round: int | None
    """The first round whose header differs."""
    transaction: str | None
    """The first one in it whose receipt differs."""
    own_outcome: str | None
    their_outcome: str | None
    key: str | None
    """A state key whose value is not the certified one."""
    report: str | None
    """Path of the report, which holds both headers, both values, and the proofs of theirs."""


class RepairCell(Protocol):
    """What the routes of repair need of a running cell."""

    def divergence(self) -> DivergenceView:
        """Return whether and where the state differs."""
        ...

    async def repair(self) -> DivergenceView:
        """Begin to take over the certified state; raises NotDiverged."""
        ...


class Reads(Protocol):
    """How the gateway waits for what the cell answers at once."""

    async def read(self, work: Awaitable[T]) -> T:
        """Return the answer; raises AnswerTooLate, GatewayStopping."""
        ...


class RepairRoutes:
    """Everything that a client can ask about a divergence."""

    def __init__(self, cell: RepairCell, waits: Reads, budget: asks.BodyBudget) -> None:
        self._cell = cell
        self._waits = waits
        self._budget = budget

    def table(self) -> list[Row]:
        """Return (method, path, endpoint) of each."""
        return [
            ("GET", "/api/v1/divergence", self.divergence),
            ("POST", "/api/v1/repair", self.repair),
        ]

    async def divergence(self, request: Request) -> Response:
        """GET /api/v1/divergence."""
        asks.query_fields(request, _NOTHING)
        return JsonAnswer(self._cell.divergence())

    async def repair(self, request: Request) -> Response:
        """POST /api/v1/repair."""
        await asks.read_fields(request, _NOTHING, self._budget)
        return JsonAnswer(await self._waits.read(self._cell.repair()))
