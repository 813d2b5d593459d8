"""The authenticated map: one SHA-256 root for a set of keys and values.

A binary trie over SHA-256(key) in which a subtree with a single entry is that entry's leaf:
leaf = H(0x00 ‖ H(key) ‖ H(value)), inner = H(0x01 ‖ left ‖ right), nothing = 32 zero bytes.
The shape and the root depend on the set of entries only, never on the order of writing.

Keeps keys and hashes, not values: the caller owns those. Hashes of a batch are computed once, when
the root is asked for: O(log n) hashes a changed key, shared ones only once.

Nodes are stamped with the generation that made them and copied when a later one changes them
(copy on write), so a `Snapshot` is a pointer, and costs the nodes that changed since.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Final, TypeAlias

from core.errors import check
from core.ids import Hash
from core.limits import HASH_SIZE_BYTES

EMPTY_ROOT: Final = Hash(bytes(HASH_SIZE_BYTES))
"""Root of the map without entries."""

PATH_BITS: Final = 8 * HASH_SIZE_BYTES
"""Depth below which two keys cannot lie apart."""


class _Leaf:
    __slots__ = ("digest", "key", "path", "stamp")

    def __init__(self, path: bytes, value_hash: bytes, key: bytes = b"", stamp: int = 0) -> None:
        self.path = path
        self.key = key
        self.stamp = stamp
        self.digest = hashlib.sha256(b"\x00" + path + value_hash).digest()


class _Inner:
    __slots__ = ("digest", "left", "right", "stamp")

    def __init__(self, left: _Node, right: _Node, stamp: int) -> None:
        self.left = left
        self.right = right
        self.stamp = stamp
        self.digest: bytes | None = None


_Node: TypeAlias = "_Leaf | _Inner | None"


@dataclass(frozen=True, slots=True)
class Place:
    """A subtree's place: those paths that begin with the first `depth` bits of `path`."""

    depth: int
    path: int
    """A whole path as a number: its bits beyond the depth are zero."""

    @property
    def end(self) -> int:
        """The first path behind the subtree's."""
        return self.path + (1 << (PATH_BITS - self.depth))


TOP: Final = Place(0, 0)
"""Of the whole tree."""

Frontier: TypeAlias = "Sequence[tuple[int, bytes]]"
"""(depth, digest) of subtrees that lie side by side, from left to right."""


@dataclass(frozen=True, slots=True)
class Path:
    """What leads from a key's place to the root."""

    siblings: tuple[bytes, ...]
    """From the root down."""
    other: tuple[bytes, bytes] | None = None
    """The leaf of another key at that place: its path, and the hash of its value."""


class Snapshot:
    """The tree as it was at a moment, whatever is written later."""

    def __init__(self, root: _Node) -> None:
        self._root = root

    @property
    def root(self) -> Hash:
        """The 32-byte root over all entries."""
        return Hash(_digest(self._root))

    def keys(self, place: Place, count_max: int) -> list[bytes] | None:
        """Return the keys at a place, in the order of their paths; None if there are more."""
        keys = [leaf.key for leaf in islice(_leaves(self._at(place)), count_max + 1)]
        return None if len(keys) > count_max else keys

    def frontier(self, place: Place, levels: int) -> list[tuple[int, bytes]]:
        """Return the subtrees `levels` below a place, or above that where they end sooner."""
        return list(_frontier(self._at(place), place.depth, place.depth + levels))

    def _at(self, place: Place) -> _Node:
        node, depth = self._root, 0
        while depth < place.depth and isinstance(node, _Inner):
            right = place.path >> (PATH_BITS - 1 - depth) & 1
            node, depth = (node.right if right else node.left), depth + 1
        return node if depth == place.depth else None


class StateTree:
    """The hashes of an authenticated map, in memory."""

    def __init__(self) -> None:
        self._root: _Node = None
        self._length = 0
        self._stamp = 0
        self._is_fresh = False

    def __len__(self) -> int:
        return self._length

    def put(self, key: bytes, value: bytes) -> bool:
        """Set the value of `key`; return whether that is its first change since `seal`."""
        path = hashlib.sha256(key).digest()
        leaf = _Leaf(path, hashlib.sha256(value).digest(), key, self._stamp)
        self._is_fresh = True
        self._root = self._insert(self._root, leaf, 0)
        return self._is_fresh

    def root(self) -> Hash:
        """Return the 32-byte root over all entries."""
        return Hash(_digest(self._root))

    def path(self, key: bytes) -> tuple[list[bytes], bytes | None]:
        """Return the siblings from the root down to a key's place, and the key that is there.

        None is there for nothing; another key where this one has no value.
        """
        place = hashlib.sha256(key).digest()
        siblings: list[bytes] = []
        node = self._root
        while isinstance(node, _Inner):
            is_right = _bit(place, len(siblings))
            siblings.append(_digest(node.left if is_right else node.right))
            node = node.right if is_right else node.left
        return siblings, None if node is None else node.key

    def seal(self) -> Snapshot:
        """Return the tree as it is now; what is changed from now on is copied first."""
        _digest(self._root)
        self._stamp += 1
        return Snapshot(self._root)

    def _insert(self, node: _Node, leaf: _Leaf, depth: int) -> _Node:
        if node is None:
            self._length += 1
            return leaf
        if isinstance(node, _Leaf):
            if node.path == leaf.path:
                self._is_fresh = node.stamp != leaf.stamp
                return leaf
            self._length += 1
            return _split(node, leaf, depth)
        if node.stamp != leaf.stamp:
            node = _Inner(node.left, node.right, leaf.stamp)
        else:
            node.digest = None
        if _bit(leaf.path, depth):
            node.right = self._insert(node.right, leaf, depth + 1)
        else:
            node.left = self._insert(node.left, leaf, depth + 1)
        return node


