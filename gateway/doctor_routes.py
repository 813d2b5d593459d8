"""The routes of what is wrong, and why: the doctor's view from inside, and `why`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from core.findings import Finding
from gateway.asks import CellAsk, HashPath
from gateway.errors import NoSuchCell, NoSuchReceipt
from gateway.operations import Operation, get


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

    tag = "doctor"

    def __init__(self, cell: DoctorCell) -> None:
        self._cell = cell

    def operations(self) -> Sequence[Operation]:
        """See Family."""
        return [
            get("/api/v1/doctor", self.doctor),
            get("/api/v1/why/transaction/{id}", self.why_transaction, NoSuchReceipt),
            get("/api/v1/why/cell", self.why_cell, NoSuchCell),
            get("/api/v1/why/stall", self.why_stall),
        ]

    async def doctor(self) -> DoctorView:
        """Return what the cell finds wrong with itself."""
        return self._cell.doctor()

    async def why_transaction(self, path: HashPath) -> WhyView:
        """Return why a transaction is where it is."""
        return self._cell.why_transaction(path.id)

    async def why_cell(self, query: CellAsk) -> WhyView:
        """Return why a cell is connected and trusted, or not."""
        return self._cell.why_cell(query.cell)

    async def why_stall(self) -> WhyView:
        """Return why nothing new is ordered, or that the network goes on."""
        return self._cell.why_stall()
