"""A ticket: one line of text that lets its holder join a network, and what its secret proves.

    myceld1 ‖ base32(body ‖ checksum)         in lower case, without padding
    body      canonical msgpack: [network id, inviter's key, secret, expiry (s), [address, …]]
    checksum  the first 6 bytes of SHA-256("myceld/ticket/1" ‖ body), against mistyping only

The digit in the prefix is the version. The secret never travels in clear: proofs are made as in
SCRAM (RFC 5802 §3), so the inviter keeps hashes that prove nothing by themselves. Both sides also
get four words out of an exchange; they are equal on both ends only if nobody is between them.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, NewType

from core.codec import Value, as_array, as_bytes, as_int, as_text, decode, encode
from core.errors import MyceldError
from core.ids import CellId, NetworkId, PublicKey, cell_id_of
from core.limits import HASH_SIZE_BYTES, PUBLIC_KEY_SIZE_BYTES
from gossip.discovery.errors import NotATicket, TicketOfOtherVersion
from gossip.discovery.limits import (
    SECRET_SIZE_BYTES,
    TICKET_ADDRESS_LENGTH_MAX,
    TICKET_ADDRESSES_MAX,
    TICKET_ID_SIZE_BYTES,
    TICKET_LENGTH_MAX,
    WORDS,
)

TicketId = NewType("TicketId", bytes)
"""8 bytes, a hash of the secret: names a ticket without giving it away."""

_NAME: Final = "myceld"
_PREFIX: Final = _NAME + "1"
_DOMAIN: Final = b"myceld/ticket/1"
_CHECKSUM_SIZE_BYTES: Final = 6
_WORD_BITS: Final = 11


@dataclass(frozen=True, slots=True)
class Ticket:
    """What a newcomer has to know. `repr` does not show the secret; the text of a ticket does.

    `addresses` are multiaddrs without /p2p/…: who must answer there is `inviter`.
    """

    network_id: NetworkId
    inviter: PublicKey
    secret: bytes = field(repr=False)
    expires_s: int
    """Seconds of the Unix epoch."""
    addresses: tuple[str, ...]

    @property
    def id(self) -> TicketId:
        """The ticket's name, a hash of its secret."""
        return TicketId(_derive(self.secret, b"id")[:TICKET_ID_SIZE_BYTES])

    @property
    def inviter_id(self) -> CellId:
        """The cell id of the inviter."""
        return cell_id_of(self.inviter)

    @property
    def dial_addresses(self) -> tuple[str, ...]:
        """Multiaddrs with the cell id that must answer."""
        return tuple(f"{address}/p2p/{self.inviter_id}" for address in self.addresses)


@dataclass(frozen=True, slots=True)
class Verifier:
    """What the inviter keeps of a secret: enough to check a proof, not to make one."""

    stored_key: bytes = field(repr=False)
    """SHA-256 of the newcomer's proving key."""
    server_key: bytes = field(repr=False)
    """With it the inviter proves that it made the ticket."""


@dataclass(frozen=True, slots=True)
class Transcript:
    """Everything both sides must agree on in an exchange; what proofs and words are made of.

    The cell ids are those that the encrypted channel has proven, so a proof is worth nothing on
    another channel.
    """

    network_id: NetworkId
    inviter: CellId
    newcomer: CellId
    ticket: TicketId
    commitment: bytes
    """SHA-256 of the inviter's nonce, told before the newcomer's nonce was."""
    newcomer_nonce: bytes

    def encode(self) -> bytes:
        """Return the bytes that are hashed."""
        return encode(
            [
                "myceld/invite/1",
                self.network_id,
                self.inviter,
                self.newcomer,
                self.ticket,
                self.commitment,
                self.newcomer_nonce,
            ]
        )


def format_ticket(ticket: Ticket) -> str:
    """Return the line of text; what `parse_ticket` would refuse raises NotATicket."""
    addresses: list[Value] = list(ticket.addresses)
    body = encode(
        [ticket.network_id, ticket.inviter, ticket.secret, ticket.expires_s, addresses],
    )
    text = _PREFIX + _to_base32(body + _checksum(body))
    parse_ticket(text)
    return text


def parse_ticket(text: str) -> Ticket:
    """Return the ticket in a text, whose case and white space do not matter.

    Raises NotATicket, or TicketOfOtherVersion.
    """
    if len(text) > TICKET_LENGTH_MAX:
        raise NotATicket(f"{len(text)} characters are too many for a ticket")
    line = "".join(text.split()).lower()
    if not line.startswith(_NAME):
        raise NotATicket("the text does not begin with myceld1")
    if not line.startswith(_PREFIX):
        if line[len(_NAME) : len(_NAME) + 1].isdecimal():
            raise TicketOfOtherVersion("the ticket has another version than 1")
        raise NotATicket("the text does not begin with myceld1")
    data = _from_base32(line[len(_PREFIX) :])
    body, checksum = data[:-_CHECKSUM_SIZE_BYTES], data[-_CHECKSUM_SIZE_BYTES:]
    if checksum != _checksum(body):
        raise NotATicket("the ticket is cut off or mistyped: its checksum does not fit")
    try:
        return _parse_body(body)
    except NotATicket:
        raise
    except MyceldError as error:
        raise NotATicket(f"the ticket's content is not one: {error.detail}") from error


