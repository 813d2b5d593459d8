"""The rules of governance read once more, for `sim.law`: who votes next, and by which rules.

Shares only values and encodings with `ledger.members`, `ledger.governance` and `ledger.upgrades`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import TypeAlias

from core.codec import Value, encode
from core.ids import Epoch, PublicKey, Round, TransactionId
from ledger.actions import Action, Burn, Issue, PayOut, Resolution, SetParameter
from ledger.epoch_rules import EpochRules, Support, Versions
from ledger.genesis import Genesis
from ledger.governance import (
    GovPropose,
    GovVote,
    Outcome,
    Proposal,
    Vote,
    proposal_key,
    proposer_key,
)
from ledger.limits import PROPOSAL_ROUNDS_MAX, PROPOSALS_OPEN_MAX
from ledger.members import Action as Change
from ledger.members import MemberApprove, MemberLeave, MemberPropose
from ledger.parameters import parameter_key
from ledger.roster import NEXT_MEMBERS_KEY, Member, Roster, encode_members
from ledger.upgrades import SUPPORT_PREFIX, UPGRADE_KEY, Announce, Planned, Upgrade
from sim.law_errors import Refused
from sim.law_money import Money

Deed: TypeAlias = GovPropose | MemberPropose | GovVote | MemberApprove | Announce | MemberLeave
"""What members do."""


class Council:
    """What the members decided. `state` is that of the law, to be written to."""

    def __init__(
        self,
        genesis: Genesis,
        state: dict[bytes, bytes],
        today: Callable[[PublicKey], PublicKey],
        money: Money,
    ) -> None:
        """`today` tells what became of a key."""
        self._money = money
        self.roster = genesis.roster
        self.planned = genesis.members
        self._rules = genesis.roster.rules
        self._state = state
        self._today = today
        self._proposals: dict[TransactionId, Proposal] = {}
        self._open: dict[PublicKey, list[tuple[TransactionId, Round]]] = {}
        self._supports: dict[PublicKey, Support] = {}
        self._upgrade: Planned | None = None

    def check_member(self, sender: PublicKey) -> None:
        """Raise Refused unless the sender is a member."""
        if self.roster.index_of(sender) is None:
            raise Refused("the sender is no member")

    def take(self, identity: TransactionId, what: Deed, sender: PublicKey, now: Round) -> None:
        """Carry out a transaction; raises Refused."""
        self.check_member(sender)
        match what:
            case GovPropose():
                self._propose(identity, what, sender, now)
            case MemberPropose():
                proposed = GovPropose("", (what,), PROPOSAL_ROUNDS_MAX)
                self._propose(identity, proposed, sender, now)
            case GovVote():
                self._vote(what.proposal, what.vote, sender, now)
            case MemberApprove():
                self._vote(what.proposal, Vote.YES, sender, now)
            case Announce():
                self._announce(what.support, sender)
            case MemberLeave():
                self.remove(sender)

    def _propose(
        self, identity: TransactionId, what: GovPropose, sender: PublicKey, now: Round
    ) -> None:
        """Take a proposal and its sender's yes."""
        own = self._open_of(sender, now)
        if len(own) >= PROPOSALS_OPEN_MAX:
            raise Refused("the sender has too many open proposals")
        ends = Round(now + what.rounds)
        made = Proposal(what.title, what.actions, sender, now, ends)
        if self._count(identity, made, Vote.YES, sender, now) is Outcome.OPEN:
            self._keep_open(sender, [*own, (identity, ends)])

    def _vote(self, identity: TransactionId, vote: Vote, sender: PublicKey, now: Round) -> None:
        """Take a vote, or the change of one."""
        proposal = self._proposals.get(identity)
        if proposal is None:
            raise Refused("there is no such proposal")
        if proposal.outcome is not Outcome.OPEN or now > proposal.expires_round:
            raise Refused("the proposal is closed")
        if (sender, vote) in [(self._today(key), cast) for key, cast in proposal.votes]:
            raise Refused("the sender had voted so")
        if self._count(identity, proposal, vote, sender, now) is not Outcome.OPEN:
            proposer = self._today(proposal.proposer)
            open_now = self._open_of(proposer, now)
            self._keep_open(proposer, [one for one in open_now if one[0] != identity])

    def _announce(self, support: Support, sender: PublicKey) -> None:
        """Take what a member's build knows."""
        if self._supports.get(sender) == support:
            raise Refused("the sender had announced the same")
        self._supports[sender] = support
        self._state[SUPPORT_PREFIX + sender] = encode(support.to_value())

    def remove(self, member: PublicKey) -> None:
        """Plan the next epoch without a member."""
        self._plan(_changed(self.planned, MemberPropose(Change.REMOVE, member)))

    def rotated(self, old: PublicKey, new: PublicKey) -> None:
        """Give what was a key's to the one that follows."""
        if proposer_key(old) in self._state:
            self._open[new] = self._open[old]
            self._state[proposer_key(new)] = self._state[proposer_key(old)]
        if old in self._supports:
            self._supports[new] = self._supports[old]
            self._state[SUPPORT_PREFIX + new] = self._state[SUPPORT_PREFIX + old]
        if any(member.public_key == old for member in self.planned):
            renamed = (
                dataclasses.replace(member, public_key=new) if member.public_key == old else member
                for member in self.planned
            )
            self._plan(tuple(renamed))

    def ends_epoch(self, now: Round) -> bool:
        """Return whether a round is the last of its epoch."""
        changed = (self.planned, self._rules) != (self.roster.members, self.roster.rules)
        return changed or now - self.roster.first_round + 1 >= self.roster.rules.epoch_rounds

    def begin_epoch(self, after: Round, time_ns: int) -> None:
        """Begin the epoch that follows a round."""
        epoch = Epoch(self.roster.epoch + 1)
        wanted = self._upgrade
        is_due = wanted is not None and not wanted.begun and wanted.upgrade.epoch <= epoch
        if wanted is not None and is_due and self._know(self.planned, wanted.upgrade.versions):
            self._rules = _with_versions(self._rules, wanted.upgrade.versions)
            self._note_upgrade(dataclasses.replace(wanted, begun=epoch))
        self.roster = Roster(epoch, Round(after + 1), time_ns, self.planned, self._rules)

    def _count(
        self, identity: TransactionId, proposal: Proposal, vote: Vote, sender: PublicKey, now: Round
    ) -> Outcome:
        """Count one more vote; return what becomes of the proposal."""
        cast = {self._today(key): said for key, said in proposal.votes}
        cast[sender] = vote
        weights = {member.public_key: member.weight for member in self.roster.members}
        votes = tuple((key, cast[key]) for key in weights if key in cast)
        total, yes = sum(weights.values()), _weight(votes, weights, Vote.YES)
        outcome = Outcome.OPEN
        if vote is Vote.YES and 3 * yes > 2 * total:
            outcome = Outcome.ACCEPTED
        elif 3 * (total - sum(weights[key] for key, _ in votes) + yes) <= 2 * total:
            outcome = Outcome.REFUSED
        if vote is Vote.YES:
            self._carry_out(identity, proposal.actions, done=outcome is Outcome.ACCEPTED)
        after = dataclasses.replace(
            proposal,
            votes=votes,
            outcome=outcome,
            closed_round=Round(0) if outcome is Outcome.OPEN else now,
        )
        self._proposals[identity] = after
        self._state[proposal_key(identity)] = after.encode()
        return outcome

    def _carry_out(self, identity: TransactionId, actions: Sequence[Action], *, done: bool) -> None:
        """Check that the actions are possible; with `done`, carry them out."""
        copied = self._money.copied()
        members, values = self.planned, dict[str, int]()
        upgrade: Planned | None = None
        for action in actions:
            match action:
                case MemberPropose():
                    named = self._today(action.public_key)
                    members = _changed(members, dataclasses.replace(action, public_key=named))
                case SetParameter():
                    values[action.name] = action.value
                    self._money.set_parameter(action.name, action.value)
                case Upgrade():
                    upgrade = self._planned_by(identity, action, done=done)
                case Issue():
                    self._money.issue(action.to, action.amount)
                case Burn():
                    self._money.burn(action.source, action.amount)
                case PayOut():
                    self._money.pay_out(action.to, action.amount)
                case Resolution():
                    pass
        if not done:
            self._money.go_back(copied)
            return
        self._settle(actions, members, values)
        if upgrade is not None:
            self._note_upgrade(upgrade)

    def _settle(
        self, actions: Sequence[Action], members: tuple[Member, ...], values: dict[str, int]
    ) -> None:
        """Keep what was decided on members and parameters."""
        if any(isinstance(action, MemberPropose) for action in actions):
            self._plan(members)
        for name, value in values.items():
            self._state[parameter_key(name)] = encode([value])
        self._rules = dataclasses.replace(
            self._rules, **{name: values[name] for name in values if hasattr(self._rules, name)}
        )

    def _planned_by(self, identity: TransactionId, action: Upgrade, *, done: bool) -> Planned:
        if action.epoch <= self.roster.epoch:
            raise Refused("the epoch of the upgrade has begun")
        if action.versions == self.roster.rules.versions:
            return Planned(action, identity, self.roster.epoch)
        if done and not self._know(self.roster.members, action.versions):
            raise Refused("too few know the versions")
        return Planned(action, identity)

    def _know(self, members: Sequence[Member], versions: Versions) -> bool:
        knowing = [one.weight for one in members if self._knows(one.public_key, versions)]
        return 3 * sum(knowing) > 2 * sum(member.weight for member in members)

    def _knows(self, key: PublicKey, versions: Versions) -> bool:
        said = self._supports.get(key)
        if said is None:
            return False
        known = {(a, b, c) for a in said.rule_sets for b in said.wires for c in said.transactions}
        return (versions.rule_set, versions.wire, versions.transaction) in known

    def _note_upgrade(self, planned: Planned) -> None:
        self._upgrade = planned
        self._state[UPGRADE_KEY] = planned.encode()

    def _open_of(self, sender: PublicKey, now: Round) -> list[tuple[TransactionId, Round]]:
        return [one for one in self._open.get(sender, []) if now <= one[1]]

    def _keep_open(self, sender: PublicKey, proposals: list[tuple[TransactionId, Round]]) -> None:
        self._open[sender] = proposals
        items: list[Value] = [[identity, ends] for identity, ends in proposals]
        self._state[proposer_key(sender)] = encode(items)

    def _plan(self, members: tuple[Member, ...]) -> None:
        self.planned = members
        self._state[NEXT_MEMBERS_KEY] = encode_members(members)


def _weight(
    votes: Sequence[tuple[PublicKey, Vote]], weights: dict[PublicKey, int], vote: Vote
) -> int:
    return sum(weights[key] for key, cast in votes if cast is vote)


def _with_versions(rules: EpochRules, versions: Versions) -> EpochRules:
    return EpochRules(
        versions.rule_set,
        rules.coin_period,
        rules.epoch_rounds,
        versions.wire,
        versions.transaction,
    )


def _changed(members: tuple[Member, ...], change: MemberPropose) -> tuple[Member, ...]:
    by_key = {member.public_key: member for member in members}
    key = change.public_key
    if (change.action is Change.ADD) == (key in by_key):
        raise Refused("the change is not possible")
    if change.action is Change.REMOVE:
        del by_key[key]
    else:
        name = change.name if change.action is Change.ADD else by_key[key].name
        by_key[key] = Member(key, change.weight, name)
    if not by_key:
        raise Refused("nobody would be left")
    return tuple(by_key.values())
