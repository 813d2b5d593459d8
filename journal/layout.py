"""How one journal lies in the database, as pure values: its state, and the rows an append writes.

Two tables per journal. `chunk`: rows of consecutive blocks, keyed by the index of the first, with
the bytes before it; the last row is rewritten while it is small. `hash`: full tiles, and the hashes
of full subtrees from level 8 up, keyed by (level, number). What is not full yet (at most 255 leaf
hashes) has a row beside the signed heads, but for the blocks of the last chunk row, which give
theirs themselves: so an append rewrites little more than that row and the head.

A block that was cleared leaves its length in its place: a missing row is always damage, and byte
offsets stay what they were. Hashes are never cleared, so everything stays provable.

Invariant: a `JournalState` is never changed. An `Appender` makes the next one from it, so that a
failed transaction leaves the state at what is on disk.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple, TypeAlias, cast

import msgpack

from core.codec import encode
from core.errors import check
from core.ids import Hash
from journal.errors import StoreCorrupt
from journal.limits import (
    BLOCK_OVERHEAD_BYTES,
    BLOCK_SIZE_BYTES_MAX,
    CHUNK_BLOCKS_MAX,
    CHUNK_LARGE_SIZE_BYTES,
    CHUNK_SMALL_SIZE_BYTES,
    SEAL_SIZE_BYTES,
    SMALL_BLOCK_SIZE_BYTES,
    TILE_HASHES,
)
from journal.merkle import Frontier, leaf_hash, node_hash
from journal.sealing import Seal
from journal.tile import TILE_LEVEL, Tile

Slot: TypeAlias = bytes | int
"""One place in a chunk row: a block, or the length of one that was cleared."""

_LEVEL_SHIFT: Final = 48
_CHUNK_SIZE_BYTES_MAX: Final = (
    max(BLOCK_SIZE_BYTES_MAX + SEAL_SIZE_BYTES, CHUNK_LARGE_SIZE_BYTES) + 16
)


class JournalState(NamedTuple):
    """One journal at one length; shared by the writer's thread and the event loop's.

    `frontier` is of the whole tree; `tail` has the leaf hashes that are in no full tile.
    `open_blocks` are the blocks of the last chunk row, which starts at index `open_first`.
    `size_bytes` counts blocks as they are stored, cleared ones too. `edits` counts truncations and
    clearings: while it stays the same, rows are only added to. All before `pruned` is cleared.
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
    size_bytes: int = 0
    edits: int = 0
    pruned: int = 0
    key_check: bytes = b""

    @property
    def tail_start(self) -> int:
        """Index of the first leaf that is not in a full tile."""
        return self.size - len(self.tail)

    @property
    def closed_tail(self) -> tuple[bytes, ...]:
        """The part of `tail` before the last chunk row, whose blocks give the rest."""
        return self.tail[: max(0, self.open_first - self.tail_start)]

    def tail_differs(self, other: JournalState) -> bool:
        """Return whether `closed_tail` is not that of an earlier state of the same fork."""
        mine = (self.tail_start, max(self.tail_start, self.open_first))
        return mine != (other.tail_start, max(other.tail_start, other.open_first))

    @property
    def overhead_bytes(self) -> int:
        """What each block takes beside its content: encryption's salt and tag."""
        return SEAL_SIZE_BYTES if self.key_check else 0


States: TypeAlias = dict[str, JournalState]
"""Journals by name, in the order of their creation."""


class Rows(NamedTuple):
    """What an append writes: chunk rows (first, bytes before, body) and hash rows (key, body)."""

    chunks: list[tuple[int, int, bytes]]
    hashes: list[tuple[int, bytes]]


