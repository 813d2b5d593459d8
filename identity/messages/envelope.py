"""What a message is: header, body and signature, and its journal's proof around them.

    content    ["myceld/message/2", network id, timestamp ms, sender, its round, receiver, its
                round, type, number, replay id, body]
    signed     [content, signature over content]
    block      ["sent", signed] at the sender, ["received", signed, proof] at the receiver
    proof      [index in the sender's journal, [hash, …], head of that journal]
    envelope   [signed, proof]

Sender and receiver are the 32 bytes of the key in their cell ids, each with the round in which it
followed another key of that cell, 0 for a first one: so a receiver that has not come so far in the
order sees that it does not know yet who that is. `number` counts the messages from one cell to the
other, from 1, through all their keys.
Nothing of it is true before `verify_signature` and `proof.verify_proof` returned.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from core.codec import Value, as_array, as_bytes, as_int, as_text, decode, encode
from core.errors import MyceldError
from core.ids import NetworkId, PublicKey, Round, Signature
from core.limits import HASH_SIZE_BYTES, PUBLIC_KEY_SIZE_BYTES, SIGNATURE_SIZE_BYTES
from identity.keys import verify
from identity.messages.ends import Ends
from identity.messages.errors import BadMessage, WrongMessageSignature
from identity.messages.limits import (
    BODY_SIZE_BYTES_MAX,
    ENVELOPE_SIZE_BYTES_MAX,
    NUMBER_MAX,
    PROOF_SIZE_BYTES_MAX,
    REPLAY_ID_SIZE_BYTES,
    SEALED_SIZE_BYTES_MAX,
    SIGNED_SIZE_BYTES_MAX,
)

_DOMAIN: Final = "myceld/message/2"
_SENT: Final = "sent"
_RECEIVED: Final = "received"


class MessageType(IntEnum):
    """What a message is for; the numbers are part of the format."""

    CHAT = 1
    """Human text, sealed for the receiver."""
    AUTH = 2
    """Proofs of identity, sealed for the receiver."""
    TX = 3
    """A signed transaction, to be ordered."""
    POST = 4
    """Content for the global data set."""
    QUERY = 5
    """A question about the global data set, or the answer to one."""
    EXEC = 6
    """A request to run something that the receiver declared, or its result."""

    @property
    def is_sealed(self) -> bool:
        """Whether the body can only be read by its receiver."""
        return self in (MessageType.CHAT, MessageType.AUTH)


@dataclass(frozen=True, slots=True)
class Header(Ends):
    """Everything of a message but its body."""

    network_id: NetworkId
    timestamp_ms: int
    """When it was written, by the sender's clock."""
    sender: PublicKey
    receiver: PublicKey
    type: MessageType
    number: int
    replay_id: bytes
    sender_since: Round = Round(0)
    """The round in which the sender's key followed another one; 0 for a first key."""
    receiver_since: Round = Round(0)
    """The same of the receiver's key."""


@dataclass(frozen=True, slots=True)
class Message:
    """A decoded message; `content` is what the signature is over."""

    header: Header
    body: bytes
    """Sealed, if the type is."""
    content: bytes
    signature: Signature

    @property
    def encoded(self) -> bytes:
        """Return the signed message as it is journaled and sent."""
        return encode([self.content, self.signature])


@dataclass(frozen=True, slots=True)
class Envelope:
    """A message with the bytes of its proof."""

    message: Message
    proof: bytes

    @property
    def encoded(self) -> bytes:
        """Return the bytes that are sent."""
        return encode_envelope(self.message.encoded, self.proof)


def content_of(header: Header, body: bytes) -> bytes:
    """Return the bytes that the sender signs."""
    return encode(
        [
            _DOMAIN,
            header.network_id,
            header.timestamp_ms,
            header.sender,
            header.sender_since,
            header.receiver,
            header.receiver_since,
            int(header.type),
            header.number,
            header.replay_id,
            body,
        ]
    )


