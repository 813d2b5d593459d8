"""How one journal lies in the database, as pure values: its state, and the rows an append writes.

Two tables per journal. `chunk`: rows of consecutive blocks, keyed by the index of the first; the
last row is rewritten while it is small. `hash`: full tiles (16 level-4 hashes, then 256 leaf
hashes) and the hashes of full subtrees from level 8 up, keyed by (level, number). What is not full
yet (at most 255 leaf hashes) is in the journal's own row, beside its signed head.

Invariant: a `JournalState` is never changed. An `Appender` makes the next one from it, so that a
failed transaction leaves the state at what is on disk.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, cast

from core.codec import NotCanonical, WrongShape, as_array, as_bytes, decode, encode
from core.errors import check
from core.ids import Hash
from core.limits import HASH_SIZE_BYTES
from journal.errors import StoreCorrupt
from journal.limits import (
    BLOCK_OVERHEAD_BYTES,
    BLOCK_SIZE_BYTES_MAX,
    CHUNK_BLOCKS_MAX,
    CHUNK_LARGE_SIZE_BYTES,
    CHUNK_SMALL_SIZE_BYTES,
    GROUP_HASHES,
    SMALL_BLOCK_SIZE_BYTES,
    TILE_HASHES,
)
from journal.merkle import Frontier, full_root, leaf_hash, level_above, node_hash

TILE_LEVEL: Final = 8
"""A tile's root is at this level: 2^8 leaves."""

GROUP_LEVEL: Final = 4
"""A tile keeps its hashes of this level: 2^4 leaves each."""

_LEVEL_SHIFT: Final = 48
_CHUNK_OVERHEAD_BYTES: Final = 16
_GROUPS: Final = TILE_HASHES // GROUP_HASHES


@dataclass(frozen=True, slots=True)
class JournalState:
    """One journal at one length; shared by the writer's thread and the event loop's.

    `frontier` is of the whole tree; `tail` has the leaf hashes that are in no full tile.
    `open_blocks` are the blocks of the last chunk row, which starts at index `open_first`.
    """

    number: int
    name: str
    fork: int
    size: int
    root: Hash
    head: str
    frontier: Frontier
    tail: tuple[bytes, ...]
    open_first: int
    open_blocks: tuple[bytes, ...]

    @property
    def tail_start(self) -> int:
        """Index of the first leaf that is not in a full tile."""
        return self.size - len(self.tail)


@dataclass(slots=True)
class Rows:
    """What an append writes: chunk rows (first, body) and hash rows (key, body)."""

    chunks: list[tuple[int, bytes]] = field(default_factory=list)
    hashes: list[tuple[int, bytes]] = field(default_factory=list)


class Appender:
    """Takes blocks for one journal in one transaction and makes the rows and the next state."""

    def __init__(self, state: JournalState) -> None:
        self.state = state
        self._frontier = state.frontier.copy()
        self._tail = list(state.tail)
        tiles = state.tail_start >> TILE_LEVEL
        self._tile_frontier = list(state.frontier.hashes[: tiles.bit_count()])
        self._hash_rows: list[tuple[int, bytes]] = []
        self._new_blocks: list[bytes] = []

    @property
    def size(self) -> int:
        """Number of blocks, those appended here included."""
        return self._frontier.size

    def append(self, blocks: Sequence[bytes]) -> None:
        """Add blocks in order."""
        for block in blocks:
            leaf = leaf_hash(block)
            self._tail.append(leaf)
            self._frontier.append(leaf)
            if len(self._tail) == TILE_HASHES:
                self._close_tile()
        self._new_blocks.extend(blocks)

    def root(self) -> Hash:
        """Return the root over everything appended so far."""
        return self._frontier.root()

    def finish(self, head: str, root: Hash) -> tuple[Rows, JournalState]:
        """Return the rows to write and the state that holds once they are written."""
        old = self.state
        chunks = pack_chunks(old.open_first, old.open_blocks, self._new_blocks)
        check(self.size == old.size + len(self._new_blocks), "every block is counted once")
        open_first, open_blocks = chunks[-1] if chunks else (old.open_first, old.open_blocks)
        rows = Rows([(first, encode(blocks)) for first, blocks in chunks], self._hash_rows)
        state = JournalState(
            number=old.number,
            name=old.name,
            fork=old.fork,
            size=self.size,
            root=root,
            head=head,
            frontier=self._frontier,
            tail=tuple(self._tail),
            open_first=open_first,
            open_blocks=tuple(open_blocks),
        )
        return rows, state

    def _close_tile(self) -> None:
        """Make the rows of a tile that became full and of the subtrees that it completes."""
        tile = Tile.of_leaves(self._tail)
        number = (self.size >> TILE_LEVEL) - 1
        self._hash_rows.append((hash_key(0, number), tile.to_bytes()))
        value: bytes = tile.root
        level = TILE_LEVEL
        self._hash_rows.append((hash_key(level, number), value))
        while number & 1:
            value = node_hash(self._tile_frontier.pop(), value)
            number >>= 1
            level += 1
            self._hash_rows.append((hash_key(level, number), value))
        self._tile_frontier.append(value)
        check(value == self._frontier.hashes[-1], "tiles and frontier agree")
        self._tail.clear()


