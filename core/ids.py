"""Types of the identifiers, rounds and sequence numbers, and the cell id.

A cell id is the libp2p peer id of the cell's Ed25519 key: base58 of an identity multihash over the
protobuf-encoded public key, so the key can be read back from it (libp2p peer-ids specification).
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final, NewType

import base58

from core.errors import LocalMisuse
from core.limits import CELL_IDS_CACHED_MAX, PUBLIC_KEY_SIZE_BYTES

CellId = NewType("CellId", str)
"""A libp2p peer id, such as 12D3KooW…; one per cell."""
PublicKey = NewType("PublicKey", bytes)
"""32 bytes, Ed25519."""
Signature = NewType("Signature", bytes)
"""64 bytes, Ed25519."""
Hash = NewType("Hash", bytes)
"""32 bytes, SHA-256."""
NetworkId = NewType("NetworkId", bytes)
"""32 bytes: the hash of the genesis."""
EventId = NewType("EventId", bytes)
"""32 bytes: SHA-256 over an event's body and signature."""
TransactionId = NewType("TransactionId", bytes)
"""32 bytes: SHA-256 over a transaction's bytes."""
MemberIndex = NewType("MemberIndex", int)
"""Position of a member in its epoch's roster, from 0."""
Epoch = NewType("Epoch", int)
"""Number of an epoch, from 0."""
Round = NewType("Round", int)
"""A hashgraph round, counted from 1 over all epochs."""
Sequence = NewType("Sequence", int)
"""Position of an event in its creator's chain, from 0."""
AccountId = NewType("AccountId", bytes)
"""Whose account: a public key, the id of a multi-signature account, or the treasury's name."""
Amount = NewType("Amount", int)
"""Of PRANA or of a token, in base units: never a fraction."""

# Identity multihash (0x00) of 36 bytes (0x24); protobuf field 1: Ed25519, field 2: 32 bytes.
_PEER_ID_PREFIX: Final = bytes.fromhex("0024080112" + "20")
_CELL_ID_LENGTH_MAX: Final = 64


class NotACellId(LocalMisuse):
    """Text that is not the peer id of an Ed25519 key."""

    code = "MYC-CORE-004"
    remedy = "A cell id looks like 12D3KooW…; copy it whole from `myceld status` or `myceld init`."


@lru_cache(CELL_IDS_CACHED_MAX)
def cell_id_of(public_key: PublicKey) -> CellId:
    """Return the cell id of a 32-byte Ed25519 public key."""
    return CellId(base58.b58encode(_PEER_ID_PREFIX + public_key).decode("ascii"))


@lru_cache(CELL_IDS_CACHED_MAX)
def public_key_of(cell_id: str) -> PublicKey:
    """Return the public key inside a cell id; raises NotACellId."""
    if len(cell_id) > _CELL_ID_LENGTH_MAX:  # decoding takes time in the square of the length
        raise NotACellId(f"{len(cell_id)} characters are too many for a cell id")
    try:
        raw = base58.b58decode(cell_id)
    except ValueError as error:
        raise NotACellId(f"{cell_id!r} is not base58") from error
    key = PublicKey(raw[len(_PEER_ID_PREFIX) :])
    # Encoded again, so that one key never goes by two ids: the decoder skips white space.
    if len(key) != PUBLIC_KEY_SIZE_BYTES or cell_id_of(key) != cell_id:
        raise NotACellId(f"{cell_id!r} is not the peer id of an Ed25519 key")
    return key


def short(cell_id: str) -> str:
    """Return the last eight characters of a cell id, for logs and tables."""
    return cell_id[-8:]
