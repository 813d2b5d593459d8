"""What a running cell answers about its services, its audit journal, and proven identities."""

from __future__ import annotations

from typing import Final

from core.ids import CellId, cell_id_of
from gateway.service_views import (
    ActsQuery,
    ActsView,
    ActView,
    DescriptionView,
    ProvenView,
    RequestNote,
    ServicesView,
    ServiceView,
)
from identity.audit import KEY, TOKEN, Act, Outcome
from identity.description import Description
from node.journal_answers import JournalAnswers
from node.services.audit import Wanted
from node.services.health import health_of
from node.services.nucleus import wall_ms
from node.services.table import start_order

_NOTED_BY_THE_CELL: Final = ("POST /api/v1/invites", "POST /api/v1/invites/{id}/revoke")
"""Acts with a row of their own, in the transaction that they are."""
_SIGNED_BY_OTHERS: Final = ("POST /api/v1/transactions",)


class ServiceAnswers(JournalAnswers):
    """The part of `gateway.cell.Cell` that is about services."""

    def services(self) -> ServicesView:
        """See `gateway.service_views.ServiceCell.services`."""
        health, store = health_of(self._parts), self._parts.store
        journals, own = store.journals(), self._parts.identity.description()
        changes = self._parts.health.changes
        views = [
            ServiceView(
                name=service.name,
                journal=service.journal,
                blocks=store.state_of(service.journal).size if service.journal in journals else 0,
                needs=list(service.needs),
                status=health[service.name].status,
                why=health[service.name].why,
                since_ms=changes.since(service.name).time_ms,
            )
            for service in start_order()
        ]
        return ServicesView(_description_view(self._parts.cell_id, own), views)

    async def describe(self, cell: str) -> DescriptionView:
        """See `gateway.service_views.ServiceCell.describe`."""
        cell_id = self._cell_id(cell)
        return _description_view(cell_id, await self._parts.identity.describe(cell_id))

    async def acts(self, query: ActsQuery) -> ActsView:
        """See `gateway.service_views.ServiceCell.acts`."""
        wanted = Wanted(query.limit, query.before, query.since_ms, query.refused)
        rows, following = await self._parts.audit.page(wanted)
        return ActsView([_act_view(index, act) for index, act in rows], following)

    async def verify_identity(self, cell: str) -> ProvenView:
        """See `gateway.service_views.ServiceCell.verify_identity`."""
        session = await self._parts.identity.verify(self._cell_id(cell))
        return ProvenView(
            cell_id_of(session.cell), session.cell.hex(), session.proven_ms, session.until_ms
        )

    def note_request(self, note: RequestNote) -> None:
        """See `gateway.service_views.ServiceCell.note_request`."""
        if not note.code and note.action in _NOTED_BY_THE_CELL:
            return
        outcome = Outcome.REFUSED if note.is_refused else Outcome.FAILED
        of_client = note.actor.partition(":")[0] in (TOKEN, KEY)
        signs = of_client and note.action not in _SIGNED_BY_OTHERS
        self._parts.audit.note(
            Act(
                wall_ms(),
                note.actor,
                self._key.public_key if signs else b"",
                note.action,
                note.subject,
                outcome if note.code else Outcome.DONE,
                note.code,
                note.reason,
            )
        )


def _description_view(cell_id: CellId, found: Description) -> DescriptionView:
    return DescriptionView(
        cell_id=cell_id,
        name=found.name,
        version=found.version,
        role=found.role,
        started_ms=found.started_ms,
        stopped_ms=found.stopped_ms,
        services=list(found.services),
        metadata=dict(found.metadata),
    )


def _act_view(index: int, act: Act) -> ActView:
    return ActView(
        index=index,
        time_ms=act.time_ms,
        actor=act.actor,
        key=act.key.hex() or None,
        action=act.action,
        subject=act.subject,
        outcome=act.outcome.value,
        code=act.code,
        reason=act.reason,
        count=act.count,
    )
