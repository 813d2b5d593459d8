"""How a roster changes: members propose and approve, and the round that decides seals the epoch.

A proposal adds a member, removes one, or changes a weight. Proposing counts as approving. When the
members who approved hold more than 2/3 of the weight, by the roster in force when the approval is
ordered, the change goes into NEXT_MEMBERS_KEY; the next epoch begins with it. Several changes of
one round build on each other. A member may also leave by itself, without approvals.

A change must be possible when it is proposed and again at each approval. Proposals are never
deleted: an expired one stays in the state and takes no approvals. Those pile up slowly: at most
PROPOSALS_OPEN_MAX of a member in PROPOSAL_ROUNDS_MAX rounds. A key that was given up stands for
the one that followed (`ledger.succession`), in changes and in approvals.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, TypeAlias

from core.codec import Value, as_array, as_bytes, as_int, as_text, decode, encode
from core.ids import PublicKey, Round, TransactionId
from core.limits import HASH_SIZE_BYTES, INT_MAX, PUBLIC_KEY_SIZE_BYTES
from ledger.context import Context
from ledger.errors import (
    AlreadyAMember,
    AlreadyApproved,
    BadProposal,
    LastMember,
    NoSuchMember,
    NoSuchProposal,
    NotAMember,
    ProposalClosed,
    RosterFull,
    TooManyProposals,
)
from ledger.limits import MEMBERS_MAX, PROPOSAL_ROUNDS_MAX, PROPOSALS_OPEN_MAX, WEIGHT_MAX
from ledger.names import is_name
from ledger.roster import NEXT_MEMBERS_KEY, Member, decode_members, encode_members
from ledger.succession import current_key

PROPOSAL_PREFIX: Final = b"proposal/"
"""State keys of proposals: this prefix, then the id of the proposing transaction."""

PROPOSER_PREFIX: Final = b"proposer/"
"""State keys of what a member has proposed: this prefix, then its public key."""

Changes: TypeAlias = list[tuple[bytes, bytes]]
"""(state key, state value) pairs."""


class Action(StrEnum):
    """What a proposal does."""

    ADD = "add"
    REMOVE = "remove"
    WEIGHT = "weight"


@dataclass(frozen=True, slots=True)
class MemberPropose:
    """Propose a change of one member, and approve it.

    ADD takes a weight and a name, WEIGHT only a weight, REMOVE neither.
    """

    action: Action
    public_key: PublicKey
    weight: int = 0
    name: str = ""


@dataclass(frozen=True, slots=True)
class MemberApprove:
    """Approve a proposal, by the id of the transaction that made it."""

    proposal: TransactionId


@dataclass(frozen=True, slots=True)
class MemberLeave:
    """Leave the roster. The sender is a member up to the end of the round's epoch."""


@dataclass(frozen=True, slots=True)
class Proposal:
    """The state of a proposal."""

    change: MemberPropose
    proposer: PublicKey
    round: Round
    """In which it was made."""
    approvals: tuple[PublicKey, ...]
    """Who approved, in roster order, as of the newest approval: who was no member then is out."""
    accepted_round: Round = Round(0)
    """In which the change was decided, 0 while it is not."""

    def is_open(self, round_number: Round) -> bool:
        """Return whether it can be approved in a round."""
        return self.accepted_round == 0 and _is_live(self.round, round_number)

    def encode(self) -> bytes:
        """Return the state value: [change, proposer, round, approvals, accepted round]."""
        approvals: list[Value] = list(self.approvals)
        change: list[Value] = list(build_propose(self.change))
        return encode([change, self.proposer, self.round, approvals, self.accepted_round])


def proposal_key(proposal: TransactionId) -> bytes:
    """Return the state key of a proposal."""
    return PROPOSAL_PREFIX + proposal


def proposer_key(member: PublicKey) -> bytes:
    """Return the state key of the list of a member's open proposals: [[id, round], …].

    The list is written when the member proposes and when a proposal of its own is accepted; until
    then it may hold expired ones.
    """
    return PROPOSER_PREFIX + member


def decode_proposal(value: bytes) -> Proposal:
    """Return the proposal in a state value; raises NotCanonical, WrongShape or BadProposal."""
    change, proposer, round_number, approvals, accepted = as_array(decode(value), length=5)
    return Proposal(
        parse_propose(as_array(change)),
        _public_key(proposer),
        Round(as_int(round_number)),
        tuple(_public_key(item) for item in as_array(approvals, length_max=MEMBERS_MAX)),
        Round(as_int(accepted)),
    )


