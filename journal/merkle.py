"""The Merkle tree of RFC 6962 (SHA-256): roots, an incremental frontier, proofs and their checks.

Proofs over a *subtree* [start, end) follow draft-ietf-plants-merkle-tree-certs; those over a whole
tree are the case start = 0. Nothing here stores anything: makers of proofs take a `node` function
that returns the hash of the full subtree (level, number), which covers the leaves
[number << level, (number + 1) << level).

Invariants: every hash is 32 bytes; the root of the empty tree is SHA-256 of nothing and is never
accepted as a leaf hash; each check either returns None or raises.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from typing import Final, TypeAlias, cast

from core.errors import check
from core.ids import Hash
from core.limits import HASH_SIZE_BYTES, INT_MAX
from journal.errors import NotAHash, ProofRefused
from journal.limits import PROOF_HASHES_MAX

NodeSource: TypeAlias = Callable[[int, int], bytes]
"""(level, number) -> the 32-byte hash of that full subtree."""

_sha256: Final = hashlib.sha256

EMPTY_ROOT: Final = Hash(hashlib.sha256(b"").digest())
"""Root of the tree without leaves (RFC 6962, section 2.1)."""


class Frontier:
    """Roots of the full subtrees that make up a tree of `size` leaves, the largest first.

    Appending costs one hash on average; the tree never has to be read again.
    """

    __slots__ = ("_hashes", "_size")

    def __init__(self, size: int = 0, hashes: Iterable[bytes] = ()) -> None:
        """Take a frontier up again; raises NotAHash or ProofRefused if it can't be one."""
        self._size = size
        self._hashes = list(hashes)
        if not 0 <= size <= INT_MAX or len(self._hashes) != size.bit_count():
            raise ProofRefused(f"{len(self._hashes)} hashes are no frontier of size {size}")
        for value in self._hashes:
            _check_hash(value)

    @property
    def size(self) -> int:
        """Number of leaves."""
        return self._size

    @property
    def hashes(self) -> tuple[bytes, ...]:
        """One hash per bit set in `size`, the highest bit first."""
        return tuple(self._hashes)

    def append(self, leaf: bytes) -> None:
        """Add one leaf hash of 32 bytes."""
        _check_hash(leaf)
        value = leaf
        rest = self._size
        while rest & 1:
            value = node_hash(self._hashes.pop(), value)
            rest >>= 1
        self._hashes.append(value)
        self._size += 1

    def extend(self, leaves: Iterable[bytes]) -> None:
        """Add leaf hashes that `leaf_hash` made: their length is not checked again."""
        hashes, size = self._hashes, self._size
        for value in leaves:
            rest = size
            while rest & 1:
                value = _sha256(b"\x01" + hashes.pop() + value).digest()
                rest >>= 1
            hashes.append(value)
            size += 1
        self._size = size

    def peak(self, level: int) -> bytes:
        """Return the hash of the full subtree of 2^level leaves; that bit of `size` is set."""
        return self._hashes[(self._size >> (level + 1)).bit_count()]

    def root(self) -> Hash:
        """Return the root of the tree."""
        return _fold(self._hashes)

    def copy(self) -> Frontier:
        """Return an independent frontier of the same tree."""
        other = Frontier()
        other._size, other._hashes = self._size, self._hashes.copy()
        return other


def leaf_hash(block: bytes) -> Hash:
    """Return SHA-256(0x00 || block)."""
    return cast("Hash", _sha256(b"\x00" + block).digest())


def node_hash(left: bytes, right: bytes) -> Hash:
    """Return SHA-256(0x01 || left || right)."""
    return cast("Hash", _sha256(b"\x01" + left + right).digest())


def level_above(hashes: Sequence[bytes]) -> list[bytes]:
    """Return the hashes one level up; `hashes` has an even length."""
    return [_sha256(b"\x01" + hashes[i] + hashes[i + 1]).digest() for i in range(0, len(hashes), 2)]


