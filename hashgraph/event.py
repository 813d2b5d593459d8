"""The event: what a member signs, sends and journals; one vertex of the hashgraph.

Signed is the header (`header.py`). What travels and what the journal keeps is the canonical array
[2, epoch, creator, sequence, time_ns, other-parents, parents hash, [payload items], signature], and
the rest of the header follows from that: it is about 200 bytes with 15 other-parents. A tenth item,
the *hints*, may list the ids of all parents, for receivers that know several events at a parent's
place. The id does not cover it.

Parents are named by place, so an event that was just decoded is *unresolved*: its signature can be
checked, but which events its parents are is known only where they are (`places.py`).

This module checks shape, network, epoch and bounds. It checks no signature (the caller does, over
`body`) and knows no graph (the engine does).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from core import codec
from core.errors import RemoteViolation
from core.ids import Epoch, EventId, Hash, MemberIndex, NetworkId, Signature
from core.ids import Sequence as SequenceNumber
from core.limits import HASH_SIZE_BYTES, SIGNATURE_SIZE_BYTES
from hashgraph.errors import (
    EventOutOfBounds,
    MalformedEvent,
    OldEventFormat,
    UnfitEvent,
    WrongEpoch,
)
from hashgraph.header import (
    Parent,
    Place,
    check_header,
    decode_places,
    encode_places,
    event_id,
    header_body,
    parents_hash,
    payload_hash,
)
from hashgraph.limits import EVENT_SIZE_BYTES_MAX, PAYLOAD_ITEMS_MAX

EVENT_FORMAT: Final = 2
"""First item of every encoded event."""

_ITEMS: Final = 9
_NO_PARENTS: Final = parents_hash([])
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
    """The header: what the creator signed."""


@dataclass(frozen=True, slots=True)
class UnresolvedEvent:
    """One signed event whose parents are known by their places only; equal when the ids are."""

    id: EventId
    epoch: Epoch = field(compare=False)
    creator: MemberIndex = field(compare=False)
    sequence: SequenceNumber = field(compare=False)
    time_ns: int = field(compare=False)
    other_places: tuple[Place, ...] = field(compare=False)
    parents_hash: Hash = field(compare=False, repr=False)
    payload: tuple[bytes, ...] = field(compare=False, repr=False)
    signature: Signature = field(compare=False, repr=False)
    body: bytes = field(compare=False, repr=False)
    """The header: what the creator signed."""
    hints: tuple[EventId, ...] = field(compare=False, repr=False)
    """The parents' ids, the self-parent's first, checked against the hash; or nothing."""
    encoded: bytes = field(compare=False, repr=False)
    """The bytes that it was decoded from."""

    def resolved(self, parents: Sequence[EventId]) -> Event | None:
        """Return the event on these parents, the self-parent first; None if they are not its."""
        has_own = self.sequence > 0
        if parents_hash(parents) != self.parents_hash or (has_own and not parents):
            return None
        return Event(
            self.id,
            self.creator,
            self.sequence,
            parents[0] if has_own else None,
            tuple(parents[has_own:]),
            self.time_ns,
            self.payload,
            self.signature,
            self.body,
        )


def make_event(
    *,
    network_id: NetworkId,
    epoch: Epoch,
    creator: MemberIndex,
    sequence: SequenceNumber,
    self_parent: EventId | None,
    other_parents: Sequence[Parent],
    time_ns: int,
    payload: Sequence[bytes],
    sign: Callable[[bytes], bytes],
) -> Event:
    """Return a new event of ours, signed with `sign` (header in, 64-byte signature out).

    `other_parents` come in any order. Raises UnfitEvent for whatever `decode_event` would refuse,
    and unless sequence 0 and no self-parent go together.
    """
    if (sequence == 0) != (self_parent is None):
        raise UnfitEvent(f"sequence {sequence}, {'no ' * (self_parent is None)}self-parent")
    others = sorted(other_parents, key=lambda parent: parent.creator)
    own = [] if self_parent is None else [self_parent]
    parents = [*own, *(parent.id for parent in others)]
    try:
        check_header(creator, sequence, time_ns, places := encode_places(others))
        body = header_body(
            network_id=network_id,
            epoch=epoch,
            creator=creator,
            sequence=sequence,
            time_ns=time_ns,
            others=places,
            parents_hash=parents_hash(parents),
            payload_hash=payload_hash(payload),
        )
        data = _encode(body, payload, sign(body), [])
        event = decode_event(data, network_id=network_id, epoch=epoch).resolved(parents)
    except RemoteViolation as error:
        raise UnfitEvent(error.detail) from error
    if event is None:
        raise UnfitEvent("a parent's id is not one")
    return event


def encode_event(event: Event, *, hints: bool = False) -> bytes:
    """Return the canonical bytes of an event: its wire form and its journal block."""
    own = [] if event.self_parent is None else [event.self_parent]
    parents = [*own, *event.other_parents] if hints else []
    return _encode(event.body, event.payload, event.signature, parents)


def decode_event(data: bytes, *, network_id: NetworkId, epoch: Epoch) -> UnresolvedEvent:
    """Return the event that `data` encodes; the signature is not checked.

    Accepted is what (1) is the canonical encoding of the array of nine or ten, (2) has our format
    number, (3) our epoch, (4) keeps the bounds of `limits`, (5) has other-parents with ascending
    creators, none of them its own, and (6) has the hash of no parents if it names none, and of its
    hints if it has some, one for each parent. Of another network is what has a wrong signature.
    Raises MalformedEvent (1, 2, 6), OldEventFormat, WrongEpoch, or EventOutOfBounds (4, 5).
    """
    if len(data) > EVENT_SIZE_BYTES_MAX:
        raise EventOutOfBounds(f"{len(data)} bytes, at most {EVENT_SIZE_BYTES_MAX} are accepted")
    try:
        items = _items(data)
        named = codec.as_int(items[1])
        if named != epoch:
            raise WrongEpoch(f"the event names epoch {named}, ours is {epoch}")
        return _from_items(items, data, network_id, epoch)
    except (codec.NotCanonical, codec.WrongShape) as error:
        raise MalformedEvent(error.detail) from error


def decode_any_event(data: bytes, network_id: NetworkId) -> tuple[UnresolvedEvent, Epoch]:
    """Return the event in `data`, of whatever epoch, and its epoch; see `decode_event`."""
    if len(data) > EVENT_SIZE_BYTES_MAX:
        raise EventOutOfBounds(f"{len(data)} bytes, at most {EVENT_SIZE_BYTES_MAX} are accepted")
    try:
        items = _items(data)
        epoch = Epoch(codec.as_int(items[1]))
        return _from_items(items, data, network_id, epoch), epoch
    except (codec.NotCanonical, codec.WrongShape) as error:
        raise MalformedEvent(error.detail) from error


def middle_bit(event: Event) -> bool:
    """Return the coin of an event: the middle bit of its signature, bit 0 of byte 32.

    Baird 2016, section 5 (decideFame, coin rounds).
    """
    return bool(event.signature[_COIN_BYTE] & 1)


def _encode(
    body: bytes, payload: Sequence[bytes], signature: bytes, hints: Sequence[EventId]
) -> bytes:
    _, _, *fields, parents, _ = codec.as_array(codec.decode(body))
    items: list[codec.Value] = [EVENT_FORMAT, *fields, parents, list(payload), signature]
    return codec.encode([*items, list(hints)] if hints else items)


def _items(data: bytes) -> list[codec.Value]:
    """Return the items of an encoded event, with the format number and the count checked."""
    items = codec.as_array(codec.decode(data))
    if len(items) == 2 and all(isinstance(item, bytes) for item in items):
        raise OldEventFormat("an event of format 1")
    if not _ITEMS <= len(items) <= _ITEMS + 1 or items[0] != EVENT_FORMAT:
        raise MalformedEvent("not an event of this version")
    return items


def _from_items(
    items: list[codec.Value], data: bytes, network_id: NetworkId, epoch: Epoch
) -> UnresolvedEvent:
    creator, sequence = codec.as_int(items[2]), codec.as_int(items[3])
    time_ns, others = codec.as_int(items[4]), codec.as_bytes(items[5])
    check_header(creator, sequence, time_ns, others)
    parents = codec.as_bytes(items[6], size=HASH_SIZE_BYTES)
    payload = codec.as_array(items[7])
    if len(payload) > PAYLOAD_ITEMS_MAX:
        raise EventOutOfBounds(f"{len(payload)} payload items")
    contents = tuple([codec.as_bytes(item) for item in payload])
    signature = codec.as_bytes(items[8], size=SIGNATURE_SIZE_BYTES)
    body = header_body(
        network_id=network_id,
        epoch=epoch,
        creator=MemberIndex(creator),
        sequence=SequenceNumber(sequence),
        time_ns=time_ns,
        others=others,
        parents_hash=parents,
        payload_hash=payload_hash(contents),
    )
    places = decode_places(others)
    if not places and sequence == 0 and parents != _NO_PARENTS:
        raise MalformedEvent("a hash of parents without any")
    return UnresolvedEvent(
        event_id(body, signature),
        epoch,
        MemberIndex(creator),
        SequenceNumber(sequence),
        time_ns,
        places,
        Hash(parents),
        contents,
        Signature(signature),
        body,
        _hints(items, len(places) + (sequence > 0), parents) if len(items) > _ITEMS else (),
        data,
    )


def _hints(items: list[codec.Value], count: int, expected: bytes) -> tuple[EventId, ...]:
    listed = codec.as_array(items[_ITEMS], length=count)
    hints = tuple(EventId(codec.as_bytes(item, size=HASH_SIZE_BYTES)) for item in listed)
    if not hints or parents_hash(hints) != expected:
        raise MalformedEvent("the hints are not the event's parents")
    return hints
