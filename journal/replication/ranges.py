"""Proofs over ranges of blocks and over prefixes, which replication sends beside its blocks.

A tree of `size` leaves and a range [start, end) in it: walk down from the root, splitting as
RFC 6962 does. Subtrees wholly outside the range are given by their hash, in order from left to
right; those wholly inside are computed from the leaves. At most two hashes a level are given.

A *prefix* is the range [0, size1) given by hashes alone. It shows the root that the first `size1`
leaves have inside a signed tree, whatever anybody claimed it to be: that tells a conflict of two
signed heads from a proof that is just wrong. Pure; no function here stores anything.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from core.errors import check
from core.ids import Hash
from core.limits import HASH_SIZE_BYTES, INT_MAX
from journal.errors import NotAHash, ProofRefused
from journal.limits import PROOF_HASHES_MAX
from journal.merkle import EMPTY_ROOT, NodeSource, level_above, node_hash, subtree_root


class Tail:
    """The growing right edge of a tree: one hash per full subtree, the largest first.

    Like `merkle.Frontier`, but takes many leaves at once in one hash per leaf.
    """

    __slots__ = ("_hashes", "size")

    def __init__(self, size: int, hashes: Sequence[bytes]) -> None:
        check(len(hashes) == size.bit_count(), "one hash per bit of the size")
        self.size = size
        self._hashes = list(hashes)

    @property
    def hashes(self) -> tuple[bytes, ...]:
        """One hash per bit set in `size`, the highest bit first."""
        return tuple(self._hashes)

    def extended(self, leaves: Sequence[bytes]) -> Tail:
        """Return the edge after these leaf hashes, one level at a time."""
        old = list(self._hashes)
        new: list[bytes] = []  # the lowest level first
        row = list(leaves)
        rest = self.size
        while row or rest:
            if rest & 1:
                row.insert(0, old.pop())
            if len(row) & 1:
                new.append(row.pop())
            row = level_above(row)
            rest >>= 1
        new.reverse()
        return Tail(self.size + len(leaves), new)

    def root(self) -> Hash:
        """Return the root of the tree."""
        if not self._hashes:
            return EMPTY_ROOT
        value = self._hashes[-1]
        for left in reversed(self._hashes[:-1]):
            value = node_hash(left, value)
        return Hash(value)


@dataclass(frozen=True, slots=True)
class Cover:
    """The subtrees [low, high) outside a range, from left to right on either side of it."""

    left: tuple[tuple[int, int], ...]
    right: tuple[tuple[int, int], ...]


def cover(start: int, end: int, size: int) -> Cover:
    """Return what lies outside [start, end); raises ProofRefused for no range of the tree."""
    if not 0 <= start < end <= size <= INT_MAX:
        raise ProofRefused(f"[{start}, {end}) is no range of a tree of {size}")
    outside = list(_outside(0, size, start, end))
    left = tuple(part for part in outside if part[1] <= start)
    return Cover(left, tuple(outside[len(left) :]))


def prove_range(start: int, end: int, size: int, node: NodeSource) -> list[bytes]:
    """Return the hashes around [start, end) in the tree of `size`."""
    around = cover(start, end, size)
    return [subtree_root(low, high, node) for low, high in (*around.left, *around.right)]


def verify_range(
    leaves: Sequence[bytes], start: int, size: int, proof: Sequence[bytes], root: bytes
) -> None:
    """Check that `leaves` are the leaf hashes from `start` on in the tree (size, root).

    Raises ProofRefused or NotAHash.
    """
    end = start + len(leaves)
    around = cover(start, end, size)
    _check_proof(proof, len(around.left) + len(around.right))
    given = iter(proof)

    def value(low: int, high: int) -> bytes:
        if high <= start or low >= end:
            return next(given)
        if start <= low and high <= end:
            return Tail(0, ()).extended(leaves[low - start : high - start]).root()
        middle = low + _split(high - low)
        left = value(low, middle)
        return node_hash(left, value(middle, high))

    if value(0, size) != root:
        raise ProofRefused("the computed root differs from the given one")


def verify_growth(tail: Tail, start: int, size: int, proof: Sequence[bytes], root: bytes) -> None:
    """Check that `tail`, whose leaves up to `start` are known, begins the tree (size, root).

    `proof` is that of the range from `start` to the end of `tail`. What it says of the leaves
    before `start` is not used, as they are known. Raises ProofRefused or NotAHash.
    """
    around = cover(start, tail.size, size)
    _check_proof(proof, len(around.left) + len(around.right))
    _check_root(tail.hashes, proof[len(around.left) :], tail.size, size, root)


def prove_prefix(size1: int, size2: int, node: NodeSource) -> list[bytes]:
    """Return the hashes that show which root the first `size1` leaves have in the tree."""
    check(1 <= size1 <= size2, "a prefix has a leaf")
    hashes = [node(level, at >> level) for at, level in _edge(size1)]
    return hashes + [subtree_root(low, high, node) for low, high in cover(0, size1, size2).right]


def prefix_root(size1: int, size2: int, proof: Sequence[bytes], root2: bytes) -> Hash:
    """Return the root that the first `size1` leaves have in the tree (size2, root2).

    Raises ProofRefused or NotAHash if the hashes do not lead to `root2`.
    """
    right = cover(0, size1, size2).right
    count = size1.bit_count()
    _check_proof(proof, count + len(right))
    _check_root(proof[:count], proof[count:], size1, size2, root2)
    return Tail(size1, proof[:count]).root()


def _check_root(
    left: Sequence[bytes], right: Sequence[bytes], boundary: int, size: int, root: bytes
) -> None:
    """Check that the full subtrees of [0, boundary), then those right of it, make the root."""
    lefts, rights = iter(left), iter(right)

    def value(low: int, high: int) -> bytes:
        if low >= boundary:
            return next(rights)
        if high <= boundary and (high - low).bit_count() == 1:
            return next(lefts)
        middle = low + _split(high - low)
        first = value(low, middle)
        return node_hash(first, value(middle, high))

    if value(0, size) != root:
        raise ProofRefused("the computed root differs from the given one")


def _outside(low: int, high: int, start: int, end: int) -> Iterator[tuple[int, int]]:
    if high <= start or low >= end:
        yield low, high
    elif low < start or high > end:
        middle = low + _split(high - low)
        yield from _outside(low, middle, start, end)
        yield from _outside(middle, high, start, end)


def _edge(size: int) -> Iterator[tuple[int, int]]:
    """Yield (first leaf, level) of the full subtrees that make up a tree, the largest first."""
    at = 0
    while at < size:
        level = (size - at).bit_length() - 1
        yield at, level
        at += 1 << level


def _split(length: int) -> int:
    """Return the largest power of two below `length`, which is at least 2."""
    return 1 << ((length - 1).bit_length() - 1)


def _check_proof(proof: Sequence[bytes], count: int) -> None:
    if len(proof) != count or count > PROOF_HASHES_MAX:
        raise ProofRefused(f"a proof of {len(proof)} hashes where there must be {count}")
    for value in proof:
        if not isinstance(value, bytes) or len(value) != HASH_SIZE_BYTES:
            raise NotAHash("a hash must be exactly 32 bytes")