def levels_of(hashes: Sequence[bytes]) -> list[list[bytes]]:
    """Return the levels of a full subtree: 2^n hashes, their parents, …, its root alone."""
    check(len(hashes).bit_count() == 1, "a full subtree has a power of two of hashes")
    levels = [list(hashes)]
    while len(hashes) > 1:
        hashes = level_above(hashes)
        levels.append(hashes)
    return levels


def full_root(hashes: Sequence[bytes]) -> bytes:
    """Return the root over 2^n hashes of one level."""
    check(len(hashes).bit_count() == 1, "a full subtree has a power of two of hashes")
    while len(hashes) > 1:
        hashes = level_above(hashes)
    return hashes[0]


def verify_inclusion(
    leaf_hash: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes
) -> None:
    """Check that `leaf_hash` is leaf `index` of the tree of `size` leaves with that root.

    Raises NotAHash or ProofRefused (RFC 9162, section 2.1.3.2).
    """
    verify_subtree_inclusion(leaf_hash, index, 0, size, proof, root)


def verify_consistency(
    size1: int, size2: int, proof: Sequence[bytes], root1: bytes, root2: bytes
) -> None:
    """Check that the tree (size1, root1) is a prefix of the tree (size2, root2).

    Raises NotAHash or ProofRefused; always for size1 = 0, which would prove nothing
    (RFC 9162, section 2.1.4.2).
    """
    if size1 == 0:
        raise ProofRefused("consistency from an empty tree proves nothing")
    verify_subtree_consistency(0, size1, size2, proof, root1, root2)


def verify_subtree_inclusion(
    leaf_hash: bytes, index: int, start: int, end: int, proof: Sequence[bytes], subtree_root: bytes
) -> None:
    """Check that `leaf_hash` is leaf `index` (counted in the whole tree) of subtree [start, end).

    Raises NotAHash or ProofRefused.
    """
    _check_hashes(proof, leaf_hash, subtree_root)
    _check_subtree(start, end)
    if not start <= index < end:
        raise ProofRefused(f"leaf {index} is not in [{start}, {end})")
    number, last = index - start, end - start - 1
    value = leaf_hash
    for sibling in proof:
        if last == 0:
            raise ProofRefused("the proof is too long")
        if number & 1 or number == last:
            value = _sha256(b"\x01" + sibling + value).digest()
            while not number & 1:
                number >>= 1
                last >>= 1
        else:
            value = _sha256(b"\x01" + value + sibling).digest()
        number >>= 1
        last >>= 1
    if last != 0:
        raise ProofRefused("the proof is too short")
    _check_equal(value, subtree_root)


def verify_subtree_consistency(
    start: int, end: int, size: int, proof: Sequence[bytes], subtree_root: bytes, root: bytes
) -> None:
    """Check that subtree [start, end) with that root is part of the tree (size, root).

    The empty subtree (start = end) is part of every tree, with the empty root and no proof.
    The whole tree is part of itself: nothing is hashed then, and equal roots are taken as they
    are, whatever their size (the published vectors ask for it) unless they are empty.
    Raises NotAHash or ProofRefused.
    """
    if 0 == start < end == size and isinstance(root, bytes) and root and not len(proof):
        _check_equal(subtree_root, root)
        return
    _check_hashes(proof, subtree_root, root)
    if not 0 <= start <= end <= size <= INT_MAX:
        raise ProofRefused(f"[{start}, {end}) is not part of a tree of {size}")
    if start == end:
        if proof:
            raise ProofRefused("the empty subtree has an empty proof")
        _check_equal(subtree_root, EMPTY_ROOT)
        if size == 0:
            _check_equal(root, EMPTY_ROOT)
        return
    _check_subtree(start, end)
    _walk_consistency(start, end, size, list(proof), subtree_root, root)


def subtree_root(start: int, end: int, node: NodeSource) -> Hash:
    """Return the root of [start, end), a valid subtree or the whole tree (start = 0)."""
    length = end - start
    if length & (length - 1) == 0 < length:
        level = length.bit_length() - 1
        return cast("Hash", node(level, start >> level))
    parts = []
    at = start
    while at < end:
        level = (end - at).bit_length() - 1
        parts.append(node(level, at >> level))
        at += 1 << level
    return _fold(parts)