class Tile:
    """256 leaf hashes and the 16 level-4 hashes over them.

    Read from disk, the level-4 hashes give `root`; the 16 leaf hashes below one of them are
    checked against it when they are first used.
    """

    __slots__ = ("_checked", "_groups", "_leaves", "root")

    def __init__(self, groups: Sequence[bytes], leaves: Sequence[bytes], checked: int) -> None:
        self._groups = groups
        self._leaves = leaves
        self._checked = checked  # bit n: the leaf hashes of group n were checked
        self.root = Hash(full_root(groups))

    @classmethod
    def of_leaves(cls, leaves: Sequence[bytes]) -> Tile:
        """Compute a tile from its 256 leaf hashes."""
        check(len(leaves) == TILE_HASHES, "a full tile has 256 leaf hashes")
        groups = leaves
        while len(groups) > _GROUPS:
            groups = level_above(groups)
        return cls(groups, tuple(leaves), (1 << _GROUPS) - 1)

    @classmethod
    def from_bytes(cls, body: bytes) -> Tile:
        """Read a tile row; raises StoreCorrupt for another length."""
        if len(body) != (TILE_HASHES + _GROUPS) * HASH_SIZE_BYTES:
            raise StoreCorrupt(f"a tile row has {len(body)} bytes")
        hashes = split_hashes(body)
        return cls(hashes[:_GROUPS], hashes[_GROUPS:], 0)

    def to_bytes(self) -> bytes:
        """Return the row: level-4 hashes, then leaf hashes."""
        return b"".join(self._groups) + b"".join(self._leaves)

    def node(self, level: int, number: int) -> bytes:
        """Return the hash of a full subtree inside the tile; `number` counts from the tile.

        Raises StoreCorrupt if the leaf hashes it needs are not those of their level-4 hash.
        """
        if level >= GROUP_LEVEL:
            shift = level - GROUP_LEVEL
            return full_root(self._groups[number << shift : (number + 1) << shift])
        group = number >> (GROUP_LEVEL - level)
        if not self._checked >> group & 1:
            leaves = self._leaves[group * GROUP_HASHES : (group + 1) * GROUP_HASHES]
            if full_root(leaves) != self._groups[group]:
                raise StoreCorrupt("a level-4 hash is not the one of its leaf hashes")
            self._checked |= 1 << group
        return full_root(self._leaves[number << level : (number + 1) << level])


def hash_key(level: int, number: int) -> int:
    """Return the key in the `hash` table; level 0 stands for a whole tile."""
    check(0 <= number < 1 << _LEVEL_SHIFT, "the number of a subtree fits its key")
    return (level << _LEVEL_SHIFT) | number


def split_hashes(body: bytes) -> tuple[bytes, ...]:
    """Return the 32-byte hashes in `body`; raises StoreCorrupt for another length."""
    if len(body) % HASH_SIZE_BYTES:
        raise StoreCorrupt(f"{len(body)} bytes are not a row of hashes")
    return tuple(body[i : i + HASH_SIZE_BYTES] for i in range(0, len(body), HASH_SIZE_BYTES))


def pack_chunks(
    open_first: int, open_blocks: Sequence[bytes], blocks: Sequence[bytes]
) -> list[tuple[int, list[bytes]]]:
    """Return the chunk rows to write (first index, blocks), in order.

    The first one may be the open row, extended; later ones are new.
    """
    chunks: list[tuple[int, list[bytes]]] = []
    first, current = open_first, list(open_blocks)
    size = sum(map(len, current)) + BLOCK_OVERHEAD_BYTES * len(current)
    size_max = CHUNK_SMALL_SIZE_BYTES  # what was left open grows no further than a small row
    changed = False
    for block in blocks:
        more = len(block) + BLOCK_OVERHEAD_BYTES
        bound = CHUNK_SMALL_SIZE_BYTES if len(block) <= SMALL_BLOCK_SIZE_BYTES else size_max
        if current and (size + more > bound or len(current) >= CHUNK_BLOCKS_MAX):
            if changed:
                chunks.append((first, current))
            first, current, size = first + len(current), [], 0
            size_max = CHUNK_LARGE_SIZE_BYTES
        current.append(block)
        size += more
        changed = True
    if changed:
        chunks.append((first, current))
    return chunks


def unpack_chunk(body: bytes) -> list[bytes]:
    """Return the blocks of a chunk row; raises StoreCorrupt."""
    bound = max(BLOCK_SIZE_BYTES_MAX, CHUNK_LARGE_SIZE_BYTES) + _CHUNK_OVERHEAD_BYTES
    try:
        items = as_array(decode(body, size_bytes_max=bound), length_max=CHUNK_BLOCKS_MAX)
        for item in items:
            as_bytes(item)
    except (NotCanonical, WrongShape) as error:
        raise StoreCorrupt(f"a chunk row cannot be read ({error.detail})") from error
    return cast("list[bytes]", items)
