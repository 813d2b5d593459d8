"""Runs a follower's machine over a stream, against the copies of a store."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable
from typing import Final, TypeAlias

from core.errors import check
from core.ids import CellId
from journal.replication import wire
from journal.replication.copies import Copies, Copy
from journal.replication.errors import ForkMoved, HeadOutdated, HeadsConflict, PeerSilent
from journal.replication.fetch import Fetch
from journal.replication.follower import Effects, Follower, Stored
from journal.replication.framing import ByteStream, FrameStream
from journal.replication.limits import REQUEST_TIMEOUT_MS

OnCommit: TypeAlias = Callable[[Copy], None]
"""Called after each commit, and once a server has answered; in the event loop's thread."""

_MS_PER_S: Final = 1000


def now_ms() -> int:
    """Return the monotonic time, in milliseconds."""
    return time.monotonic_ns() // 1_000_000


class FollowSession:
    """One connection to one server; `run` ends by an error only."""

    def __init__(
        self, stream: ByteStream, copies: Copies, cell_id: CellId, journal: str, on_commit: OnCommit
    ) -> None:
        self.frames = FrameStream(stream)
        self._copies = copies
        self._cell_id = cell_id
        self._journal = journal
        self._on_commit = on_commit
        self._greeted = False
        self._follower = Follower(copies.held(cell_id, journal))

    async def run(self) -> None:
        """Follow until the peer goes away, breaks a rule, or contradicts itself.

        Raises PeerGone, PeerSilent, HeadsConflict (its evidence is kept by then), the errors of
        `Follower.receive`, of the stream and of the store. The caller reconnects if `retryable`.
        """
        follower, frames = self._follower, self.frames
        await self._carry_out(follower.start(now_ms()))
        while True:
            while (frame := frames.buffered()) is not None:
                try:
                    effects = follower.receive(frame, now_ms())
                except ForkMoved:
                    await self._begin_fork()
                    raise
                except HeadOutdated:
                    if follower.disputed is not None:
                        await frames.write([wire.Dispute(follower.disputed.text)])
                    raise
                await self._carry_out(effects)
                self._greet()
            left_ms = follower.due_ms - now_ms()
            if left_ms <= 0:
                await self._carry_out(follower.tick(now_ms()))
                continue
            try:
                await frames.fill(timeout_s=left_ms / _MS_PER_S)
            except TimeoutError:
                await self._carry_out(follower.tick(max(now_ms(), follower.due_ms)))

    def _greet(self) -> None:
        """Tell of a copy that the server has nothing new for: that is news as well."""
        copy = self._copies.newest(self._cell_id, self._journal)
        if not self._greeted and copy is not None:
            self._greeted = True
            self._on_commit(copy)

    async def _carry_out(self, effects: Effects) -> None:
        """Ask for more first, so that the peer works while we write; then commit, in order."""
        if effects.send:
            await self.frames.write(effects.send)
        if effects.store is not None:
            self._on_commit(await self._copies.commit(effects.store))
        if effects.conflict is not None:
            conflict = effects.conflict
            await self._copies.keep_conflict(conflict, time.time_ns())
            await self.frames.write([wire.Dispute(conflict.known.text)])
            sizes = f"{conflict.known.size} and of {conflict.other.size}"
            raise HeadsConflict(f"{conflict.known.checkpoint.origin}: heads of {sizes} blocks")

    async def _begin_fork(self) -> None:
        head = self._follower.moved_to
        check(head is not None, "a fork was seen")
        if head is not None:
            self._on_commit(await self._copies.commit(Stored(head, 0, (), whole=head.size == 0)))


async def fetch(
    stream: ByteStream, cell_id: CellId, journal: str, start: int, end: int
) -> AsyncIterator[bytes]:
    """Yield blocks [start, end) of a journal, each proven by a head that its cell signed.

    Needs nothing but the cell id. Raises as `Fetch.receive`, PeerGone, PeerSilent.
    """
    frames = FrameStream(stream)
    work = Fetch(cell_id, journal, start, end)
    await frames.write([work.start()])
    while not work.done:
        try:
            frame = await frames.read(timeout_s=REQUEST_TIMEOUT_MS / _MS_PER_S)
        except TimeoutError as error:
            raise PeerSilent("no answer in time") from error
        blocks, send = work.receive(frame)
        await frames.write(send)
        for block in blocks:
            yield block
