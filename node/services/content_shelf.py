"""The contents that a cell has itself: their bodies, how much that is, and which of them may go.

What was posted here, and what somebody pinned, is kept until its owner removes it. The rest are
copies kept for others: when they would be too much, those go that were not served for the longest
time. What was removed or has gone is marked, so that it is not fetched at once again.

`Shelf` writes under a lock, one change at a time, so its count of bytes is that of the table.
"""

from __future__ import annotations

import asyncio
import hashlib
from dataclasses import dataclass
from typing import Final

import structlog

from core.ids import Hash
from journal import Store
from journal.statements import Statement
from node.limits import CONTENT_KEPT_SIZE_BYTES_MAX, CONTENT_LOOKED_AT_MAX

CONTENT_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS content (
  hash BLOB PRIMARY KEY, size_bytes INTEGER NOT NULL, body BLOB NOT NULL);
CREATE INDEX IF NOT EXISTS content_by_size ON content (size_bytes);
CREATE TABLE IF NOT EXISTS content_use (
  hash BLOB PRIMARY KEY, is_own INTEGER NOT NULL DEFAULT 0, is_pinned INTEGER NOT NULL DEFAULT 0,
  is_dropped INTEGER NOT NULL DEFAULT 0, served INTEGER NOT NULL DEFAULT 0,
  expires_round INTEGER NOT NULL DEFAULT 0) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS content_by_use ON content_use (is_own, is_pinned, is_dropped, served);
