"""Governance: members propose, vote by weight, and what is decided takes effect.

    gov-propose     [title, [[action, [arguments]], …], rounds]     and vote yes
    gov-vote        [proposal, "yes" | "no" | "abstain"]
    member-propose  one action without a title; member-approve: vote yes

A proposal has several actions (`ledger.actions`), which take effect together. Votes count by the
roster in force when a vote is ordered, and can be changed until the proposal closes. It is
accepted by the yes vote that brings more than 2/3 of the weight together, refused when that can
not be reached any more as the votes stand, and expires after its rounds. Its actions must be
possible when it is proposed and again at each yes vote: a vote that would decide what can not be
done is refused with the reason, and may be cast again.

Proposals are never deleted: the state says for ever what was decided, and who voted what. A member
has at most PROPOSALS_OPEN_MAX open ones. A key that was given up stands for the one that followed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final, TypeAlias

from core.codec import Value, as_array, as_bytes, as_int, as_text, decode, encode
from core.ids import PublicKey, Round, TransactionId
from core.limits import HASH_SIZE_BYTES, INT_MAX, PUBLIC_KEY_SIZE_BYTES
from ledger.actions import Action, actions_changes, build_actions, parse_actions
from ledger.context import Context
from ledger.cost import cost_of, text_size_bytes
from ledger.errors import (
    AlreadyVoted,
    BadAction,
    NoSuchProposal,
    ProposalClosed,
    TooManyProposals,
)
from ledger.limits import (
    ACTION_SIZE_BYTES,
    ACTION_WRITES,
    MEMBERS_MAX,
    PROPOSAL_ROUNDS_MAX,
    PROPOSAL_TITLE_LENGTH_MAX,
    PROPOSALS_OPEN_MAX,
)
from ledger.members import Changes, MemberApprove, MemberPropose, check_member
from ledger.names import is_text
from ledger.roster import Roster
from ledger.succession import current_key

PROPOSAL_PREFIX: Final = b"proposal/"
"""State keys of proposals: this prefix, then the id of the proposing transaction."""

PROPOSER_PREFIX: Final = b"proposer/"
"""State keys of what a member has proposed: this prefix, then its public key."""


class Vote(StrEnum):
    """What a member says to a proposal."""

    YES = "yes"
    NO = "no"
    ABSTAIN = "abstain"


class Outcome(StrEnum):
    """What became of a proposal; one that expired stays open in the state."""

    OPEN = "open"
    ACCEPTED = "accepted"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class GovPropose:
    """Propose actions that take effect together, and vote yes."""

    title: str
    actions: tuple[Action, ...]
    rounds: int = PROPOSAL_ROUNDS_MAX
    """For how many rounds it can be voted on."""


@dataclass(frozen=True, slots=True)
class GovVote:
    """Vote on a proposal, by the id of the transaction that made it."""

    proposal: TransactionId
    vote: Vote


@dataclass(frozen=True, slots=True)
class Proposal:
    """The state of a proposal."""

    title: str
    """Empty for one that came by `member-propose`."""
    actions: tuple[Action, ...]
    proposer: PublicKey
    round: Round
    """In which it was made."""
    expires_round: Round
    """The last one in which it can be voted on."""
    votes: tuple[tuple[PublicKey, Vote], ...] = ()
    """In roster order, as of the newest vote: who was no member then is out."""
    outcome: Outcome = Outcome.OPEN
    closed_round: Round = Round(0)
    """In which it was accepted or refused, 0 while it was not."""

    @property
    def approvals(self) -> tuple[PublicKey, ...]:
        """Who voted yes."""
        return tuple(key for key, vote in self.votes if vote is Vote.YES)

    @property
    def accepted_round(self) -> Round:
        """In which it was accepted, 0 while it was not."""
        return self.closed_round if self.outcome is Outcome.ACCEPTED else Round(0)

    def is_open(self, round_number: Round) -> bool:
        """Return whether it can be voted on in a round."""
        return self.outcome is Outcome.OPEN and round_number <= self.expires_round

    def encode(self) -> bytes:
        """Return the state value.

        [title, actions, proposer, round, expires round, [[key, vote], …], outcome, closed round].
        """
        votes: list[Value] = [[key, vote.value] for key, vote in self.votes]
        place: list[Value] = [self.proposer, self.round, self.expires_round]
        actions = build_actions(self.actions)
        return encode([self.title, actions, *place, votes, self.outcome.value, self.closed_round])


def proposal_key(proposal: TransactionId) -> bytes:
    """Return the state key of a proposal."""
    return PROPOSAL_PREFIX + proposal


def proposer_key(member: PublicKey) -> bytes:
    """Return the state key of the list of a member's open proposals: [[id, expires round], …].

    The list is written when the member proposes and when a proposal of its own closes; until then
    it may hold expired ones.
    """
    return PROPOSER_PREFIX + member


def decode_proposal(value: bytes) -> Proposal:
    """Return the proposal in a state value.

    Raises NotCanonical, WrongShape, BadAction or BadProposal.
    """
    title, actions, proposer, made, expires, votes, outcome, closed = as_array(
        decode(value), length=8
    )
    cast = [as_array(item, length=2) for item in as_array(votes, length_max=MEMBERS_MAX)]
    words = {one.value: one for one in Outcome}
    name = as_text(outcome, length_max=INT_MAX)
    if name not in words:
        raise BadAction("a proposal is open, accepted or refused")
    return Proposal(
        as_text(title, length_max=PROPOSAL_TITLE_LENGTH_MAX),
        parse_actions(actions),
        _public_key(proposer),
        Round(as_int(made)),
        Round(as_int(expires)),
        tuple((_public_key(key), _vote(vote)) for key, vote in cast),
        words[name],
        Round(as_int(closed)),
    )


def listed_proposals(value: bytes) -> dict[TransactionId, Round]:
    """Return the ids and last rounds in a member's list; raises NotCanonical or WrongShape."""
    result: dict[TransactionId, Round] = {}
    for item in as_array(decode(value), length_max=PROPOSALS_OPEN_MAX):
        proposal, expires = as_array(item, length=2)
        identity = TransactionId(as_bytes(proposal, size=HASH_SIZE_BYTES))
        result[identity] = Round(as_int(expires))
    return result