def signed_message(content: bytes, signature: Signature) -> bytes:
    """Return the signed message as it is journaled and sent."""
    return encode([content, signature])


def decode_message(data: bytes) -> Message:
    """Return the message in `data`, its signature not checked; raises BadMessage."""
    try:
        value = decode(data, size_bytes_max=SIGNED_SIZE_BYTES_MAX)
        content, signature = as_array(value, length=2)
        content_bytes = as_bytes(content)
        items = as_array(decode(content_bytes, size_bytes_max=SIGNED_SIZE_BYTES_MAX), length=11)
        header = _header_of(items)
        size_max = SEALED_SIZE_BYTES_MAX if header.type.is_sealed else BODY_SIZE_BYTES_MAX
        return Message(
            header,
            as_bytes(items[10], size_max=size_max),
            content_bytes,
            Signature(as_bytes(signature, size=SIGNATURE_SIZE_BYTES)),
        )
    except BadMessage:
        raise
    except MyceldError as error:
        raise BadMessage(f"not a message: {error.detail}") from error


def verify_signature(message: Message, key: PublicKey) -> None:
    """Check that `key`, the sender's, signed the message; raises WrongMessageSignature."""
    if not verify(key, message.content, message.signature):
        raise WrongMessageSignature("the signature is not the sender's signature of this message")


def encode_envelope(signed: bytes, proof: bytes) -> bytes:
    """Return a signed message with its proof."""
    return encode([signed, proof])


def decode_envelope(data: bytes) -> Envelope:
    """Return the envelope in `data`, nothing of it checked but its form; raises BadMessage."""
    signed, proof = _two_parts(data, ENVELOPE_SIZE_BYTES_MAX)
    return Envelope(decode_message(signed), proof)


def sent_block(signed: bytes) -> bytes:
    """Return the block that the sender journals."""
    return encode([_SENT, signed])


def received_block(envelope: bytes) -> bytes:
    """Return the block that the receiver journals."""
    return encode([_RECEIVED, envelope])


def decode_block(block: bytes) -> tuple[bool, bytes]:
    """Return whether a block of a message journal was sent, and the signed message in it.

    Raises BadMessage.
    """
    try:
        value = decode(block, size_bytes_max=ENVELOPE_SIZE_BYTES_MAX + 16)
        kind_item, data_item = as_array(value, length=2)
        kind, data = as_text(kind_item, length_max=8), as_bytes(data_item)
    except MyceldError as error:
        raise BadMessage(f"not a block of messages: {error.detail}") from error
    if kind == _SENT:
        return True, data
    if kind == _RECEIVED:
        return False, _two_parts(data, ENVELOPE_SIZE_BYTES_MAX)[0]
    raise BadMessage(f"no block of messages is {kind!r}")


def _header_of(items: list[Value]) -> Header:
    if as_text(items[0], length_max=32) != _DOMAIN:
        raise BadMessage("not a message of this version")
    kind = as_int(items[7], low=1, high=max(MessageType))
    return Header(
        NetworkId(as_bytes(items[1], size=HASH_SIZE_BYTES)),
        as_int(items[2]),
        PublicKey(as_bytes(items[3], size=PUBLIC_KEY_SIZE_BYTES)),
        PublicKey(as_bytes(items[5], size=PUBLIC_KEY_SIZE_BYTES)),
        MessageType(kind),
        as_int(items[8], low=1, high=NUMBER_MAX),
        as_bytes(items[9], size=REPLAY_ID_SIZE_BYTES),
        Round(as_int(items[4])),
        Round(as_int(items[6])),
    )


def _two_parts(data: bytes, size_bytes_max: int) -> tuple[bytes, bytes]:
    try:
        first, second = as_array(decode(data, size_bytes_max=size_bytes_max), length=2)
        return as_bytes(first), as_bytes(second, size_max=PROOF_SIZE_BYTES_MAX)
    except MyceldError as error:
        raise BadMessage(f"not an envelope: {error.detail}") from error