CREATE INDEX IF NOT EXISTS content_by_end ON content_use (expires_round) WHERE expires_round > 0;
"""
"""Bodies are in a table of their own: to note a use rewrites no megabyte."""

_LOG = structlog.get_logger("content")
_LONGEST_UNSERVED: Final = (
    "SELECT u.hash, c.size_bytes FROM content_use u CROSS JOIN content c ON c.hash = u.hash "
    "WHERE u.is_own = 0 AND u.is_pinned = 0 AND u.is_dropped = 0 ORDER BY u.served LIMIT ?"
)
"""Copies that are only kept for others. CROSS: in the order of the index, without a sort."""
_KEEP: Final = (
    "INSERT INTO content_use (hash, is_own, served, expires_round) VALUES (?1, ?2, ?3, ?4) "
    "ON CONFLICT DO UPDATE SET is_own = max(is_own, ?2), is_dropped = 0, served = ?3, "
    "expires_round = ?4"
)
_DROP: Final = (
    "INSERT INTO content_use (hash, is_dropped) VALUES (?, 1) "
    "ON CONFLICT DO UPDATE SET is_dropped = 1, is_own = 0, expires_round = 0"
)


@dataclass(frozen=True, slots=True)
class Use:
    """What a cell knows of a content beside what the ledger says."""

    is_own: bool = False
    """It was posted here."""
    is_pinned: bool = False
    is_dropped: bool = False
    """Its copy was removed, or had to go: it is not fetched again, unless somebody pins it."""

    @property
    def is_free(self) -> bool:
        """Whether its copy is only kept for others."""
        return not self.is_own and not self.is_pinned


class Shelf:
    """The contents that are here. CONTENT_SCHEMA is there before."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._lock = asyncio.Lock()
        self.size_bytes_max = CONTENT_KEPT_SIZE_BYTES_MAX
        ((self.size_bytes,),) = store.query("SELECT coalesce(sum(size_bytes), 0) FROM content")
        ((self._served,),) = store.query("SELECT coalesce(max(served), 0) FROM content_use")

    def body(self, identity: Hash) -> bytes | None:
        """Return a content, None if it is not here."""
        rows = self._store.query("SELECT body FROM content WHERE hash = ?", (identity,))
        return bytes(rows[0][0]) if rows else None

    def has(self, identity: Hash) -> bool:
        """Return whether a content is here."""
        return self._size_bytes(identity) > 0

    def use(self, identity: Hash) -> Use:
        """Return what is known of a content."""
        rows = self._store.query(
            "SELECT is_own, is_pinned, is_dropped FROM content_use WHERE hash = ?", (identity,)
        )
        return Use(*map(bool, rows[0])) if rows else Use()

    async def keep(self, body: bytes, *, is_own: bool, expires_round: int = 0) -> Hash | None:
        """Make a content durable and return its hash; None if there is no room for it."""
        identity = Hash(hashlib.sha256(body).digest())
        async with self._lock:
            fresh = 0 if self.has(identity) else len(body)
            if not await self._make_room(fresh):
                return None
            self._served += 1
            statements: list[Statement] = [
                ("INSERT OR IGNORE INTO content VALUES (?, ?, ?)", [(identity, len(body), body)]),
                (_KEEP, [(identity, int(is_own), self._served, expires_round)]),
            ]
            await self._store.transaction({}, statements, durable=True)
            self.size_bytes += fresh
        return identity

    async def served(self, identity: Hash) -> None:
        """Note that a content was of use to somebody just now."""
        async with self._lock:
            self._served += 1
            row = (self._served, identity)
            await self._run(("UPDATE content_use SET served = ? WHERE hash = ?", [row]))

    async def ends(self, identity: Hash, expires_round: int) -> None:
        """Note when the post of a content ends that is here; 0 for never."""
        async with self._lock:
            row = (expires_round, identity)
            await self._run(("UPDATE content_use SET expires_round = ? WHERE hash = ?", [row]))

    def ended(self, before: int) -> list[Hash]:
        """Return some contents here whose posts ended before a round, as far as was noted."""
        rows = self._store.query(
            "SELECT hash FROM content_use WHERE expires_round > 0 AND expires_round < ? LIMIT ?",
            (before, CONTENT_LOOKED_AT_MAX),
        )
        return [Hash(bytes(found)) for (found,) in rows]

    async def pin(self, identity: Hash) -> None:
        """Never let a content go that is here, or comes."""
        async with self._lock:
            statement = (
                "INSERT INTO content_use (hash, is_pinned) VALUES (?, 1) "
                "ON CONFLICT DO UPDATE SET is_pinned = 1, is_dropped = 0"
            )
            await self._run((statement, [(identity,)]), durable=True)

    async def unpin(self, identity: Hash) -> None:
        """Let a content go when there is no room, unless it was posted here."""
        async with self._lock:
            statement = "UPDATE content_use SET is_pinned = 0 WHERE hash = ?"
            await self._run((statement, [(identity,)]), durable=True)

    async def remove(self, identity: Hash) -> None:
        """Remove a content, whoever posted it, and do not have it fetched again."""
        async with self._lock:
            await self._drop([(identity, self._size_bytes(identity))])

    async def release(self, identity: Hash) -> None:
        """Forget a copy that was kept for others, as what it is of has ended."""
        async with self._lock:
            if not self.use(identity).is_free:
                await self._run(
                    ("UPDATE content_use SET expires_round = 0 WHERE hash = ?", [(identity,)])
                )
                return
            size_bytes = self._size_bytes(identity)
            await self._run(
                ("DELETE FROM content WHERE hash = ?", [(identity,)]),
                ("DELETE FROM content_use WHERE hash = ?", [(identity,)]),
            )
            self.size_bytes -= size_bytes

    async def _make_room(self, size_bytes: int) -> bool:
        """Let copies go, the one that was served longest ago first; return whether it is enough."""
        if self.size_bytes + size_bytes <= self.size_bytes_max:
            return True
        while self.size_bytes + size_bytes > self.size_bytes_max:
            over = self.size_bytes + size_bytes - self.size_bytes_max
            rows = self._store.query(_LONGEST_UNSERVED, (CONTENT_LOOKED_AT_MAX,))
            gone: list[tuple[Hash, int]] = []
            for found, size in rows:
                if over > 0:
                    gone.append((Hash(bytes(found)), size))
                    over -= size
            if over > 0 and len(rows) < CONTENT_LOOKED_AT_MAX:
                return False  # all of them are not enough, so none has to go
            await self._drop(gone)
            _LOG.info("copies of content let go: there is no room", copies=len(gone))
        return True

    async def _drop(self, contents: list[tuple[Hash, int]]) -> None:
        hashes = [(identity,) for identity, _ in contents]
        await self._run(("DELETE FROM content WHERE hash = ?", hashes), (_DROP, hashes))
        self.size_bytes -= sum(size for _, size in contents)

    def _size_bytes(self, identity: Hash) -> int:
        rows = self._store.query("SELECT size_bytes FROM content WHERE hash = ?", (identity,))
        return int(rows[0][0]) if rows else 0

    async def _run(self, *statements: Statement, durable: bool = False) -> None:
        await self._store.transaction({}, list(statements), durable=durable)
