"""The clients' calls about what is wrong, and why."""

from __future__ import annotations

from typing import TYPE_CHECKING

from myceld.question import Question, at, call, get

if TYPE_CHECKING:
    from myceld.views import DoctorView, WhyView


class DoctorCalls:
    """The part of both clients that is about what is wrong."""

    @call
    def doctor(self) -> Question[DoctorView]:
        """Return the DoctorView: what the running cell finds wrong with itself."""
        return get("/api/v1/doctor")

    @call
    def why_transaction(self, transaction_id: str) -> Question[WhyView]:
        """Return the WhyView of a transaction: why it is where it is."""
        return get(at("/api/v1/why/transaction/{id}", id=transaction_id))

    @call
    def why_cell(self, cell: str) -> Question[WhyView]:
        """Return the WhyView of a cell (its id, or a member's name)."""
        return get("/api/v1/why/cell", {"cell": cell})

    @call
    def why_stall(self) -> Question[WhyView]:
        """Return the WhyView of the network: why nothing new is ordered, if so."""
        return get("/api/v1/why/stall")