def parse_propose(items: list[Value]) -> MemberPropose:
    """Return the checked arguments of `member-propose`; raises BadProposal or WrongShape."""
    action, public_key, weight, name = as_array(items, length=4)
    text = as_text(action, length_max=INT_MAX)
    if text not in {one.value for one in Action}:
        raise BadProposal(f"{text[:32]!r} is not an action")
    propose = MemberPropose(
        Action(text),
        PublicKey(as_bytes(public_key)),
        as_int(weight, low=-INT_MAX - 1),
        as_text(name, length_max=INT_MAX),
    )
    if len(propose.public_key) != PUBLIC_KEY_SIZE_BYTES:
        raise BadProposal(f"a public key has {PUBLIC_KEY_SIZE_BYTES} bytes")
    named, weighed = is_name(propose.name), 1 <= propose.weight <= WEIGHT_MAX
    if not (named if propose.action is Action.ADD else propose.name == ""):
        raise BadProposal(f"the name does not fit the action {propose.action.value!r}")
    if not (propose.weight == 0 if propose.action is Action.REMOVE else weighed):
        raise BadProposal(f"weight {propose.weight} does not fit {propose.action.value!r}")
    return propose


def build_propose(propose: MemberPropose) -> Sequence[Value]:
    """Return the encodable arguments of `member-propose`."""
    return propose.action.value, propose.public_key, propose.weight, propose.name


def propose_changes(propose: MemberPropose, context: Context) -> Changes:
    """Return what a proposal writes.

    Raises NotAMember, TooManyProposals, or why the change is not possible.
    """
    _check_sender(context)
    own = _open_proposals(context, context.sender)
    if len(own) >= PROPOSALS_OPEN_MAX:
        raise TooManyProposals(f"the sender has {len(own)} open proposals")
    proposal = Proposal(propose, context.sender, context.round, ())
    changes, accepted = _approved(context.id, proposal, context)
    if not accepted:
        changes.append(_own_list(context.sender, [*own, (context.id, context.round)]))
    return changes


def parse_approve(items: list[Value]) -> MemberApprove:
    """Return the checked arguments of `member-approve`; raises BadProposal or WrongShape."""
    (proposal,) = as_array(items, length=1)
    approve = MemberApprove(TransactionId(as_bytes(proposal)))
    if len(approve.proposal) != HASH_SIZE_BYTES:
        raise BadProposal(f"the id of a proposal has {HASH_SIZE_BYTES} bytes")
    return approve


def build_approve(approve: MemberApprove) -> Sequence[Value]:
    """Return the encodable arguments of `member-approve`."""
    return (approve.proposal,)


def approve_changes(approve: MemberApprove, context: Context) -> Changes:
    """Return what an approval writes.

    Raises NotAMember, NoSuchProposal, ProposalClosed, AlreadyApproved, or why the change is not
    possible any more.
    """
    _check_sender(context)
    value = context.read(proposal_key(approve.proposal))
    if value is None:
        raise NoSuchProposal(f"no proposal {approve.proposal.hex()[:16]}… was ordered before")
    proposal = decode_proposal(value)
    if not proposal.is_open(context.round):
        why = f"was accepted in round {proposal.accepted_round}"
        if proposal.accepted_round == 0:
            why = f"expired after round {proposal.round + PROPOSAL_ROUNDS_MAX}"
        raise ProposalClosed(f"the proposal {why}")
    if context.sender in _approvers(proposal, context):
        raise AlreadyApproved("the sender approved this proposal before")
    changes, accepted = _approved(approve.proposal, proposal, context)
    if accepted:
        proposer = current_key(context.read, proposal.proposer)
        others = _open_proposals(context, proposer, but=approve.proposal)
        changes.append(_own_list(proposer, others))
    return changes


def parse_leave(items: list[Value]) -> MemberLeave:
    """Return the arguments of `member-leave`, which has none; raises WrongShape."""
    as_array(items, length=0)
    return MemberLeave()


def build_leave(leave: MemberLeave) -> Sequence[Value]:  # noqa: ARG001 - a row of the table
    """Return the encodable arguments of `member-leave`."""
    return ()


