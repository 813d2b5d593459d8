"""What a running cell answers about a state that is not the network's, and its repair."""

from __future__ import annotations

from gateway.repair_views import DivergenceView
from node.errors import NotDiverged
from node.journal_answers import JournalAnswers


class RepairAnswers(JournalAnswers):
    """The part of `gateway.cell.Cell` that is about a divergence."""

    def divergence(self) -> DivergenceView:
        """See `gateway.repair_routes.RepairCell.divergence`."""
        parts, finding = self._parts, self._parts.divergence.finding
        found = parts.execution.divergence
        return DivergenceView(
            diverged=found is not None,
            repairing=parts.fetching.is_repair,
            words="" if finding is None else finding.words,
            certified_round=None if found is None else found.certificate.round,
            first_round=None if finding is None else finding.first_round,
            transaction=None if finding is None else finding.transaction,
            own_outcome=None if finding is None else finding.own_outcome,
            their_outcome=None if finding is None else finding.their_outcome,
            key=None if finding is None else finding.key,
            report=None if finding is None else finding.report,
        )

    async def repair(self) -> DivergenceView:
        """See `gateway.repair_routes.RepairCell.repair`."""
        if self._parts.execution.divergence is None:
            raise NotDiverged("no certificate contradicts what this cell computed")
        self._parts.fetching.repair()
        return self.divergence()
