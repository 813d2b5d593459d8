"""The header of an event: what its creator signs, and all that evidence of a fork needs.

It is the canonical array ["myceld/event/2", network id, epoch, creator, sequence, time_ns,
other-parents, parents hash, payload hash]. Parents are named by *place*, (creator, sequence):

- other-parents: five bytes each, creator (1) and sequence (4, big endian), creators ascending;
- the self-parent is not listed: its place is (creator, sequence − 1), and sequence 0 has none;
- parents hash: SHA-256 over the parents' ids, the self-parent's first, then as listed. It fixes
  which events are meant where there are several. How many there are stands in the same header;
- payload hash: SHA-256 over the canonical array of the payload's items.

An event's id is SHA-256(header || signature). It covers the signature because the coin reads it:
one header signed twice makes two events, which is a fork, and never two views of one event.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from struct import Struct
from typing import Final, Protocol, TypeAlias

from core import codec
from core.ids import Epoch, EventId, Hash, MemberIndex, NetworkId, Signature
from core.ids import Sequence as SequenceNumber
from core.limits import HASH_SIZE_BYTES, SIGNATURE_SIZE_BYTES
from hashgraph.errors import EventOutOfBounds, MalformedEvent, WrongEpoch, WrongNetwork
from hashgraph.limits import (
    HEADER_SIZE_BYTES_MAX,
    MEMBERS_MAX,
    OTHER_PARENTS_MAX,
    SEQUENCE_MAX,
    TIME_NS_MAX,
)

EVENT_DOMAIN: Final = "myceld/event/2"
"""First item of every header: a signature over an event is good for nothing else."""

Place: TypeAlias = tuple[MemberIndex, SequenceNumber]
"""A creator and a sequence number. One event is there, more if the creator forked."""

_PLACE: Final = Struct(">BI")
_HIGH_BIT: Final = 0x80


class Parent(Protocol):
    """An event as others name it; `Event` and `SignedHeader` are some."""

    @property
    def id(self) -> EventId:
        """Its id."""
        ...

    @property
    def creator(self) -> MemberIndex:
        """Who made it."""
        ...

    @property
    def sequence(self) -> SequenceNumber:
        """Its position in its creator's chain, from 0."""
        ...


@dataclass(frozen=True, slots=True)
class SignedHeader:
    """A header with its signature. Two are equal when their ids are: the id fixes the rest."""

    id: EventId
    epoch: Epoch = field(compare=False)
    creator: MemberIndex = field(compare=False)
    sequence: SequenceNumber = field(compare=False)
    time_ns: int = field(compare=False)
    other_places: tuple[Place, ...] = field(compare=False)
    parents_hash: Hash = field(compare=False, repr=False)
    payload_hash: Hash = field(compare=False, repr=False)
    signature: Signature = field(compare=False, repr=False)
    body: bytes = field(compare=False, repr=False)
    """The header's bytes."""


def header_body(
    *,
    network_id: NetworkId,
    epoch: Epoch,
    creator: MemberIndex,
    sequence: SequenceNumber,
    time_ns: int,
    others: bytes,
    parents_hash: bytes,
    payload_hash: bytes,
) -> bytes:
    """Return the bytes that the creator signs; `others` is encoded. Nothing is checked here."""
    return codec.encode(
        [
            EVENT_DOMAIN,
            network_id,
            epoch,
            creator,
            sequence,
            time_ns,
            others,
            parents_hash,
            payload_hash,
        ]
    )


def decode_header(
    body: bytes, signature: bytes, *, network_id: NetworkId, epoch: Epoch
) -> SignedHeader:
    """Return a signed header; the signature is not checked.

    Raises MalformedEvent, WrongNetwork, WrongEpoch or EventOutOfBounds.
    """
    try:
        items = codec.as_array(codec.decode(body, size_bytes_max=HEADER_SIZE_BYTES_MAX), length=9)
        if items[0] != EVENT_DOMAIN:
            raise MalformedEvent("not an event header of this version")
        if codec.as_bytes(items[1], size=HASH_SIZE_BYTES) != network_id:
            raise WrongNetwork("the event names another network")
        named = codec.as_int(items[2])
        if named != epoch:
            raise WrongEpoch(f"the event names epoch {named}, ours is {epoch}")
        creator, sequence = codec.as_int(items[3]), codec.as_int(items[4])
        time_ns, others = codec.as_int(items[5]), codec.as_bytes(items[6])
        check_header(creator, sequence, time_ns, others)
        return SignedHeader(
            id=event_id(body, codec.as_bytes(signature, size=SIGNATURE_SIZE_BYTES)),
            epoch=epoch,
            creator=MemberIndex(creator),
            sequence=SequenceNumber(sequence),
            time_ns=time_ns,
            other_places=decode_places(others),
            parents_hash=Hash(codec.as_bytes(items[7], size=HASH_SIZE_BYTES)),
            payload_hash=Hash(codec.as_bytes(items[8], size=HASH_SIZE_BYTES)),
            signature=Signature(signature),
            body=body,
        )
    except (codec.NotCanonical, codec.WrongShape) as error:
        raise MalformedEvent(error.detail) from error


def check_header(creator: int, sequence: int, time_ns: int, others: bytes) -> None:
    """Raise MalformedEvent or EventOutOfBounds unless these fields may stand in a header.

    `others` are encoded places. All of its checks run on whole byte strings: it is on the way of
    every event.
    """
    if creator >= MEMBERS_MAX:
        raise EventOutOfBounds(f"creator {creator}, at most {MEMBERS_MAX} members")
    if sequence > SEQUENCE_MAX:
        raise EventOutOfBounds(f"sequence {sequence}, at most {SEQUENCE_MAX} is accepted")
    if time_ns > TIME_NS_MAX:
        raise EventOutOfBounds(f"time {time_ns} ns is after the year 2116")
    if not others:
        return
    count, rest = divmod(len(others), _PLACE.size)
    if rest:
        raise MalformedEvent(f"other parents of {len(others)} bytes")
    if count > OTHER_PARENTS_MAX:
        raise EventOutOfBounds(f"{count} other parents")
    creators = others[:: _PLACE.size]
    if bytes(sorted(set(creators))) != creators:
        raise EventOutOfBounds("the creators of the other parents do not ascend")
    if creator in creators:
        raise EventOutOfBounds("another event of its own creator is among the other parents")
    if creators[-1] >= MEMBERS_MAX:
        raise EventOutOfBounds(f"another parent by {creators[-1]}, at most {MEMBERS_MAX} members")
    if max(others[1 :: _PLACE.size]) & _HIGH_BIT:
        raise EventOutOfBounds(f"another parent's sequence is beyond {SEQUENCE_MAX}")


def encode_places(parents: Iterable[Parent]) -> bytes:
    """Return the other-parents of a header, in the order given."""
    return b"".join([_PLACE.pack(parent.creator, parent.sequence) for parent in parents])


def decode_places(others: bytes) -> tuple[Place, ...]:
    """Return the places of other-parents, whose encoding was checked."""
    return tuple(_PLACE.iter_unpack(others))


def parents_hash(parents: Sequence[EventId]) -> Hash:
    """Return what a header says of its parents' ids, the self-parent first if there is one."""
    return Hash(sha256(b"".join(parents)).digest())


def payload_hash(payload: Sequence[bytes]) -> Hash:
    """Return what a header says of the payload."""
    return Hash(sha256(codec.encode(list(payload))).digest())


def event_id(body: bytes, signature: bytes) -> EventId:
    """Return SHA-256(header || signature)."""
    return EventId(sha256(body + signature).digest())
