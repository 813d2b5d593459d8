"""Frames of the sync protocol, version 2: bytes on a stream and the values they stand for.

On the wire: four bytes of length, big endian, then that many bytes of canonical msgpack,
`[type, fields…]`. The length is checked before anything is kept. Each side sends HELLO first and
nothing else before the other's HELLO has come; then, at any time and in any order:

| type | frame | fields |
|---|---|---|
| 1 | HELLO | version, rule set, network id, epoch |
| 2 | REFUSE | code, reason (then the stream ends) |
| 3 | HAVE | epoch, one entry a member (a count, or a forker's tip ids), yours, sealed |
| 4 | WANT | epoch, entries as in HAVE: send me what lies beyond this |
| 5 | EVENTS | epoch, [encoded events], parents first; true when a WANT is answered whole |
| 6 | SIGNATURE | a member's signature of a round header |
| 7 | CERTIFICATE | the newest certificate |
| 8, 9 | PING, PONG | number |
| 11 | FORWARD | [transactions] from a cell that has no vote |
| 12 | DENIED | code, reason: what the receiver asked for is not done; the stream goes on |
| 20 | SPORE | a spore |
| 21 | ANNOUNCED | [announcements] that are news to the sender |
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, TypeAlias

from core.codec import (
    NotCanonical,
    Value,
    WrongShape,
    as_array,
    as_bool,
    as_bytes,
    as_int,
    as_text,
    decode,
    encode,
)
from core.ids import Epoch, EventId, NetworkId
from core.limits import HASH_SIZE_BYTES
from gossip.discovery.limits import (
    ANNOUNCED_MAX,
    ANNOUNCEMENT_SIZE_BYTES_MAX,
    SPORE_SIZE_BYTES_MAX,
)
from gossip.errors import BadFrame, FrameTooLong
from gossip.limits import (
    EVENTS_FRAME_COUNT_MAX,
    FRAME_SIZE_BYTES_MAX,
    PAYLOAD_COUNT_MAX,
    REASON_LENGTH_MAX,
    TIPS_MAX,
)

WIRE_VERSION: Final = 2
_LENGTH_BYTES: Final = 4
_MEMBERS_MAX: Final = 128

VectorEntry: TypeAlias = int | tuple[EventId, ...]
"""How many events of a creator are known (its sequences 0 to count - 1), or a forker's tips."""
Vector: TypeAlias = tuple[VectorEntry, ...]
"""One entry a member, in roster order."""


@dataclass(frozen=True, slots=True)
class Hello:
    """First frame of both sides; the peer's key is proven by the Noise channel below.

    `epoch` is the one that the sender is in; the two may differ.
    """

    version: int
    rule_set: int
    network_id: NetworkId
    epoch: Epoch


@dataclass(frozen=True, slots=True)
class Refuse:
    """Last frame: why the sender will not talk to the receiver."""

    code: str
    reason: str


@dataclass(frozen=True, slots=True)
class Have:
    """What the sender has of an epoch.

    `yours`: one more than the highest sequence of the receiver's own events that the sender ever
    saw, those without their parents too. `sealed`: the sender sealed that epoch, and takes no more
    events of it; so it can not vouch for having seen all of the receiver's.
    """

    epoch: Epoch
    vector: Vector
    yours: int = 0
    sealed: bool = False


@dataclass(frozen=True, slots=True)
class Want:
    """Asks for all events of an epoch beyond the vector."""

    epoch: Epoch
    vector: Vector


@dataclass(frozen=True, slots=True)
class Events:
    """Encoded events of an epoch; `last` ends the answer to a Want."""

    epoch: Epoch
    events: tuple[bytes, ...]
    last: bool


@dataclass(frozen=True, slots=True)
class SignatureFrame:
    """A checkpoint signature, opaque to gossip (ledger.certificate parses it)."""

    value: Value


@dataclass(frozen=True, slots=True)
class CertificateFrame:
    """A certificate, opaque to gossip (ledger.certificate parses it)."""

    value: Value


@dataclass(frozen=True, slots=True)
class Ping:
    """Asks for a Pong with the same number."""

    number: int


@dataclass(frozen=True, slots=True)
class Pong:
    """Answers a Ping."""

    number: int


@dataclass(frozen=True, slots=True)
class Forward:
    """Transactions that a cell without a vote asks a member to put into its events."""

    transactions: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Denied:
    """Why what the receiver asked for is not done; sent only to those who asked."""

    code: str
    reason: str


