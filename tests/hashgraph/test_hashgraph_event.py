"""The event format: golden bytes, what is refused, and that nothing else can come out."""

from __future__ import annotations

import json
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nacl.signing import SigningKey

from core import codec
from core.errors import RemoteViolation
from core.ids import Epoch, EventId, MemberIndex, NetworkId, Sequence
from hashgraph import Event, UnresolvedEvent, decode_event, encode_event, make_event
from hashgraph.errors import (
    EventOutOfBounds,
    MalformedEvent,
    OldEventFormat,
    UnfitEvent,
    WrongEpoch,
    WrongNetwork,
)
from hashgraph.event import decode_any_event, middle_bit
from hashgraph.header import decode_header, event_id, parents_hash, payload_hash
from hashgraph.limits import (
    EVENT_SIZE_BYTES_MAX,
    HEADER_SIZE_BYTES_MAX,
    MEMBERS_MAX,
    OTHER_PARENTS_MAX,
    PAYLOAD_ITEMS_MAX,
    SEQUENCE_MAX,
    TIME_NS_MAX,
)

VECTOR = Path(__file__).parent.parent / "vectors" / "event.json"
KEY = SigningKey(b"\x01" * 32)
NETWORK = NetworkId(sha256(b"network").digest())
EPOCH = Epoch(3)
SELF_PARENT = EventId(sha256(b"self-parent").digest())


class Named(NamedTuple):
    """An other-parent."""

    id: EventId
    creator: MemberIndex
    sequence: Sequence


def named(creator: int, sequence: int = 4) -> Named:
    digest = sha256(b"%d.%d" % (creator, sequence)).digest()
    return Named(EventId(digest), MemberIndex(creator), Sequence(sequence))


OTHER = named(5)


def sign(body: bytes) -> bytes:
    return KEY.sign(body).signature


def example(**changes: object) -> Event:
    fields: dict[str, Any] = {
        "network_id": NETWORK,
        "epoch": EPOCH,
        "creator": MemberIndex(2),
        "sequence": Sequence(7),
        "self_parent": SELF_PARENT,
        "other_parents": [OTHER, named(0)],
        "time_ns": 1_700_000_000_000_000_000,
        "payload": [b"one", b"", b"three"],
        "sign": sign,
    }
    return make_event(**(fields | changes))


def decoded(data: bytes) -> UnresolvedEvent:
    return decode_event(data, network_id=NETWORK, epoch=EPOCH)


def items(**changes: codec.Value) -> list[codec.Value]:
    values: dict[str, codec.Value] = {
        "format": 2,
        "epoch": EPOCH,
        "creator": 2,
        "sequence": 7,
        "time_ns": 5,
        "others": bytes((5, 0, 0, 0, 4)),
        "parents_hash": parents_hash([SELF_PARENT, OTHER.id]),
        "payload": [b"x"],
        "signature": b"\x05" * 64,
    }
    return list((values | changes).values())


def header_items(**changes: codec.Value) -> list[codec.Value]:
    values: dict[str, codec.Value] = {
        "domain": "myceld/event/2",
        "network_id": NETWORK,
        "epoch": EPOCH,
        "creator": 2,
        "sequence": 7,
        "time_ns": 5,
        "others": bytes((5, 0, 0, 0, 4)),
        "parents_hash": parents_hash([SELF_PARENT, OTHER.id]),
        "payload_hash": payload_hash([b"x"]),
    }
    return list((values | changes).values())


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
            other_parents=[
                Named(EventId(bytes.fromhex(parent["id"])), parent["creator"], parent["sequence"])
                for parent in case["other_parents"]
            ],
            time_ns=case["time_ns"],
            payload=[bytes.fromhex(item) for item in case["payload"]],
            sign=lambda body: key.sign(body).signature,
        )
        assert event.body.hex() == case["header"]
        assert event.signature.hex() == case["signature"]
        assert event.id.hex() == case["id"]
        assert encode_event(event).hex() == case["encoded"]
        assert encode_event(event, hints=True).hex() == case["encoded_with_hints"]
        assert middle_bit(event) == case["coin"]


@pytest.mark.parametrize("hints", [False, True])
def test_decoding_and_resolving_returns_what_was_encoded(hints: bool) -> None:  # noqa: FBT001 - a table
    event = example()
    data = encode_event(event, hints=hints)
    signed = decoded(data)
    parents = (SELF_PARENT, named(0).id, OTHER.id)
    assert (signed.encoded, signed.hints) == (data, parents if hints else ())
    assert signed.other_places == ((0, 4), (5, 4))
    assert decode_any_event(data, NETWORK) == (signed, EPOCH)
    again = signed.resolved(parents)
    assert again is not None
    for name in Event.__slots__:
        assert getattr(again, name) == getattr(event, name)
    assert encode_event(again, hints=hints) == data


