"""Verifying a journal whole: every row of it, against nothing but its signed head.

Reads do their own checks of what they touch; an audit touches everything: each block against its
leaf hash, each hash up to the signed root, each row's index and byte count, and that no row is
there which nothing leads to. Bytes that SQLite does not use belong to nothing and are not looked
at.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from journal.errors import StoreCorrupt
from journal.layout import JournalState, Slot, length_of
from journal.limits import AUDIT_BLOCKS_STEP
from journal.merkle import EMPTY_ROOT, Frontier, leaf_hash
from journal.reader import Reader

Progress: TypeAlias = Callable[[int, int], None]
"""(blocks done, blocks in all), called about once a millisecond of work."""


@dataclass(frozen=True, slots=True)
class Audit:
    """What an audit that found nothing wrong went through."""

    journal: str
    fork: int
    blocks: int
    cleared: int
    content_bytes: int


async def audit_state(
    reader: Reader, state: JournalState, progress: Progress | None = None
) -> Audit:
    """Check all rows of a journal; raises StoreCorrupt or ReadFailed.

    The root is computed from the leaf hashes alone, and compared with the signed one; each block is
    compared with its leaf hash. `reader` must be pinned, or the journal at rest.
    """
    name, size = state.name, state.size
    frontier = Frontier()
    done = cleared = stored_bytes = next_step = 0
    for first, before, slots in reader.rows(state):
        if before != stored_bytes:
            raise StoreCorrupt(f"journal {name}: the bytes before block {first} are not {before}")
        if first + len(slots) > size:
            raise StoreCorrupt(f"journal {name}: there are blocks behind its {size}")
        for slot in slots:
            frontier.append(_leaf_of(reader, state, done, slot))
            cleared += isinstance(slot, int)
            stored_bytes += length_of(slot)
            done += 1
        if done >= next_step:
            next_step = done + AUDIT_BLOCKS_STEP
            if progress is not None:
                progress(done, size)
            await asyncio.sleep(0)
    if frontier.root() != state.root or (size == 0) != (state.root == EMPTY_ROOT):
        raise StoreCorrupt(f"journal {name}: its leaf hashes do not give its signed root")
    if stored_bytes != state.size_bytes:
        raise StoreCorrupt(f"journal {name}: its blocks are {stored_bytes} bytes")
    reader.hashes.check_stored(state)
    if progress is not None:
        progress(size, size)
    content_bytes = stored_bytes - state.overhead_bytes * size
    return Audit(name, state.fork, size, cleared, content_bytes)


def _leaf_of(reader: Reader, state: JournalState, index: int, slot: Slot) -> bytes:
    leaf = reader.hashes.node(state, 0, index)
    if isinstance(slot, bytes):
        if leaf_hash(slot) != leaf:
            raise StoreCorrupt(f"journal {state.name}: block {index} is not the one it signed")
        if index < state.pruned:
            raise StoreCorrupt(f"journal {state.name}: block {index} is there though it was pruned")
    return leaf
