"""What a running cell answers about the members of its network, and the way to change them."""

from __future__ import annotations

from core.ids import CellId, PublicKey, Round, TransactionId, cell_id_of, public_key_of
from gateway.views import EpochView, ForkView, MemberChange, MembersView, ProposalView, VoterView
from ledger.forks import decode_proven, fork_of_key
from ledger.governance import Outcome, Proposal, decode_proposal
from ledger.members import Action, MemberApprove, MemberLeave, MemberPropose
from ledger.roster import Roster
from node.limits import FORKS_SHOWN_MAX, PROPOSALS_SHOWN_MAX
from node.parts import Parts
from node.tables import epochs_from, open_proposals, proposals, proven_forks

_STATES = ("open", "accepted", "refused", "expired")


def epoch_views(parts: Parts, start: int, limit: int) -> list[EpochView]:
    """Return the epochs from number `start` on."""
    genesis = parts.genesis
    return [
        EpochView(
            epoch=roster.epoch,
            first_round=roster.first_round,
            last_time_ns=roster.last_time_ns,
            rule_set=roster.rules.rule_set,
            coin_period=roster.rules.coin_period,
            first_block=first_block,
            members=_voters(roster),
        )
        for roster, first_block in epochs_from(parts.store, genesis, start, limit)
    ]


def members_view(parts: Parts) -> MembersView:
    """Return the present members and the proposals."""
    roster = parts.execution.ledger.roster
    shown = [
        view
        for identity, value in {
            **dict(proposals(parts.store, PROPOSALS_SHOWN_MAX)),
            **dict(open_proposals(parts.store)),
        }.items()
        for view in _proposal_views(identity, decode_proposal(value), parts, roster)
    ]
    shown.sort(key=lambda view: (_STATES.index(view.state), -view.round, view.id))
    return MembersView(roster.epoch, _voters(roster), shown, fork_views(parts))


def fork_views(parts: Parts) -> list[ForkView]:
    """Return the newest forks that were proven."""
    views = []
    for key, value in proven_forks(parts.store, FORKS_SHOWN_MAX):
        (epoch, member), proven = fork_of_key(key), decode_proven(value)
        views.append(
            ForkView(
                epoch=epoch,
                cell_id=cell_id_of(member),
                round=proven.round,
                accuser=proven.accuser.hex(),
                evidence_hash=proven.evidence_hash.hex(),
            )
        )
    return views


def change_of(change: MemberChange, cell_id: CellId) -> MemberPropose | MemberApprove | MemberLeave:
    """Return the arguments of the transaction that a change asks for."""
    match change.action:
        case "approve":
            return MemberApprove(TransactionId(change.proposal))
        case "leave":
            return MemberLeave()
        case action:
            key = public_key_of(cell_id)
            return MemberPropose(Action(action), key, change.weight, change.name)


def _voters(roster: Roster) -> list[VoterView]:
    return [
        VoterView(member.cell_id, member.public_key.hex(), member.name, member.weight)
        for member in roster.members
    ]


def _proposal_views(
    identity: bytes, proposal: Proposal, parts: Parts, roster: Roster
) -> list[ProposalView]:
    """Return a proposal's changes of members, one view each."""
    weights: dict[PublicKey, int] = {m.public_key: m.weight for m in roster.members}
    return [
        ProposalView(
            id=identity.hex(),
            action=change.action.value,
            cell_id=cell_id_of(change.public_key),
            name=change.name,
            weight=change.weight,
            proposer=cell_id_of(proposal.proposer),
            round=proposal.round,
            approvals=[cell_id_of(key) for key in proposal.approvals],
            weight_approved=sum(weights.get(key, 0) for key in proposal.approvals),
            weight_total=sum(weights.values()),
            state=proposal_state(proposal, parts.execution.ledger.applied_round),
        )
        for change in proposal.actions
        if isinstance(change, MemberPropose)
    ]


def proposal_state(proposal: Proposal, applied: Round) -> str:
    """Return what became of a proposal, in a word."""
    if proposal.outcome is Outcome.OPEN and not proposal.is_open(applied):
        return "expired"
    return proposal.outcome.value