def test_only_the_parents_that_were_signed_resolve_an_event() -> None:
    signed = decoded(encode_event(example()))
    good = (SELF_PARENT, named(0).id, OTHER.id)
    wrong = [(), good[1:], good[:2], good[::-1], (*good, good[0]), (named(9).id, *good[1:])]
    assert [signed.resolved(parents) for parents in wrong] == [None] * len(wrong)


def test_the_header_of_a_decoded_event_is_what_was_signed() -> None:
    signed = decoded(encode_event(example()))
    KEY.verify_key.verify(signed.body, signed.signature)
    header = decode_header(signed.body, signed.signature, network_id=NETWORK, epoch=EPOCH)
    assert (header.id, header.creator, header.sequence) == (signed.id, 2, 7)
    assert header.other_places == signed.other_places
    assert header.payload_hash == payload_hash(signed.payload)
    # The network is no part of the encoding: for another one the signature is of something else.
    there = decode_event(signed.encoded, network_id=NetworkId(bytes(32)), epoch=EPOCH)
    assert there.body != signed.body
    assert there.id != signed.id


def test_the_id_covers_the_signature() -> None:
    event = example()
    assert event.id == sha256(event.body + event.signature).digest()
    other_signature = bytes([event.signature[0] ^ 1]) + event.signature[1:]
    assert event_id(event.body, other_signature) != event.id


def test_the_encoding_is_small_whatever_the_number_of_members() -> None:
    def size(parents: int) -> int:
        others = [named(creator, SEQUENCE_MAX) for creator in range(1, parents + 1)]
        event = example(
            creator=MemberIndex(0),
            sequence=Sequence(SEQUENCE_MAX),
            other_parents=others,
            payload=[],
        )
        assert len(event.body) <= HEADER_SIZE_BYTES_MAX
        return len(encode_event(event))

    assert size(15) <= 200
    assert size(OTHER_PARENTS_MAX) <= 770


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"format": 1}, MalformedEvent),
        ({"format": 3}, MalformedEvent),
        ({"format": b"\x02"}, MalformedEvent),
        ({"epoch": EPOCH + 1}, WrongEpoch),
        ({"epoch": -1}, MalformedEvent),
        ({"creator": MEMBERS_MAX}, EventOutOfBounds),
        ({"creator": -1}, MalformedEvent),
        ({"creator": True}, MalformedEvent),
        ({"sequence": -1}, MalformedEvent),
        ({"sequence": SEQUENCE_MAX + 1}, EventOutOfBounds),
        ({"time_ns": -1}, MalformedEvent),
        ({"time_ns": TIME_NS_MAX + 1}, EventOutOfBounds),
        ({"others": b"\x05\x00\x00\x00"}, MalformedEvent),
        ({"others": None}, MalformedEvent),
        ({"others": bytes((5, 0, 0, 0, 1, 5, 0, 0, 0, 2))}, EventOutOfBounds),
        ({"others": bytes((5, 0, 0, 0, 1, 4, 0, 0, 0, 2))}, EventOutOfBounds),
        ({"others": bytes((2, 0, 0, 0, 1))}, EventOutOfBounds),
        ({"others": bytes((MEMBERS_MAX, 0, 0, 0, 1))}, EventOutOfBounds),
        ({"others": bytes((5, 0x80, 0, 0, 1))}, EventOutOfBounds),
        ({"parents_hash": bytes(31)}, MalformedEvent),
        ({"sequence": 0, "others": b""}, MalformedEvent),
        ({"payload": ["text"]}, MalformedEvent),
        ({"payload": b"x"}, MalformedEvent),
        ({"payload": [b""] * (PAYLOAD_ITEMS_MAX + 1)}, EventOutOfBounds),
        ({"signature": bytes(63)}, MalformedEvent),
        ({"hints": []}, MalformedEvent),
        ({"hints": [SELF_PARENT]}, MalformedEvent),
        ({"hints": [OTHER.id, SELF_PARENT]}, MalformedEvent),
        ({"hints": [SELF_PARENT, OTHER.id, OTHER.id]}, MalformedEvent),
        ({"hints": None}, MalformedEvent),
        ({"hints": [SELF_PARENT, OTHER.id], "extra": 1}, MalformedEvent),
    ],
)
def test_an_event_that_breaks_a_rule_is_refused(
    changes: dict[str, codec.Value], error: type[RemoteViolation]
) -> None:
    with pytest.raises(error):
        decoded(codec.encode(items(**changes)))


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"domain": "myceld/event/1"}, MalformedEvent),
        ({"domain": b"myceld/event/2"}, MalformedEvent),
        ({"network_id": b"\x00" * 32}, WrongNetwork),
        ({"network_id": b"\x00" * 31}, MalformedEvent),
        ({"epoch": EPOCH + 1}, WrongEpoch),
        ({"creator": MEMBERS_MAX}, EventOutOfBounds),
        ({"sequence": SEQUENCE_MAX + 1}, EventOutOfBounds),
        ({"others": bytes((2, 0, 0, 0, 1))}, EventOutOfBounds),
        ({"parents_hash": bytes(31)}, MalformedEvent),
        ({"payload_hash": bytes(33)}, MalformedEvent),
        ({"extra": 1}, MalformedEvent),
    ],
)
def test_a_header_that_breaks_a_rule_is_refused(
    changes: dict[str, codec.Value], error: type[RemoteViolation]
) -> None:
    def decode(**changed: codec.Value) -> None:
        body = codec.encode(header_items(**changed))
        decode_header(body, bytes(64), network_id=NETWORK, epoch=EPOCH)

    decode()
    with pytest.raises(error):
        decode(**changes)


