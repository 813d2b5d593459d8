"""Whoever has the genesis learns who votes now, and nobody can tell it anything else."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.ids import Hash, NetworkId, Round
from identity.keys import KeyPair, verify_all
from ledger.actions import SetParameter
from ledger.errors import BadRosterChain
from ledger.genesis import Genesis
from ledger.governance import GovPropose, GovVote, Vote
from ledger.kinds import Arguments
from ledger.limits import ROSTER_STEPS_MAX
from ledger.members import Action, MemberApprove, MemberPropose
from ledger.parameters import read_parameter
from ledger.roster import Roster
from ledger.roster_proof import RosterStep, decode_proof, encode_proof, shortest, verify_proof
from ledger.transaction import parse, transaction_id
from tests.ledger.world import ALL_KEYS, GENESIS, NEWCOMERS, Cell, candidates, certified, signed

SHORT = replace(GENESIS, epoch_rounds=16)


class History(Cell):
    """A network over epochs: every step to the newest roster, certified by those who vote then."""

    def __init__(self) -> None:
        super().__init__(SHORT)
        self.steps: list[RosterStep] = []

    def step(self, signers: int | None = None) -> RosterStep:
        """The step of the newest header."""
        header = self.headers[-1]
        roster = self.rosters[header.epoch]
        named = self.rosters[-1]
        keys = [key_of(member.public_key) for member in roster.members]
        certificate = certified(header, range(signers or len(keys)), keys=keys)
        members = tuple(member.public_key for member in roster.members)
        return RosterStep(header, certificate, members, named)

    def seal(self) -> None:
        """Let the epoch end by its length."""
        epochs = len(self.rosters)
        while len(self.rosters) == epochs:
            self.apply([])

    def change(self, action: Action, key: KeyPair) -> None:
        """Have all members accept a change, and note the step by which it came."""
        added = action is Action.ADD
        name = key.cell_id[-6:] if added else ""
        arguments = MemberPropose(action, key.public_key, int(added), name)
        voters = [key_of(member.public_key) for member in self.rosters[-1].members]
        nonce = self.ledger.account(voters[0].public_key).highest + 1
        raw = signed(voters[0], nonce, arguments, network_id=SHORT.network_id)
        epochs = len(self.rosters)
        self.submit(raw)
        for voter in voters[1:]:
            if len(self.rosters) == epochs:
                nonce = self.ledger.account(voter.public_key).highest + 1
                approve = MemberApprove(transaction_id(raw))
                self.submit(signed(voter, nonce, approve, network_id=SHORT.network_id))
        assert len(self.rosters) == epochs + 1
        self.steps.append(self.step())

    def set_parameter(self, name: str, value: int) -> None:
        """Have all members vote for a value; it holds from the round after the decision on."""
        proposer, *others = [key_of(member.public_key) for member in self.rosters[-1].members]
        raw = self._next(proposer, GovPropose("a change", (SetParameter(name, value),)))
        self.submit(raw)
        for voter in others:
            if read_parameter(self.state.get, name) != value:
                self.submit(self._next(voter, GovVote(transaction_id(raw), Vote.YES)))
        self.apply([])
        assert read_parameter(self.state.get, name) == value

    def _next(self, key: KeyPair, arguments: Arguments) -> bytes:
        nonce = self.ledger.account(key.public_key).highest + 1
        return signed(key, nonce, arguments, network_id=SHORT.network_id)

    def submit(self, raw: bytes) -> None:
        (item,) = candidates([raw])
        applied = self.apply([replace(item, parsed=parse(raw, SHORT.network_id))])
        outcomes = [entry.receipt.outcome for entry in applied.entries]
        assert outcomes == ["applied"]


def key_of(public_key: bytes) -> KeyPair:
    """Return the pair of a public key of the tests."""
    return next(key for key in ALL_KEYS if key.public_key == public_key)


def _verified(steps: list[RosterStep], trusted: Roster | None = None) -> Roster:
    read = decode_proof(encode_proof(steps))
    assert read == steps
    return verify_proof(SHORT, read, verify_all=verify_all, trusted=trusted)


@pytest.fixture(scope="module")
def changed() -> History:
    """Four members; two join, three of the first leave; epochs without a change between."""
    history = History()
    history.seal()
    history.change(Action.ADD, NEWCOMERS[0])
    history.seal()
    history.change(Action.ADD, NEWCOMERS[1])
    for key in ALL_KEYS[1:4]:
        history.change(Action.REMOVE, key)
        history.seal()
    history.apply([])
    history.steps.append(history.step())
    return history


def test_without_steps_the_genesis_speaks() -> None:
    assert _verified([]) == SHORT.roster


def test_epochs_that_changed_nobody_take_one_step() -> None:
    history = History()
    for _ in range(5):
        history.seal()
    newest = history.step()
    assert shortest(SHORT.roster, [newest]) == [newest]
    assert _verified([newest]) == history.rosters[-1]
    assert newest.roster.epoch == 5


def test_changes_are_followed_in_fewer_steps_than_there_were(changed: History) -> None:
    way = shortest(SHORT.roster, changed.steps)
    assert way[-1] == changed.steps[-1]
    assert 1 < len(way) < len(changed.steps)
    assert _verified(way) == changed.rosters[-1]
    assert _verified(changed.steps) == changed.rosters[-1]


def test_no_way_is_found_when_too_few_of_the_trusted_signed(changed: History) -> None:
    assert shortest(SHORT.roster, changed.steps[-1:]) == []
    with pytest.raises(BadRosterChain):
        _verified(changed.steps[-1:])


def test_a_roster_that_we_know_needs_no_signatures(changed: History) -> None:
    newest = changed.steps[-1]
    bare = replace(newest, certificate=replace(newest.certificate, signatures=()))
    assert _verified([bare], trusted=newest.roster) == newest.roster
    with pytest.raises(BadRosterChain):
        _verified([bare])


@pytest.mark.parametrize("count", [0, 1, 2])
def test_two_thirds_of_the_trusted_weight_are_not_enough_if_fewer_signed(count: int) -> None:
    history = History()
    history.seal()
    step = history.step()
    signatures = step.certificate.signatures[:count]
    few = replace(step, certificate=replace(step.certificate, signatures=signatures))
    with pytest.raises(BadRosterChain):
        _verified([few])


def test_three_of_four_are_enough() -> None:
    history = History()
    history.seal()
    assert _verified([history.step(3)]) == history.rosters[-1]


def test_every_forgery_is_refused(changed: History) -> None:
    way = shortest(SHORT.roster, changed.steps)
    first = way[0]
    certificate = first.certificate
    (number, signature), *rest = certificate.signatures
    other_header = replace(first.header, state_root=Hash(bytes([7]) * 32))
    strangers = tuple(key.public_key for key in ALL_KEYS[4:8])
    forged = [
        replace(first, header=other_header),
        replace(first, roster=way[-1].roster),
        replace(first, signers=strangers),
        replace(first, signers=(first.signers[0],) * len(first.signers)),
        replace(first, signers=first.signers[:1]),
        replace(first, certificate=replace(certificate, round=Round(certificate.round + 1))),
        replace(
            first,
            certificate=replace(
                certificate, signatures=((number, signature), (number, signature), *rest)
            ),
        ),
        replace(
            first,
            certificate=replace(
                certificate,
                signatures=((number, type(signature)(bytes(64))), *rest),
            ),
        ),
        replace(first, header=replace(first.header, network_id=NetworkId(bytes(32)))),
    ]
    for step in forged:
        with pytest.raises(BadRosterChain):
            _verified([step, *way[1:]])
    with pytest.raises(BadRosterChain):
        _verified([*way, way[-1]])
    with pytest.raises(BadRosterChain):
        _verified(way[::-1])


@given(st.data())
@settings(max_examples=100, deadline=None)
def test_every_mutated_byte_is_refused_or_changes_nothing_that_counts(data: st.DataObject) -> None:
    history = History()
    history.seal()
    raw = bytearray(encode_proof([history.step()]))
    raw[data.draw(st.integers(0, len(raw) - 1))] ^= data.draw(st.integers(1, 255))
    try:
        roster = verify_proof(SHORT, decode_proof(bytes(raw)), verify_all=verify_all)
    except BadRosterChain:
        return
    assert roster == history.rosters[-1]


@given(st.binary(max_size=200))
def test_any_bytes_give_the_declared_error(data: bytes) -> None:
    try:
        decode_proof(data)
    except BadRosterChain:
        return


def test_a_proof_has_a_bound(changed: History) -> None:
    with pytest.raises(BadRosterChain):
        decode_proof(encode_proof([changed.steps[0]] * (ROSTER_STEPS_MAX + 1)))


def test_a_proof_holds_for_its_own_network_only(changed: History) -> None:
    other: Genesis = replace(SHORT, name="other")
    with pytest.raises(BadRosterChain):
        verify_proof(other, changed.steps, verify_all=verify_all)
