"""The event: what a member signs, sends and journals; one vertex of the hashgraph.

The body is the canonical array
["myceld/event/1", network id, epoch, creator, sequence, self-parent or b"", [other parents],
time_ns, [payload items]] and the encoded event is the canonical array [body, signature].

The id is SHA-256(body || signature). It covers the signature because the coin reads it: one body
signed twice makes two events, which is a fork, and never two views of one event.

This module checks shape, domain, network, epoch and bounds. It checks no signature (the caller
does, over `Event.body`) and knows no graph (the engine does).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Final

from core import codec
from core.errors import RemoteViolation
from core.ids import Epoch, EventId, MemberIndex, NetworkId, Signature
from core.ids import Sequence as SequenceNumber
from core.limits import HASH_SIZE_BYTES, INT_MAX, SIGNATURE_SIZE_BYTES
from hashgraph.errors import EventOutOfBounds, MalformedEvent, UnfitEvent, WrongEpoch, WrongNetwork
from hashgraph.limits import (
    EVENT_SIZE_BYTES_MAX,
    MEMBERS_MAX,
    OTHER_PARENTS_MAX,
    PAYLOAD_ITEMS_MAX,
    TIME_NS_MAX,
)

EVENT_DOMAIN: Final = "myceld/event/1"
"""First item of every body: a signature over an event is good for nothing else."""

_COIN_BYTE: Final = SIGNATURE_SIZE_BYTES // 2


@dataclass(frozen=True, slots=True)
class Event:
    """One signed event. Two events are equal when their ids are: the id fixes everything else."""

    id: EventId
    creator: MemberIndex = field(compare=False)
    sequence: SequenceNumber = field(compare=False)
    self_parent: EventId | None = field(compare=False)
    other_parents: tuple[EventId, ...] = field(compare=False)
    time_ns: int = field(compare=False)
    payload: tuple[bytes, ...] = field(compare=False, repr=False)
    signature: Signature = field(compare=False, repr=False)
    body: bytes = field(compare=False, repr=False)


def event_body(
    *,
    network_id: NetworkId,
    epoch: Epoch,
    creator: MemberIndex,
    sequence: SequenceNumber,
    self_parent: EventId | None,
    other_parents: Sequence[EventId],
    time_ns: int,
    payload: Sequence[bytes],
) -> bytes:
    """Return the bytes that the creator signs. Nothing is checked here, see `make_event`."""
    return codec.encode(
        [
            EVENT_DOMAIN,
            network_id,
            epoch,
            creator,
            sequence,
            b"" if self_parent is None else self_parent,
            list(other_parents),
            time_ns,
            list(payload),
        ]
    )


def make_event(
    *,
    network_id: NetworkId,
    epoch: Epoch,
    creator: MemberIndex,
    sequence: SequenceNumber,
    self_parent: EventId | None,
    other_parents: Sequence[EventId],
    time_ns: int,
    payload: Sequence[bytes],
    sign: Callable[[bytes], bytes],
) -> Event:
    """Return a new event of ours, signed with `sign` (body in, 64-byte signature out).

    Raises UnfitEvent for whatever `decode_event` would refuse.
    """
    body = event_body(
        network_id=network_id,
        epoch=epoch,
        creator=creator,
        sequence=sequence,
        self_parent=self_parent,
        other_parents=other_parents,
        time_ns=time_ns,
        payload=payload,
    )
    data = codec.encode([body, sign(body)])
    try:
        return decode_event(data, network_id=network_id, epoch=epoch)
    except RemoteViolation as error:
        raise UnfitEvent(error.detail) from error


def encode_event(event: Event) -> bytes:
    """Return the canonical bytes of an event: its wire form and its journal block."""
    return codec.encode([event.body, event.signature])


def decode_event(data: bytes, *, network_id: NetworkId, epoch: Epoch) -> Event:
    """Return the event that `data` encodes; the signature is not checked.

    Accepted is what (1) is the canonical encoding of the array of two and of the body's array of
    nine, (2) has our domain, (3) our network, (4) our epoch, (5) keeps the bounds of `limits`,
    (6) has distinct other parents, none of them the self-parent, and (7) has sequence 0 exactly
    when it has no self-parent. Raises MalformedEvent (1, 2), WrongNetwork, WrongEpoch or
    EventOutOfBounds (5 to 7).
    """
    if len(data) > EVENT_SIZE_BYTES_MAX:
        raise EventOutOfBounds(f"{len(data)} bytes, at most {EVENT_SIZE_BYTES_MAX} are accepted")
    try:
        outer = codec.as_array(codec.decode(data), length=2)
        body = codec.as_bytes(outer[0])
        signature = codec.as_bytes(outer[1], size=SIGNATURE_SIZE_BYTES)
        return _decode_body(body, Signature(signature), network_id, epoch)
    except (codec.NotCanonical, codec.WrongShape) as error:
        raise MalformedEvent(error.detail) from error


def decode_any_event(data: bytes, network_id: NetworkId) -> tuple[Event, Epoch]:
    """Return the event in `data`, of whatever epoch, and its epoch; see `decode_event`."""
    try:
        body = codec.as_bytes(codec.as_array(codec.decode(data), length=2)[0])
        epoch = Epoch(codec.as_int(codec.as_array(codec.decode(body), length=9)[2]))
    except (codec.NotCanonical, codec.WrongShape) as error:
        raise MalformedEvent(error.detail) from error
    return decode_event(data, network_id=network_id, epoch=epoch), epoch


def event_id(body: bytes, signature: bytes) -> EventId:
    """Return SHA-256(body || signature)."""
    return EventId(sha256(body + signature).digest())


def middle_bit(event: Event) -> bool:
    """Return the coin of an event: the middle bit of its signature, bit 0 of byte 32.

    Baird 2016, section 5 (decideFame, coin rounds).
    """
    return bool(event.signature[_COIN_BYTE] & 1)


def _decode_body(body: bytes, signature: Signature, network_id: NetworkId, epoch: Epoch) -> Event:
    items = codec.as_array(codec.decode(body), length=9)
    if items[0] != EVENT_DOMAIN:
        raise MalformedEvent("not an event of this version")
    if codec.as_bytes(items[1], size=HASH_SIZE_BYTES) != network_id:
        raise WrongNetwork("the event names another network")
    named_epoch = codec.as_int(items[2])
    if named_epoch != epoch:
        raise WrongEpoch(f"the event names epoch {named_epoch}, ours is {epoch}")
    self_parent = codec.as_bytes(items[5], size_max=HASH_SIZE_BYTES)
    if len(self_parent) not in (0, HASH_SIZE_BYTES):
        raise MalformedEvent(f"a self-parent of {len(self_parent)} bytes")
    other_parents = tuple(
        EventId(codec.as_bytes(item, size=HASH_SIZE_BYTES)) for item in codec.as_array(items[6])
    )
    payload = tuple(codec.as_bytes(item) for item in codec.as_array(items[8]))
    event = Event(
        id=event_id(body, signature),
        creator=MemberIndex(codec.as_int(items[3])),
        sequence=SequenceNumber(codec.as_int(items[4], high=INT_MAX - 1)),
        self_parent=EventId(self_parent) if self_parent else None,
        other_parents=other_parents,
        time_ns=codec.as_int(items[7]),
        payload=payload,
        signature=signature,
        body=body,
    )
    _check_bounds(event)
    return event


def _check_bounds(event: Event) -> None:
    if event.creator >= MEMBERS_MAX:
        raise EventOutOfBounds(f"creator {event.creator}, at most {MEMBERS_MAX} members")
    if event.time_ns > TIME_NS_MAX:
        raise EventOutOfBounds(f"time {event.time_ns} ns is after the year 2116")
    if len(event.other_parents) > OTHER_PARENTS_MAX:
        raise EventOutOfBounds(f"{len(event.other_parents)} other parents")
    if len(event.payload) > PAYLOAD_ITEMS_MAX:
        raise EventOutOfBounds(f"{len(event.payload)} payload items")
    if len(set(event.other_parents)) != len(event.other_parents):
        raise EventOutOfBounds("an other parent is named twice")
    if event.self_parent in event.other_parents:
        raise EventOutOfBounds("the self-parent is named among the other parents")
    if (event.sequence == 0) != (event.self_parent is None):
        raise EventOutOfBounds("sequence 0 and no self-parent go together, one without the other")
