"""Frames of the transfer protocol, version 2: bytes on a stream and the values they stand for.

On the wire: four bytes of length, big endian, then that many bytes of canonical msgpack,
`[type, fields…]`. The length is checked before anything is kept. The side that opened the stream
asks, the other answers each request with one frame, in order:

| type | frame | fields |
|---|---|---|
| 1 | ASK LINKS | epoch: the ends of epochs from this one on |
| 2 | ASK HEADERS | epoch, round: those of its rounds from this one down |
| 3 | ASK RECEIPTS | epoch, position: those of its transactions from this place in the order on |
| 4 | ASK PIECE | epoch, depth, lowest key: the state at its end, as far as it lies at this place |
| 11 | LINKS | newest epoch whose end is served, or nil; [[header, certificate, next roster], …] |
| 12 | HEADERS | [header, …] |
| 13 | RECEIPTS | [[transaction id, event id, time ns, outcome], …] |
| 14 | PIECE | proof (`ledger.map_proof`) of the first entries there; what else is there is hidden |
| 16 | GONE | the end of this epoch is not served (any more) |
| 17 | DENIED | code: the one who asks gets nothing here (then the stream ends) |
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from core.codec import (
    NotCanonical,
    Value,
    WrongShape,
    as_array,
    as_bytes,
    as_int,
    as_text,
    decode,
    encode,
)
from core.ids import Epoch, EventId, Round, TransactionId
from core.limits import HASH_SIZE_BYTES
from ledger.certificate import parse_certificate
from ledger.chain import RosterLink
from ledger.errors import BadRoster
from ledger.header import Receipt, decode_header
from ledger.map_proof import Place
from ledger.roster import decode_roster
from ledger.transfer.errors import BadTransferFrame
from ledger.transfer.limits import FRAME_SIZE_BYTES_MAX
from ledger.trie import KEY_SIZE_BYTES_MAX, POSITIONS, bit, low_of

LENGTH_BYTES: Final = 4
_OUTCOME_LENGTH_MAX: Final = 64
_CODE_LENGTH_MAX: Final = 32
_EPOCH_MAX: Final = 2**53


@dataclass(frozen=True, slots=True)
class AskLinks:
    """Asks for the ends of epochs from this one on."""

    epoch: Epoch


@dataclass(frozen=True, slots=True)
class AskHeaders:
    """Asks for headers of an epoch from this round down."""

    epoch: Epoch
    round: Round


@dataclass(frozen=True, slots=True)
class AskReceipts:
    """Asks for receipts of an epoch from this position on."""

    epoch: Epoch
    position: int


@dataclass(frozen=True, slots=True)
class AskPiece:
    """Asks for a part of the state at the end of an epoch."""

    epoch: Epoch
    place: Place


@dataclass(frozen=True, slots=True)
class Links:
    """Ends of epochs, in order, without a gap; fewer than `newest` promises if some are missing."""

    newest: Epoch | None
    links: tuple[RosterLink, ...]


@dataclass(frozen=True, slots=True)
class Headers:
    """Encoded headers, each followed by the one that it names as the one before it."""

    headers: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Receipts:
    """Receipts that follow each other in the order."""

    rows: tuple[ReceiptRow, ...]


@dataclass(frozen=True, slots=True)
class Piece:
    """The first entries at the place that was asked for, and the digests of what else is there."""

    proof: bytes


@dataclass(frozen=True, slots=True)
class Gone:
    """The end of that epoch is not served."""


@dataclass(frozen=True, slots=True)
class Denied:
    """The one who asks gets nothing here, for the reason with this code."""

    code: str


ReceiptRow: TypeAlias = "tuple[TransactionId, EventId, int, str]"
"""A receipt without its position: (transaction id, event id, time ns, outcome)."""
Ask: TypeAlias = AskLinks | AskHeaders | AskReceipts | AskPiece
Answer: TypeAlias = Links | Headers | Receipts | Piece | Gone | Denied


def encode_ask(ask: Ask) -> bytes:
    """Return the frame of a request, length included."""
    match ask:
        case AskLinks():
            return _framed([1, ask.epoch])
        case AskHeaders():
            return _framed([2, ask.epoch, ask.round])
        case AskReceipts():
            return _framed([3, ask.epoch, ask.position])
        case AskPiece():
            return _framed([4, ask.epoch, ask.place.depth, ask.place.low])


def encode_answer(answer: Answer) -> bytes:
    """Return the frame of an answer, length included."""
    return _framed(answer_value(answer))


def answer_value(answer: Answer) -> list[Value]:
    """Return the encodable array of an answer."""
    match answer:
        case Links():
            return [11, answer.newest, [_link_value(link) for link in answer.links]]
        case Headers():
            return [12, list(answer.headers)]
        case Receipts():
            return [13, [list(row) for row in answer.rows]]
        case Piece():
            return [14, answer.proof]
        case Gone():
            return [16]
        case Denied():
            return [17, answer.code]


def decode_ask(body: bytes) -> Ask:
    """Return the request in a frame's body; raises BadTransferFrame."""
    try:
        kind, *fields = as_array(decode(body), length_max=4)
        match as_int(kind), fields:
            case 1, [epoch]:
                return AskLinks(Epoch(as_int(epoch, high=_EPOCH_MAX)))
            case 2, [epoch, number]:
                return AskHeaders(Epoch(as_int(epoch, high=_EPOCH_MAX)), Round(as_int(number)))
            case 3, [epoch, position]:
                return AskReceipts(Epoch(as_int(epoch, high=_EPOCH_MAX)), as_int(position))
            case 4, [epoch, depth, low]:
                return AskPiece(
                    Epoch(as_int(epoch, high=_EPOCH_MAX)),
                    _place(
                        as_int(depth, high=POSITIONS), as_bytes(low, size_max=KEY_SIZE_BYTES_MAX)
                    ),
                )
    except (NotCanonical, WrongShape, ValueError) as error:
        raise BadTransferFrame(f"no request: {error}") from error
    raise BadTransferFrame("no request of this version")


