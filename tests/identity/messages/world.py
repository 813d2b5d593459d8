"""Two cells and their messages, without any disk: a journal is a list of blocks."""

from __future__ import annotations

from core.ids import Hash, NetworkId
from identity.keys import KeyPair
from identity.messages.envelope import (
    Header,
    MessageType,
    content_of,
    encode_envelope,
    sent_block,
    signed_message,
)
from identity.messages.proof import MESSAGE_JOURNAL, JournalProof, encode_proof
from identity.messages.sealing import seal
from journal.checkpoint import sign_checkpoint
from journal.merkle import leaf_hash, subtree_inclusion_proof
from tests.journal.world import slow_root
from tests.ledger.world import KEYS

NETWORK = NetworkId(b"n" * 32)
ALICE, BOB, EVE = KEYS[0], KEYS[1], KEYS[2]
TEXT = b"the treasure is below the old oak"


def header(
    number: int = 1,
    *,
    sender: KeyPair = ALICE,
    receiver: KeyPair = BOB,
    kind: MessageType = MessageType.CHAT,
    replay_id: bytes = b"r" * 16,
) -> Header:
    return Header(
        NETWORK, 1_700_000_000_000, sender.public_key, receiver.public_key, kind, number, replay_id
    )


def signed(
    head: Header | None = None,
    body: bytes = TEXT,
    *,
    by: KeyPair = ALICE,
) -> bytes:
    """A signed message, sealed if its type is."""
    head = head or header()
    if head.type.is_sealed:
        body = seal(head, body)
    content = content_of(head, body)
    return signed_message(content, by.sign(content))


def proof_in(blocks: list[bytes], index: int, key: KeyPair, *, fork: int = 0) -> JournalProof:
    leaves = [leaf_hash(block) for block in blocks]
    origin = f"{key.cell_id}/{MESSAGE_JOURNAL}/{fork}"
    root = Hash(slow_root(leaves))
    head = sign_checkpoint(origin, len(leaves), root, key.public_key, key.sign)

    def node(level: int, number: int) -> bytes:
        return slow_root(leaves[number << level : (number + 1) << level])

    return JournalProof(index, tuple(subtree_inclusion_proof(index, 0, len(leaves), node)), head)


def enveloped(message: bytes, *, key: KeyPair = ALICE, before: int = 5, after: int = 3) -> bytes:
    """A message as it is sent, its block among others of the journal."""
    blocks = [
        *(b"before %d" % at for at in range(before)),
        sent_block(message),
        *(b"after %d" % at for at in range(after)),
    ]
    return encode_envelope(message, encode_proof(proof_in(blocks, before, key)))
