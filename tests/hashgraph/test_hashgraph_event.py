"""The event format: golden bytes, what is refused, and that nothing else can come out."""

from __future__ import annotations

import json
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nacl.signing import SigningKey

from core import codec
from core.errors import RemoteViolation
from core.ids import Epoch, EventId, MemberIndex, NetworkId, Sequence
from hashgraph import Event, decode_event, encode_event, event_body, event_id, make_event
from hashgraph.errors import (
    EventOutOfBounds,
    MalformedEvent,
    UnfitEvent,
    WrongEpoch,
    WrongNetwork,
)
from hashgraph.event import middle_bit
from hashgraph.limits import (
    EVENT_SIZE_BYTES_MAX,
    MEMBERS_MAX,
    OTHER_PARENTS_MAX,
    PAYLOAD_ITEMS_MAX,
    TIME_NS_MAX,
)

VECTOR = Path(__file__).parent.parent / "vectors" / "event.json"
KEY = SigningKey(b"\x01" * 32)
NETWORK = NetworkId(sha256(b"network").digest())
EPOCH = Epoch(3)
SELF_PARENT = EventId(sha256(b"self-parent").digest())
OTHER = EventId(sha256(b"other parent").digest())


def sign(body: bytes) -> bytes:
    return KEY.sign(body).signature


def example(**changes: object) -> Event:
    fields: dict[str, Any] = {
        "network_id": NETWORK,
        "epoch": EPOCH,
        "creator": MemberIndex(2),
        "sequence": Sequence(7),
        "self_parent": SELF_PARENT,
        "other_parents": [OTHER],
        "time_ns": 1_700_000_000_000_000_000,
        "payload": [b"one", b"", b"three"],
        "sign": sign,
    }
    return make_event(**(fields | changes))


def encoded(body: list[codec.Value], signature: bytes = b"\x05" * 64) -> bytes:
    return codec.encode([codec.encode(body), signature])


def body_items(**changes: codec.Value) -> list[codec.Value]:
    items: dict[str, codec.Value] = {
        "domain": "myceld/event/1",
        "network_id": NETWORK,
        "epoch": EPOCH,
        "creator": 2,
        "sequence": 7,
        "self_parent": SELF_PARENT,
        "other_parents": [OTHER],
        "time_ns": 5,
        "payload": [b"x"],
    }
    return list((items | changes).values())


def test_encoding_equals_the_golden_vector() -> None:
    golden = json.loads(VECTOR.read_text())
    key = SigningKey(bytes.fromhex(golden["key_seed"]))
    for case in golden["cases"]:
        own = case["self_parent"]
        event = make_event(
            network_id=NetworkId(bytes.fromhex(golden["network_id"])),
            epoch=Epoch(golden["epoch"]),
            creator=MemberIndex(case["creator"]),
            sequence=Sequence(case["sequence"]),
            self_parent=EventId(bytes.fromhex(own)) if own else None,
            other_parents=[EventId(bytes.fromhex(parent)) for parent in case["other_parents"]],
            time_ns=case["time_ns"],
            payload=[bytes.fromhex(item) for item in case["payload"]],
            sign=lambda body: key.sign(body).signature,
        )
        assert event.body.hex() == case["body"]
        assert event.signature.hex() == case["signature"]
        assert event.id.hex() == case["id"]
        assert encode_event(event).hex() == case["encoded"]
        assert middle_bit(event) == case["coin"]


def test_decoding_returns_what_was_encoded() -> None:
    event = example()
    again = decode_event(encode_event(event), network_id=NETWORK, epoch=EPOCH)
    for name in Event.__slots__:
        assert getattr(again, name) == getattr(event, name)


def test_signature_covers_the_body_and_the_id_covers_the_signature() -> None:
    event = example()
    KEY.verify_key.verify(event.body, event.signature)
    assert event.id == sha256(event.body + event.signature).digest()
    other_signature = bytes([event.signature[0] ^ 1]) + event.signature[1:]
    assert event_id(event.body, other_signature) != event.id


