"""The routes of what is wrong, and why: the doctor's view from inside, and `why`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final, Protocol, TypeAlias

from starlette.requests import Request
from starlette.responses import Response

from core.findings import Finding
from gateway import asks
from gateway.answers import JsonAnswer

Row: TypeAlias = tuple[str, str, Callable[[Request], Awaitable[Response]]]

_NOTHING: Final[frozenset[str]] = frozenset()


@dataclass(frozen=True, slots=True)
class ClockView:
    """How far the clock of another member is from this cell's, by the times in its events."""

    cell_id: str
    name: str
    ahead_ms: float | None
    """Negative if it is behind; null while nothing came of it lately."""


@dataclass(frozen=True, slots=True)
class DoctorView:
    """What a running cell finds wrong with itself; codes are those of docs/errors.md."""

    findings: list[Finding]
    clocks: list[ClockView]
    files_open: int
    """Descriptors."""
    files_max: int
    memory_bytes: int
    """Resident."""
    cpu_s: float
    """Processor time since the start."""
    journals_audited: list[str]
    """Journals whose last audit since the start was without a fault."""


@dataclass(frozen=True, slots=True)
class ReasonView:
    """One thing that was looked at, and how it stands."""

    what: str
    ok: bool | None
    """Null for what is neither good nor bad."""
    detail: str


@dataclass(frozen=True, slots=True)
class WhyView:
    """Why something is as it is: the answer in a line, and what it follows from, in order."""

    about: str
    """`transaction`, `cell` or `stall`."""
    subject: str
    answer: str
    reasons: list[ReasonView]
    remedy: str
    """What to do about it; empty if nothing is to be done."""


class DoctorCell(Protocol):
    """What the routes need of a running cell."""

    def doctor(self) -> DoctorView:
        """Return what the cell finds wrong with itself."""
        ...

    def why_transaction(self, transaction_id: bytes) -> WhyView:
        """Return why a transaction is where it is; raises NoSuchReceipt."""
        ...

    def why_cell(self, cell: str) -> WhyView:
        """Return why a cell is connected and trusted, or not; raises NoSuchCell."""
        ...

    def why_stall(self) -> WhyView:
        """Return why nothing new is ordered, or that the network goes on."""
        ...


class DoctorRoutes:
    """Everything that a client can ask about what is wrong."""

    def __init__(self, cell: DoctorCell) -> None:
        self._cell = cell

    def table(self) -> list[Row]:
        """Return (method, path, endpoint) of each."""
        return [
            ("GET", "/api/v1/doctor", self.doctor),
            ("GET", "/api/v1/why/transaction/{id}", self.why_transaction),
            ("GET", "/api/v1/why/cell", self.why_cell),
            ("GET", "/api/v1/why/stall", self.why_stall),
        ]

    async def doctor(self, request: Request) -> Response:
        """GET /api/v1/doctor."""
        asks.query_fields(request, _NOTHING)
        return JsonAnswer(self._cell.doctor())

    async def why_transaction(self, request: Request) -> Response:
        """GET /api/v1/why/transaction/{id}."""
        asks.query_fields(request, _NOTHING)
        return JsonAnswer(self._cell.why_transaction(asks.transaction_id(request)))

    async def why_cell(self, request: Request) -> Response:
        """GET /api/v1/why/cell?cell=."""
        fields = asks.query_fields(request, frozenset({"cell"}))
        return JsonAnswer(self._cell.why_cell(asks.cell_named(fields)))

    async def why_stall(self, request: Request) -> Response:
        """GET /api/v1/why/stall."""
        asks.query_fields(request, _NOTHING)
        return JsonAnswer(self._cell.why_stall())