def subtree_inclusion_proof(index: int, start: int, end: int, node: NodeSource) -> list[bytes]:
    """Return the proof that leaf `index` is in subtree [start, end); start = 0 for a whole tree."""
    _check_subtree(start, end)
    check(start <= index < end, "the leaf is in the subtree")
    proof = []
    while end - start > 1:
        split = start + _split(end - start)
        if index < split:
            proof.append(subtree_root(split, end, node))
            end = split
        else:
            proof.append(subtree_root(start, split, node))
            start = split
    proof.reverse()
    return list(proof)


def subtree_consistency_proof(start: int, end: int, size: int, node: NodeSource) -> list[bytes]:
    """Return the proof that [start, end) is part of the tree of `size`; start = 0 for a prefix."""
    check(0 <= start < end <= size, "the subtree is in the tree")
    _check_subtree(start, end)
    proof: list[bytes] = []
    low, high = 0, size
    known = True  # whether the verifier has the root of what is left as the subtree's root
    while (low, high) != (start, end):
        split = low + _split(high - low)
        if end <= split:
            proof.append(subtree_root(split, high, node))
            high = split
        elif split <= start:
            proof.append(subtree_root(low, split, node))
            low = split
        else:
            proof.append(subtree_root(low, split, node))
            start = low = split
            known = False
    if not known:
        proof.append(subtree_root(start, end, node))
    proof.reverse()
    return proof


def _walk_consistency(
    start: int, end: int, size: int, rest: list[bytes], subtree_root: bytes, root: bytes
) -> None:
    """Rebuild both roots from the proof in `rest` (draft, section on subtree consistency)."""
    first, last, tree_last = start, end - 1, size - 1
    while first != last and (last == tree_last or last & 1):
        first, last, tree_last = first >> 1, last >> 1, tree_last >> 1
    if first != last and not rest:
        raise ProofRefused("the proof is too short")
    small = large = subtree_root if first == last else rest.pop(0)
    for sibling in rest:
        if tree_last == 0:
            raise ProofRefused("the proof is too long")
        if last & 1 or last == tree_last:
            if first < last:
                small = node_hash(sibling, small)
            large = node_hash(sibling, large)
            while not last & 1:
                first, last, tree_last = first >> 1, last >> 1, tree_last >> 1
        else:
            large = node_hash(large, sibling)
        first, last, tree_last = first >> 1, last >> 1, tree_last >> 1
    if tree_last != 0:
        raise ProofRefused("the proof is too short")
    _check_equal(small, subtree_root)
    _check_equal(large, root)


def _split(length: int) -> int:
    """Return the largest power of two below `length`, which is at least 2."""
    return 1 << ((length - 1).bit_length() - 1)


def _fold(parts: Sequence[bytes]) -> Hash:
    if not parts:
        return EMPTY_ROOT
    value = parts[-1]
    for left in reversed(parts[:-1]):
        value = _sha256(b"\x01" + left + value).digest()
    return Hash(value)


def _check_subtree(start: int, end: int) -> None:
    """Raise ProofRefused unless start is a multiple of the power of two at or above the length."""
    if not 0 <= start < end <= INT_MAX:
        raise ProofRefused(f"[{start}, {end}) is not a subtree")
    if start & ((1 << (end - start - 1).bit_length()) - 1):
        raise ProofRefused(f"[{start}, {end}) is not aligned as a subtree")


def _check_hashes(proof: Sequence[bytes], *values: bytes) -> None:
    if len(proof) > PROOF_HASHES_MAX:
        raise ProofRefused(f"a proof of {len(proof)} hashes is longer than any tree needs")
    for value in (*values, *proof):
        if type(value) is not bytes or len(value) != HASH_SIZE_BYTES:
            _check_hash(value)


def _check_hash(value: bytes) -> None:
    if not isinstance(value, bytes) or len(value) != HASH_SIZE_BYTES:
        raise NotAHash("a hash must be exactly 32 bytes")


def _check_equal(computed: bytes, given: bytes) -> None:
    if computed != given:
        raise ProofRefused("the computed root differs from the given one")
