"""Fork evidence: what is proof, what is not, and that it has one encoding."""

from __future__ import annotations

import json
from hashlib import sha256
from itertools import permutations
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nacl.signing import SigningKey

from core import codec
from core.errors import MyceldError
from core.ids import Epoch, EventId, MemberIndex, NetworkId, PublicKey, Sequence
from hashgraph import (
    Engine,
    Event,
    decode_evidence,
    encode_evidence,
    fork_evidence,
    make_event,
    verify_fork,
)
from hashgraph.errors import (
    ForgedEvidence,
    MalformedEvidence,
    NoFork,
    WrongEpoch,
    WrongNetwork,
)
from hashgraph.limits import SEQUENCE_MAX

VECTORS = Path(__file__).parent.parent / "vectors"
KEY = SigningKey(b"\x05" * 32)
OTHER_KEY = SigningKey(b"\x06" * 32)
PUBLIC = PublicKey(bytes(KEY.verify_key))
NETWORK = NetworkId(sha256(b"network").digest())
EPOCH = Epoch(4)
PARENT = EventId(sha256(b"parent").digest())


class Named(NamedTuple):
    """An other-parent."""

    id: EventId
    creator: MemberIndex
    sequence: Sequence


def event(key: SigningKey = KEY, **changes: object) -> Event:
    fields: dict[str, Any] = {
        "network_id": NETWORK,
        "epoch": EPOCH,
        "creator": MemberIndex(1),
        "sequence": Sequence(3),
        "self_parent": PARENT,
        "other_parents": [],
        "time_ns": 77,
        "payload": [b"one"],
        "sign": lambda body: key.sign(body).signature,
    }
    return make_event(**(fields | changes))


def encoded(*events: Event, domain: str = "myceld/fork/2") -> bytes:
    parts = [part for item in events for part in (item.body, item.signature)]
    return codec.encode([domain, *parts])


def in_sequence(*events: Event) -> list[Event]:
    return sorted(events, key=lambda item: item.id)


def verify(data: bytes, key: PublicKey = PUBLIC) -> MemberIndex:
    found = verify_fork(data, network_id=NETWORK, epoch=EPOCH, public_key=key)
    return found.creator


@pytest.mark.parametrize(
    "change",
    [
        {"payload": [b"two"]},
        {"self_parent": EventId(bytes(32))},
        {"time_ns": 78},
        {"other_parents": [Named(PARENT, MemberIndex(0), Sequence(1))]},
    ],
)
def test_two_signed_events_of_one_place_prove_a_fork(change: dict[str, Any]) -> None:
    one, two = event(), event(KEY, **change)
    evidence = fork_evidence(one, two, network_id=NETWORK, epoch=EPOCH)
    data = encode_evidence(evidence)
    assert verify(data) == 1
    assert evidence == fork_evidence(two, one, network_id=NETWORK, epoch=EPOCH)
    assert decode_evidence(data, network_id=NETWORK, epoch=EPOCH) == evidence
    assert [evidence.first.id, evidence.second.id] == [e.id for e in in_sequence(one, two)]
    assert evidence.sequence == 3


def test_two_first_events_prove_a_fork_without_a_parent() -> None:
    one, two = (
        event(sequence=Sequence(0), self_parent=None, payload=[text]) for text in (b"1", b"2")
    )
    data = encode_evidence(fork_evidence(one, two, network_id=NETWORK, epoch=EPOCH))
    assert verify(data) == 1


def test_what_the_engine_reports_as_fork_is_proof() -> None:
    engine = Engine([1, 1])
    first = event(sequence=Sequence(0), self_parent=None)
    left, right = (
        event(sequence=Sequence(1), self_parent=first.id, payload=[text]) for text in (b"l", b"r")
    )
    by_id = {item.id: item for item in (first, left, right)}
    forks = [engine.add(item).fork for item in (first, left, right)]
    assert forks[:2] == [None, None]
    assert forks[2] is not None
    pair = (by_id[forks[2].first], by_id[forks[2].second])
    assert verify(encode_evidence(fork_evidence(*pair, network_id=NETWORK, epoch=EPOCH))) == 1


