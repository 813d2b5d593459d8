"""Frames of the protocol `/myceld/<network id>/message/2`, either way on one stream.

    1 ENVELOPE   [1, envelope]             a message for the cell that reads this, from whoever
    2 STATEMENT  [2, statement]            receipt, refusal or floor
    3 KEEP       [3, envelope]             keep this message of mine for its receiver, who is away
    4 KEPT       [4, receiver, number]     it is on this relay's disk
    5 FULL       [5, receiver, number, code]   this relay does not keep it, and why
    6 COLLECT    [6]                       give me what you keep for me
    7 PROVE      [7, number]               prove your key to me first, then send this one again

Four bytes of length, big-endian, then a canonical array.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, TypeAlias

from core.codec import Value, as_array, as_bytes, as_int, as_text, decode, encode
from core.errors import MyceldError
from core.ids import PublicKey
from core.limits import PUBLIC_KEY_SIZE_BYTES
from identity.messages.errors import BadMessage
from identity.messages.limits import (
    CODE_LENGTH_MAX,
    ENVELOPE_SIZE_BYTES_MAX,
    FRAME_SIZE_BYTES_MAX,
    NUMBER_MAX,
    STATEMENT_SIZE_BYTES_MAX,
)

LENGTH_SIZE_BYTES: Final = 4
"""Of the length before each frame."""


@dataclass(frozen=True, slots=True)
class EnvelopeFrame:
    """A message for the cell that reads this."""

    envelope: bytes


@dataclass(frozen=True, slots=True)
class StatementFrame:
    """A receipt, refusal or floor."""

    statement: bytes


@dataclass(frozen=True, slots=True)
class Keep:
    """A message that a relay is asked to keep."""

    envelope: bytes


@dataclass(frozen=True, slots=True)
class Kept:
    """A relay has made a message durable."""

    receiver: PublicKey
    number: int


@dataclass(frozen=True, slots=True)
class Full:
    """A relay does not take a message: it has no room, or the sender may not; `code` says which."""

    receiver: PublicKey
    number: int
    code: str


@dataclass(frozen=True, slots=True)
class Collect:
    """The cell asks for what is kept for it."""


@dataclass(frozen=True, slots=True)
class Prove:
    """The message of this number is taken once its sender has proven its key."""

    number: int


Frame: TypeAlias = EnvelopeFrame | StatementFrame | Keep | Kept | Full | Collect | Prove


class FrameReader:
    """Cuts a stream into frames; holds at most one frame that is not whole."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> list[Frame]:
        """Return the frames that are whole now; raises BadMessage."""
        self._buffer += data
        frames: list[Frame] = []
        at = 0
        while len(self._buffer) - at >= LENGTH_SIZE_BYTES:
            size = int.from_bytes(self._buffer[at : at + LENGTH_SIZE_BYTES], "big")
            if not 0 < size <= FRAME_SIZE_BYTES_MAX:
                raise BadMessage(f"a frame of {size} bytes")
            end = at + LENGTH_SIZE_BYTES + size
            if len(self._buffer) < end:
                break
            frames.append(decode_frame(bytes(self._buffer[at + LENGTH_SIZE_BYTES : end])))
            at = end
        del self._buffer[:at]
        return frames


def encode_frame(frame: Frame) -> bytes:
    """Return a frame with its length."""
    body = encode(_fields_of(frame))
    return len(body).to_bytes(LENGTH_SIZE_BYTES, "big") + body


def decode_frame(body: bytes) -> Frame:
    """Return the frame in `body`, without its length; raises BadMessage."""
    try:
        items = as_array(decode(body, size_bytes_max=FRAME_SIZE_BYTES_MAX), length_max=4)
        return _frame_of(as_int(items[0]) if items else 0, items[1:])
    except BadMessage:
        raise
    except MyceldError as error:
        raise BadMessage(f"not a frame: {error.detail}") from error


def _fields_of(frame: Frame) -> list[Value]:
    match frame:
        case EnvelopeFrame():
            return [1, frame.envelope]
        case StatementFrame():
            return [2, frame.statement]
        case Keep():
            return [3, frame.envelope]
        case Kept():
            return [4, frame.receiver, frame.number]
        case Full():
            return [5, frame.receiver, frame.number, frame.code]
        case Collect():
            return [6]
        case Prove():
            return [7, frame.number]


def _frame_of(kind: int, fields: list[Value]) -> Frame:
    match kind, fields:
        case 1, [data]:
            return EnvelopeFrame(as_bytes(data, size_max=ENVELOPE_SIZE_BYTES_MAX))
        case 2, [data]:
            return StatementFrame(as_bytes(data, size_max=STATEMENT_SIZE_BYTES_MAX))
        case 3, [data]:
            return Keep(as_bytes(data, size_max=ENVELOPE_SIZE_BYTES_MAX))
        case 4, [receiver, number]:
            return Kept(_key(receiver), as_int(number, low=1, high=NUMBER_MAX))
        case 5, [receiver, number, code]:
            return Full(
                _key(receiver),
                as_int(number, low=1, high=NUMBER_MAX),
                as_text(code, length_max=CODE_LENGTH_MAX),
            )
        case 6, []:
            return Collect()
        case 7, [number]:
            return Prove(as_int(number, low=1, high=NUMBER_MAX))
    raise BadMessage(f"no frame of kind {kind} with {len(fields)} fields")


def _key(value: Value) -> PublicKey:
    return PublicKey(as_bytes(value, size=PUBLIC_KEY_SIZE_BYTES))
