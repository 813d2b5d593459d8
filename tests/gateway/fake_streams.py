"""The part of the fake cell that is about subscriptions."""

from __future__ import annotations

import asyncio

from gateway.errors import HistoryGone
from gateway.state_views import StateEntryView
from gateway.stream_cell import Cursor, StreamFilter, StreamItem, StreamKind, StreamPage
from gateway.views import TransactionView


def transaction(position: int, *, sender: str = "ab" * 32, kind: str = "put") -> StreamItem:
    """Return the item of a place in the order; each round has ten."""
    number = 1 + position // 10
    view = TransactionView(
        position=position,
        id=f"{position:064x}",
        round=number,
        consensus_time_ns=position,
        event="aa" * 32,
        creator="12D3KooWFakeCell",
        kind=kind,
        sender=sender,
        nonce=position,
        outcome="applied",
        refusal=None,
        size_bytes=100,
    )
    return StreamItem(Cursor(position + 1), number, view, 1024)


def change(number: int, key: str, value: str = "v") -> StreamItem:
    """Return the item of a change of the state."""
    view = StateEntryView(key, value, value.encode().hex(), number, "ab" * 32)
    return StreamItem(Cursor(number, key), number, view, 1024 + 3 * len(value))


class FakeStreams:
    """Has items of each kind, to which tests add."""

    def __init__(self) -> None:
        self.items: dict[StreamKind, list[StreamItem]] = {kind: [] for kind in StreamKind}
        self.kept_from = 0
        """Items before this number of their list are not kept."""
        self.pages_read = 0
        self._added = asyncio.Event()

    def add(self, kind: StreamKind, *items: StreamItem) -> None:
        """Have something new."""
        self.items[kind] += items
        added, self._added = self._added, asyncio.Event()
        added.set()

    async def stream_head(self, kind: StreamKind) -> Cursor:
        items = self.items[kind]
        return items[-1].cursor if items else Cursor(0)

    async def stream_after_round(self, kind: StreamKind, round_number: int) -> Cursor:
        before = [one for one in self.items[kind] if (one.round or 0) <= round_number]
        if len(before) < self.kept_from:
            resume = self.items[kind][self.kept_from - 1].cursor
            raise HistoryGone(f"round {round_number} is not held here", resume.text)
        return before[-1].cursor if before else Cursor(0)

    async def stream_page(self, wanted: StreamFilter, after: Cursor, limit: int) -> StreamPage:
        self.pages_read += 1
        items = self.items[wanted.kind]
        if self.kept_from and items[self.kept_from - 1].cursor.is_behind(after):
            resume = items[self.kept_from - 1].cursor
            raise HistoryGone(f"{after.text} is not held here", resume.text)
        seen = [one for one in items if one.cursor.is_behind(after)][:limit]
        found = [one for one in seen if wanted.matches(one.view)]
        return StreamPage(found, seen[-1].cursor if seen else after)

    async def stream_news(self, kind: StreamKind, after: Cursor) -> None:
        while not (await self.stream_head(kind)).is_behind(after):
            await self._added.wait()
