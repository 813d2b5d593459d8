"""A key is given up for another by both; the old one does nothing more, the seat stays."""

from __future__ import annotations

import dataclasses
import itertools
import json
from pathlib import Path

import pytest

from core.ids import PublicKey, Round, Signature
from identity.keys import KeyPair, verify, verify_all
from ledger.chain import RosterLink, verify_roster_chain
from ledger.errors import (
    AlreadyAMember,
    AlreadyVoted,
    BadRotation,
    KeyNotFresh,
    KeyRotated,
    NotAMember,
    RotatedTooSoon,
    TooManyProposals,
)
from ledger.genesis import Genesis
from ledger.governance import decode_proposal, proposal_key
from ledger.header import APPLIED
from ledger.kinds import Arguments, Put
from ledger.limits import PROPOSALS_OPEN_MAX, ROTATION_ROUNDS_MIN
from ledger.members import MemberLeave
from ledger.roster import Member
from ledger.rotation import KeyRotate
from ledger.succession import (
    current_key,
    decode_origin,
    decode_succession,
    origin_key,
    rotated_key,
    succession_message,
)
from ledger.transaction import SignedTransaction, parse
from tests.ledger.test_forks import proof
from tests.ledger.test_members import add, proposed, remove, weigh, weights_of
from tests.ledger.world import (
    GENESIS,
    KEYS,
    NETWORK,
    NEWCOMERS,
    START_NS,
    Cell,
    candidates,
    certified,
    rotation,
    signed,
)

VECTORS = Path(__file__).resolve().parents[1] / "vectors"
A, B, C, D = KEYS
E, F, G, H = NEWCOMERS
PUT = Put("k", b"v")


def keys_of(cell: Cell) -> list[PublicKey]:
    return [member.public_key for member in cell.ledger.roster.members]


def pass_rounds(cell: Cell, count: int) -> None:
    for _ in range(count):
        cell.apply([])


def test_a_member_keeps_place_weight_and_name_and_the_round_seals() -> None:
    cell = Cell(
        Genesis(
            "g", tuple(Member(k.public_key, i, f"m{i}") for i, k in enumerate(KEYS, 1)), START_NS
        )
    )
    before = cell.ledger.roster.members
    assert cell.act((B, rotation(B, E))) == [APPLIED]
    after = cell.ledger.roster
    assert (after.epoch, after.first_round) == (1, 2)
    assert after.members == (
        before[0],
        dataclasses.replace(before[1], public_key=E.public_key),
        *before[2:],
    )


def test_the_old_key_is_refused_from_there_on_and_uses_nothing_up() -> None:
    cell = Cell()
    assert cell.act((A, PUT), (A, rotation(A, E)), (A, PUT), (B, PUT)) == [
        APPLIED,
        APPLIED,
        KeyRotated.code,
        APPLIED,
    ]
    for act in (Put("k", b"w"), MemberLeave(), rotation(A, F), add(F)):
        assert cell.act((A, act)) == [KeyRotated.code]
    assert cell.ledger.account(A.public_key).highest == 1
    with pytest.raises(KeyRotated):
        cell.ledger.check_sender(A.public_key)
    cell.ledger.check_sender(E.public_key)


def test_the_new_key_begins_with_nonce_zero_and_acts_in_the_next_epoch() -> None:
    cell = Cell()
    assert cell.act((A, rotation(A, E)), (E, PUT), (E, add(F))) == [
        APPLIED,
        APPLIED,
        NotAMember.code,
    ]
    assert cell.ledger.account(E.public_key).highest == 1
    assert cell.act((E, add(F))) == [APPLIED]


def test_who_is_no_member_rotates_without_a_seal() -> None:
    cell = Cell()
    assert cell.act((E, PUT), (E, rotation(E, F)), (F, PUT)) == [APPLIED] * 3
    assert cell.ledger.roster == GENESIS.roster
    assert current_key(cell.state.get, E.public_key) == F.public_key


@pytest.mark.parametrize("taken", [A, B, E])
def test_only_a_key_that_nobody_knows_can_follow(taken: KeyPair) -> None:
    cell = Cell()
    cell.act((E, PUT))
    assert cell.act((A, rotation(A, taken))) == [KeyNotFresh.code]
    assert cell.ledger.roster == GENESIS.roster


def test_two_keys_can_not_become_one() -> None:
    cell = Cell()
    assert cell.act((A, rotation(A, E)), (B, rotation(B, E))) == [APPLIED, KeyNotFresh.code]


def test_no_key_comes_back() -> None:
    cell = Cell()
    cell.act((E, rotation(E, F)))
    pass_rounds(cell, ROTATION_ROUNDS_MIN)
    assert cell.act((F, rotation(F, E))) == [KeyNotFresh.code]
    assert cell.act((A, rotation(A, E))) == [KeyNotFresh.code]


