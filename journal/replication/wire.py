"""Frames of replication: four bytes of length, big-endian, then a canonical msgpack array.

| type | frame    | sent by  | fields                                                     |
|------|----------|----------|------------------------------------------------------------|
| 1    | Follow   | follower | version, cell id, journal, fork or nil, size known, length |
| 2    | Head     | server   | head text, size proven from (0: none), proof               |
| 3    | Want     | follower | request, size of the tree, start, end                      |
| 4    | Blocks   | server   | request, start, blocks, proof                              |
| 5    | WantTile | follower | request, size of the tree, number                          |
| 6    | Tile     | server   | request, leaf hashes joined, proof                         |
| 7    | Tail     | server   | head text, start, blocks up to the size of the head        |
| 8    | Ping     | follower | number                                                     |
| 9    | Pong     | server   | number                                                     |
| 10   | Refuse   | server   | code, reason                                               |
| 11   | Dispute  | follower | head text: signed, and contradicted by what the server has |

Proofs are hashes joined to one byte string, in the order of `ranges`. Only shapes are checked.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias, cast

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
from core.errors import check
from core.limits import HASH_SIZE_BYTES
from journal.limits import (
    BLOCK_SIZE_BYTES_MAX,
    HEAD_TEXT_SIZE_BYTES_MAX,
    JOURNAL_NAME_LENGTH_MAX,
    PROOF_HASHES_MAX,
    TILE_HASHES,
)
from journal.replication.errors import FrameRefused
from journal.replication.limits import (
    CODE_LENGTH_MAX,
    FRAME_SIZE_BYTES_MAX,
    REASON_LENGTH_MAX,
    SPAN_BLOCKS_MAX,
)

VERSION: Final = 1
LENGTH_SIZE_BYTES: Final = 4
_CELL_ID_LENGTH_MAX: Final = 64
_FIELDS_MAX: Final = 7


@dataclass(frozen=True, slots=True)
class Follow:
    """What the follower wants, and what it has: `fork` None means no head is known yet."""

    version: int
    cell_id: str
    journal: str
    fork: int | None
    size: int
    length: int


@dataclass(frozen=True, slots=True)
class Head:
    """A published head, with the proof of the prefix `size_from` unless that is 0."""

    text: str
    size_from: int
    proof: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Want:
    """Asks for blocks [start, end), to be proven in the tree of `size`."""

    request: int
    size: int
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Blocks:
    """Blocks from `start` on, with the proof of their range."""

    request: int
    start: int
    blocks: tuple[bytes, ...]
    proof: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class WantTile:
    """Asks for the leaf hashes [256 · number, 256 · (number + 1)) as far as the tree has them."""

    request: int
    size: int
    number: int


@dataclass(frozen=True, slots=True)
class Tile:
    """Leaf hashes of a tile, with the proof of their range."""

    request: int
    hashes: tuple[bytes, ...]
    proof: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Tail:
    """A published head and all blocks from `start` to its size: the live tail."""

    text: str
    start: int
    blocks: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Ping:
    """Asks for a Pong."""

    number: int


@dataclass(frozen=True, slots=True)
class Pong:
    """Answers a Ping."""

    number: int


@dataclass(frozen=True, slots=True)
class Refuse:
    """The server's last frame: why it does not serve."""

    code: str
    reason: str


@dataclass(frozen=True, slots=True)
class Dispute:
    """The follower's last frame: a signed head that the server's journal does not continue."""

    text: str


Frame: TypeAlias = (
    Follow | Head | Want | Blocks | WantTile | Tile | Tail | Ping | Pong | Refuse | Dispute
)

_TYPES: Final[tuple[type, ...]] = (
    Follow,
    Head,
    Want,
    Blocks,
    WantTile,
    Tile,
    Tail,
    Ping,
    Pong,
    Refuse,
    Dispute,
)
_NUMBERS: Final = {kind: number for number, kind in enumerate(_TYPES, start=1)}


def encode_frame(frame: Frame) -> bytes:
    """Return the bytes of a frame, its length included."""
    body = encode([_NUMBERS[type(frame)], *_values(frame)])
    check(len(body) <= FRAME_SIZE_BYTES_MAX, "a frame of ours is within the limit")
    return len(body).to_bytes(LENGTH_SIZE_BYTES, "big") + body


def decode_frame(body: bytes) -> Frame:
    """Return the frame in `body`, which has no length in front; raises FrameRefused."""
    try:
        items = as_array(decode(body, size_bytes_max=FRAME_SIZE_BYTES_MAX), length_max=_FIELDS_MAX)
        kind = as_int(items[0] if items else None, low=1, high=len(_TYPES))
        return _parse(kind, items[1:])
    except (NotCanonical, WrongShape) as error:
        raise FrameRefused(f"a frame that cannot be read: {error.detail}") from error