@dataclass(frozen=True, slots=True)
class SporeFrame:
    """A spore, opaque to the session (gossip.discovery parses it)."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Announced:
    """Encoded announcements of cells, opaque to the session (gossip.discovery parses them)."""

    announcements: tuple[bytes, ...]


Frame: TypeAlias = (
    Hello
    | Refuse
    | Have
    | Want
    | Events
    | SignatureFrame
    | CertificateFrame
    | Ping
    | Pong
    | Forward
    | Denied
    | SporeFrame
    | Announced
)


def encode_frame(frame: Frame) -> bytes:
    """Return the bytes of a frame, with its length in front."""
    data = encode(_to_value(frame))
    return len(data).to_bytes(_LENGTH_BYTES, "big") + data


class FrameReader:
    """Cuts a byte stream into frames. Keeps at most one frame's bytes beyond what was fed."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> Iterator[Frame]:
        """Take bytes off the stream and yield the frames that are complete.

        Raises FrameTooLong or BadFrame; the stream can not be used after that.
        """
        self._buffer += data
        position = 0
        while True:
            start = position + _LENGTH_BYTES
            size = int.from_bytes(self._buffer[position:start], "big")
            if len(self._buffer) < start:
                break
            if size > FRAME_SIZE_BYTES_MAX:
                raise FrameTooLong(f"a frame of {size} bytes was announced")
            if len(self._buffer) < start + size:
                break
            position = start + size
            yield decode_frame(bytes(self._buffer[start:position]))
        del self._buffer[:position]


def decode_frame(data: bytes) -> Frame:
    """Return the frame in `data` (without its length); raises BadFrame."""
    try:
        kind, *fields = as_array(decode(data), length_max=6)
        return _from_fields(as_int(kind), fields)
    except (NotCanonical, WrongShape) as error:
        raise BadFrame(error.detail) from error
    except ValueError as error:
        raise BadFrame("wrong number of fields") from error


def _to_value(frame: Frame) -> Value:
    match frame:
        case Hello():
            return [1, frame.version, frame.rule_set, frame.network_id, frame.epoch]
        case Refuse():
            return [2, frame.code, frame.reason]
        case Have():
            return [3, frame.epoch, list(frame.vector), frame.yours, frame.sealed]
        case Want():
            return [4, frame.epoch, list(frame.vector)]
        case Events():
            return [5, frame.epoch, list(frame.events), frame.last]
        case SignatureFrame() | CertificateFrame():
            return [6 if isinstance(frame, SignatureFrame) else 7, frame.value]
        case Ping() | Pong():
            return [8 if isinstance(frame, Ping) else 9, frame.number]
        case Forward():
            return [11, list(frame.transactions)]
        case Denied():
            return [12, frame.code, frame.reason]
        case SporeFrame():
            return [20, frame.data]
        case Announced():
            return [21, list(frame.announcements)]


def _from_fields(kind: int, fields: list[Value]) -> Frame:
    match kind:
        case 1:
            return _hello(fields)
        case 2 | 12:
            code, reason = (as_text(field, length_max=REASON_LENGTH_MAX) for field in fields)
            return Refuse(code, reason) if kind == 2 else Denied(code, reason)
        case 3:
            number, vector, yours, sealed = fields
            return Have(Epoch(as_int(number)), _vector(vector), as_int(yours), as_bool(sealed))
        case 4:
            number, vector = fields
            return Want(Epoch(as_int(number)), _vector(vector))
        case 5:
            number, events, last = fields
            items = as_array(events, length_max=EVENTS_FRAME_COUNT_MAX)
            encoded = tuple(as_bytes(item) for item in items)
            return Events(Epoch(as_int(number)), encoded, as_bool(last))
        case 6 | 7:
            (value,) = fields
            return SignatureFrame(value) if kind == 6 else CertificateFrame(value)
        case 8 | 9:
            (number,) = fields
            return Ping(as_int(number)) if kind == 8 else Pong(as_int(number))
        case 11:
            (transactions,) = fields
            items = as_array(transactions, length_max=PAYLOAD_COUNT_MAX)
            return Forward(tuple(as_bytes(item) for item in items))
        case 20:
            (spore,) = fields
            return SporeFrame(as_bytes(spore, size_max=SPORE_SIZE_BYTES_MAX))
        case 21:
            (announced,) = fields
            items = as_array(announced, length_max=ANNOUNCED_MAX)
            return Announced(
                tuple(as_bytes(item, size_max=ANNOUNCEMENT_SIZE_BYTES_MAX) for item in items)
            )
        case _:
            raise BadFrame(f"unknown frame type {kind}")


def _hello(fields: list[Value]) -> Hello:
    version = as_int(fields[0] if fields else None)
    if version != WIRE_VERSION:
        # What else another version says here is unknown; that it is another one must be told.
        return Hello(version, 0, NetworkId(bytes(HASH_SIZE_BYTES)), Epoch(0))
    _, rule_set, network_id, epoch = fields
    return Hello(
        version,
        as_int(rule_set),
        NetworkId(as_bytes(network_id, size=HASH_SIZE_BYTES)),
        Epoch(as_int(epoch)),
    )


def _vector(value: Value) -> Vector:
    return tuple(_entry(item) for item in as_array(value, length_max=_MEMBERS_MAX))


def _entry(value: Value) -> VectorEntry:
    if isinstance(value, list):
        tips = as_array(value, length_max=TIPS_MAX)
        return tuple(EventId(as_bytes(tip, size=HASH_SIZE_BYTES)) for tip in tips)
    return as_int(value)