def test_a_key_that_is_about_to_join_can_not_follow() -> None:
    cell = Cell()
    approve = proposed(cell, A, add(E))
    cell.act((B, approve))
    assert cell.act((C, approve), (D, rotation(D, E))) == [APPLIED, KeyNotFresh.code]


def test_a_key_stays_for_a_while_before_it_goes_again() -> None:
    cell = Cell()
    cell.act((A, rotation(A, E)))
    assert cell.act((E, rotation(E, F))) == [RotatedTooSoon.code]
    pass_rounds(cell, ROTATION_ROUNDS_MIN - 2)
    assert cell.ledger.applied_round == ROTATION_ROUNDS_MIN
    assert cell.act((E, rotation(E, F))) == [APPLIED]


def test_an_old_key_leads_to_the_present_one_by_steps_that_anybody_can_check() -> None:
    cell = Cell()
    line = [A, E, F, G]
    for old, new in itertools.pairwise(line):
        assert cell.act((old, rotation(old, new))) == [APPLIED]
        pass_rounds(cell, ROTATION_ROUNDS_MIN)
    cell = cell.restarted()
    read = cell.state.get
    assert {current_key(read, pair.public_key) for pair in line} == {G.public_key}
    assert current_key(read, B.public_key) == B.public_key
    for old, new in itertools.pairwise(line):
        step = decode_succession(cell.state[rotated_key(old.public_key)])
        message = succession_message(NETWORK, old.public_key, new.public_key)
        assert step.successor == new.public_key
        assert verify(old.public_key, message, step.consent)
        assert verify(new.public_key, message, step.possession)
        origin = decode_origin(cell.state[origin_key(new.public_key)])
        assert (origin.first, origin.before) == (A.public_key, old.public_key)
        with pytest.raises(KeyRotated):
            cell.ledger.check_sender(old.public_key)
    assert keys_of(cell)[0] == G.public_key


@pytest.mark.parametrize("field", ["consent", "possession"])
def test_both_keys_must_have_signed_this_step_in_this_network(field: str) -> None:
    good = rotation(A, E)
    other = rotation(A, E, GENESIS.network_id[::-1])  # type: ignore[arg-type]  # of another network
    third = rotation(A, F)
    for bad in (bytes(64), getattr(other, field), getattr(third, field)):
        forged = KeyRotate(
            E.public_key,
            Signature(bad) if field == "consent" else good.consent,
            Signature(bad) if field == "possession" else good.possession,
        )
        parsed = parse(signed(A, 0, forged), NETWORK)
        assert isinstance(parsed, SignedTransaction)
        verdicts = verify_all(parsed.signature_checks)
        assert verdicts == [True, field != "consent", field != "possession"]
    parsed = parse(signed(A, 0, good), NETWORK)
    assert isinstance(parsed, SignedTransaction)
    assert verify_all(parsed.signature_checks) == [True] * 3


def test_a_rotation_that_another_key_sends_has_no_right_signature() -> None:
    parsed = parse(signed(B, 0, rotation(A, E)), NETWORK)
    assert isinstance(parsed, SignedTransaction)
    assert verify_all(parsed.signature_checks) == [True, False, False]


@pytest.mark.parametrize(
    "rotate",
    [
        KeyRotate(PublicKey(bytes(31)), Signature(bytes(64)), Signature(bytes(64))),
        KeyRotate(PublicKey(bytes(32)), Signature(bytes(63)), Signature(bytes(64))),
        KeyRotate(PublicKey(bytes(32)), Signature(bytes(64)), Signature(bytes(65))),
    ],
)
def test_arguments_of_other_sizes_are_refused(rotate: KeyRotate) -> None:
    with pytest.raises(BadRotation):
        signed(A, 0, rotate)


# -- proposals ---------------------------------------------------------------------------------


def test_approvals_stay_and_are_not_given_twice() -> None:
    cell = Cell()
    approve = proposed(cell, A, add(F, 2))
    cell.act((B, approve))
    assert cell.act((B, rotation(B, E))) == [APPLIED]
    assert cell.act((E, approve)) == [AlreadyVoted.code]
    assert cell.act((C, approve)) == [APPLIED]
    proposal = decode_proposal(cell.state[proposal_key(approve.proposal)])
    assert proposal.accepted_round > 0
    assert proposal.approvals == (A.public_key, E.public_key, C.public_key)
    assert weights_of(cell)[F.public_key] == 2


def test_a_new_key_is_no_way_out_of_a_removal_or_a_weight() -> None:
    cell = Cell()
    out, heavy = proposed(cell, A, remove(D)), proposed(cell, A, weigh(C, 3))
    cell.act((D, rotation(D, E)))
    cell.act((C, rotation(C, F)))
    cell.act((B, out), (B, heavy))
    assert cell.act((F, out)) == [APPLIED]
    assert keys_of(cell) == [A.public_key, B.public_key, F.public_key]
    assert cell.act((F, heavy)) == [APPLIED]
    assert weights_of(cell)[F.public_key] == 3


