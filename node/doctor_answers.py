"""What a running cell answers about what is wrong, and why."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

from core.ids import CellId
from gateway.doctor_routes import DoctorView, WhyView
from gateway.errors import NoSuchCell
from gateway.views import InviteUseView
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
        used = cache(self._parts.invites.used)  # for the name and for the reasons
        return why.why_cell(self._parts, self._member_or_guest(cell, used), used)

    def why_stall(self) -> WhyView:
        """See `gateway.doctor_routes.DoctorCell.why_stall`."""
        return why.why_stall(self._parts)

    def _member_or_guest(self, cell: str, used: Callable[[], list[InviteUseView]]) -> CellId:
        """Return the id of a cell, also of one that is named by the ticket it came by only.

        Members go first: who makes a ticket chooses its name, the network that of a member.
        """
        try:
            return self._cell_id(cell)
        except NoSuchCell:
            guests = {use.cell_id for use in used() if use.name == cell}
            if len(guests) != 1:
                raise
            return CellId(guests.pop())