def root_of_entries(entries: Iterable[tuple[bytes, bytes]], place: Place) -> Hash | None:
    """Return the digest of the subtree at `place` with these (key, value)s.

    None unless they are all of that place and in the strict order of their paths.
    """
    leaves: list[_Leaf] = []
    for key, value in entries:
        path = hashlib.sha256(key).digest()
        in_order = not leaves or leaves[-1].path < path
        if not in_order or not place.path <= int.from_bytes(path, "big") < place.end:
            return None
        leaves.append(_Leaf(path, hashlib.sha256(value).digest()))
    return Hash(_root_of_sorted(leaves, place.depth))


def root_of_frontier(frontier: Frontier, place: Place) -> Hash | None:
    """Return the digest of the subtree at `place` that has these ones below it.

    None unless there are several, which fill the place without a gap.
    """
    stack: list[tuple[int, bytes]] = []
    for depth, digest in frontier:
        if not place.depth < depth <= PATH_BITS:
            return None
        stack.append((depth, digest))
        while len(stack) > 1 and stack[-1][0] == stack[-2][0] > place.depth:
            (at, left), (_, right) = stack[-2:]
            stack[-2:] = [(at - 1, hashlib.sha256(b"\x01" + left + right).digest())]
        if len(stack) > 1 and stack[-1][0] < stack[-2][0]:
            return None
    if len(stack) != 1 or stack[0][0] != place.depth:
        return None
    return Hash(stack[0][1])


def places_of(frontier: Frontier, place: Place) -> list[Place]:
    """Return where the subtrees of a checked frontier of `place` lie."""
    places, path = [], place.path
    for depth, _ in frontier:
        places.append(Place(depth, path))
        path = places[-1].end
    return places


def _root_of_sorted(leaves: Sequence[_Leaf], depth: int) -> bytes:
    if not leaves:
        return EMPTY_ROOT
    if len(leaves) == 1:
        return leaves[0].digest
    at = next((at for at, leaf in enumerate(leaves) if _bit(leaf.path, depth)), len(leaves))
    left = _root_of_sorted(leaves[:at], depth + 1)
    right = _root_of_sorted(leaves[at:], depth + 1)
    return hashlib.sha256(b"\x01" + left + right).digest()


def _split(one: _Leaf, other: _Leaf, depth: int) -> _Inner:
    """Return what holds two leaves from `depth` on; `other` is the new one."""
    check(depth < PATH_BITS, "two keys of the state map have the same SHA-256")
    one_right, other_right = _bit(one.path, depth), _bit(other.path, depth)
    if one_right != other_right:
        left, right = (other, one) if one_right else (one, other)
        return _Inner(left, right, other.stamp)
    below = _split(one, other, depth + 1)
    return _Inner(None, below, other.stamp) if one_right else _Inner(below, None, other.stamp)


def _bit(path: bytes, depth: int) -> bool:
    return bool(path[depth >> 3] >> (7 - (depth & 7)) & 1)


def _digest(node: _Node) -> bytes:
    if node is None:
        return EMPTY_ROOT
    if node.digest is None:
        node.digest = hashlib.sha256(b"\x01" + _digest(node.left) + _digest(node.right)).digest()
    return node.digest


def _leaves(node: _Node) -> Iterator[_Leaf]:
    if isinstance(node, _Leaf):
        yield node
    elif node is not None:
        yield from _leaves(node.left)
        yield from _leaves(node.right)


def _frontier(node: _Node, depth: int, depth_max: int) -> Iterator[tuple[int, bytes]]:
    if isinstance(node, _Inner) and depth < depth_max:
        yield from _frontier(node.left, depth + 1, depth_max)
        yield from _frontier(node.right, depth + 1, depth_max)
    else:
        yield depth, _digest(node)
