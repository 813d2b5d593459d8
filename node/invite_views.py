"""How a cell shows its tickets and who used them."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Final

from core.ids import CellId, Round, public_key_of
from gateway.views import InviteUseView, InviteView
from journal import Store
from ledger.governance import Outcome, decode_proposal, proposal_key
from ledger.header import APPLIED
from ledger.roster import Roster
from node import invite_tables as tables
from node.invite_tables import Invite, Terms, Use
from node.tables import ordered_by_id, state_value

_ROLES: Final = {True: "sclerotium", False: "rhizomorph"}


@dataclass(frozen=True, slots=True)
class Standing:
    """Where the ledger stands: the roster of the present epoch, and the last applied round."""

    roster: Roster
    applied_round: Round
    present: Callable[[CellId], CellId] = lambda cell: cell
    """The id that a cell has by now."""

    def is_member(self, cell: CellId) -> bool:
        """Return whether a cell, by any of its ids, is a member."""
        return self.roster.index_of(public_key_of(self.present(cell))) is not None


def invite_view(
    store: Store, invite: Invite, *, connected: Collection[CellId], standing: Standing, now_ns: int
) -> InviteView:
    """Return a ticket without its secret, and who used it."""
    used = tables.uses(store, invite.id)
    state = "open"
    if invite.revoked:
        state = "revoked"
    elif len(used) >= invite.terms.uses_max:
        state = "used"
    elif now_ns >= invite.expires_ns:
        state = "expired"
    return InviteView(
        id=invite.id.hex(),
        role=_ROLES[invite.terms.votes],
        name=invite.terms.name,
        weight=invite.terms.weight,
        created_ns=invite.created_ns,
        expires_ns=invite.expires_ns,
        uses_max=invite.terms.uses_max,
        state=state,
        uses=[_use_view(store, use, invite.terms, connected, standing) for use in used],
    )


def _use_view(
    store: Store, use: Use, terms: Terms, connected: Collection[CellId], standing: Standing
) -> InviteUseView:
    member, present = standing.is_member(use.cell_id), standing.present(use.cell_id)
    if member:
        state, problem = "voting", None
    else:
        state, problem = _progress(store, use, terms, standing.applied_round)
    return InviteUseView(
        cell_id=present,
        name=use.name,
        joined_ns=use.time_ns,
        words=use.words.split(),
        connected=present in connected,
        member=member,
        proposal=None if use.proposal is None else use.proposal.hex(),
        state=state,
        problem=problem,
    )


def _progress(store: Store, use: Use, terms: Terms, applied: Round) -> tuple[str, str | None]:
    """Return how far a newcomer has come on its way to a vote, and what is wrong."""
    if not terms.votes:
        return "joined", None
    if use.problem is not None:
        return "refused", use.problem
    if use.proposal is None:
        return "waiting", None
    row = ordered_by_id(store, use.proposal)
    if row is not None and row.outcome != APPLIED:
        return "refused", f"{row.outcome}: {row.refusal}"
    value = state_value(store, proposal_key(use.proposal))
    if value is None:
        return "proposed", None
    proposal = decode_proposal(value)
    if proposal.outcome is not Outcome.OPEN:
        return proposal.outcome.value, None
    return ("proposed" if proposal.is_open(applied) else "expired"), None
