"""The audit journal of a cell: takes rows from all its parts, and is its only reader.

`note` never waits: rows are written a moment later, many in one commit, without an fsync of their
own. What is itself a transaction of the store is written here with its row, by `commit`. A
crash can lose the rows of the last moment, never one in the middle: the journal's tree chains them.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, replace

from core.ids import CellId, PublicKey, public_key_of
from identity.audit import AUDIT_JOURNAL, LOCAL, Act, Outcome, decode_act, noted
from journal import Journal, Pen, Store
from node.clock import wall_ns
from node.errors import JournalNotGranted
from node.limits import (
    AUDIT_KEPT_MAX,
    AUDIT_PAUSE_S,
    AUDIT_PRUNE_STEP,
    AUDIT_SCANNED_MAX,
    AUDIT_SLICE,
    AUDIT_WAITING_MAX,
)
from node.services.audit_windows import Windows
from node.session import now_ms
from node.tables import Statement


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which rows are asked for, the newest first."""

    limit: int
    before: int | None = None
    """Only rows with a smaller index."""
    since_ms: int = 0
    refused: bool = False
    """Only what was not done."""


class AuditTrail:
    """Owner of the audit journal. `run` must be running for rows to be written."""

    def __init__(self, store: Store, journal: Journal, own: PublicKey) -> None:
        self._pen: Pen = store.pen(AUDIT_JOURNAL, self.not_granted)
        self._journal = journal
        self._own = own
        self._windows = Windows()
        self._waiting: deque[Act] = deque()
        self.rows_kept = AUDIT_KEPT_MAX
        self._lost = 0
        self.lost_total = 0
        """Rows that were only counted, as too many waited."""
        self._wake = asyncio.Event()
        self._writing = asyncio.Lock()

    @classmethod
    async def open(cls, store: Store, own: PublicKey) -> AuditTrail:
        """Return the trail as the store has it."""
        return cls(store, await store.journal(AUDIT_JOURNAL), own)

    def note(self, act: Act) -> None:
        """Have a row written soon, or counted with others alike."""
        rows = self._windows.take(noted(act), now_ms())
        for row in rows:
            if len(self._waiting) >= AUDIT_WAITING_MAX:
                self._lost += 1
                self.lost_total += 1
            else:
                self._waiting.append(row)
        self._wake.set()

    def refused(self, peer: CellId, action: str, subject: str, *, code: str, reason: str) -> None:
        """Note that another cell was refused something."""
        key = public_key_of(peer)
        act = Act(
            *(_wall_ms(), f"cell:{peer}", key, action, subject, Outcome.REFUSED, code, reason)
        )
        self.note(act)

    def done(self, peer: CellId, action: str, subject: str) -> None:
        """Note what was done because another cell asked for it."""
        key = public_key_of(peer)
        self.note(Act(_wall_ms(), f"cell:{peer}", key, action, subject, Outcome.DONE))

    def block(self, action: str, subject: str, *, actor: str = LOCAL, key: bytes = b"") -> bytes:
        """Return the row of an act that is done by the transaction which appends it."""
        act = Act(_wall_ms(), actor, key or self._own, action, subject, Outcome.DONE)
        return noted(act).encode()

    def local(self, action: str, subject: str = "", reason: str = "") -> None:
        """Note what the cell did by itself."""
        self.note(
            Act(_wall_ms(), LOCAL, self._own, action, subject, Outcome.DONE, "", reason),
        )

    async def run(self) -> None:
        """Write rows until cancelled. Raises the store's faults."""
        while True:
            wait_ms = self._windows.wait_ms(now_ms())
            try:
                async with asyncio.timeout(None if wait_ms is None else wait_ms / 1000):
                    await self._wake.wait()
                await asyncio.sleep(AUDIT_PAUSE_S)
            except TimeoutError:
                pass  # a window is over
            self._wake.clear()
            self._waiting += self._windows.ended(now_ms())
            await self.flush()
            await self._prune()

    async def flush(self) -> None:
        """Write what waits."""
        async with self._writing:
            rows, self._waiting = list(self._waiting), deque()
            if self._lost:
                rows.append(self._lost_row())
            if rows:
                blocks = [row.encode() for row in rows]
                await self._pen.write(blocks, durable=False)

    async def commit(self, rows: Sequence[bytes], statements: Sequence[Statement]) -> None:
        """Make statements durable with the rows of the acts that they are."""
        await self._pen.write(rows, statements, durable=True)

    def not_granted(self, journal: str, service: str = "?", why: str = "no grant") -> None:
        """Note that a part of this cell wanted to write a journal that is not its own."""
        code, subject = JournalNotGranted.code, f"{service}: {journal}"
        act = Act(_wall_ms(), LOCAL, b"", "journal-write", subject, Outcome.REFUSED, code, why)
        self.note(act)

    def give_back(self) -> None:
        """Hold the journal no more: this life of the cell is over."""
        self._pen.give_back()

    async def close(self) -> None:
        """Write everything: the cell stops."""
        self._waiting += self._windows.close()
        await self.flush()

    async def page(self, wanted: Wanted) -> tuple[list[tuple[int, Act]], int | None]:
        """Return rows with their indexes, and the `before` of the next page if there is more."""
        await self.flush()
        found: list[tuple[int, Act]] = []
        end = self._journal.length
        end = end if wanted.before is None else min(end, wanted.before)
        first = max(self._journal.min_index, end - AUDIT_SCANNED_MAX)
        while end > first:
            start = max(first, end - AUDIT_SLICE)
            blocks = await self._journal.get_many(range(start, end))
            for index, block in zip(reversed(range(start, end)), reversed(blocks), strict=True):
                act = decode_act(block)
                if act.time_ms < wanted.since_ms:
                    return found, None
                if wanted.refused and act.outcome is Outcome.DONE:
                    continue
                found.append((index, act))
                if len(found) == wanted.limit:
                    return found, index if index > self._journal.min_index else None
            end = start
            await asyncio.sleep(0)  # everything else has its turn
        return found, first if first > self._journal.min_index else None

    def _lost_row(self) -> Act:
        lost, self._lost = self._lost, 0
        act = Act(_wall_ms(), LOCAL, self._own, "audit.lost", "", Outcome.FAILED)
        return replace(act, reason="rows that found no room to wait", count=lost)

    async def _prune(self) -> None:
        kept = self._journal.length - self._journal.min_index
        if kept > self.rows_kept + AUDIT_PRUNE_STEP:
            await self._journal.prune(self._journal.length - self.rows_kept)


def _wall_ms() -> int:
    return wall_ns() // 1_000_000