def test_what_is_no_fork_is_refused() -> None:
    one = event()
    child = event(sequence=Sequence(4), self_parent=one.id)
    later = event(sequence=Sequence(5), self_parent=PARENT)
    stranger = event(creator=MemberIndex(2), payload=[b"2"])
    for pair in ((one, one), (one, child), (one, later), (one, stranger)):
        with pytest.raises(NoFork):
            verify(encoded(*in_sequence(*pair)))


def test_events_that_the_accused_did_not_sign_are_refused() -> None:
    one, two, forged = event(), event(payload=[b"2"]), event(OTHER_KEY, payload=[b"3"])
    for pair in ((one, forged), (two, forged)):
        with pytest.raises(ForgedEvidence):
            verify(encoded(*in_sequence(*pair)))
    good = encoded(*in_sequence(one, two))
    for key in (PublicKey(bytes(OTHER_KEY.verify_key)), PublicKey(b""), PublicKey(bytes(32))):
        with pytest.raises(ForgedEvidence):
            verify(good, key)


def test_evidence_of_another_network_or_epoch_is_refused() -> None:
    data = encoded(*in_sequence(event(), event(payload=[b"2"])))
    with pytest.raises(WrongNetwork):
        verify_fork(data, network_id=NetworkId(bytes(32)), epoch=EPOCH, public_key=PUBLIC)
    with pytest.raises(WrongEpoch):
        verify_fork(data, network_id=NETWORK, epoch=Epoch(5), public_key=PUBLIC)


def test_only_the_canonical_encoding_is_accepted() -> None:
    one, two = in_sequence(event(), event(payload=[b"2"]))
    good = encoded(one, two)
    assert verify(good) == 1
    bad = [
        b"",
        good + b"\x00",
        good[:-1],
        encoded(two, one),
        encoded(one, two, domain="myceld/fork/1"),
        encoded(one),
        encoded(one, two, two),
        codec.encode(["myceld/fork/2", 1, 2, 3, 4]),
        codec.encode(["myceld/fork/2", one.body, one.signature, two.body, bytes(63)]),
        codec.encode(["myceld/fork/2", one.body, one.signature, bytes(2000), bytes(64)]),
        codec.encode("myceld/fork/2"),
    ]
    for data in bad:
        with pytest.raises(MalformedEvidence):
            verify(data)


def test_evidence_is_small_whatever_the_events_hold() -> None:
    payload = [bytes(60_000)] * 8
    others = [
        Named(PARENT, MemberIndex(creator), Sequence(SEQUENCE_MAX)) for creator in range(2, 129)
    ]
    places: dict[str, Any] = {"sequence": Sequence(SEQUENCE_MAX), "other_parents": others}
    one, two = event(payload=payload, **places), event(payload=[*payload, b""], **places)
    evidence = fork_evidence(one, two, network_id=NETWORK, epoch=EPOCH)
    data = encode_evidence(evidence)
    assert verify(data) == 1
    assert len(data) < 2_048


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_no_changed_byte_is_accepted(data: st.DataObject) -> None:
    good = encoded(*in_sequence(event(), event(payload=[b"2"])))
    place = data.draw(st.integers(0, len(good) - 1))
    value = data.draw(st.integers(1, 255))
    bad = good[:place] + bytes([good[place] ^ value]) + good[place + 1 :]
    with pytest.raises(MyceldError):
        verify(bad)


def test_evidence_of_three_events_is_three_different_proofs() -> None:
    events = [event(payload=[bytes([n])]) for n in range(3)]
    proofs = {
        encode_evidence(fork_evidence(a, b, network_id=NETWORK, epoch=EPOCH))
        for a, b in permutations(events, 2)
    }
    assert len(proofs) == 3


def test_golden_evidence_is_proof_and_encodes_to_its_bytes() -> None:
    golden = json.loads((VECTORS / "fork-evidence.json").read_text())
    data = bytes.fromhex(golden["evidence"])
    evidence = verify_fork(
        data,
        network_id=NetworkId(bytes.fromhex(golden["network_id"])),
        epoch=Epoch(golden["epoch"]),
        public_key=PublicKey(bytes.fromhex(golden["public_key"])),
    )
    assert evidence.creator == golden["creator"]
    assert encode_evidence(evidence) == data
    assert data == encoded(*in_sequence(event(), event(payload=[b"two"])))
