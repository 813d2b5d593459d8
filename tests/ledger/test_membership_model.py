"""Membership and keys over many rounds, restarts and epochs, beside a simple model of the rules.

The model keeps plain dictionaries and counts by the definition; three cells apply what it applies:
one that never stops, one that restarts from its disk, and one that replays everything at the end.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from core.ids import PublicKey, TransactionId
from identity.keys import KeyPair, verify
from ledger import errors
from ledger.chain import RosterLink, verify_roster_chain
from ledger.genesis import Genesis
from ledger.governance import decode_proposal, proposal_key
from ledger.header import APPLIED
from ledger.kinds import Arguments
from ledger.limits import EPOCH_ROUNDS_MIN
from ledger.machine import Applied
from ledger.members import Action, MemberApprove, MemberLeave, MemberPropose
from ledger.roster import Member
from ledger.rotation import KeyRotate
from ledger.succession import current_key, decode_succession, rotated_key, succession_message
from ledger.transaction import transaction_id
from tests.ledger.world import (
    ALL_KEYS,
    NETWORK,
    START_NS,
    Cell,
    candidates,
    certified,
    rotation,
    signed,
)

ROUNDS_MAX, OPEN_MAX, ROSTER_MAX, STAY = 12, 2, 5, 3
SPARE_KEYS = tuple(KeyPair(bytes([number]) * 32) for number in range(9, 15))
EVERYBODY = ALL_KEYS + SPARE_KEYS
PAIRS = st.sampled_from(EVERYBODY)
WEIGHTS = st.integers(1, 5)


@dataclass
class ModelProposal:
    """A proposal as people would note it down."""

    change: MemberPropose
    proposer: PublicKey
    round: int
    approvals: set[PublicKey] = field(default_factory=set)
    accepted: bool = False


class Model:
    """The rules of membership, without bytes."""

    def __init__(self, members: dict[PublicKey, int]) -> None:
        self.members = members
        self.planned = dict(members)
        self.round = 1
        self.epoch = 0
        self.rounds_in_epoch = 0
        self.proposals: dict[TransactionId, ModelProposal] = {}
        self.successor: dict[PublicKey, PublicKey] = {}
        self.came: dict[PublicKey, int] = {}
        self.used: set[PublicKey] = set()

    def today(self, key: PublicKey) -> PublicKey:
        """Return what became of a key."""
        while key in self.successor:
            key = self.successor[key]
        return key

    def apply(self, identity: TransactionId, sender: PublicKey, act: Arguments) -> str:
        """Apply one transaction; return its outcome."""
        if sender in self.successor:
            return errors.KeyRotated.code
        self.used.add(sender)
        if isinstance(act, KeyRotate):
            return self._rotate(sender, act.successor)
        if sender not in self.members:
            return errors.NotAMember.code
        match act:
            case MemberLeave():
                return self._change(MemberPropose(Action.REMOVE, sender), decide=True)
            case MemberPropose():
                if sum(self._is_open(p) for p in self._made_by(sender)) >= OPEN_MAX:
                    return errors.TooManyProposals.code
                proposal = ModelProposal(act, sender, self.round)
                outcome = self._approve(proposal, sender)
                if outcome == APPLIED:
                    self.proposals[identity] = proposal
                return outcome
            case MemberApprove(key):
                found = self.proposals.get(key)
                if found is None:
                    return errors.NoSuchProposal.code
                if not self._is_open(found):
                    return errors.ProposalClosed.code
                if sender in map(self.today, found.approvals):
                    return errors.AlreadyVoted.code
                return self._approve(found, sender)
        raise AssertionError(act)

    def end_round(self) -> bool:
        """Return whether the round ended its epoch."""
        self.round += 1
        self.rounds_in_epoch += 1
        changed = list(self.planned.items()) != list(self.members.items())
        if not changed and self.rounds_in_epoch < EPOCH_ROUNDS_MIN:
            return False
        self.members = dict(self.planned)
        self.epoch += 1
        self.rounds_in_epoch = 0
        return True

    def _rotate(self, old: PublicKey, new: PublicKey) -> str:
        if new in self.used or new in self.came or new in self.members or new in self.planned:
            return errors.KeyNotFresh.code
        if old in self.came and self.round < self.came[old] + STAY:
            return errors.RotatedTooSoon.code
        self.successor[old], self.came[new] = new, self.round
        self.planned = {new if key == old else key: w for key, w in self.planned.items()}
        return APPLIED

    def _made_by(self, sender: PublicKey) -> list[ModelProposal]:
        return [p for p in self.proposals.values() if self.today(p.proposer) == sender]

    def _is_open(self, proposal: ModelProposal) -> bool:
        return not proposal.accepted and self.round - proposal.round <= ROUNDS_MAX

    def _approve(self, proposal: ModelProposal, sender: PublicKey) -> str:
        earlier = {self.today(key) for key in proposal.approvals}
        approvals = (earlier | {sender}) & set(self.members)
        weight = sum(self.members[key] for key in approvals)
        decides = Fraction(weight, sum(self.members.values())) > Fraction(2, 3)
        outcome = self._change(proposal.change, decide=decides)
        if outcome == APPLIED:
            proposal.approvals, proposal.accepted = approvals, decides
        return outcome

    def _change(self, change: MemberPropose, *, decide: bool) -> str:
        after = dict(self.planned)
        key = self.today(change.public_key)
        if change.action is Action.ADD:
            if key in after:
                return errors.AlreadyAMember.code
            if len(after) == ROSTER_MAX:
                return errors.RosterFull.code
            after[key] = change.weight
        elif key not in after:
            return errors.NoSuchMember.code
        elif change.action is Action.WEIGHT:
            after[key] = change.weight
        elif len(after) == 1:
            return errors.LastMember.code
        else:
            del after[key]
        if decide:
            self.planned = after
        return APPLIED


class Membership(RuleBasedStateMachine):
    """Rounds of random proposals, approvals and leaves."""

    def __init__(self) -> None:
        super().__init__()
        self.patch = pytest.MonkeyPatch()
        self.patch.setattr("ledger.governance.PROPOSAL_ROUNDS_MAX", ROUNDS_MAX)
        self.patch.setattr("ledger.governance.PROPOSALS_OPEN_MAX", OPEN_MAX)
        self.patch.setattr("ledger.members.MEMBERS_MAX", ROSTER_MAX)
        self.patch.setattr("ledger.rotation.ROTATION_ROUNDS_MIN", STAY)
        self.nonces = {pair.public_key: 0 for pair in EVERYBODY}
        self.round: list[tuple[bytes, KeyPair, Arguments]] = []
        self.proposed: list[TransactionId] = [TransactionId(bytes(32))]
        self.history: list[list[bytes]] = []
        self.links: list[RosterLink] = []

    @initialize(weights=st.lists(WEIGHTS, min_size=1, max_size=4))
    def found(self, weights: list[int]) -> None:
        """Start a network of one to four members."""
        pairs = list(zip(ALL_KEYS, weights, strict=False))
        members = tuple(Member(pair.public_key, weight, "m") for pair, weight in pairs)
        self.genesis = Genesis("model", members, START_NS, epoch_rounds=EPOCH_ROUNDS_MIN)
        self.model = Model({member.public_key: member.weight for member in members})
        self.steady, self.restarting = Cell(self.genesis), Cell(self.genesis)

    def _queue(self, pair: KeyPair, act: Arguments) -> bytes:
        raw = signed(pair, self.nonces[pair.public_key], act)
        self.nonces[pair.public_key] += 1
        self.round.append((raw, pair, act))
        return raw

    @rule(sender=PAIRS, action=st.sampled_from(Action), subject=PAIRS, weight=WEIGHTS)
    def propose(self, sender: KeyPair, action: Action, subject: KeyPair, weight: int) -> None:
        """Any cell may try to propose anything."""
        weight, name = (0 if action is Action.REMOVE else weight), "n" * (action is Action.ADD)
        change = MemberPropose(action, subject.public_key, weight, name)
        self.proposed.append(transaction_id(self._queue(sender, change)))

    @rule(sender=PAIRS, data=st.data())
    def approve(self, sender: KeyPair, data: st.DataObject) -> None:
        """Any cell may try to approve anything."""
        proposal = data.draw(st.sampled_from(self.proposed[-6:] + self.proposed[:1]))
        self._queue(sender, MemberApprove(proposal))

    @precondition(lambda self: len(self.proposed) > 1)
    @rule(count=st.integers(1, 4), data=st.data())
    def approve_together(self, count: int, data: st.DataObject) -> None:
        """Several members approve the same proposal, as they do when they agree."""
        proposal = data.draw(st.sampled_from(self.proposed[-6:]))
        members = [pair for pair in EVERYBODY if pair.public_key in self.model.members]
        for pair in members[:count]:
            self._queue(pair, MemberApprove(proposal))

    @rule(sender=PAIRS)
    def leave(self, sender: KeyPair) -> None:
        """Any cell may try to leave."""
        self._queue(sender, MemberLeave())

    @rule(sender=PAIRS, successor=PAIRS)
    def rotate(self, sender: KeyPair, successor: KeyPair) -> None:
        """Anybody may try to give a key up for any other."""
        self._queue(sender, rotation(sender, successor))

    @rule()
    def end_round(self) -> None:
        """Apply what was queued as one round, to the model and to the cells."""
        round_now, self.round = self.round, []
        raws = [raw for raw, _, _ in round_now]
        expected = {
            transaction_id(raw): self.model.apply(transaction_id(raw), pair.public_key, act)
            for raw, pair, act in round_now
        }
        epoch = self.model.epoch
        sealed = self.model.end_round()
        self.history.append(raws)
        one, other = (cell.apply(candidates(raws)) for cell in (self.steady, self.restarting))
        assert one.header.hash == other.header.hash
        assert one.changes == other.changes
        assert {e.receipt.id: e.receipt.outcome for e in one.entries} == expected
        assert (one.sealed is not None) == sealed
        assert one.header.epoch == epoch
        self._note_seal(one)

    @rule(rounds=st.integers(1, ROUNDS_MAX + 1))
    def pass_time(self, rounds: int) -> None:
        """Proposals expire, epochs end."""
        for _ in range(rounds):
            self.end_round()

    @rule()
    def restart(self) -> None:
        """Start one of the cells again, from its disk."""
        self.restarting = self.restarting.restarted()

    def _note_seal(self, applied: Applied) -> None:
        if applied.sealed is not None:
            pairs = {pair.public_key: pair for pair in EVERYBODY}
            voters = [pairs[member.public_key] for member in self.steady.rosters[-2].members]
            certificate = certified(applied.header, range(len(voters)), keys=voters)
            self.links.append(RosterLink(applied.header, certificate, applied.sealed))

    @invariant()
    def the_roster_is_that_of_the_model(self) -> None:
        """Members, their order and weights; the hash in the newest header."""
        for cell in (self.steady, self.restarting):
            roster = cell.ledger.roster
            assert [(m.public_key, m.weight) for m in roster.members] == list(
                self.model.members.items()
            )
            assert roster.members
            assert roster.epoch == self.model.epoch
            assert roster.first_round == self.model.round - self.model.rounds_in_epoch
            if cell.headers:
                assert cell.headers[-1].roster == roster.hash

    @invariant()
    def every_old_key_leads_to_the_present_one(self) -> None:
        """And each step is signed by both keys."""
        read = self.steady.state.get
        for pair in EVERYBODY:
            assert current_key(read, pair.public_key) == self.model.today(pair.public_key)
        for old, new in self.model.successor.items():
            step = decode_succession(self.steady.state[rotated_key(old)])
            assert step.successor == new
            message = succession_message(NETWORK, old, new)
            assert verify(old, message, step.consent)
            assert verify(new, message, step.possession)

    @invariant()
    def proposals_are_those_of_the_model(self) -> None:
        """Approvals, and whether they were enough."""
        for key, expected in self.model.proposals.items():
            proposal = decode_proposal(self.steady.state[proposal_key(key)])
            assert proposal.actions == (expected.change,)
            assert set(proposal.approvals) == expected.approvals
            assert (proposal.accepted_round > 0) == expected.accepted

    def teardown(self) -> None:
        """Replay everything in a new cell, and follow the rosters from the genesis."""
        try:
            if self.history:
                replayed = Cell(self.genesis)
                for raws in self.history:
                    replayed.apply(candidates(raws))
                assert replayed.headers == self.steady.headers
                newest = verify_roster_chain(self.genesis, self.links, verify=verify)
                assert newest == self.steady.ledger.roster
        finally:
            self.patch.undo()


TestMembership = Membership.TestCase
TestMembership.settings = settings(deadline=None, max_examples=60, stateful_step_count=40)
