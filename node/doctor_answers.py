"""What a running cell answers about what is wrong, and why."""

from __future__ import annotations

from gateway.doctor_routes import DoctorView, WhyView
from node import why
from node.doctor.running import doctor_view
from node.journal_answers import JournalAnswers


class DoctorAnswers(JournalAnswers):
    """The part of `gateway.cell.Cell` that is about what is wrong."""

    def doctor(self) -> DoctorView:
        """See `gateway.doctor_routes.DoctorCell.doctor`."""
        return doctor_view(self._parts)

    def why_cell(self, cell: str) -> WhyView:
        """See `gateway.doctor_routes.DoctorCell.why_cell`."""
        return why.why_cell(self._parts, self._cell_id(cell))

    def why_stall(self) -> WhyView:
        """See `gateway.doctor_routes.DoctorCell.why_stall`."""
        return why.why_stall(self._parts)
