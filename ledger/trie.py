"""What the authenticated map is: bits of keys, hashes of entries, and the root of a set of them.

A binary Patricia (crit-bit) trie over the keys themselves. A key is read as bits: before each of
its bytes a 1, after the last one a 0. So the order of bits is that of bytes, no key is the
beginning of another, and all keys with a prefix are one subtree, or none.

    leaf     SHA-256(0x00 ‖ length of key, 2 bytes ‖ key ‖ SHA-256(value))
    inner    SHA-256(0x01 ‖ position of the bit in which its sides differ, 2 bytes ‖ left ‖ right)
    empty    32 zero bytes

The positions grow on each way down, and shape and root depend on the set of entries only. Pure,
and needs nothing of this project but `core`: verifiers elsewhere take it with `ledger.map_proof`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Final

from core.ids import Hash
from core.limits import HASH_SIZE_BYTES

KEY_SIZE_BYTES_MAX: Final = 512
"""Of a key in the map: a way down has 4,609 branchings at most, and positions fit two bytes."""

POSITIONS: Final = 9 * KEY_SIZE_BYTES_MAX + 1
"""Bits of the longest key."""

EMPTY_ROOT: Final = Hash(bytes(HASH_SIZE_BYTES))
"""Root of the map without entries."""

BYTE_OF: Final = tuple(position // 9 for position in range(POSITIONS))
"""In which byte of a key the bit at a position lies."""

MASK_OF: Final = tuple(
    (0, *(1 << bit for bit in range(7, -1, -1)))[at % 9] for at in range(POSITIONS)
)
"""Which bit of that byte; 0 for the bit that says whether there is such a byte."""

INNER_HEAD: Final = tuple(b"\x01" + position.to_bytes(2, "big") for position in range(POSITIONS))
"""How the bytes begin that an inner node's digest is of."""


def bit(key: bytes, position: int) -> int:
    """Return the bit of a key at a position, 0 beyond its end."""
    at, mask = BYTE_OF[position], MASK_OF[position]
    return int(at < len(key) and (mask == 0 or key[at] & mask != 0))


def first_difference(one: bytes, other: bytes) -> int:
    """Return the position of the first bit in which two different keys differ."""
    shared = min(len(one), len(other))
    left, right = int.from_bytes(one[:shared], "big"), int.from_bytes(other[:shared], "big")
    if left == right:
        return 9 * shared
    at = 8 * shared - (left ^ right).bit_length()
    return at + (at >> 3) + 1


def low_of(key: bytes, position: int, side: int) -> bytes:
    """Return the lowest key that agrees with `key` before a position and has bit `side` there."""
    at, mask = BYTE_OF[position], MASK_OF[position]
    if mask == 0:
        return key[:at] + b"\x00" if side else key[:at]
    byte = key[at] & ~(2 * mask - 1) & 0xFF | (mask if side else 0)
    return key[:at] + bytes((byte,))


def leaf_digest(key: bytes, value_hash: bytes) -> bytes:
    """Return the digest of an entry."""
    return hashlib.sha256(b"\x00" + len(key).to_bytes(2, "big") + key + value_hash).digest()


def entry_digest(key: bytes, value: bytes) -> bytes:
    """Return the digest of an entry with this value."""
    return leaf_digest(key, hashlib.sha256(value).digest())


def inner_digest(position: int, left: bytes, right: bytes) -> bytes:
    """Return the digest of what branches at a position."""
    return hashlib.sha256(INNER_HEAD[position] + left + right).digest()


def digests_above(leaves: Sequence[bytes], positions: Sequence[int]) -> list[bytes]:
    """Return the digests of the inner nodes over neighbouring leaves, in order.

    `positions[i]` is where leaf i and the next one branch; the digest with that index is of the
    node there. The one with the lowest position is the root's.
    """
    above: list[bytes] = [b""] * len(positions)
    open_: list[tuple[int, int, bytes]] = []
    digest, sha256 = leaves[0], hashlib.sha256
    for at, position in enumerate(positions):
        while open_ and open_[-1][1] > position:
            inner, where, left = open_.pop()
            digest = above[inner] = sha256(INNER_HEAD[where] + left + digest).digest()
        open_.append((at, position, digest))
        digest = leaves[at + 1]
    while open_:
        inner, where, left = open_.pop()
        digest = above[inner] = sha256(INNER_HEAD[where] + left + digest).digest()
    return above


def digest_above(leaves: Sequence[bytes], positions: Sequence[int]) -> bytes:
    """Return the digest over neighbouring leaves, that of the root of `digests_above`."""
    sha256, heads = hashlib.sha256, INNER_HEAD
    above, lefts = [-1], [b""]
    digest, top = leaves[0], -1
    for at, position in enumerate(positions, 1):
        while top > position:
            digest = sha256(heads[top] + lefts.pop() + digest).digest()
            above.pop()
            top = above[-1]
        above.append(position)
        lefts.append(digest)
        digest, top = leaves[at], position
    while top >= 0:
        digest = sha256(heads[top] + lefts.pop() + digest).digest()
        above.pop()
        top = above[-1]
    return digest
