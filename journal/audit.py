"""Verifying a journal whole: every row of it, against nothing but its signed head.

Reads do their own checks of what they touch; an audit touches everything: each block against its
leaf hash, each hash up to the signed root, each row's index and byte count, and that no row is
there which nothing leads to. Bytes that SQLite does not use belong to nothing and are not looked
at. The event loop gets its turn about once a millisecond, however long or large the journal is.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Final, TypeAlias

from journal.errors import StoreCorrupt
from journal.layout import JournalState, Slot, hash_key, length_of
from journal.limits import AUDIT_BLOCKS_STEP, TILE_HASHES
from journal.merkle import EMPTY_ROOT, Frontier, leaf_hash
from journal.reader import Reader
from journal.tile import TILE_LEVEL
from journal.waiting import within

Progress: TypeAlias = Callable[[int, int], None]
"""(blocks done, blocks in all), called about once a millisecond of work."""

_SIZE_BYTES_STEP: Final = 1 << 20
"""Bytes audited between two turns of the event loop, where blocks are large: 1 to 3 ms."""


@dataclass(frozen=True, slots=True)
class Audit:
    """What an audit that found nothing wrong went through."""

    journal: str
    fork: int
    blocks: int
    cleared: int
    content_bytes: int


async def audit_state(
    reader: Reader,
    state: JournalState,
    progress: Progress | None = None,
    *,
    timeout_s: float | None = None,
) -> Audit:
    """Check all rows of a journal; raises StoreCorrupt, ReadFailed or TimedOut.

    The root is computed from the leaf hashes alone, and compared with the signed one; each block is
    compared with its leaf hash. `reader` must be pinned, or the journal at rest.
    """
    return await within(timeout_s, _audit(reader, state, progress or _tell_nobody))


async def _audit(reader: Reader, state: JournalState, progress: Progress) -> Audit:
    cleared, stored_bytes = await _audit_blocks(reader, state, progress)
    if stored_bytes != state.size_bytes:
        raise _corrupt(state, f"its blocks are {stored_bytes} bytes")
    for _ in _audit_hashes(reader, state):
        await asyncio.sleep(0)
    progress(state.size, state.size)
    content_bytes = stored_bytes - state.overhead_bytes * state.size
    return Audit(state.name, state.fork, state.size, cleared, content_bytes)


async def _audit_blocks(reader: Reader, state: JournalState, progress: Progress) -> tuple[int, int]:
    """Check all chunk rows and the root; return how many blocks were cleared, and all bytes."""
    frontier = Frontier()
    signed = _leaves(reader, state)
    if reader.query(f"SELECT first FROM journal_chunk_{state.number} WHERE first < 0 LIMIT 1"):  # noqa: S608 - an integer
        raise _corrupt(state, "there are blocks before its first")
    done = cleared = stored_bytes = 0
    next_blocks = next_bytes = 0
    for first, before, slots in reader.rows(state):
        if before != stored_bytes:
            raise _corrupt(state, f"the bytes before block {first} are not {before}")
        if first + len(slots) > state.size:
            raise _corrupt(state, f"there are blocks behind its {state.size}")
        leaves = list(islice(signed, len(slots)))
        cleared += _check_slots(state, first, slots, leaves)
        frontier.extend(leaves)
        stored_bytes += sum(map(length_of, slots))
        done += len(slots)
        if done >= next_blocks or stored_bytes >= next_bytes:
            next_blocks = done + AUDIT_BLOCKS_STEP
            next_bytes = stored_bytes + _SIZE_BYTES_STEP
            progress(done, state.size)
            await asyncio.sleep(0)
    if frontier.root() != state.root or (state.size == 0) != (state.root == EMPTY_ROOT):
        raise _corrupt(state, "its leaf hashes do not give its signed root")
    return cleared, stored_bytes


def _check_slots(
    state: JournalState, first: int, slots: Sequence[Slot], leaves: Sequence[bytes]
) -> int:
    """Compare each block of a row with its leaf hash; return how many were cleared."""
    cleared = 0
    for at, (slot, leaf) in enumerate(zip(slots, leaves, strict=True), start=first):
        if isinstance(slot, int):
            cleared += 1
        elif leaf_hash(slot) != leaf:
            raise _corrupt(state, f"block {at} is not the one it signed")
        elif at < state.pruned:
            raise _corrupt(state, f"block {at} is there though it was pruned")
    return cleared


def _leaves(reader: Reader, state: JournalState) -> Iterator[bytes]:
    """Yield all leaf hashes, those in tiles checked against the tile's own upper hashes."""
    for number in range(state.tail_start >> TILE_LEVEL):
        tile = reader.hashes.tile(state, number)
        for leaf in range(TILE_HASHES):
            yield tile.node(0, leaf)
    yield from state.tail


def _audit_hashes(reader: Reader, state: JournalState) -> Iterator[None]:
    """Check that the rows of hashes are those of all full subtrees, and no others, in steps."""
    table = f"journal_hash_{state.number}"
    upper = hash_key(TILE_LEVEL, 0)
    tiles = state.size >> TILE_LEVEL
    ends = reader.query(
        f"SELECT (SELECT min(key) FROM {table}), "  # noqa: S608 - an integer
        f"(SELECT max(key) FROM {table} WHERE key < ?)",
        (upper,),
    )
    if ends != [(0, tiles - 1) if tiles else (None, None)]:
        raise _corrupt(state, f"there are other rows of tiles than its {tiles}")
    expected = _upper_hashes(reader, state)
    after = upper - 1
    while True:
        rows = reader.query(
            f"SELECT key, body FROM {table} WHERE key > ? ORDER BY key LIMIT ?",  # noqa: S608 - an integer
            (after, AUDIT_BLOCKS_STEP),
        )
        wanted = list(islice(expected, AUDIT_BLOCKS_STEP))
        if rows != wanted:
            raise _corrupt(state, f"its stored hashes after {after:#x} are wrong")
        if len(rows) < AUDIT_BLOCKS_STEP:
            return
        after = rows[-1][0]
        yield


def _upper_hashes(reader: Reader, state: JournalState) -> Iterator[tuple[int, bytes]]:
    """Yield what the rows above the tiles must be, in their order."""
    for level in range(TILE_LEVEL, state.size.bit_length()):
        for number in range(state.size >> level):
            yield hash_key(level, number), reader.hashes.node(state, level, number)


def _tell_nobody(_done: int, _of: int) -> None:
    """Stand for a progress that nobody asked for."""


def _corrupt(state: JournalState, what: str) -> StoreCorrupt:
    return StoreCorrupt(f"journal {state.name}: {what}")
