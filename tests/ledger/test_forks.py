"""A proven fork takes its member out of the next epoch, once, and nothing else does."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.ids import Epoch, EventId, MemberIndex, NetworkId, PublicKey, Round
from core.ids import Sequence as SequenceNumber
from hashgraph.event import Event, make_event
from hashgraph.evidence import encode_evidence, fork_evidence
from hashgraph.limits import EVIDENCE_SIZE_BYTES_MAX
from identity.keys import KeyPair
from ledger.errors import (
    BadEvidence,
    EvidenceLimit,
    EvidenceOutOfTime,
    ForkProven,
    LastMember,
)
from ledger.forks import ForkProof, decode_proven, fork_key, fork_of_key
from ledger.header import APPLIED
from ledger.limits import EVIDENCE_OF_MEMBER_MAX, EVIDENCE_OF_OTHERS_MAX
from ledger.members import Action, MemberApprove, MemberLeave, MemberPropose
from ledger.transaction import transaction_id
from tests.ledger.world import (
    ALL_KEYS,
    GENESIS,
    KEYS,
    NEWCOMERS,
    START_NS,
    Cell,
    candidates,
    signed,
)

A, B, C, D = KEYS
STRANGER = NEWCOMERS[0]


def _event(
    signer: KeyPair, creator: int, text: bytes, *, network_id: NetworkId, epoch: int, sequence: int
) -> Event:
    return make_event(
        network_id=network_id,
        epoch=Epoch(epoch),
        creator=MemberIndex(creator),
        sequence=SequenceNumber(sequence),
        self_parent=EventId(bytes(32)) if sequence else None,
        other_parents=[],
        time_ns=START_NS,
        payload=[text],
        sign=signer.sign,
    )


def evidence(
    signer: KeyPair,
    creator: int,
    *,
    epoch: int = 0,
    network_id: NetworkId = GENESIS.network_id,
    sequence: int = 0,
) -> bytes:
    """Evidence of a fork that `signer` signed as member `creator`."""
    one, other = [
        _event(signer, creator, text, network_id=network_id, epoch=epoch, sequence=sequence)
        for text in (b"one", b"other")
    ]
    return encode_evidence(fork_evidence(one, other, network_id=network_id, epoch=Epoch(epoch)))


def proof(signer: KeyPair, creator: int, *, epoch: int = 0) -> ForkProof:
    return ForkProof(Epoch(epoch), evidence(signer, creator, epoch=epoch))


def _keys(cell: Cell) -> list[PublicKey]:
    return [member.public_key for member in cell.ledger.roster.members]


def _seal(cell: Cell) -> None:
    """Let the members change, so that the next epoch begins."""
    members = _keys(cell)
    voters = [pair for pair in ALL_KEYS if pair.public_key in members]
    change = MemberPropose(
        Action.WEIGHT, voters[0].public_key, cell.ledger.roster.members[0].weight + 1
    )
    nonce = cell.ledger.account(voters[0].public_key).highest + 1
    raw = signed(voters[0], nonce, change)
    epoch = cell.ledger.roster.epoch
    cell.apply(candidates([raw]))
    approve = MemberApprove(transaction_id(raw))
    cell.act(*((voter, approve) for voter in voters[1:]))
    assert cell.ledger.roster.epoch == epoch + 1


def test_proven_evidence_seals_its_epoch_and_the_next_begins_without_the_forker() -> None:
    cell = Cell()
    assert cell.act((A, proof(D, 3))) == [APPLIED]
    assert cell.ledger.roster.epoch == 1
    assert _keys(cell) == [pair.public_key for pair in (A, B, C)]
    assert cell.headers[-1].roster == cell.ledger.roster.hash
    key = fork_key(Epoch(0), D.public_key)
    proven = decode_proven(cell.state[key])
    assert proven.round == 1
    assert proven.accuser == A.public_key
    assert proven.evidence_hash == hashlib.sha256(evidence(D, 3)).digest()
    assert fork_of_key(key) == (0, D.public_key)


def test_anybody_may_bring_evidence_the_forker_itself_too() -> None:
    for sender in (STRANGER, D):
        cell = Cell()
        assert cell.act((sender, proof(D, 3))) == [APPLIED]
        assert D.public_key not in _keys(cell)


def test_a_second_proof_for_one_member_and_epoch_is_refused_in_the_round_and_later() -> None:
    cell = Cell()
    other = ForkProof(Epoch(0), evidence(D, 3, sequence=7))
    assert cell.act((A, proof(D, 3)), (B, proof(D, 3)), (C, other)) == [
        APPLIED,
        ForkProven.code,
        ForkProven.code,
    ]
    assert cell.act((B, other)) == [ForkProven.code]
    assert cell.ledger.roster.epoch == 1


def test_two_forkers_of_one_round_leave_together() -> None:
    cell = Cell()
    assert cell.act((A, proof(D, 3)), (B, proof(C, 2))) == [APPLIED, APPLIED]
    assert _keys(cell) == [A.public_key, B.public_key]
    assert cell.ledger.roster.epoch == 1


def test_evidence_of_the_epoch_before_counts_and_of_an_older_or_later_one_does_not() -> None:
    cell = Cell()
    _seal(cell)
    assert cell.act((A, proof(D, 3, epoch=2))) == [EvidenceOutOfTime.code]
    assert cell.act((A, proof(D, 3))) == [APPLIED], "of epoch 0, whose roster is the genesis's"
    assert cell.ledger.roster.epoch == 2
    assert cell.act((A, proof(C, 2, epoch=0))) == [EvidenceOutOfTime.code]
    assert cell.act((A, proof(C, 2, epoch=1))) == [APPLIED], "of an epoch with its roster stored"
    assert _keys(cell) == [A.public_key, B.public_key]


def test_the_place_in_the_roster_is_that_of_the_epoch_that_was_forked() -> None:
    cell = Cell()
    assert cell.act((B, MemberLeave())) == [APPLIED]
    assert _keys(cell)[1] == C.public_key
    assert cell.act((A, proof(C, 2, epoch=0))) == [APPLIED]
    assert _keys(cell) == [A.public_key, D.public_key]


def test_a_fork_of_who_left_already_is_noted_and_changes_no_roster() -> None:
    cell = Cell()
    assert cell.act((D, MemberLeave())) == [APPLIED]
    assert cell.act((A, proof(D, 3, epoch=0))) == [APPLIED]
    assert cell.ledger.roster.epoch == 1, "nothing changed, so nothing is sealed"
    assert fork_key(Epoch(0), D.public_key) in cell.state


def test_the_last_member_stays() -> None:
    cell = Cell()
    assert cell.act(*((pair, MemberLeave()) for pair in (B, C, D))) == [APPLIED] * 3
    assert cell.act((B, proof(A, 0, epoch=1))) == [LastMember.code]
    assert _keys(cell) == [A.public_key]


def test_members_can_vote_a_forker_in_again_and_its_old_fork_does_not_count_twice() -> None:
    cell = Cell()
    assert cell.act((A, proof(D, 3))) == [APPLIED]
    add = signed(A, 1, MemberPropose(Action.ADD, D.public_key, 1, "again"))
    cell.apply(candidates([add]))
    approve = MemberApprove(transaction_id(add))
    assert cell.act((B, approve), (C, approve)) == [APPLIED, APPLIED]
    assert _keys(cell)[-1] == D.public_key
    assert cell.act((A, proof(D, 3, epoch=2))) == [APPLIED], "but a new one does"
    assert D.public_key not in _keys(cell)


def test_one_sender_can_not_use_up_the_checks_of_a_round() -> None:
    cell = Cell()
    forged = ForkProof(Epoch(0), evidence(STRANGER, 3))
    flood = [(STRANGER, forged)] * (EVIDENCE_OF_OTHERS_MAX + 1)
    outcomes = cell.act(*flood, (NEWCOMERS[1], proof(D, 3)), (A, proof(D, 3)))
    assert outcomes == [
        *[BadEvidence.code] * EVIDENCE_OF_OTHERS_MAX,
        EvidenceLimit.code,
        EvidenceLimit.code,
        APPLIED,
    ]
    flood = [(B, ForkProof(Epoch(1), evidence(STRANGER, 2, epoch=1)))] * 5
    assert cell.act(*flood)[EVIDENCE_OF_MEMBER_MAX:] == [EvidenceLimit.code]
    assert cell.act((B, proof(C, 2, epoch=1))) == [APPLIED], "the next round has its own"


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"junk",
        evidence(STRANGER, 3),
        evidence(C, 3),
        evidence(D, 4),
        evidence(D, 3, epoch=1),
        evidence(D, 3, network_id=NetworkId(bytes(32))),
    ],
    ids=["empty", "junk", "stranger", "other member", "no member", "other epoch", "other network"],
)
def test_what_proves_no_fork_of_a_member_is_refused_and_leaves_no_trace(data: bytes) -> None:
    cell = Cell()
    assert cell.act((A, ForkProof(Epoch(0), data))) == [BadEvidence.code]
    assert not [key for key in cell.state if key.startswith(b"fork/")]
    assert cell.ledger.roster.epoch == 0


def test_more_bytes_than_evidence_can_have_are_refused_before_they_are_ordered() -> None:
    with pytest.raises(BadEvidence):
        signed(A, 0, ForkProof(Epoch(0), bytes(EVIDENCE_SIZE_BYTES_MAX + 1)))
    signed(A, 0, ForkProof(Epoch(0), bytes(EVIDENCE_SIZE_BYTES_MAX)))


GOOD = evidence(D, 3)


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_evidence_with_any_byte_changed_is_refused(data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(GOOD) - 1))
    flip = data.draw(st.integers(1, 255))
    mutated = GOOD[:at] + bytes([GOOD[at] ^ flip]) + GOOD[at + 1 :]
    cut = data.draw(st.booleans())
    cell = Cell()
    outcomes = cell.act((A, ForkProof(Epoch(0), GOOD[:at] if cut else mutated)))
    assert outcomes == [BadEvidence.code]
    assert _keys(cell) == [pair.public_key for pair in KEYS]


def test_a_restarted_cell_applies_evidence_of_the_epoch_before_as_the_others_do() -> None:
    cell = Cell()
    _seal(cell)
    _seal(cell)
    again = cell.restarted()
    for one in (cell, again):
        assert one.act((A, proof(D, 3, epoch=1))) == [APPLIED]
    assert cell.headers[-1].hash == again.headers[-1].hash
    assert cell.ledger.roster == again.ledger.roster
    assert cell.ledger.applied_round == Round(5)