def test_what_is_without_parents_has_no_hints() -> None:
    first = example(sequence=Sequence(0), self_parent=None, other_parents=[])
    assert encode_event(first) == encode_event(first, hints=True)
    bad = items(sequence=0, others=b"", parents_hash=parents_hash([]), hints=[])
    with pytest.raises(MalformedEvent):
        decoded(codec.encode(bad))


def test_an_event_of_format_1_is_told_from_what_is_none() -> None:
    body = codec.encode(["myceld/event/1", NETWORK, EPOCH, 2, 0, b"", [], 5, [b"x"]])
    old = codec.encode([body, bytes(64)])
    with pytest.raises(OldEventFormat):
        decoded(old)
    with pytest.raises(OldEventFormat):
        decode_any_event(old, NETWORK)


def test_too_many_other_parents_are_refused() -> None:
    others = [named(creator) for creator in range(1, OTHER_PARENTS_MAX + 2)]
    example(creator=MemberIndex(0), other_parents=others[:-1])
    with pytest.raises(UnfitEvent):
        example(creator=MemberIndex(0), other_parents=others)


def test_an_event_over_the_size_limit_is_refused() -> None:
    overhead = len(codec.encode(items(payload=[b"\x00" * 100_000]))) - 100_000
    fits = b"\x00" * (EVENT_SIZE_BYTES_MAX - overhead)
    data = codec.encode(items(payload=[fits]))
    assert len(data) <= EVENT_SIZE_BYTES_MAX
    decoded(data)
    for decode in (decoded, lambda over: decode_any_event(over, NETWORK)):
        with pytest.raises(EventOutOfBounds):
            decode(codec.encode(items(payload=[fits + b"\x00" * 9])))


def test_making_an_event_that_others_refuse_is_our_own_fault() -> None:
    with pytest.raises(UnfitEvent):
        example(other_parents=[OTHER, OTHER])
    with pytest.raises(UnfitEvent):
        example(other_parents=[named(2)])
    with pytest.raises(UnfitEvent):
        example(sequence=Sequence(0))
    with pytest.raises(UnfitEvent):
        example(self_parent=None)
    with pytest.raises(UnfitEvent):
        example(payload=[b"\x00" * EVENT_SIZE_BYTES_MAX])
    with pytest.raises(UnfitEvent):
        example(sign=lambda _: b"short")


@settings(max_examples=150, deadline=None)
@given(data=st.binary(max_size=400))
def test_random_bytes_give_declared_errors_only(data: bytes) -> None:
    with pytest.raises(RemoteViolation):
        decoded(data)


@settings(max_examples=300, deadline=None)
@given(
    position=st.integers(0, 10_000),
    byte=st.integers(0, 255),
    cut=st.integers(-40, 3),
    hints=st.booleans(),
)
def test_damaged_events_are_refused_or_are_other_events(
    position: int,
    byte: int,
    cut: int,
    hints: bool,  # noqa: FBT001 - drawn by hypothesis
) -> None:
    event = example()
    data = bytearray(encode_event(event, hints=hints))
    data[position % len(data)] = byte
    damaged = bytes(data[:cut] if cut < 0 else data + bytes(cut))
    try:
        found = decoded(damaged)
    except RemoteViolation:
        return
    assert found.encoded == damaged
    assert (found.id == event.id) == (damaged == encode_event(event, hints=hints))


_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.binary() | st.text(),
    lambda inner: st.lists(inner, max_size=10),
    max_leaves=20,
)


@settings(max_examples=200, deadline=None)
@given(place=st.integers(0, 9), value=_values)
def test_events_and_headers_of_wrong_shape_give_declared_errors_only(
    place: int, value: codec.Value
) -> None:
    changed = [*items(), [SELF_PARENT, OTHER.id]]
    changed[place] = value
    try:
        found = decoded(codec.encode(changed))
    except RemoteViolation:
        pass
    else:
        assert found.encoded == codec.encode(changed)
    header = header_items()
    header[place % 9] = value
    try:
        decode_header(codec.encode(header), bytes(64), network_id=NETWORK, epoch=EPOCH)
    except RemoteViolation:
        return
