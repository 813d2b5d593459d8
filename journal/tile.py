"""A tile: the hashes of 256 consecutive leaves, as one row on disk and in memory.

The row holds the 16 level-4 hashes, then the 256 leaf hashes. Reading it costs 15 hashes, which
give the tile's root; the 16 leaf hashes below a level-4 hash are checked against it, for 15 hashes
more, when one of them is first used; one bit remembers it. What was computed on the way is kept
for the group used last only: a proof needs four nodes of one group.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from core.errors import check
from core.ids import Hash
from core.limits import HASH_SIZE_BYTES
from journal.errors import StoreCorrupt
from journal.limits import GROUP_HASHES, TILE_HASHES
from journal.merkle import levels_of

TILE_LEVEL: Final = 8
"""A tile's root is at this level: 2^8 leaves."""

GROUP_LEVEL: Final = 4
"""A tile keeps its hashes of this level: 2^4 leaves each."""

_GROUPS: Final = TILE_HASHES // GROUP_HASHES
_LEAVES_AT: Final = _GROUPS * HASH_SIZE_BYTES
_GROUP_SIZE_BYTES: Final = GROUP_HASHES * HASH_SIZE_BYTES
_TILE_SIZE_BYTES: Final = _LEAVES_AT + TILE_HASHES * HASH_SIZE_BYTES


class Tile:
    """The nodes of one full subtree of 256 leaves, checked when they are first used."""

    __slots__ = ("_body", "_checked", "_last", "_upper", "root")

    def __init__(self, body: bytes, upper: list[list[bytes]]) -> None:
        self._body = body
        self._upper = upper  # levels 4 to 8
        self._checked = 0  # bit n: the leaf hashes of group n were checked
        self._last: tuple[int, list[list[bytes]]] = (-1, [])  # levels 0 to 4 of one group
        self.root = Hash(upper[-1][0])

    @classmethod
    def of_leaves(cls, leaves: Sequence[bytes]) -> Tile:
        """Compute a tile from its 256 leaf hashes."""
        check(len(leaves) == TILE_HASHES, "a full tile has 256 leaf hashes")
        upper = levels_of(leaves)[GROUP_LEVEL:]
        return cls(b"".join((*upper[0], *leaves)), upper)

    @classmethod
    def from_bytes(cls, body: bytes) -> Tile:
        """Read a tile row; raises StoreCorrupt for another length."""
        if len(body) != _TILE_SIZE_BYTES:
            raise StoreCorrupt(f"a tile row has {len(body)} bytes")
        return cls(body, levels_of(split_hashes(body[:_LEAVES_AT])))

    def to_bytes(self) -> bytes:
        """Return the row: level-4 hashes, then leaf hashes."""
        return self._body

    def leaves(self) -> tuple[bytes, ...]:
        """Return all leaf hashes, unchecked."""
        return split_hashes(self._body[_LEAVES_AT:])

    def node(self, level: int, number: int) -> bytes:
        """Return the hash of a full subtree inside the tile; `number` counts from the tile.

        Raises StoreCorrupt if the leaf hashes it needs are not those of their level-4 hash.
        """
        if level >= GROUP_LEVEL:
            return self._upper[level - GROUP_LEVEL][number]
        shift = GROUP_LEVEL - level
        group = number >> shift
        if level == 0 and self._checked >> group & 1:
            at = _LEAVES_AT + number * HASH_SIZE_BYTES
            return self._body[at : at + HASH_SIZE_BYTES]
        last, levels = self._last
        if last != group:
            levels = self._checked_group(group)
        return levels[level][number & ((1 << shift) - 1)]

    def _checked_group(self, group: int) -> list[list[bytes]]:
        at = _LEAVES_AT + group * _GROUP_SIZE_BYTES
        levels = levels_of(split_hashes(self._body[at : at + _GROUP_SIZE_BYTES]))
        if levels[-1][0] != self._upper[0][group]:
            raise StoreCorrupt("a level-4 hash is not the one of its leaf hashes")
        self._checked |= 1 << group
        self._last = (group, levels)
        return levels


def split_hashes(body: bytes) -> tuple[bytes, ...]:
    """Return the 32-byte hashes in `body`; raises StoreCorrupt for another length."""
    if len(body) % HASH_SIZE_BYTES:
        raise StoreCorrupt(f"{len(body)} bytes are not a row of hashes")
    return tuple([body[at : at + HASH_SIZE_BYTES] for at in range(0, len(body), HASH_SIZE_BYTES)])