def verifier_of(secret: bytes) -> Verifier:
    """Return what the inviter keeps of a secret."""
    client_key = _derive(secret, b"newcomer")
    return Verifier(hashlib.sha256(client_key).digest(), _derive(secret, b"inviter"))


def commitment_of(nonce: bytes) -> bytes:
    """Return what binds the inviter to its nonce before it tells it."""
    return hashlib.sha256(b"myceld/invite-nonce/1" + nonce).digest()


def prove(secret: bytes, transcript: Transcript) -> bytes:
    """Return the newcomer's proof that it knows the secret: 32 bytes."""
    client_key = _derive(secret, b"newcomer")
    stored_key = hashlib.sha256(client_key).digest()
    return _xor(client_key, _mac(stored_key, b"newcomer", transcript.encode()))


def is_proof(verifier: Verifier, transcript: Transcript, proof: bytes) -> bool:
    """Return whether a proof of 32 bytes was made with the secret, for this very exchange."""
    client_key = _xor(proof, _mac(verifier.stored_key, b"newcomer", transcript.encode()))
    return hmac.compare_digest(hashlib.sha256(client_key).digest(), verifier.stored_key)


def inviter_proof(verifier: Verifier, transcript: Transcript, welcome: bytes) -> bytes:
    """Return the inviter's proof over the exchange and what it answers: 32 bytes."""
    said = transcript.encode() + hashlib.sha256(welcome).digest()
    return _mac(verifier.server_key, b"inviter", said)


def check_numbers(verifier: Verifier, transcript: Transcript, nonce: bytes) -> tuple[int, ...]:
    """Return the four numbers of 0 to 2047 that both ends show as words.

    `nonce` is the inviter's. Neither side can choose its own nonce after it saw the other's, so
    somebody between the two gets equal words once in 2**44 exchanges.
    """
    digest = _mac(verifier.stored_key, b"words", transcript.encode() + nonce)
    bits = int.from_bytes(digest, "big") >> (8 * len(digest) - WORDS * _WORD_BITS)
    mask = (1 << _WORD_BITS) - 1
    return tuple(bits >> (_WORD_BITS * place) & mask for place in reversed(range(WORDS)))


def _parse_body(body: bytes) -> Ticket:
    network, inviter, secret, expires, addresses = as_array(decode(body), length=5)
    texts = tuple(
        as_text(item, length_max=TICKET_ADDRESS_LENGTH_MAX)
        for item in as_array(addresses, length_max=TICKET_ADDRESSES_MAX)
    )
    _check_addresses(texts)
    return Ticket(
        NetworkId(as_bytes(network, size=HASH_SIZE_BYTES)),
        PublicKey(as_bytes(inviter, size=PUBLIC_KEY_SIZE_BYTES)),
        as_bytes(secret, size=SECRET_SIZE_BYTES),
        as_int(expires),
        texts,
    )


def _check_addresses(addresses: Sequence[str]) -> None:
    """Raise NotATicket unless there are addresses, of printable ASCII."""
    if not addresses:
        raise NotATicket("the ticket has no address")
    for address in addresses:
        if not (address.isascii() and address.isprintable() and address.startswith("/")):
            raise NotATicket("an address of the ticket is not a multiaddr")


def _checksum(body: bytes) -> bytes:
    return hashlib.sha256(_DOMAIN + body).digest()[:_CHECKSUM_SIZE_BYTES]


def _to_base32(data: bytes) -> str:
    return base64.b32encode(data).decode("ascii").rstrip("=").lower()


def _from_base32(text: str) -> bytes:
    """Return the bytes; raises NotATicket for anything but their one encoding."""
    try:
        data = base64.b32decode(text.upper() + "=" * (-len(text) % 8))
    except (binascii.Error, ValueError) as error:
        raise NotATicket("the ticket has a character that no ticket has, or is cut off") from error
    if _to_base32(data) != text:
        raise NotATicket("the ticket is cut off or mistyped")
    return data


def _derive(secret: bytes, use: bytes) -> bytes:
    return _mac(secret, use, _DOMAIN)


def _mac(key: bytes, use: bytes, data: bytes) -> bytes:
    return hmac.digest(key, use + b"\x00" + data, "sha256")


def _xor(one: bytes, other: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(one, other, strict=True))
