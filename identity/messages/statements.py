"""What the two ends of a conversation say about it, each signed, so that relays can carry it.

    receipt   by the receiver: all up to number `taken` is journaled here, durably, or was given up
              by its sender; `replay_id` is that of message `taken`, or empty if that was given up;
              up to `read` somebody has read
    refusal   by the receiver: this one message is not taken, and why
    floor     by the sender: nothing below this number will come any more

    ["myceld/message-receipt/2", network id, sender, receiver, round, taken, replay id, read]
    ["myceld/message-refusal/2", network id, sender, receiver, round, number, replay id, code]
    ["myceld/message-floor/2", network id, sender, receiver, round, floor]

Sender and receiver are keys; `round` is that in which the signer's key followed another one of it,
0 for a first key. Receipts and floors only ever grow, so an old one that comes again says nothing
new.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, TypeAlias

from core.codec import Value, as_array, as_bytes, as_int, as_text, decode, encode
from core.errors import MyceldError
from core.ids import CellId, NetworkId, PublicKey, Round, Signature, cell_id_of
from core.limits import HASH_SIZE_BYTES, PUBLIC_KEY_SIZE_BYTES, SIGNATURE_SIZE_BYTES
from identity.keys import KeyPair, verify
from identity.messages.ends import Ends
from identity.messages.errors import BadMessage, WrongMessageSignature
from identity.messages.limits import (
    CODE_LENGTH_MAX,
    NUMBER_MAX,
    REPLAY_ID_SIZE_BYTES,
    STATEMENT_SIZE_BYTES_MAX,
)

_RECEIPT: Final = "myceld/message-receipt/2"
_REFUSAL: Final = "myceld/message-refusal/2"
_FLOOR: Final = "myceld/message-floor/2"


@dataclass(frozen=True, slots=True)
class Pair(Ends):
    """One direction between two cells of a network."""

    network_id: NetworkId
    sender: PublicKey
    receiver: PublicKey
    since: Round = Round(0)
    """The round in which the key of the one who says it followed another; 0 for a first key."""


@dataclass(frozen=True, slots=True)
class Receipt:
    """How far the receiver has come."""

    pair: Pair
    taken: int
    replay_id: bytes
    read: int


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why one message is not taken: the code of the receiver's error."""

    pair: Pair
    number: int
    replay_id: bytes
    code: str


@dataclass(frozen=True, slots=True)
class Floor:
    """Nothing below `floor` will come any more."""

    pair: Pair
    floor: int


Statement: TypeAlias = Receipt | Refusal | Floor


def signer_of(statement: Statement) -> CellId:
    """Return whose word a statement has to be."""
    return cell_id_of(signing_key(statement))


def signing_key(statement: Statement) -> PublicKey:
    """Return the key that has to have signed a statement."""
    pair = statement.pair
    return pair.sender if isinstance(statement, Floor) else pair.receiver


def sign_statement(statement: Statement, key: KeyPair) -> bytes:
    """Return a statement with the signature of the cell that says it."""
    body = encode(_fields_of(statement))
    return encode([body, key.sign(body)])


def decode_statement(data: bytes) -> tuple[Statement, bytes, Signature]:
    """Return a statement with its signed bytes and signature, not checked; raises BadMessage."""
    try:
        value = decode(data, size_bytes_max=STATEMENT_SIZE_BYTES_MAX)
        body_item, signature = as_array(value, length=2)
        body = as_bytes(body_item)
        items = as_array(decode(body, size_bytes_max=STATEMENT_SIZE_BYTES_MAX), length_max=8)
        statement = _statement_of(items)
        return statement, body, Signature(as_bytes(signature, size=SIGNATURE_SIZE_BYTES))
    except BadMessage:
        raise
    except MyceldError as error:
        raise BadMessage(f"not a statement about messages: {error.detail}") from error


def verify_statement(body: bytes, signature: Signature, key: PublicKey) -> None:
    """Check that `key` said it; raises WrongMessageSignature."""
    if not verify(key, body, signature):
        raise WrongMessageSignature("the signature is not that of the cell whose word it is")


def _fields_of(statement: Statement) -> list[Value]:
    pair = statement.pair
    cells: list[Value] = [pair.network_id, pair.sender, pair.receiver, pair.since]
    match statement:
        case Receipt():
            return [_RECEIPT, *cells, statement.taken, statement.replay_id, statement.read]
        case Refusal():
            return [_REFUSAL, *cells, statement.number, statement.replay_id, statement.code]
        case Floor():
            return [_FLOOR, *cells, statement.floor]


def _statement_of(items: list[Value]) -> Statement:
    if len(items) < 6:
        raise BadMessage("a statement about messages has six fields or eight")
    domain = as_text(items[0], length_max=32)
    if len(items) != (6 if domain == _FLOOR else 8):
        raise BadMessage("a statement about messages has another number of fields")
    pair = Pair(
        NetworkId(as_bytes(items[1], size=HASH_SIZE_BYTES)),
        PublicKey(as_bytes(items[2], size=PUBLIC_KEY_SIZE_BYTES)),
        PublicKey(as_bytes(items[3], size=PUBLIC_KEY_SIZE_BYTES)),
        Round(as_int(items[4])),
    )
    if domain == _FLOOR:
        return Floor(pair, as_int(items[5], low=1, high=NUMBER_MAX + 1))
    if domain == _REFUSAL:
        replay_id = as_bytes(items[6], size=REPLAY_ID_SIZE_BYTES)
        code = as_text(items[7], length_max=CODE_LENGTH_MAX)
        return Refusal(pair, as_int(items[5], low=1, high=NUMBER_MAX), replay_id, code)
    if domain != _RECEIPT:
        raise BadMessage("no statement about messages of this version")
    replay_id = as_bytes(items[6], size_max=REPLAY_ID_SIZE_BYTES)
    if len(replay_id) not in (0, REPLAY_ID_SIZE_BYTES):
        raise BadMessage("a replay id has another length")
    taken = as_int(items[5], high=NUMBER_MAX)
    return Receipt(pair, taken, replay_id, as_int(items[7], high=taken))
