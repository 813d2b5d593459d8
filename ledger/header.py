"""Round headers and receipts: what a round did, in the form that members sign.

The header of a round names the state root after it, the Merkle root (RFC 6962) over its receipts
and the hash of the header before it, so one signed header vouches for the whole past.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from core.codec import WrongShape, as_array, as_bytes, as_int, as_text, decode, encode
from core.ids import Epoch, EventId, Hash, NetworkId, Round, TransactionId
from core.limits import HASH_SIZE_BYTES
from journal.merkle import Frontier, full_root, leaf_hash, subtree_inclusion_proof

_DOMAIN: Final = "myceld/round/1"
NO_HEADER: Final = Hash(bytes(HASH_SIZE_BYTES))
"""What the first header names as the one before it."""

APPLIED: Final = "applied"
"""Outcome of a transaction that had its effect; any other outcome is a refusal's error code."""

_OUTCOME_LENGTH_MAX: Final = 32


@dataclass(frozen=True, slots=True)
class Receipt:
    """The place and outcome of one transaction in the agreed order."""

    id: TransactionId
    position: int
    event: EventId
    consensus_time_ns: int
    outcome: str

    def encode(self) -> bytes:
        """Return the canonical bytes, the leaf of the receipts tree."""
        return encode([self.id, self.position, self.event, self.consensus_time_ns, self.outcome])


def decode_receipt(data: bytes) -> Receipt:
    """Return the receipt in `data`; raises NotCanonical or WrongShape."""
    identity, position, event, time_ns, outcome = as_array(decode(data), length=5)
    return Receipt(
        TransactionId(as_bytes(identity, size=HASH_SIZE_BYTES)),
        as_int(position),
        EventId(as_bytes(event, size=HASH_SIZE_BYTES)),
        as_int(time_ns),
        as_text(outcome, length_max=_OUTCOME_LENGTH_MAX),
    )


@dataclass(frozen=True)
class RoundHeader:
    """What the network agreed on up to and including `round`."""

    network_id: NetworkId
    epoch: Epoch
    round: Round
    previous: Hash
    state_root: Hash
    receipts_root: Hash
    roster: Hash
    """Of the roster that votes on the next round: another one if this round seals its epoch."""
    transactions: int
    """Added to the order by this round."""
    transactions_total: int
    consensus_time_ns: int
    """Of the round's last event; that of the header before it for a round without events."""

    def encode(self) -> bytes:
        """Return the canonical bytes."""
        return encode(
            [
                _DOMAIN,
                self.network_id,
                self.epoch,
                self.round,
                self.previous,
                self.state_root,
                self.receipts_root,
                self.roster,
                self.transactions,
                self.transactions_total,
                self.consensus_time_ns,
            ]
        )

    @cached_property
    def hash(self) -> Hash:
        """SHA-256 of the canonical bytes."""
        return Hash(hashlib.sha256(self.encode()).digest())


def decode_header(data: bytes) -> RoundHeader:
    """Return the header in `data`; raises NotCanonical or WrongShape."""
    items = as_array(decode(data), length=11)
    if items[0] != _DOMAIN:
        raise WrongShape("not a round header of this version")
    hashes = [Hash(as_bytes(items[at], size=HASH_SIZE_BYTES)) for at in (1, 4, 5, 6, 7)]
    return RoundHeader(
        network_id=NetworkId(hashes[0]),
        epoch=Epoch(as_int(items[2])),
        round=Round(as_int(items[3])),
        previous=hashes[1],
        state_root=hashes[2],
        receipts_root=hashes[3],
        roster=hashes[4],
        transactions=as_int(items[8]),
        transactions_total=as_int(items[9]),
        consensus_time_ns=as_int(items[10]),
    )


def receipts_root(receipts: Sequence[Receipt]) -> Hash:
    """Return the RFC 6962 root over the receipts, in order."""
    frontier = Frontier()
    for receipt in receipts:
        frontier.append(leaf_hash(receipt.encode()))
    return Hash(frontier.root())


def receipt_path(receipts: Sequence[Receipt], index: int) -> list[bytes]:
    """Return the RFC 6962 inclusion proof of one of a round's receipts, from the leaf up."""
    leaves = [leaf_hash(receipt.encode()) for receipt in receipts]

    def node(level: int, number: int) -> bytes:
        return full_root(leaves[number << level : (number + 1) << level])

    return subtree_inclusion_proof(index, 0, len(leaves), node)