def parse_gov_propose(items: list[Value]) -> GovPropose:
    """Return the checked arguments of `gov-propose`; raises BadAction, BadProposal, WrongShape."""
    title, actions, rounds = as_array(items, length=3)
    text, number = as_text(title, length_max=INT_MAX), as_int(rounds)
    if not is_text(text, PROPOSAL_TITLE_LENGTH_MAX):
        raise BadAction(f"a title has 1 to {PROPOSAL_TITLE_LENGTH_MAX} characters, no controls")
    if not 1 <= number <= PROPOSAL_ROUNDS_MAX:
        raise BadAction(f"a proposal is open for 1 to {PROPOSAL_ROUNDS_MAX} rounds")
    return GovPropose(text, parse_actions(actions), number)


def build_gov_propose(propose: GovPropose) -> Sequence[Value]:
    """Return the encodable arguments of `gov-propose`."""
    return propose.title, build_actions(propose.actions), propose.rounds


def propose_cost(propose: GovPropose) -> int:
    """Return what a proposal costs, with all that its actions write."""
    actions = len(propose.actions)
    return cost_of(
        writes=3 + ACTION_WRITES * actions,
        size_bytes=text_size_bytes(propose.title) + ACTION_SIZE_BYTES * actions,
    )


def gov_propose_changes(propose: GovPropose, context: Context) -> Changes:
    """Return what a proposal writes.

    Raises NotAMember, TooManyProposals, or why an action is not possible.
    """
    check_member(context)
    own = _open_proposals(context, context.sender)
    if len(own) >= PROPOSALS_OPEN_MAX:
        raise TooManyProposals(f"the sender has {len(own)} open proposals")
    expires = Round(context.round + propose.rounds)
    made = Proposal(propose.title, propose.actions, context.sender, context.round, expires)
    changes, after = _voted(context.id, made, Vote.YES, context)
    if after.outcome is Outcome.OPEN:
        changes.append(_own_list(context.sender, [*own, (context.id, expires)]))
    return changes


def propose_changes(propose: MemberPropose, context: Context) -> Changes:
    """Return what `member-propose` writes: a proposal with that one action."""
    return gov_propose_changes(GovPropose("", (propose,), PROPOSAL_ROUNDS_MAX), context)


def parse_gov_vote(items: list[Value]) -> GovVote:
    """Return the checked arguments of `gov-vote`; raises BadAction or WrongShape."""
    proposal, vote = as_array(items, length=2)
    identity = as_bytes(proposal)
    if len(identity) != HASH_SIZE_BYTES:
        raise BadAction(f"the id of a proposal has {HASH_SIZE_BYTES} bytes")
    return GovVote(TransactionId(identity), _vote(vote))


