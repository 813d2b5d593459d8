"""The authenticated map: one SHA-256 root for a set of keys and values.

A binary trie over SHA-256(key) in which a subtree with a single entry is that entry's leaf:
leaf = H(0x00 ‖ H(key) ‖ H(value)), inner = H(0x01 ‖ left ‖ right), nothing = 32 zero bytes.
The shape and the root depend on the set of entries only, never on the order of writing.

Keeps hashes, not values: the caller owns those. Hashes of a batch are computed once, when the
root is asked for: O(log n) hashes a changed key, shared ones only once.
"""

from __future__ import annotations

import hashlib
from typing import Final, TypeAlias

from core.errors import check
from core.ids import Hash
from core.limits import HASH_SIZE_BYTES

EMPTY_ROOT: Final = Hash(bytes(HASH_SIZE_BYTES))
"""Root of the map without entries."""

_PATH_BITS: Final = 8 * HASH_SIZE_BYTES


class _Leaf:
    __slots__ = ("digest", "path")

    def __init__(self, path: bytes, value_hash: bytes) -> None:
        self.path = path
        self.digest = hashlib.sha256(b"\x00" + path + value_hash).digest()


class _Inner:
    __slots__ = ("digest", "left", "right")

    def __init__(self, left: _Node, right: _Node) -> None:
        self.left = left
        self.right = right
        self.digest: bytes | None = None


_Node: TypeAlias = "_Leaf | _Inner | None"


class StateTree:
    """The hashes of an authenticated map, in memory."""

    def __init__(self) -> None:
        self._root: _Node = None
        self._length = 0

    def __len__(self) -> int:
        return self._length

    def put(self, key: bytes, value: bytes) -> None:
        """Set the value of `key`."""
        path = hashlib.sha256(key).digest()
        self._root = self._insert(self._root, _Leaf(path, hashlib.sha256(value).digest()), 0)

    def root(self) -> Hash:
        """Return the 32-byte root over all entries."""
        return Hash(_digest(self._root))

    def _insert(self, node: _Node, leaf: _Leaf, depth: int) -> _Node:
        if node is None:
            self._length += 1
            return leaf
        if isinstance(node, _Leaf):
            if node.path == leaf.path:
                return leaf
            self._length += 1
            return _split(node, leaf, depth)
        node.digest = None
        if _bit(leaf.path, depth):
            node.right = self._insert(node.right, leaf, depth + 1)
        else:
            node.left = self._insert(node.left, leaf, depth + 1)
        return node


def _split(one: _Leaf, other: _Leaf, depth: int) -> _Inner:
    check(depth < _PATH_BITS, "two keys of the state map have the same SHA-256")
    one_right, other_right = _bit(one.path, depth), _bit(other.path, depth)
    if one_right != other_right:
        return _Inner(other, one) if one_right else _Inner(one, other)
    below = _split(one, other, depth + 1)
    return _Inner(None, below) if one_right else _Inner(below, None)


def _bit(path: bytes, depth: int) -> bool:
    return bool(path[depth >> 3] >> (7 - (depth & 7)) & 1)


def _digest(node: _Node) -> bytes:
    if node is None:
        return EMPTY_ROOT
    if node.digest is None:
        node.digest = hashlib.sha256(b"\x01" + _digest(node.left) + _digest(node.right)).digest()
    return node.digest