def length_of(header: bytes) -> int:
    """Return how long the body after this header is; raises FrameRefused above the limit."""
    length = int.from_bytes(header, "big")
    if not 0 < length <= FRAME_SIZE_BYTES_MAX:
        raise FrameRefused(f"a frame of {length} bytes, at most {FRAME_SIZE_BYTES_MAX} are read")
    return length


def _values(frame: Frame) -> list[Value]:
    match frame:
        case Follow():
            return [
                frame.version,
                frame.cell_id,
                frame.journal,
                frame.fork,
                frame.size,
                frame.length,
            ]
        case Head():
            return [frame.text, frame.size_from, b"".join(frame.proof)]
        case Want():
            return [frame.request, frame.size, frame.start, frame.end]
        case Blocks():
            return [frame.request, frame.start, frame.blocks, b"".join(frame.proof)]
        case WantTile():
            return [frame.request, frame.size, frame.number]
        case Tile():
            return [frame.request, b"".join(frame.hashes), b"".join(frame.proof)]
        case Tail():
            return [frame.text, frame.start, frame.blocks]
        case Ping() | Pong():
            return [frame.number]
        case Refuse():
            return [frame.code[:CODE_LENGTH_MAX], frame.reason[:REASON_LENGTH_MAX]]
        case Dispute():
            return [frame.text]


def _parse(kind: int, items: list[Value]) -> Frame:
    match kind:
        case 1:
            version, cell_id, journal, fork, size, length = as_array(items, length=6)
            return Follow(
                as_int(version),
                as_text(cell_id, length_max=_CELL_ID_LENGTH_MAX),
                as_text(journal, length_max=JOURNAL_NAME_LENGTH_MAX),
                None if fork is None else as_int(fork),
                as_int(size),
                as_int(length),
            )
        case 2:
            text, size_from, proof = as_array(items, length=3)
            return Head(_text(text), as_int(size_from), _hashes(proof, PROOF_HASHES_MAX))
        case 4:
            request, start, blocks, proof = as_array(items, length=4)
            hashes = _hashes(proof, PROOF_HASHES_MAX)
            return Blocks(as_int(request), as_int(start), _blocks(blocks), hashes)
        case 6:
            request, leaves, proof = as_array(items, length=3)
            hashes = _hashes(proof, PROOF_HASHES_MAX)
            return Tile(as_int(request), _hashes(leaves, TILE_HASHES), hashes)
        case 7:
            text, start, blocks = as_array(items, length=3)
            return Tail(_text(text), as_int(start), _blocks(blocks))
        case 10:
            code, reason = as_array(items, length=2)
            return Refuse(
                as_text(code, length_max=CODE_LENGTH_MAX),
                as_text(reason, length_max=REASON_LENGTH_MAX),
            )
        case 11:
            return Dispute(_text(as_array(items, length=1)[0]))
        case _:
            return _parse_numbers(kind, items)


def _parse_numbers(kind: int, items: list[Value]) -> Frame:
    """Parse the frames whose fields are all integers."""
    numbers = [as_int(item) for item in items]
    match kind, numbers:
        case 3, [request, size, start, end]:
            return Want(request, size, start, end)
        case 5, [request, size, number]:
            return WantTile(request, size, number)
        case 8, [number]:
            return Ping(number)
        case 9, [number]:
            return Pong(number)
        case _:
            raise WrongShape("another number of fields")


def _text(value: Value) -> str:
    return as_text(value, length_max=HEAD_TEXT_SIZE_BYTES_MAX)


def _hashes(value: Value, count_max: int) -> tuple[bytes, ...]:
    joined = as_bytes(value, size_max=count_max * HASH_SIZE_BYTES)
    if len(joined) % HASH_SIZE_BYTES:
        raise WrongShape("hashes have 32 bytes each")
    return tuple(joined[at : at + HASH_SIZE_BYTES] for at in range(0, len(joined), HASH_SIZE_BYTES))


def _blocks(value: Value) -> tuple[bytes, ...]:
    items: Sequence[Value] = as_array(value, length_max=SPAN_BLOCKS_MAX)
    for item in items:
        if type(item) is not bytes or len(item) > BLOCK_SIZE_BYTES_MAX:
            raise WrongShape("a block is bytes, at most 4 MiB")
    return cast("tuple[bytes, ...]", tuple(items))
