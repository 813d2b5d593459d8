"""A proof leads from a key to the state root: of what is there, of what is not, of nothing else."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import MyceldError
from core.ids import Hash, NetworkId, Round
from identity.keys import verify
from ledger.certificate import Certificate
from ledger.errors import BadCertificate, BadStateProof
from ledger.header import RoundHeader
from ledger.roster import Roster
from ledger.state_proof import (
    NoAnswer,
    StateAnswer,
    StateMessage,
    StateQuestion,
    decode_message,
    encode_message,
    root_of_path,
    verify_answer,
)
from ledger.tree import Path as TreePath
from ledger.tree import StateTree
from tests.ledger.world import GENESIS, NETWORK, certified

VECTORS = json.loads(
    (Path(__file__).parents[1] / "vectors" / "state-proof.json").read_text(encoding="utf-8")
)
KEYS = st.binary(min_size=1, max_size=4)
STATES = st.dictionaries(KEYS, st.binary(max_size=8), max_size=40)


def tree_of(state: dict[bytes, bytes]) -> StateTree:
    tree = StateTree()
    for key, value in state.items():
        tree.put(key, value)
    return tree


def path_of(state: dict[bytes, bytes], tree: StateTree, key: bytes) -> TreePath:
    siblings, there = tree.path(key)
    other = None
    if there not in (None, key):
        assert there is not None
        other = (hashlib.sha256(there).digest(), hashlib.sha256(state[there]).digest())
    return TreePath(tuple(siblings), other)


@given(STATES, KEYS)
@settings(deadline=None)
def test_a_path_leads_to_the_root_and_for_no_other_value(
    state: dict[bytes, bytes], key: bytes
) -> None:
    tree = tree_of(state)
    path, value = path_of(state, tree, key), state.get(key)
    assert root_of_path(key, value, path) == tree.root()
    for lie in (b"another value", None if value is not None else b""):
        try:
            assert root_of_path(key, lie, path) != tree.root()
        except BadStateProof:
            continue


@given(STATES.filter(bool), KEYS)
@settings(deadline=None)
def test_a_value_that_is_there_can_not_be_denied_by_another_key(
    state: dict[bytes, bytes], key: bytes
) -> None:
    state[key] = b"here"
    tree = tree_of(state)
    siblings, _ = tree.path(key)
    for other, value in state.items():
        leaf = (hashlib.sha256(other).digest(), hashlib.sha256(value).digest())
        for length in range(len(siblings) + 1):
            try:
                root = root_of_path(key, None, TreePath(tuple(siblings[:length]), leaf))
            except BadStateProof:
                continue
            assert root != tree.root()


def answer(state: dict[bytes, bytes], key: bytes) -> StateAnswer:
    tree = tree_of(state)
    header = RoundHeader(
        NETWORK,
        GENESIS.roster.epoch,
        Round(7),
        Hash(bytes(32)),
        tree.root(),
        Hash(bytes(32)),
        GENESIS.roster.hash,
        1,
        9,
        5,
    )
    certificate = certified(header, (0, 1, 2))
    return StateAnswer(3, key, state.get(key), path_of(state, tree, key), header, certificate)


STATE = {b"value/%d" % number: b"%d" % number for number in range(20)}


def check(
    found: StateAnswer, roster: Roster = GENESIS.roster, network: NetworkId = NETWORK
) -> None:
    verify_answer(found, network, roster, verify=verify)


@pytest.mark.parametrize("key", [b"value/7", b"value/none"])
def test_an_answer_is_checked_against_the_certified_state(key: bytes) -> None:
    good = answer(STATE, key)
    check(good)
    assert decode_message(encode_message(good)) == good
    lies = [
        replace(good, value=b"8"),
        replace(good, key=b"value/8"),
        replace(good, header=replace(good.header, state_root=Hash(bytes(32)))),
        replace(good, header=replace(good.header, round=Round(8))),
        replace(good, path=TreePath(good.path.siblings[:-1], good.path.other)),
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
