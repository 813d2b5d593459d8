"""The proof that a message is in its sender's journal: a signed head, and what leads to it.

    proof   [index, [hash, …], text of the head]

The head must be of the journal `message` of the sender's cell, at any fork, and signed by its key;
the block that is proven is the one that the sender journals of this very message. So who sends a
message has bound itself to its place among all that it ever sent: it can not show one history to
one receiver and another one to the next without signing two heads that contradict each other.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from core.codec import as_array, as_bytes, as_int, as_text, decode, encode
from core.errors import MyceldError
from core.ids import CellId, PublicKey
from core.limits import HASH_SIZE_BYTES
from identity.messages.envelope import Message, sent_block
from identity.messages.errors import BadMessage, MessageNotProven
from identity.messages.limits import HEAD_SIZE_BYTES_MAX, PROOF_SIZE_BYTES_MAX
from journal.checkpoint import Checkpoint, parse_checkpoint, verify_checkpoint
from journal.limits import PROOF_HASHES_MAX
from journal.merkle import leaf_hash, verify_inclusion

MESSAGE_JOURNAL: Final = "message"
"""Name of the journal in which a cell keeps all messages that it sent and took."""


@dataclass(frozen=True, slots=True)
class JournalProof:
    """What a proof says, not checked."""

    index: int
    hashes: tuple[bytes, ...]
    head: str


class Heads:
    """Checks heads of journals of messages, and remembers the newest good one of each cell.

    Messages come in bursts under one head, whose signature is then checked once. At most
    `cells_max` heads of 300 bytes.
    """

    def __init__(self, cells_max: int = 256) -> None:
        self._cells_max = cells_max
        self._good: dict[CellId, tuple[str, PublicKey, Checkpoint]] = {}

    def good(self, text: str, cell_id: CellId, key: PublicKey) -> Checkpoint:
        """Return the head in `text` if `key` signed it for that cell; raises HeadRefused."""
        known = self._good.get(cell_id)
        if known is not None and known[:2] == (text, key):
            return known[2]
        parsed = parse_checkpoint(text)
        origin = f"{cell_id}/{MESSAGE_JOURNAL}/{parsed.fork}"
        head = verify_checkpoint(text, origin, key)
        if cell_id not in self._good and len(self._good) >= self._cells_max:
            del self._good[next(iter(self._good))]
        self._good[cell_id] = (text, key, head)
        return head


def encode_proof(proof: JournalProof) -> bytes:
    """Return the bytes of a proof."""
    return encode([proof.index, list(proof.hashes), proof.head])


def decode_proof(data: bytes) -> JournalProof:
    """Return the proof in `data`, not checked; raises BadMessage."""
    try:
        index, hashes, head = as_array(decode(data, size_bytes_max=PROOF_SIZE_BYTES_MAX), length=3)
        return JournalProof(
            as_int(index),
            tuple(
                as_bytes(item, size=HASH_SIZE_BYTES)
                for item in as_array(hashes, length_max=PROOF_HASHES_MAX)
            ),
            as_text(head, length_max=HEAD_SIZE_BYTES_MAX),
        )
    except MyceldError as error:
        raise BadMessage(f"not a proof: {error.detail}") from error


def verify_proof(message: Message, data: bytes, key: PublicKey, heads: Heads) -> JournalProof:
    """Return the proof in `data` if the message is in its sender's journal under its head.

    `key` is the sender's. Raises BadMessage or MessageNotProven.
    """
    proof = decode_proof(data)
    try:
        head = heads.good(proof.head, message.header.sender_id, key)
        leaf = leaf_hash(sent_block(message.encoded))
        verify_inclusion(leaf, proof.index, head.size, proof.hashes, head.root)
    except MyceldError as error:
        raise MessageNotProven(f"not in the sender's journal: {error.detail}") from error
    return proof
