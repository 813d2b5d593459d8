"""What a cell shows of its journals: published heads, blocks below them, and their proofs.

A feed of an own journal shows heads while somebody follows it, each once an fsync covers it. A feed
of a copy shows the newest head of which every block is here. All sessions of one journal share its
feed, and so one fsync and one signature.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from core.ids import CellId
from journal.errors import BlockCleared
from journal.limits import BLOCK_OVERHEAD_BYTES
from journal.merkle import NodeSource
from journal.replication.copies import Copies, Copy
from journal.replication.errors import NotServed
from journal.replication.limits import SPAN_BLOCKS_MAX
from journal.store import Store


class Feed:
    """One journal as others see it. `changed` is set anew whenever there is a newer head."""

    def __init__(self, store: Store, name: str) -> None:
        self._store = store
        self.name = name
        self.text = ""
        self.size = 0
        self.fork = 0
        self.listeners: dict[asyncio.Event, None] = {}  # in order: a run can be repeated

    def show(self, text: str, size: int, fork: int) -> None:
        """Show a head from now on; it was published. An older one of the same fork is left out."""
        if text != self.text and (fork, size) >= (self.fork, self.size):
            self.text, self.size, self.fork = text, size, fork
            for listener in self.listeners:
                listener.set()

    def node(self) -> NodeSource:
        """Return the hashes of the journal's full subtrees."""
        hashes, state = self._store.reader().hashes, self._store.state_of(self.name)
        return lambda level, number: hashes.node(state, level, number)

    def blocks(self, start: int, end: int, size_bytes_max: int) -> list[bytes]:
        """Return blocks from `start`, at least one, until `end` or about `size_bytes_max` bytes.

        They are as stored: encrypted, if the journal is. Raises BlockCleared.
        """
        reader, state = self._store.reader(), self._store.state_of(self.name)
        found: list[bytes] = []
        size_bytes = 0
        for part in reader.slots(state, start, min(end, start + SPAN_BLOCKS_MAX)):
            for block in part:
                if isinstance(block, int):
                    if found:
                        return found
                    raise BlockCleared(f"block {start} was deleted here")
                size_bytes += len(block) + BLOCK_OVERHEAD_BYTES
                if found and size_bytes > size_bytes_max:
                    return found
                found.append(block)
        return found

    def leaves(self, start: int, end: int) -> Sequence[bytes]:
        """Return leaf hashes."""
        node = self.node()
        return [node(0, index) for index in range(start, end)]


class Shelf:
    """All feeds of a cell; those of own journals are kept fresh while they are followed."""

    def __init__(self, store: Store, copies: Copies, cell_id: CellId) -> None:
        self._store = store
        self._copies = copies
        self.cell_id = cell_id
        self._own: dict[str, Feed] = {}
        self._copied: dict[int, Feed] = {}

    async def feed(self, cell_id: str, journal: str) -> Feed:
        """Return the feed of a journal, with a head to show; raises NotServed."""
        if cell_id == self.cell_id:
            return await self._own_feed(journal)
        copy = self._copies.newest(cell_id, journal)
        if copy is None or copy.whole is None:
            raise NotServed(f"no whole copy of {journal[:32]} of {cell_id[:64]} is here")
        feed = self._copied.setdefault(copy.number, Feed(self._store, copy.name))
        feed.show(copy.whole.text, copy.whole.size, copy.fork)
        return feed

    def on_commit(self, copy: Copy) -> None:
        """Note that a copy has grown."""
        feed = self._copied.get(copy.number)
        if feed is not None and copy.whole is not None:
            feed.show(copy.whole.text, copy.whole.size, copy.fork)

    def listen(self, feed: Feed, listener: asyncio.Event) -> None:
        """Set `listener` at each new head of the feed from now on, until `leave`."""
        feed.listeners[listener] = None
        if self._own.get(feed.name) is feed and len(feed.listeners) == 1:
            self._store.show(feed.name, lambda head, state: feed.show(head, state.size, state.fork))

    def leave(self, feed: Feed, listener: asyncio.Event) -> None:
        """Stop setting `listener`."""
        feed.listeners.pop(listener, None)
        if self._own.get(feed.name) is feed and not feed.listeners:
            self._store.show(feed.name, None)

    async def dispute(self, journal: str, text: str) -> None:
        """Take a head that our own journal contradicts: it goes on at the next fork.

        Raises NoConflict or HeadRefused, and NotServed for a journal of another cell.
        """
        if journal not in self._own:
            raise NotServed("only a journal's own cell can settle a conflict")
        await (await self._store.journal(journal)).report_conflict(text)

    async def _own_feed(self, journal: str) -> Feed:
        if journal not in self._store.journals() or journal.startswith("follow-"):
            raise NotServed(f"this cell has no journal {journal[:32]}")
        feed = self._own.get(journal)
        if feed is None:
            feed = self._own[journal] = Feed(self._store, journal)
        await self._publish(feed)
        return feed

    async def _publish(self, feed: Feed) -> None:
        journal = await self._store.journal(feed.name)
        size, fork = journal.length, journal.fork  # those of the head that is taken now
        feed.show(await journal.publish(), size, fork)
