"""Interactions: both ends sign one body, and either can show it as a block of its journal."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.codec import encode
from core.ids import Hash, NetworkId, PublicKey, Signature
from identity.errors import BadInteraction
from identity.keys import KeyPair
from identity.trust.interaction import (
    InteractionProof,
    decode_interaction,
    decode_offer,
    encode_offer,
    exchange_digest,
    interaction,
    proof_of,
)
from identity.trust.limits import INTERACTION_SIZE_BYTES_MAX, INTERACTION_SKEW_S
from journal.checkpoint import sign_checkpoint
from journal.merkle import leaf_hash
from journal.proof_file import format_proof, verify_proof

A, B = (KeyPair(bytes([number]) * 32) for number in (1, 2))
NETWORK = NetworkId(hashlib.sha256(b"a network").digest())
OTHER_NETWORK = NetworkId(hashlib.sha256(b"another").digest())
DIGEST = exchange_digest(b"question", b"answer")
TIME_NS = 1_700_000_000_000_000_000
MET = interaction(NETWORK, A.public_key, B.public_key, time_ns=TIME_NS, digest=DIGEST)
SIGNED = {pair.public_key: pair.sign(MET.body) for pair in (A, B)}
PROOF = proof_of(MET, SIGNED)
VECTOR = json.loads(
    (Path(__file__).resolve().parents[2] / "vectors" / "trust.json").read_text(encoding="utf-8")
)["interaction"]


def test_its_bytes_stay_what_they_are() -> None:
    assert MET.body.hex() == VECTOR["body"]
    assert MET.identity.hex() == VECTOR["id"]
    assert PROOF.encode().hex() == VECTOR["encoded"]
    assert DIGEST.hex() == VECTOR["digest"]


def test_both_ends_sign_the_same_whoever_begins() -> None:
    again = interaction(NETWORK, B.public_key, A.public_key, time_ns=TIME_NS, digest=DIGEST)
    assert again == MET
    assert again.identity == MET.identity


def test_a_proof_comes_back_as_it_was() -> None:
    assert decode_interaction(PROOF.encode(), NETWORK) == PROOF
    assert len(PROOF.encode()) <= INTERACTION_SIZE_BYTES_MAX


def test_an_exchange_is_its_question_and_its_answer_in_that_order() -> None:
    digests = {
        exchange_digest(*pair)
        for pair in ((b"ab", b"c"), (b"a", b"bc"), (b"c", b"ab"), (b"", b"abc"))
    }
    assert len(digests) == 4


def test_a_cell_does_not_interact_with_itself() -> None:
    with pytest.raises(BadInteraction):
        interaction(NETWORK, A.public_key, A.public_key, time_ns=1, digest=DIGEST)


@pytest.mark.parametrize(
    "signatures",
    [
        {A.public_key: SIGNED[A.public_key]},
        {A.public_key: SIGNED[A.public_key], B.public_key: SIGNED[A.public_key]},
        {A.public_key: SIGNED[B.public_key], B.public_key: SIGNED[A.public_key]},
    ],
)
def test_one_end_alone_proves_nothing(signatures: dict[PublicKey, Signature]) -> None:
    with pytest.raises(BadInteraction):
        proof_of(MET, signatures)


def test_it_is_of_one_network() -> None:
    with pytest.raises(BadInteraction):
        decode_interaction(PROOF.encode(), OTHER_NETWORK)


def test_its_keys_have_one_order() -> None:
    turned = dataclasses.replace(MET, one=MET.other, other=MET.one)
    signatures = [
        {pair.public_key: pair for pair in (A, B)}[key].sign(turned.body)
        for key in (turned.one, turned.other)
    ]
    data = InteractionProof(turned, (signatures[0], signatures[1])).encode()
    with pytest.raises(BadInteraction):
        decode_interaction(data, NETWORK)


@given(at=st.integers(0, len(PROOF.encode()) - 1), bit=st.integers(0, 7))
def test_one_flipped_bit_anywhere_is_refused(at: int, bit: int) -> None:
    data = bytearray(PROOF.encode())
    data[at] ^= 1 << bit
    with pytest.raises(BadInteraction):
        decode_interaction(bytes(data), NETWORK)


@pytest.mark.parametrize(
    "data", [b"", encode([]), encode([MET.body, bytes(64)]), bytes(INTERACTION_SIZE_BYTES_MAX + 1)]
)
def test_what_is_no_proof_is_refused(data: bytes) -> None:
    with pytest.raises(BadInteraction):
        decode_interaction(data, NETWORK)


def test_an_offer_is_signed_by_who_makes_it_and_made_to_who_gets_it() -> None:
    offer = encode_offer(MET, SIGNED[A.public_key])
    read = decode_offer(offer, NETWORK, by=A.public_key, to=B.public_key)
    assert read == (MET, SIGNED[A.public_key])
    third = KeyPair(bytes([3]) * 32).public_key
    for by, to, network in (
        (B.public_key, A.public_key, NETWORK),
        (A.public_key, third, NETWORK),
        (third, B.public_key, NETWORK),
        (A.public_key, A.public_key, NETWORK),
        (A.public_key, B.public_key, OTHER_NETWORK),
    ):
        with pytest.raises(BadInteraction):
            decode_offer(offer, network, by=by, to=to)
    for data in (b"", PROOF.encode(), encode([MET.body, SIGNED[B.public_key]])):
        with pytest.raises(BadInteraction):
            decode_offer(data, NETWORK, by=A.public_key, to=B.public_key)


def test_a_proof_of_any_network_is_read_where_none_is_named() -> None:
    assert decode_interaction(PROOF.encode(), None) == PROOF


def test_a_cell_signs_only_what_happens_now() -> None:
    skew = INTERACTION_SKEW_S * 10**9
    seen = [MET.is_timely(TIME_NS + off) for off in (-skew - 1, -skew, 0, skew, skew + 1)]
    assert seen == [False, True, True, True, False]


def test_either_end_can_show_it_as_a_block_of_its_journal() -> None:
    for shown_by in (A, B):
        block = PROOF.encode()
        head = sign_checkpoint(
            f"{shown_by.cell_id}/identity/0",
            1,
            Hash(leaf_hash(block)),
            shown_by.public_key,
            shown_by.sign,
        )
        shown = verify_proof(format_proof(0, block, [], head), shown_by.cell_id)
        assert decode_interaction(shown.block, NETWORK).interaction == MET
