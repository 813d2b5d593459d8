"""A certified answer about the state: of what is there, of what is not, of nothing else."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from core.errors import MyceldError
from core.ids import Hash, NetworkId, Round
from identity.keys import verify
from ledger.certificate import Certificate
from ledger.errors import BadCertificate, BadStateProof
from ledger.header import RoundHeader
from ledger.map_proof import Opened
from ledger.prover import prove_keys
from ledger.roster import Roster
from ledger.state_proof import (
    NoAnswer,
    StateAnswer,
    StateMessage,
    StateQuestion,
    decode_message,
    encode_message,
    verify_answer,
)
from ledger.tree import StateTree
from tests.ledger.world import GENESIS, NETWORK, certified

VECTORS = json.loads(
    (Path(__file__).parents[1] / "vectors" / "state-proof.json").read_text(encoding="utf-8")
)


def proof_of(state: Mapping[bytes, bytes], key: bytes) -> bytes:
    """Return the proof of a key's value in a state."""
    tree = StateTree()
    tree.update(state.items())
    return prove_keys(tree.present(), [key], lambda keys: {one: state[one] for one in keys})


def answer(state: Mapping[bytes, bytes], key: bytes) -> StateAnswer:
    proof = proof_of(state, key)
    header = RoundHeader(
        NETWORK,
        GENESIS.roster.epoch,
        Round(7),
        Hash(bytes(32)),
        Opened(proof).root,
        Hash(bytes(32)),
        GENESIS.roster.hash,
        1,
        9,
        5,
    )
    return StateAnswer(3, key, proof, header, certified(header, (0, 1, 2)))


STATE = {b"value/%d" % number: b"%d" % number for number in range(20)}


def check(
    found: StateAnswer, roster: Roster = GENESIS.roster, network: NetworkId = NETWORK
) -> None:
    verify_answer(found, network, roster, verify=verify)


@pytest.mark.parametrize(("key", "value"), [(b"value/7", b"7"), (b"value/none", None)])
def test_an_answer_is_checked_against_the_certified_state(key: bytes, value: bytes | None) -> None:
    good = answer(STATE, key)
    check(good)
    assert good.value == value
    assert decode_message(encode_message(good)) == good
    lies = [
        replace(good, proof=proof_of({**STATE, key: b"8"}, key)),
        replace(good, key=b"value/8"),
        replace(good, header=replace(good.header, state_root=Hash(bytes(32)))),
        replace(good, header=replace(good.header, round=Round(8))),
        replace(good, proof=good.proof[:-1]),
        replace(good, certificate=certified(good.header, (0, 1))),
    ]
    for lie in lies:
        with pytest.raises((BadStateProof, BadCertificate)):
            check(lie)
    with pytest.raises(BadStateProof):
        check(good, network=NetworkId(bytes(32)))


def test_questions_and_refusals_survive_their_encoding() -> None:
    for message in (StateQuestion(b"value/a"), NoAnswer(7, "MYC-LEDGER-302")):
        assert decode_message(encode_message(message)) == message
    for body in (b"", b"\x90", b"\x91\xa5state", b"\x92\xa5value\x01"):
        with pytest.raises(MyceldError):
            decode_message(body)


def test_the_format_is_that_of_the_golden_vectors() -> None:
    messages: dict[str, StateMessage] = {
        "question": StateQuestion(b"value/7"),
        "value": answer(STATE, b"value/7"),
        "absent": answer(STATE, b"value/none"),
        "none": NoAnswer(7, "MYC-LEDGER-302"),
    }
    for name, message in messages.items():
        assert encode_message(message).hex() == VECTORS[name]
        assert decode_message(bytes.fromhex(VECTORS[name])) == message


def test_a_certificate_of_another_header_proves_nothing() -> None:
    good = answer(STATE, b"value/7")
    other = answer({**STATE, b"value/7": b"8"}, b"value/7")
    assert isinstance(good.certificate, Certificate)
    with pytest.raises(BadStateProof):
        check(replace(other, certificate=good.certificate))