def decode_answer(body: bytes) -> Answer:
    """Return the answer in a frame's body; raises BadTransferFrame."""
    try:
        kind, *fields = as_array(decode(body), length_max=3)
        match as_int(kind), fields:
            case 11, [newest, links]:
                told = None if newest is None else Epoch(as_int(newest))
                return Links(told, tuple(_link(item) for item in as_array(links)))
            case 12, [headers]:
                return Headers(tuple(as_bytes(item) for item in as_array(headers)))
            case 13, [rows]:
                return Receipts(tuple(row_of(item) for item in as_array(rows)))
            case 14, [proof]:
                return Piece(as_bytes(proof))
            case 16, []:
                return Gone()
            case 17, [code]:
                return Denied(as_text(code, length_max=_CODE_LENGTH_MAX))
    except (NotCanonical, WrongShape, BadRoster, ValueError) as error:
        raise BadTransferFrame(f"no answer: {error}") from error
    raise BadTransferFrame("no answer of this version")


class FrameBodies:
    """Cuts what arrives into the bodies of frames. Holds one frame that is not whole, at most."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Yield the bodies that are whole; raises BadTransferFrame for one that is too long."""
        self._buffer += data
        while len(self._buffer) >= LENGTH_BYTES:
            length = int.from_bytes(self._buffer[:LENGTH_BYTES], "big")
            if not 0 < length <= FRAME_SIZE_BYTES_MAX:
                raise BadTransferFrame(f"a frame of {length} bytes")
            end = LENGTH_BYTES + length
            if len(self._buffer) < end:
                return
            body = bytes(self._buffer[LENGTH_BYTES:end])
            del self._buffer[:end]
            yield body


def receipts_at(rows: Sequence[ReceiptRow], position: int) -> list[Receipt]:
    """Return the receipts in rows, the first of which has this position."""
    return [
        Receipt(identity, position + at, event, time_ns, outcome)
        for at, (identity, event, time_ns, outcome) in enumerate(rows)
    ]


def _framed(value: Value) -> bytes:
    body = encode(value)
    return len(body).to_bytes(LENGTH_BYTES, "big") + body


def _place(depth: int, low: bytes) -> Place:
    lowest = low_of(low, depth - 1, bit(low, depth - 1)) if 0 < depth <= 9 * len(low) + 1 else b""
    if low != lowest:
        raise BadTransferFrame("a place with bits beyond its depth")
    return Place(depth, low)


def _link_value(link: RosterLink) -> Value:
    return [link.header.encode(), link.certificate.to_value(), link.roster.encode()]


def _link(value: Value) -> RosterLink:
    header, certificate, roster = as_array(value, length=3)
    return RosterLink(
        decode_header(as_bytes(header)),
        parse_certificate(certificate),
        decode_roster(as_bytes(roster)),
    )


def row_of(value: Value) -> ReceiptRow:
    """Return the receipt in a decoded array; raises WrongShape."""
    identity, event, time_ns, outcome = as_array(value, length=4)
    return (
        TransactionId(as_bytes(identity, size=HASH_SIZE_BYTES)),
        EventId(as_bytes(event, size=HASH_SIZE_BYTES)),
        as_int(time_ns),
        as_text(outcome, length_max=_OUTCOME_LENGTH_MAX),
    )