def test_body_builder_and_body_agree() -> None:
    assert event_body(
        network_id=NETWORK,
        epoch=EPOCH,
        creator=MemberIndex(2),
        sequence=Sequence(7),
        self_parent=SELF_PARENT,
        other_parents=[OTHER],
        time_ns=5,
        payload=[b"x"],
    ) == codec.encode(body_items())


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"domain": "myceld/event/2"}, MalformedEvent),
        ({"domain": b"myceld/event/1"}, MalformedEvent),
        ({"network_id": b"\x00" * 32}, WrongNetwork),
        ({"network_id": b"\x00" * 31}, MalformedEvent),
        ({"epoch": EPOCH + 1}, WrongEpoch),
        ({"epoch": -1}, MalformedEvent),
        ({"creator": MEMBERS_MAX}, EventOutOfBounds),
        ({"creator": -1}, MalformedEvent),
        ({"creator": True}, MalformedEvent),
        ({"sequence": 0}, EventOutOfBounds),
        ({"sequence": -1}, MalformedEvent),
        ({"self_parent": b""}, EventOutOfBounds),
        ({"self_parent": b"\x01"}, MalformedEvent),
        ({"self_parent": None}, MalformedEvent),
        ({"other_parents": [OTHER, OTHER]}, EventOutOfBounds),
        ({"other_parents": [SELF_PARENT]}, EventOutOfBounds),
        ({"other_parents": [b"\x01" * 33]}, MalformedEvent),
        ({"other_parents": None}, MalformedEvent),
        ({"time_ns": -1}, MalformedEvent),
        ({"time_ns": TIME_NS_MAX + 1}, EventOutOfBounds),
        ({"payload": ["text"]}, MalformedEvent),
        ({"payload": b"x"}, MalformedEvent),
        ({"payload": [b""] * (PAYLOAD_ITEMS_MAX + 1)}, EventOutOfBounds),
        ({"extra": 1}, MalformedEvent),
    ],
)
def test_a_body_that_breaks_a_rule_is_refused(
    changes: dict[str, codec.Value], error: type[RemoteViolation]
) -> None:
    with pytest.raises(error):
        decode_event(encoded(body_items(**changes)), network_id=NETWORK, epoch=EPOCH)


def test_too_many_other_parents_are_refused() -> None:
    parents: list[codec.Value] = [sha256(bytes([i])).digest() for i in range(OTHER_PARENTS_MAX + 1)]
    decode_event(encoded(body_items(other_parents=parents[:-1])), network_id=NETWORK, epoch=EPOCH)
    with pytest.raises(EventOutOfBounds):
        decode_event(encoded(body_items(other_parents=parents)), network_id=NETWORK, epoch=EPOCH)


def test_an_event_over_the_size_limit_is_refused() -> None:
    overhead = len(encoded(body_items(payload=[b"\x00" * 100_000]))) - 100_000
    fits = b"\x00" * (EVENT_SIZE_BYTES_MAX - overhead)
    data = encoded(body_items(payload=[fits]))
    assert len(data) <= EVENT_SIZE_BYTES_MAX
    decode_event(data, network_id=NETWORK, epoch=EPOCH)
    with pytest.raises(EventOutOfBounds):
        decode_event(
            encoded(body_items(payload=[fits + b"\x00" * 9])), network_id=NETWORK, epoch=EPOCH
        )


def test_a_signature_of_another_size_is_refused() -> None:
    for size in (0, 63, 65):
        with pytest.raises(MalformedEvent):
            decode_event(encoded(body_items(), bytes(size)), network_id=NETWORK, epoch=EPOCH)


def test_making_an_event_that_others_refuse_is_our_own_fault() -> None:
    with pytest.raises(UnfitEvent):
        example(other_parents=[OTHER, OTHER])
    with pytest.raises(UnfitEvent):
        example(sequence=Sequence(0))
    with pytest.raises(UnfitEvent):
        example(payload=[b"\x00" * EVENT_SIZE_BYTES_MAX])
    with pytest.raises(UnfitEvent):
        example(sign=lambda _: b"short")


@settings(max_examples=150, deadline=None)
@given(data=st.binary(max_size=400))
def test_random_bytes_give_declared_errors_only(data: bytes) -> None:
    with pytest.raises(RemoteViolation):
        decode_event(data, network_id=NETWORK, epoch=EPOCH)


@settings(max_examples=300, deadline=None)
@given(position=st.integers(0, 10_000), byte=st.integers(0, 255), cut=st.integers(-40, 3))
def test_damaged_events_are_refused_or_are_other_events(position: int, byte: int, cut: int) -> None:
    event = example()
    data = bytearray(encode_event(event))
    data[position % len(data)] = byte
    damaged = bytes(data[:cut] if cut < 0 else data + bytes(cut))
    try:
        found = decode_event(damaged, network_id=NETWORK, epoch=EPOCH)
    except RemoteViolation:
        return
    assert encode_event(found) == damaged
    assert (found.id == event.id) == (damaged == encode_event(event))


_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.binary() | st.text(),
    lambda inner: st.lists(inner, max_size=10),
    max_leaves=20,
)


@settings(max_examples=200, deadline=None)
@given(place=st.integers(0, 8), value=_values)
def test_bodies_of_wrong_shape_give_declared_errors_only(place: int, value: codec.Value) -> None:
    items = body_items()
    items[place] = value
    try:
        found = decode_event(encoded(items), network_id=NETWORK, epoch=EPOCH)
    except RemoteViolation:
        return
    assert found.body == codec.encode(items)
