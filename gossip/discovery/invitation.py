"""The exchange by which a newcomer uses a ticket, on the protocol `/myceld/invite/1`.

    newcomer                                        inviter
    ASK      ticket id, network id, name    ─────►
                                            ◄─────  COMMIT   hash of the inviter's nonce
    PROOF    newcomer's nonce, proof        ─────►  (the use becomes durable)
                                            ◄─────  WELCOME  inviter's nonce, proof, what to know

or REFUSED with a reason in place of either answer. A message is four bytes of length and a
canonical array. What is proven, and how, is in `ticket`. A ticket's state is told only to who has
proven its secret. Running an exchange twice is harmless: the same cell counts once.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from typing import Final

from core.codec import Value, WrongShape, as_array, as_bytes, as_int, as_text, decode, encode
from core.errors import MyceldError
from core.ids import CellId, NetworkId
from core.limits import HASH_SIZE_BYTES
from gossip.discovery import errors
from gossip.discovery.limits import (
    CELL_ADDRESS_LENGTH_MAX,
    GENESIS_SIZE_BYTES_MAX,
    INVITE_FRAME_SIZE_BYTES_MAX,
    NAME_LENGTH_MAX,
    NONCE_SIZE_BYTES,
    TICKET_ID_SIZE_BYTES,
    WELCOME_CELL_ADDRESSES_MAX,
    WELCOME_CELLS_MAX,
)
from gossip.discovery.ticket import (
    Ticket,
    TicketId,
    Transcript,
    Verifier,
    check_numbers,
    commitment_of,
    inviter_proof,
    prove,
    verifier_of,
)

INVITE_PROTOCOL: Final = "/myceld/invite/1"
"""The libp2p protocol name; the same on all networks, as a ticket tells the network."""

LENGTH_SIZE_BYTES: Final = 4
"""Of the length before each message, big-endian."""

_ASK, _COMMIT, _PROOF, _WELCOME, _REFUSED = range(1, 6)

_REASONS: Final[dict[int, type[MyceldError]]] = {
    1: errors.TicketUnknown,
    2: errors.TicketOfOtherNetwork,
    3: errors.ProofWrong,
    4: errors.TicketExpired,
    5: errors.TicketRevoked,
    6: errors.TicketUsed,
    7: errors.InviterBusy,
    8: errors.InviteBroken,
}
_WORDS: Final = {
    errors.TicketUnknown: "the inviter knows no such ticket",
    errors.TicketOfOtherNetwork: "the inviter is in another network than the ticket",
    errors.ProofWrong: "the inviter does not take our proof that we know the ticket",
    errors.TicketExpired: "the ticket's time is over",
    errors.TicketRevoked: "the inviter has taken the ticket back",
    errors.TicketUsed: "the ticket was used already, by another cell",
    errors.InviterBusy: "the inviter takes no more tries for now",
    errors.InviteBroken: "the inviter did not understand us",
}


@dataclass(frozen=True, slots=True)
class Ask:
    """Which ticket a newcomer wants to use, and what it is called (may be empty)."""

    ticket: TicketId
    network_id: NetworkId
    name: str

    def encode(self) -> bytes:
        """Return the message."""
        return _message([_ASK, self.ticket, self.network_id, self.name])


@dataclass(frozen=True, slots=True)
class Proof:
    """The newcomer's nonce, and its proof that it knows the secret."""

    nonce: bytes
    proof: bytes


@dataclass(frozen=True, slots=True)
class Welcome:
    """What a newcomer is told once it has proven its ticket."""

    genesis: bytes
    """Text of the network's genesis file. Unchecked: its hash must be the network id."""
    votes: bool
    """Whether the inviter will propose the newcomer as a member."""
    name: str
    """What the inviter calls the newcomer; may be empty."""
    cells: tuple[tuple[CellId, tuple[str, ...]], ...]
    """Other cells and multiaddrs of theirs, with /p2p/CELL_ID; unchecked."""

    def encode(self) -> bytes:
        """Return the bytes that the inviter's proof covers."""
        cells: list[Value] = [[cell_id, list(addresses)] for cell_id, addresses in self.cells]
        return encode([self.genesis, self.votes, self.name, cells])


class Newcomer:
    """The newcomer's side. Call `ask`, then `answer_commit`, then `enter`, each once.

    `nonce` is 16 random bytes, fresh for this exchange. All raise InviteBroken for a message that
    is not what it should be, and the error that the inviter refused with.
    """

    def __init__(self, ticket: Ticket, cell_id: CellId, name: str, nonce: bytes) -> None:
        self._ticket = ticket
        self._cell_id = cell_id
        self._name = name
        self._nonce = nonce
        self._transcript: Transcript | None = None

    def ask(self) -> bytes:
        """Return the first message."""
        return Ask(self._ticket.id, self._ticket.network_id, self._name).encode()

    def answer_commit(self, body: bytes) -> bytes:
        """Take COMMIT (without its length); return the message that proves the secret."""
        (commitment,) = _parse(body, _COMMIT, 1)
        ticket = self._ticket
        self._transcript = Transcript(
            ticket.network_id,
            ticket.inviter_id,
            self._cell_id,
            ticket.id,
            _as_bytes(commitment, HASH_SIZE_BYTES),
            self._nonce,
        )
        return _message([_PROOF, self._nonce, prove(ticket.secret, self._transcript)])

    def enter(self, body: bytes) -> tuple[Welcome, tuple[int, ...]]:
        """Take WELCOME (without its length); return it with the numbers of the four words.

        Raises InviterNotProven if the other side does not know the ticket itself.
        """
        nonce, proof, content = _parse(body, _WELCOME, 3)
        if self._transcript is None:
            raise errors.InviteBroken("a welcome before its commitment")
        verifier, said = verifier_of(self._ticket.secret), _as_bytes(content, None)
        expected = inviter_proof(verifier, self._transcript, said)
        inviter_nonce = _as_bytes(nonce, NONCE_SIZE_BYTES)
        is_proven = hmac.compare_digest(_as_bytes(proof, HASH_SIZE_BYTES), expected)
        if not is_proven or commitment_of(inviter_nonce) != self._transcript.commitment:
            raise errors.InviterNotProven("who answered can not prove that it made the ticket")
        return _parse_welcome(said), check_numbers(verifier, self._transcript, inviter_nonce)