def leave_changes(leave: MemberLeave, context: Context) -> Changes:  # noqa: ARG001 - a row
    """Return what leaving writes; raises NotAMember, NoSuchMember or LastMember."""
    _check_sender(context)
    return removal_changes(context.sender, context)


def removal_changes(member: PublicKey, context: Context) -> Changes:
    """Return what takes a member out of the next epoch; raises NoSuchMember or LastMember."""
    left = _changed(planned_members(context), MemberPropose(Action.REMOVE, member))
    return [(NEXT_MEMBERS_KEY, encode_members(left))]


def planned_members(context: Context) -> tuple[Member, ...]:
    """Return the members of the next epoch, as decided so far.

    Outside a round that changed it, NEXT_MEMBERS_KEY holds the members of the roster in force.
    """
    value = context.read(NEXT_MEMBERS_KEY)
    return context.roster.members if value is None else decode_members(value)


def _is_live(proposed: Round, now: Round) -> bool:
    return now <= proposed + PROPOSAL_ROUNDS_MAX


def _check_sender(context: Context) -> None:
    if context.roster.index_of(context.sender) is None:
        raise NotAMember(f"the sender is not a member in epoch {context.roster.epoch}")


def _approved(
    proposal_id: TransactionId, proposal: Proposal, context: Context
) -> tuple[Changes, bool]:
    """Return what the sender's approval writes, and whether it decides the proposal."""
    named = current_key(context.read, proposal.change.public_key)
    change = dataclasses.replace(proposal.change, public_key=named)
    members = _changed(planned_members(context), change)
    approved = {*_approvers(proposal, context), context.sender}
    voters = [member for member in context.roster.members if member.public_key in approved]
    accepted = context.roster.is_supermajority(sum(voter.weight for voter in voters))
    after = dataclasses.replace(
        proposal,
        approvals=tuple(voter.public_key for voter in voters),
        accepted_round=context.round if accepted else Round(0),
    )
    changes = [(proposal_key(proposal_id), after.encode())]
    if accepted:
        changes.append((NEXT_MEMBERS_KEY, encode_members(members)))
    return changes, accepted


def _approvers(proposal: Proposal, context: Context) -> list[PublicKey]:
    """Return the present keys of those who approved."""
    return [current_key(context.read, key) for key in proposal.approvals]


def _changed(members: tuple[Member, ...], change: MemberPropose) -> tuple[Member, ...]:
    """Return the members after a change: new ones at the end, the others in their order.

    Raises AlreadyAMember, RosterFull, NoSuchMember or LastMember.
    """
    key = change.public_key
    is_member = any(member.public_key == key for member in members)
    if change.action is Action.ADD:
        if is_member:
            raise AlreadyAMember("the key to add is that of a member")
        if len(members) >= MEMBERS_MAX:
            raise RosterFull(f"the roster has {MEMBERS_MAX} members already")
        return (*members, Member(key, change.weight, change.name))
    if not is_member:
        raise NoSuchMember(f"the key to {change.action.value} is not that of a member")
    if change.action is Action.WEIGHT:
        return tuple(
            dataclasses.replace(member, weight=change.weight)
            if member.public_key == key
            else member
            for member in members
        )
    if len(members) == 1:
        raise LastMember("nobody would be left")
    return tuple(member for member in members if member.public_key != key)


_Open: TypeAlias = list[tuple[TransactionId, Round]]


def _open_proposals(
    context: Context, proposer: PublicKey, *, but: TransactionId | None = None
) -> _Open:
    """Return a member's proposals that can still be approved, oldest first, without `but`."""
    value = context.read(proposer_key(proposer))
    items = [] if value is None else as_array(decode(value), length_max=PROPOSALS_OPEN_MAX)
    result: _Open = []
    for item in items:
        proposal, round_number = as_array(item, length=2)
        made = TransactionId(as_bytes(proposal, size=HASH_SIZE_BYTES)), Round(as_int(round_number))
        if made[0] != but and _is_live(made[1], context.round):
            result.append(made)
    return result


def _own_list(proposer: PublicKey, proposals: _Open) -> tuple[bytes, bytes]:
    items: list[Value] = [[proposal, made] for proposal, made in proposals]
    return proposer_key(proposer), encode(items)


def _public_key(value: Value) -> PublicKey:
    return PublicKey(as_bytes(value, size=PUBLIC_KEY_SIZE_BYTES))