def test_a_member_is_named_by_any_key_that_it_had() -> None:
    cell = Cell()
    cell.act((D, rotation(D, E)))
    assert cell.act((A, add(D))) == [AlreadyAMember.code]
    out = proposed(cell, A, remove(D))
    cell.act((B, out), (C, out))
    assert keys_of(cell) == [A.public_key, B.public_key, C.public_key]


def test_who_was_proposed_and_took_a_new_key_comes_in_with_that() -> None:
    cell = Cell()
    into = proposed(cell, A, add(E))
    cell.act((E, rotation(E, F)))
    cell.act((B, into), (C, into))
    assert keys_of(cell)[-1] == F.public_key
    assert E.public_key not in keys_of(cell)


def test_a_new_key_makes_no_room_for_more_proposals() -> None:
    cell = Cell()
    for weight in range(2, PROPOSALS_OPEN_MAX + 2):
        assert cell.act((A, weigh(B, weight))) == [APPLIED]
    cell.act((A, rotation(A, E)))
    assert cell.act((E, weigh(B, 99))) == [TooManyProposals.code]


# -- forks, certificates, restarts -------------------------------------------------------------


def test_a_fork_is_proven_against_the_old_key_and_removes_the_new_one() -> None:
    cell = Cell()
    assert cell.act((D, rotation(D, E)), (A, proof(D, 3))) == [APPLIED, APPLIED]
    assert keys_of(cell) == [key.public_key for key in KEYS[:3]]


def test_also_in_the_epoch_after_the_rotation() -> None:
    cell = Cell()
    cell.act((D, rotation(D, E)))
    assert cell.act((A, proof(D, 3))) == [APPLIED]
    assert keys_of(cell) == [key.public_key for key in KEYS[:3]]


def test_who_was_proven_a_forker_first_has_no_seat_to_take_along() -> None:
    cell = Cell()
    assert cell.act((A, proof(D, 3)), (D, rotation(D, E))) == [APPLIED, APPLIED]
    assert keys_of(cell) == [key.public_key for key in KEYS[:3]]


def test_rosters_lead_from_the_genesis_to_the_new_key() -> None:
    cell, links = Cell(), []
    voters = list(KEYS)
    for at, new in ((0, E), (2, F)):
        applied = cell.apply(candidates([signed(voters[at], 0, rotation(voters[at], new))]))
        assert applied.sealed is not None
        # The epoch that the rotation ends is certified with the old key.
        certificate = certified(applied.header, range(4), keys=voters)
        links.append(RosterLink(applied.header, certificate, applied.sealed))
        voters[at] = new
    assert verify_roster_chain(GENESIS, links, verify=verify) == cell.ledger.roster
    assert keys_of(cell) == [pair.public_key for pair in voters]


@pytest.mark.parametrize("is_restarted", [False, True])
def test_a_restart_and_a_checkpoint_know_who_gave_a_key_up(is_restarted: bool) -> None:  # noqa: FBT001 - a case
    cell = Cell()
    cell.act((A, rotation(A, E)), (F, rotation(F, G)))
    if is_restarted:
        cell = cell.restarted()
    assert cell.act((A, PUT), (F, PUT), (E, PUT), (G, PUT)) == [
        KeyRotated.code,
        KeyRotated.code,
        APPLIED,
        APPLIED,
    ]


def test_a_refused_rotation_leaves_the_key_as_it_was() -> None:
    cell = Cell()
    acts: list[tuple[KeyPair, Arguments]] = [(A, rotation(A, B)), (A, PUT)]
    assert cell.act(*acts) == [KeyNotFresh.code, APPLIED]


def test_the_last_member_can_rotate() -> None:
    cell = Cell(Genesis("one", (Member(A.public_key, 1, "a"),), START_NS))
    assert cell.act((A, rotation(A, E))) == [APPLIED]
    assert keys_of(cell) == [E.public_key]


def test_the_members_planned_for_the_next_epoch_are_what_changes() -> None:
    cell = Cell()
    into = proposed(cell, A, add(E, 5))
    cell.act((B, into))
    assert cell.act((C, into), (D, rotation(D, F))) == [APPLIED, APPLIED]
    assert keys_of(cell) == [k.public_key for k in (A, B, C, F, E)]
    assert cell.headers[-1].round == Round(3)


def test_a_rotation_has_these_bytes() -> None:
    vectors = json.loads((VECTORS / "key-rotation.json").read_text(encoding="utf-8"))
    assert vectors["network_id"] == NETWORK.hex()
    message = succession_message(NETWORK, A.public_key, E.public_key)
    assert message.hex() == vectors["message"]
    raw = signed(A, 3, rotation(A, E))
    assert raw.hex() == vectors["transaction"]
    cell = Cell()
    pass_rounds(cell, 8)
    cell.apply(candidates([raw]))
    for key, value in vectors["state"].items():
        assert cell.state[bytes.fromhex(key)].hex() == value