def parse_ask(body: bytes) -> Ask:
    """Return the newcomer's first message; raises InviteBroken."""
    ticket, network, name = _parse(body, _ASK, 3)
    try:
        text = as_text(name, length_max=NAME_LENGTH_MAX)
    except WrongShape as error:
        raise errors.InviteBroken(error.detail) from error
    return Ask(
        TicketId(_as_bytes(ticket, TICKET_ID_SIZE_BYTES)),
        NetworkId(_as_bytes(network, HASH_SIZE_BYTES)),
        text,
    )


def parse_proof(body: bytes) -> Proof:
    """Return the newcomer's second message; raises InviteBroken."""
    nonce, proof = _parse(body, _PROOF, 2)
    return Proof(_as_bytes(nonce, NONCE_SIZE_BYTES), _as_bytes(proof, HASH_SIZE_BYTES))


def commit_message(nonce: bytes) -> bytes:
    """Return the message that binds the inviter to its nonce."""
    return _message([_COMMIT, commitment_of(nonce)])


def welcome_message(
    verifier: Verifier, transcript: Transcript, nonce: bytes, welcome: Welcome
) -> bytes:
    """Return the inviter's last message; the use must be durable before it is sent."""
    said = welcome.encode()
    return _message([_WELCOME, nonce, inviter_proof(verifier, transcript, said), said])


def refused_message(error: MyceldError) -> bytes:
    """Return the message that refuses with a reason; what a newcomer needs not know is left out."""
    found = [number for number, kind in _REASONS.items() if isinstance(error, kind)]
    return _message([_REFUSED, found[0] if found else 8])


def body_size(length: bytes) -> int:
    """Return how many bytes follow these four; raises InviteBroken."""
    size = int.from_bytes(length, "big")
    if not 0 < size <= INVITE_FRAME_SIZE_BYTES_MAX:
        raise errors.InviteBroken(f"a message of {size} bytes")
    return size


def _message(value: list[Value]) -> bytes:
    body = encode(value)
    return len(body).to_bytes(LENGTH_SIZE_BYTES, "big") + body


def _parse(body: bytes, kind: int, fields: int) -> list[Value]:
    """Return the fields of a message; raises InviteBroken, or what REFUSED says."""
    try:
        items = as_array(decode(body, size_bytes_max=INVITE_FRAME_SIZE_BYTES_MAX), length_max=8)
        found, reason = as_int(items[0]) if items else 0, 0
        if found == _REFUSED and len(items) == 2:
            reason = as_int(items[1])
    except MyceldError as error:
        raise errors.InviteBroken(f"not a message: {error.detail}") from error
    if reason:
        refusal = _REASONS.get(reason, errors.InviteBroken)
        raise refusal(_WORDS[refusal])
    if found != kind or len(items) != fields + 1:
        raise errors.InviteBroken(f"expected message {kind}, got {found}")
    return items[1:]


def _parse_welcome(content: bytes) -> Welcome:
    """Return the content of a welcome; raises InviteBroken."""
    try:
        value = decode(content, size_bytes_max=INVITE_FRAME_SIZE_BYTES_MAX)
        genesis, votes, name, cells = as_array(value, length=4)
        if not isinstance(votes, bool):
            raise WrongShape("the role is not a boolean")
        told = []
        for item in as_array(cells, length_max=WELCOME_CELLS_MAX):
            cell_id, addresses = as_array(item, length=2)
            texts = as_array(addresses, length_max=WELCOME_CELL_ADDRESSES_MAX)
            known = tuple(as_text(one, length_max=CELL_ADDRESS_LENGTH_MAX) for one in texts)
            told.append((CellId(as_text(cell_id, length_max=NAME_LENGTH_MAX)), known))
        return Welcome(
            as_bytes(genesis, size_max=GENESIS_SIZE_BYTES_MAX),
            votes,
            as_text(name, length_max=NAME_LENGTH_MAX),
            tuple(told),
        )
    except MyceldError as error:
        raise errors.InviteBroken(f"not a welcome: {error.detail}") from error


def _as_bytes(value: Value, size: int | None) -> bytes:
    try:
        return as_bytes(value, size=size)
    except WrongShape as error:
        raise errors.InviteBroken(error.detail) from error
