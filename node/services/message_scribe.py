"""The only writer of the journal of messages: gives each block its index before it is written.

A message's row names its block, and both are written in one transaction, so the index has to be
known before. Blocks that come while a transaction is under way wait for the next, which takes them
all: one fsync for many messages. What is only learned (a receipt, say) goes along, or is written
without an fsync a little later.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from core.errors import check
from core.failpoint import hit
from identity.messages.proof import MESSAGE_JOURNAL
from journal import Journal, Pen, Store
from node.errors import MessageNotStored
from node.limits import MESSAGES_LEARNED_MAX, MESSAGES_LEARNED_S, MESSAGES_PER_COMMIT_MAX
from node.tables import Statement

Make: TypeAlias = Callable[[int], tuple[bytes, Sequence[Statement]]]
"""The index of a block -> the block, and what is noted with it."""


@dataclass(frozen=True, slots=True)
class _Entry:
    make: Make | None
    """None for statements alone."""
    statements: Sequence[Statement]
    done: Callable[[int], None]
    future: asyncio.Future[int]


class Scribe:
    """Writes for one cell. `run` must be running for anything to become durable."""

    def __init__(self, store: Store, journal: Journal, pen: Pen) -> None:
        check(journal.name == pen.name == MESSAGE_JOURNAL, "it writes the journal of messages")
        self._store = store
        self._pen = pen
        self._journal = journal
        self._entries: deque[_Entry] = deque()
        self._learned: list[Statement] = []
        self._wake = asyncio.Event()
        self._is_closed = False

    @property
    def waiting(self) -> int:
        """Return how many entries wait to be written."""
        return len(self._entries)

    async def write(self, make: Make, done: Callable[[int], None] = lambda _: None) -> int:
        """Journal a block, durably, and return its index.

        `done` is called with it once it is durable, in the order of the blocks, also when the
        caller was cancelled meanwhile: what was queued is written.
        """
        return await self._put(_Entry(make, (), done, _future()))

    async def note(self, statements: Sequence[Statement]) -> None:
        """Make statements durable, with all that was learned before."""
        await self._put(_Entry(None, statements, lambda _: None, _future()))

    def learn(self, statements: Sequence[Statement]) -> None:
        """Write statements some time soon: a crash may lose them."""
        if not self._learned or len(self._learned) >= MESSAGES_LEARNED_MAX:
            self._wake.set()
        self._learned += statements

    async def flush(self) -> None:
        """Write what was learned, without an fsync."""
        if self._learned:
            learned, self._learned = self._learned, []
            await self._store.transaction({}, learned, durable=False)

    async def run(self) -> None:
        """Write until cancelled; who waits then is told that the cell stops. Raises the store's."""
        try:
            while True:
                await self._run_once()
        finally:
            self._is_closed = True
            for entry in self._entries:
                if not entry.future.done():
                    # Not cancelled: a client's request would end without an answer.
                    entry.future.set_exception(MessageNotStored("the cell stops"))
                    entry.future.exception()  # nobody may wait any more

    async def _run_once(self) -> None:
        while self._entries:
            await self._write_some()
        if len(self._learned) >= MESSAGES_LEARNED_MAX:
            await self.flush()
        try:
            async with asyncio.timeout(MESSAGES_LEARNED_S if self._learned else None):
                await self._wake.wait()
            self._wake.clear()
        except TimeoutError:
            await self.flush()

    async def _put(self, entry: _Entry) -> int:
        if self._is_closed:
            raise MessageNotStored("the cell stops")
        self._entries.append(entry)
        self._wake.set()
        return await asyncio.shield(entry.future)

    async def _write_some(self) -> None:
        count = min(len(self._entries), MESSAGES_PER_COMMIT_MAX)
        entries = [self._entries[at] for at in range(count)]
        statements, self._learned = self._learned, []
        blocks: list[bytes] = []
        indexes: list[int] = []
        first = self._journal.length
        for entry in entries:
            indexes.append(first + len(blocks))
            statements += entry.statements
            if entry.make is not None:
                block, noted = entry.make(indexes[-1])
                blocks.append(block)
                statements += noted
        hit("message.write.before")
        at, _ = await self._pen.write(blocks, statements, durable=True)
        hit("message.write.after")
        if blocks:
            check(at == first, f"a block of messages is at {at}, not at {first}")
        for entry, index in zip(entries, indexes, strict=True):
            self._entries.popleft()
            entry.done(index)
            if not entry.future.done():
                entry.future.set_result(index)


def _future() -> asyncio.Future[int]:
    return asyncio.get_running_loop().create_future()