def build_gov_vote(vote: GovVote) -> Sequence[Value]:
    """Return the encodable arguments of `gov-vote`."""
    return vote.proposal, vote.vote.value


def gov_vote_changes(vote: GovVote, context: Context) -> Changes:
    """Return what a vote writes.

    Raises NotAMember, NoSuchProposal, ProposalClosed, AlreadyVoted, or why an action is not
    possible any more.
    """
    check_member(context)
    value = context.read(proposal_key(vote.proposal))
    if value is None:
        raise NoSuchProposal(f"no proposal {vote.proposal.hex()[:16]}… was ordered before")
    proposal = decode_proposal(value)
    if not proposal.is_open(context.round):
        why = f"was {proposal.outcome} in round {proposal.closed_round}"
        if proposal.outcome is Outcome.OPEN:
            why = f"expired after round {proposal.expires_round}"
        raise ProposalClosed(f"the proposal {why}")
    if _cast(proposal, context).get(context.sender) is vote.vote:
        raise AlreadyVoted(f"the sender voted {vote.vote} on this proposal before")
    changes, after = _voted(vote.proposal, proposal, vote.vote, context)
    if after.outcome is not Outcome.OPEN:
        proposer = current_key(context.read, proposal.proposer)
        others = _open_proposals(context, proposer, but=vote.proposal)
        changes.append(_own_list(proposer, others))
    return changes


def approve_changes(approve: MemberApprove, context: Context) -> Changes:
    """Return what `member-approve` writes: a yes vote."""
    return gov_vote_changes(GovVote(approve.proposal, Vote.YES), context)


def weight_of(roster: Roster, votes: Sequence[tuple[PublicKey, Vote]], vote: Vote) -> int:
    """Return the weight in a roster of those who voted so."""
    voters = {key for key, cast in votes if cast is vote}
    return sum(member.weight for member in roster.members if member.public_key in voters)


def _voted(
    identity: TransactionId, proposal: Proposal, vote: Vote, context: Context
) -> tuple[Changes, Proposal]:
    """Return what the sender's vote writes, and the proposal after it."""
    roster = context.roster
    cast = {**_cast(proposal, context), context.sender: vote}
    keys = [member.public_key for member in roster.members]
    votes = tuple((key, cast[key]) for key in keys if key in cast)
    accepted = vote is Vote.YES and roster.is_supermajority(weight_of(roster, votes, Vote.YES))
    changes: Changes = []
    if vote is Vote.YES:
        # Of the proposal, not of this vote: what it decides says where it was decided.
        of_proposal = replace(context, id=identity)
        changes = actions_changes(proposal.actions, of_proposal, decides=accepted)
    against = weight_of(roster, votes, Vote.NO) + weight_of(roster, votes, Vote.ABSTAIN)
    refused = not roster.is_supermajority(sum(roster.weights) - against)
    outcome = Outcome.OPEN
    if accepted or refused:
        outcome = Outcome.ACCEPTED if accepted else Outcome.REFUSED
    closed = Round(0) if outcome is Outcome.OPEN else context.round
    after = replace(proposal, votes=votes, outcome=outcome, closed_round=closed)
    entry = (proposal_key(identity), after.encode())
    return [entry, *(changes if accepted else ())], after


def _cast(proposal: Proposal, context: Context) -> dict[PublicKey, Vote]:
    """Return the votes by the present keys of those who voted."""
    return {current_key(context.read, key): vote for key, vote in proposal.votes}


_Open: TypeAlias = list[tuple[TransactionId, Round]]


def _open_proposals(
    context: Context, proposer: PublicKey, *, but: TransactionId | None = None
) -> _Open:
    """Return a member's proposals that can still be voted on, oldest first, without `but`."""
    value = context.read(proposer_key(proposer))
    listed = {} if value is None else listed_proposals(value)
    return [
        (identity, expires)
        for identity, expires in listed.items()
        if identity != but and context.round <= expires
    ]


def _own_list(proposer: PublicKey, proposals: _Open) -> tuple[bytes, bytes]:
    items: list[Value] = [[proposal, expires] for proposal, expires in proposals]
    return proposer_key(proposer), encode(items)


def _vote(value: Value) -> Vote:
    text = as_text(value, length_max=INT_MAX)
    if text not in {one.value for one in Vote}:
        raise BadAction(f"{text[:16]!r} is not a vote: yes, no or abstain")
    return Vote(text)


def _public_key(value: Value) -> PublicKey:
    return PublicKey(as_bytes(value, size=PUBLIC_KEY_SIZE_BYTES))
