"""Attestations in the state: one for an issuer, a subject and a scope, with an end and a bound."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from core.codec import Value, WrongShape, encode
from core.errors import MyceldError
from core.ids import MemberIndex, NetworkId, PublicKey, Round
from identity.keys import KeyPair
from ledger import trust
from ledger.errors import (
    BadAttestation,
    KeyRotated,
    NoSuchAttestation,
    SelfAttestation,
    TooManyAttestations,
)
from ledger.header import APPLIED
from ledger.kinds import parse_arguments
from ledger.limits import SCORE_MILLIONTHS_MAX
from ledger.network_score import EpochRecord, score_key
from ledger.transaction import SignedTransaction, parse
from ledger.trust import (
    Attestation,
    TrustAttest,
    TrustRevoke,
    attestation_key,
    attestation_of_key,
    decode_attestation,
    issuer_key,
)
from tests.ledger.world import KEYS, NEWCOMERS, START_NS, Cell, candidates, rotation, signed

A, B, C, D = KEYS
STRANGER = NEWCOMERS[0]
HIGH = 900_000
VECTORS = json.loads(
    (Path(__file__).resolve().parents[1] / "vectors" / "trust.json").read_text(encoding="utf-8")
)


def attest(
    subject: KeyPair, score: int = HIGH, scope: str = "general", expires: int = 0
) -> TrustAttest:
    return TrustAttest(subject.public_key, scope, score, Round(expires))


def revoke(subject: KeyPair, scope: str = "general") -> TrustRevoke:
    return TrustRevoke(subject.public_key, scope)


def found(
    cell: Cell, issuer: KeyPair, subject: KeyPair, scope: str = "general"
) -> Attestation | None:
    value = cell.state.get(attestation_key(issuer.public_key, subject.public_key, scope))
    return None if value is None else decode_attestation(value)


def count(cell: Cell, issuer: KeyPair) -> bytes | None:
    return cell.state.get(issuer_key(issuer.public_key))


def test_an_attestation_is_kept_with_its_round_and_time() -> None:
    cell = Cell()
    assert cell.act((A, attest(B, expires=9))) == [APPLIED]
    assert found(cell, A, B) == Attestation(HIGH, Round(1), START_NS, Round(9))
    assert found(cell, B, A) is None


def test_a_new_attestation_takes_the_place_of_the_old_one() -> None:
    cell = Cell()
    cell.act((A, attest(B)))
    assert cell.act((A, attest(B, 100_000))) == [APPLIED]
    assert found(cell, A, B) == Attestation(100_000, Round(2), START_NS)
    assert count(cell, A) == encode([1])


def test_scopes_and_issuers_stand_beside_each_other() -> None:
    cell = Cell()
    cell.act((A, attest(B)), (A, attest(B, 0, "chat")), (C, attest(B, 1)))
    scores = [found(cell, A, B), found(cell, A, B, "chat"), found(cell, C, B)]
    assert [one and one.score_millionths for one in scores] == [HIGH, 0, 1]


def test_whoever_has_a_key_may_attest() -> None:
    assert Cell().act((STRANGER, attest(A))) == [APPLIED]


def test_nobody_attests_itself() -> None:
    cell = Cell()
    assert cell.act((A, attest(A))) == [SelfAttestation.code]
    assert found(cell, A, A) is None


def test_what_is_revoked_leaves_a_mark_and_can_be_said_again() -> None:
    cell = Cell()
    cell.act((A, attest(B)))
    assert cell.act((A, revoke(B))) == [APPLIED]
    assert found(cell, A, B) == Attestation(0, Round(2), START_NS, is_revoked=True)
    assert count(cell, A) == encode([0])
    assert cell.act((A, revoke(B))) == [NoSuchAttestation.code]
    assert cell.act((A, attest(B))) == [APPLIED]
    assert count(cell, A) == encode([1])


@pytest.mark.parametrize("other", [revoke(C), revoke(B, "chat")])
def test_only_what_was_said_can_be_revoked(other: TrustRevoke) -> None:
    cell = Cell()
    cell.act((A, attest(B)))
    assert cell.act((A, other)) == [NoSuchAttestation.code]
    assert cell.act((D, revoke(B))) == [NoSuchAttestation.code]


def test_an_attestation_counts_up_to_its_last_round() -> None:
    ends = Attestation(HIGH, Round(1), 0, Round(5))
    assert [ends.counts(Round(number)) for number in (4, 5, 6)] == [True, True, False]
    assert Attestation(HIGH, Round(1), 0).counts(Round(2**40))
    assert not Attestation(HIGH, Round(1), 0, is_revoked=True).counts(Round(1))


def test_one_that_has_ended_when_it_is_ordered_is_refused() -> None:
    cell = Cell()
    cell.apply([])
    assert cell.act((A, attest(B, expires=1))) == [BadAttestation.code]
    assert cell.act((A, attest(B, expires=3))) == [APPLIED]


def test_an_issuer_has_a_bound_that_revoking_makes_room_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trust, "ATTESTATIONS_OF_ISSUER_MAX", 2)
    cell = Cell()
    assert cell.act((A, attest(B)), (A, attest(C)), (A, attest(D))) == [
        APPLIED,
        APPLIED,
        TooManyAttestations.code,
    ]
    assert cell.act((A, attest(C, 1)), (B, attest(D))) == [APPLIED, APPLIED]
    assert cell.act((A, revoke(B)), (A, attest(D))) == [APPLIED, APPLIED]


def test_a_state_key_says_what_it_is_of() -> None:
    key = attestation_key(A.public_key, B.public_key, "été")
    assert attestation_of_key(key) == (A.public_key, B.public_key, "été")


@pytest.mark.parametrize(
    ("kind", "items", "error"),
    [
        ("trust-attest", [bytes(31), "general", 0, 0], BadAttestation),
        ("trust-attest", [bytes(33), "general", 0, 0], BadAttestation),
        ("trust-attest", [bytes(32), "", 0, 0], BadAttestation),
        ("trust-attest", [bytes(32), "x" * 65, 0, 0], BadAttestation),
        ("trust-attest", [bytes(32), "a\nb", 0, 0], BadAttestation),
        ("trust-attest", [bytes(32), "general", -1, 0], BadAttestation),
        ("trust-attest", [bytes(32), "general", SCORE_MILLIONTHS_MAX + 1, 0], BadAttestation),
        ("trust-attest", [bytes(32), "general", 0, -1], WrongShape),
        ("trust-attest", [bytes(32), "general", 0], WrongShape),
        ("trust-attest", [bytes(32), "general", True, 0], WrongShape),
        ("trust-revoke", [bytes(31), "general"], BadAttestation),
        ("trust-revoke", [bytes(32), ""], BadAttestation),
        ("trust-revoke", [bytes(32), "general", 0], WrongShape),
    ],
)
def test_arguments_out_of_bounds_are_refused(
    kind: str, items: list[Value], error: type[MyceldError]
) -> None:
    with pytest.raises(error):
        parse_arguments(kind, items)


def test_arguments_at_their_bounds_are_taken() -> None:
    subject = PublicKey(bytes(32))
    for score, scope in ((0, "x"), (SCORE_MILLIONTHS_MAX, "ü" * 64)):
        expected = TrustAttest(subject, scope, score, Round(2**63 - 1))
        assert parse_arguments("trust-attest", [subject, scope, score, 2**63 - 1]) == expected


def test_a_refused_attestation_uses_its_nonce_and_nothing_else() -> None:
    cell = Cell()
    applied = cell.apply(candidates([signed(A, 0, attest(A))]))
    assert [key for key, _ in applied.changes] == [b"account/" + A.public_key]


def test_transactions_and_state_have_these_bytes() -> None:
    pair, other = (KeyPair(bytes.fromhex(seed)) for seed in VECTORS["key_seeds"])
    network = NetworkId(bytes.fromhex(VECTORS["network_id"]))
    acts: dict[str, TrustAttest | TrustRevoke] = {
        "attest": TrustAttest(other.public_key, "chat", HIGH, Round(42)),
        "revoke": TrustRevoke(other.public_key, "chat"),
    }
    for name, act in acts.items():
        raw = signed(pair, 7, act, network_id=network)
        assert raw.hex() == VECTORS[name]["encoded"]
        parsed = parse(raw, network)
        assert isinstance(parsed, SignedTransaction)
        assert parsed.arguments == act
    made = Attestation(HIGH, Round(3), START_NS, Round(42))
    gone = Attestation(0, Round(4), START_NS + 1, is_revoked=True)
    record = EpochRecord(frozenset(map(MemberIndex, (0, 2))), frozenset({pair.public_key}))
    assert {
        "attestation_key": attestation_key(pair.public_key, other.public_key, "chat").hex(),
        "attestation": made.encode().hex(),
        "revoked": gone.encode().hex(),
        "issuer_key": issuer_key(pair.public_key).hex(),
        "score_key": score_key(pair.public_key).hex(),
        "record": record.encode().hex(),
    } == VECTORS["state"]


def rotated(cell: Cell, old: KeyPair, new: KeyPair) -> None:
    assert cell.act((old, rotation(old, new))) == [APPLIED]


def test_what_a_cell_says_and_what_is_said_of_it_stay_when_it_takes_another_key() -> None:
    cell = Cell()
    new = NEWCOMERS[1]
    cell.act((STRANGER, attest(B)), (B, attest(STRANGER)))
    rotated(cell, STRANGER, new)
    # Said again, by and of the new key, it takes the place of what was said before.
    assert (
        cell.act((new, attest(B, 1)), (B, attest(new, 2)), (C, attest(STRANGER))) == [APPLIED] * 3
    )
    scores = [found(cell, STRANGER, B), found(cell, B, STRANGER), found(cell, C, STRANGER)]
    assert [one and one.score_millionths for one in scores] == [1, 2, HIGH]
    assert found(cell, new, B) is None
    assert found(cell, B, new) is None
    assert count(cell, STRANGER) == encode([1])
    assert count(cell, new) is None
    assert cell.act((new, attest(STRANGER))) == [SelfAttestation.code]
    assert cell.act((STRANGER, revoke(B))) == [KeyRotated.code]
    assert cell.act((new, revoke(B))) == [APPLIED]
    assert count(cell, STRANGER) == encode([0])


def test_rotating_is_no_way_around_the_bound_of_an_issuer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trust, "ATTESTATIONS_OF_ISSUER_MAX", 2)
    cell = Cell()
    cell.act((STRANGER, attest(A)), (STRANGER, attest(B)))
    rotated(cell, STRANGER, NEWCOMERS[1])
    assert cell.act((NEWCOMERS[1], attest(C))) == [TooManyAttestations.code]


def test_what_was_said_of_a_key_before_it_followed_another_counts_for_nobody() -> None:
    cell = Cell()
    new = NEWCOMERS[1]
    cell.act((B, attest(new)))
    rotated(cell, STRANGER, new)
    assert found(cell, B, STRANGER) is None
    assert count(cell, B) == encode([1])
    assert cell.act((B, revoke(new))) == [APPLIED]
    assert count(cell, B) == encode([0])
    assert cell.act((B, revoke(new))) == [NoSuchAttestation.code]