class Appender:
    """Takes blocks for one journal in one transaction and makes the rows and the next state."""

    def __init__(self, state: JournalState, seal: Seal | None = None) -> None:
        self.state = state
        self._seal = seal
        self._frontier = state.frontier.copy()
        self._tail = list(state.tail)
        self._tiles = state.tail_start >> TILE_LEVEL
        self._tile_frontier = list(state.frontier.hashes[: self._tiles.bit_count()])
        self._hash_rows: list[tuple[int, bytes]] = []
        self._new_blocks: list[bytes] = []
        self._hashed = 0

    @property
    def size(self) -> int:
        """Number of blocks, those appended here included."""
        return self.state.size + len(self._new_blocks)

    def append(self, blocks: Sequence[bytes]) -> None:
        """Add blocks in order; `root` hashes those of all commits of a group together."""
        self._new_blocks += blocks

    def root(self) -> Hash:
        """Encrypt (if the journal is) and hash what was appended, and return the root over all."""
        blocks = self._new_blocks[self._hashed :]
        if self._seal is not None:
            blocks = self._seal.seal_all(self.state.size + self._hashed, blocks)
            self._new_blocks[self._hashed :] = blocks
        self._hashed = len(self._new_blocks)
        leaves = list(map(leaf_hash, blocks))
        at = 0
        while len(leaves) - at >= TILE_HASHES - len(self._tail):
            end = at + TILE_HASHES - len(self._tail)
            self._tail += leaves[at:end]
            self._close_tile()
            at = end
        rest = leaves[at:] if at else leaves
        self._tail += rest
        self._frontier.extend(rest)
        return self._frontier.root()

    def finish(self, head: str, root: Hash) -> tuple[Rows, JournalState]:
        """Return the rows to write and the state that holds once they are written."""
        old = self.state
        chunks = pack_chunks(old.open_first, old.open_blocks, self._new_blocks)
        check(self._frontier.size == self.size, "every block is counted once")
        open_first, open_blocks = chunks[-1] if chunks else (old.open_first, old.open_blocks)
        before = old.size_bytes
        if chunks and chunks[0][0] == old.open_first:
            before -= sum(map(len, old.open_blocks))
        rows = []
        for first, blocks in chunks:
            rows.append((first, before, encode(blocks)))
            before += sum(map(len, blocks))
        # Not `_replace`, which takes longer than all else here.
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
            size_bytes=before if rows else old.size_bytes,
            edits=old.edits,
            pruned=old.pruned,
            key_check=old.key_check,
        )
        return Rows(rows, self._hash_rows), state

    def _close_tile(self) -> None:
        """Make the rows of a tile that became full and of the subtrees that it completes."""
        tile = Tile.of_leaves(self._tail)
        number = self._tiles
        self._tiles += 1
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
        self._frontier = Frontier(self._tiles << TILE_LEVEL, self._tile_frontier)
        self._tail.clear()


def hash_key(level: int, number: int) -> int:
    """Return the key in the `hash` table; level 0 stands for a whole tile."""
    check(0 <= number < 1 << _LEVEL_SHIFT, "the number of a subtree fits its key")
    return (level << _LEVEL_SHIFT) | number


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


def unpack_chunk(body: object) -> list[Slot]:
    """Return the slots of a chunk row; raises StoreCorrupt."""
    if not isinstance(body, bytes):
        raise StoreCorrupt(f"a row holds {type(body).__name__} where bytes belong")
    try:
        slots = msgpack.unpackb(
            body,
            list_hook=_FlatOnly(),
            max_array_len=CHUNK_BLOCKS_MAX,
            max_bin_len=_CHUNK_SIZE_BYTES_MAX,
            max_map_len=0,
            max_ext_len=0,
            max_str_len=0,
        )
    except (ValueError, msgpack.UnpackException) as error:
        raise StoreCorrupt(f"a chunk row cannot be read ({type(error).__name__})") from error
    if not isinstance(slots, list) or not slots:
        raise StoreCorrupt("a chunk row is not an array of blocks")
    for slot in slots:
        if type(slot) is not bytes and (type(slot) is not int or slot < 0):
            raise StoreCorrupt(f"a chunk row holds {type(slot).__name__}")
    return cast("list[Slot]", slots)


def length_of(slot: Slot) -> int:
    """Return the bytes of a block, whether or not it was cleared."""
    return slot if isinstance(slot, int) else len(slot)


class _FlatOnly:
    """Takes one array. Those within others end first, and take 80 bytes for one on the disk."""

    __slots__ = ("_seen",)

    def __init__(self) -> None:
        self._seen = False

    def __call__(self, items: list[object]) -> list[object]:
        if self._seen:
            raise StoreCorrupt("a chunk row holds a list")
        self._seen = True
        return items
