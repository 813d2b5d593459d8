"""One journal of an open store: appending, heads, truncating and clearing. Reading is in `view`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from journal.audit import Audit, Progress
from journal.checkpoint import verify_checkpoint
from journal.committer import Committer
from journal.edits import Clear, Truncate
from journal.errors import NoConflict, NoSuchBlock, StoreCorrupt
from journal.events import Conflict, Subscription
from journal.layout import JournalState
from journal.limits import CLEAR_BLOCKS_STEP
from journal.reader import Reader
from journal.sealing import Seal
from journal.view import View
from journal.waiting import within
from journal.writer import Batch

if TYPE_CHECKING:
    from journal.snapshot import Snapshot
    from journal.store import Store


class Journal(View):
    """One append-only log of a store. Made by `Store.journal`."""

    def __init__(self, store: Store, committer: Committer, name: str) -> None:
        self._store = store
        self._committer = committer
        self.name = name

    @property
    def durable_length(self) -> int:
        """Number of blocks known to be covered by an fsync since the store was opened."""
        state = self._committer.durable_states.get(self.name)
        return 0 if state is None or state.fork != self._state.fork else state.size

    def checkpoint(self, size: int | None = None) -> str:
        """Return the signed head of the first `size` blocks (all), for use inside this cell.

        A power cut may take it back. What leaves the cell is `publish()`. Raises NoSuchBlock or
        SignerFailed.
        """
        state = self._state
        if size in (None, state.size):
            return self._store.writer.shown_head(state)
        return self._store.writer.head_of(state, size or 0, self.root(size))

    async def publish(self, size: int | None = None, *, timeout_s: float | None = None) -> str:
        """Return the signed head of the present length once an fsync covers it.

        The publish barrier: only such a head may be shown to others.
        """
        head = self.checkpoint(size)
        await within(timeout_s, self._store.sync())
        return head

    async def sync(self, *, timeout_s: float | None = None) -> int:
        """Return how many blocks an fsync covers, once it covers all that are there now."""
        length = self.length
        await within(timeout_s, self._store.sync())
        return length

    async def append(
        self,
        blocks: bytes | Sequence[bytes],
        durable: bool | None = None,  # noqa: FBT001 - the agreed API
        *,
        timeout_s: float | None = None,
    ) -> tuple[int, int]:
        """Append one block or several and return (index of the first, length after the last).

        `durable`: True waits for an fsync, False does not, None is the store's default. After
        TimedOut the blocks are appended nevertheless. Raises CommitRefused, JournalHeld, QueueFull,
        StoreClosed, EncryptionKeyMissing or a write's fault.
        """
        batch = (blocks,) if isinstance(blocks, bytes) else tuple(blocks)
        future = self._store.put(Batch({self.name: batch}, (), durable))
        positions = await (future if timeout_s is None else within(timeout_s, future))
        return positions[self.name]

    async def truncate(self, length: int, *, timeout_s: float | None = None) -> int:
        """Keep the first `length` blocks and go on as the next fork, durably; return the fork.

        What was signed for earlier forks stays true of them: nothing that was shown is
        contradicted. Raises JournalHeld, NoSuchBlock, StoreCorrupt, TimedOut or a write's fault.
        """
        self._store.check_held(self.name)
        return await within(timeout_s, self._truncate(length))

    async def clear(self, start: int, end: int, *, timeout_s: float | None = None) -> None:
        """Forget the bytes of blocks [start, end) and give their space back.

        Their hashes stay (34 bytes a block), so that every proof can still be made. Commits go in
        between the steps of long work. Raises NoSuchBlock, StoreCorrupt, TimedOut or a fault.
        """
        await within(timeout_s, self._clear(start, end, pruned=lambda _: 0))

    async def prune(self, min_index: int, *, timeout_s: float | None = None) -> None:
        """Clear all blocks before `min_index`, for good: `min_index` stays what it was set to."""
        await within(timeout_s, self._clear(0, min_index, pruned=lambda end: end))

    async def report_conflict(self, theirs: str, *, timeout_s: float | None = None) -> int:
        """Take a head of this fork that ours does not extend as evidence; return the next fork.

        Both heads are kept, subscribers are told, and the journal goes on as the next fork with
        the blocks it has. A longer head counts: whoever has it was shown what we do not have.
        Raises HeadRefused (not signed by our key for this fork) or NoConflict.
        """
        state = self._state
        head = verify_checkpoint(
            theirs, f"{self._store.cell_id}/{self.name}/{state.fork}", self._store.public_key
        )
        if head.size <= state.size and self.root(head.size) == head.root:
            raise NoConflict(f"journal {self.name} continues that head of {head.size} blocks")
        edit = Truncate(self.name, None, theirs)
        self._store.tell(Conflict(self.name, self.checkpoint(), theirs))
        await within(timeout_s, self._committer.put(edit, durable=True))
        return self.fork

    def evidence(self) -> list[tuple[str, str]]:
        """Return the conflicts that were reported, oldest first: our head then, and theirs."""
        rows = self._store.query(
            "SELECT ours, theirs FROM journal_evidence WHERE number = ? ORDER BY id",
            (self._state.number,),
        )
        return [(ours, theirs) for ours, theirs in rows]

    def events(self) -> Subscription:
        """Return a subscription to this journal's events; close it, or use it with `with`."""
        return self._store.events(self.name)

    async def snapshot(self, *, timeout_s: float | None = None) -> Snapshot:
        """Return the journal as it is now, whatever becomes of it; close it, or use `with`."""
        return await self._store.snapshot(self.name, timeout_s=timeout_s)

    async def audit(
        self, progress: Progress | None = None, *, timeout_s: float | None = None
    ) -> Audit:
        """Check every byte of the journal against its signed head.

        `progress` is called with the blocks done and their number. Raises StoreCorrupt,
        ReadFailed, TooManyOpen, StoreClosed or TimedOut.
        """
        return await within(timeout_s, self._audit(progress))

    async def _audit(self, progress: Progress | None) -> Audit:
        with await self.snapshot() as snapshot:
            return await snapshot.audit(progress)

    async def _truncate(self, length: int) -> int:
        await self._committer.put(Truncate(self.name, length), durable=True)
        fork = self.fork
        await self._committer.freed()
        return fork

    async def _clear(self, start: int, end: int, pruned: Callable[[int], int]) -> None:
        if not 0 <= start <= end <= self.length:
            raise NoSuchBlock(f"journal {self.name} has {self.length} blocks, not to {end}")
        at = max(start, min(self._state.pruned, end))
        while at < end:
            stop = min(end, at + CLEAR_BLOCKS_STEP)
            edit = Clear(self.name, at, stop, pruned(stop))
            await self._committer.put(edit, durable=self._store.durable_default)
            at = stop
        await self._committer.freed()

    @property
    def _state(self) -> JournalState:
        return self._committer.states[self.name]

    def _reader(self) -> Reader:
        return self._store.reader()

    def _seal(self) -> Seal | None:
        return self._store.writer.seal_of(self.name)

    async def _await_edit(
        self, state: JournalState, error: StoreCorrupt, timeout_s: float | None
    ) -> None:
        if not self._reader().is_stale(state):
            raise error
        await self._store.settle(timeout_s=timeout_s)
        if self._state.edits == state.edits:
            raise error

    async def _longer(self, timeout_s: float | None) -> None:
        await within(timeout_s, self._committer.changed())
