"""What a cell answers to subscriptions: places in what it has, and durable items behind them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Final

from core.ids import Round
from gateway.errors import BadRequest, HistoryGone
from gateway.stream_cell import Cursor, StreamFilter, StreamItem, StreamKind, StreamPage
from gateway.views import RoundView, TransactionView
from ledger.errors import StateNotKept
from ledger.values import VALUE_PREFIX, value_key
from node.errors import NotInHistory
from node.message_answers import MessageAnswers
from node.message_tables import Wanted
from node.state_answers import StateAnswers, key_name, written_view
from node.state_pages import changes_after
from node.state_tables import check_told, told_from

_VIEW_SIZE_BYTES: Final = 1024
"""About what a view without content takes."""


class StreamAnswers(MessageAnswers, StateAnswers, ABC):
    """The part of `gateway.cell.Cell` that is about subscriptions."""

    @abstractmethod
    async def transactions(self, *, start: int, limit: int) -> list[TransactionView]:
        """See `gateway.cell.Cell.transactions`."""

    @abstractmethod
    async def rounds(self, *, start: int, limit: int) -> list[RoundView]:
        """See `gateway.cell.Cell.rounds`."""

    async def stream_head(self, kind: StreamKind) -> Cursor:
        """See `gateway.stream_cell.StreamCell.stream_head`."""
        if kind is StreamKind.MESSAGES:
            return Cursor(await self._parts.messages.end())
        return await self._behind_round(kind, self._parts.headers.last_round)

    async def stream_after_round(self, kind: StreamKind, round_number: int) -> Cursor:
        """See `gateway.stream_cell.StreamCell.stream_after_round`."""
        newest = self._parts.headers.last_round
        if kind is StreamKind.MESSAGES:
            raise BadRequest("messages have no rounds: begin after a cursor")
        if round_number > newest:
            raise BadRequest(f"round {round_number} is not there yet: the newest is {newest}")
        if kind is StreamKind.STATE:
            self._check_told(round_number)
        try:
            return await self._behind_round(kind, Round(round_number))
        except NotInHistory as error:
            goes_on = await self._behind_round(kind, Round(error.goes_on - 1))
            raise HistoryGone(error.detail, goes_on.text) from error

    async def stream_page(self, wanted: StreamFilter, after: Cursor, limit: int) -> StreamPage:
        """See `gateway.stream_cell.StreamCell.stream_page`."""
        match wanted.kind:
            case StreamKind.TRANSACTIONS:
                return await self._transactions_page(wanted, after, limit)
            case StreamKind.ROUNDS:
                return await self._rounds_page(after, limit)
            case StreamKind.STATE:
                return self._state_page(wanted, after, limit)
            case StreamKind.MESSAGES:
                return await self._messages_page(after, limit)
        return StreamPage([], after)

    async def stream_news(self, kind: StreamKind, after: Cursor) -> None:
        """See `gateway.stream_cell.StreamCell.stream_news`."""
        parts = self._parts
        seen = parts.headers.last_round
        while True:
            message_news = parts.messages.news()  # before the look, so that nothing is missed
            if (await self.stream_head(kind)).is_behind(after):
                return
            if kind is not StreamKind.MESSAGES:
                await parts.news.after(seen)
                return
            await message_news

    async def _behind_round(self, kind: StreamKind, number: Round) -> Cursor:
        """Return the place behind all items of a round up to the newest; raises NotInHistory."""
        headers = self._parts.headers
        if kind is not StreamKind.TRANSACTIONS:
            if number < headers.last_round:
                headers.index_of(number + 1)
            return Cursor(number)
        if number < headers.last_round:
            following = await headers.get(Round(number + 1))
            return Cursor(following.transactions_total - following.transactions)
        return Cursor((await headers.get(number)).transactions_total if number else 0)

    async def _transactions_page(
        self, wanted: StreamFilter, after: Cursor, limit: int
    ) -> StreamPage:
        newest = self._parts.headers.last_round  # tables may be ahead of what is durable
        try:
            found = await self.transactions(start=after.number, limit=limit)
        except NotInHistory as error:
            raise HistoryGone(error.detail, str(error.goes_on)) from error
        views = [view for view in found if view.round <= newest]
        items = [
            StreamItem(Cursor(view.position + 1), view.round, view, _VIEW_SIZE_BYTES)
            for view in views
            if wanted.matches(view)
        ]
        return StreamPage(items, Cursor(views[-1].position + 1) if views else after)

    async def _rounds_page(self, after: Cursor, limit: int) -> StreamPage:
        if after.number >= self._parts.headers.last_round:
            return StreamPage([], after)
        try:
            views = await self.rounds(start=after.number + 1, limit=limit)
        except NotInHistory as error:
            raise HistoryGone(error.detail, str(error.goes_on - 1)) from error
        items = [StreamItem(Cursor(one.round), one.round, one, _VIEW_SIZE_BYTES) for one in views]
        return StreamPage(items, items[-1].cursor if items else after)

    def _state_page(self, wanted: StreamFilter, after: Cursor, limit: int) -> StreamPage:
        parts = self._parts
        newest = parts.headers.last_round
        if after.number > newest:
            return StreamPage([], after)
        self._check_told(after.number)
        place = Round(after.number), value_key(after.key) if after.key else b""
        prefix = VALUE_PREFIX + wanted.prefix.encode()
        page = changes_after(parts.store, newest, prefix, place, limit)
        items = []
        for one in page.items:
            key = key_name(one.key)
            view = written_view(key, one.round, one.value)
            size_bytes = _VIEW_SIZE_BYTES + 3 * len(one.value or b"")
            items.append(StreamItem(Cursor(one.round, key), one.round, view, size_bytes))
        return StreamPage(items, Cursor(page.round, key_name(page.key) if page.key else ""))

    async def _messages_page(self, after: Cursor, limit: int) -> StreamPage:
        service = self._parts.messages
        end = await service.end()
        wanted = Wanted(None, None, None, None, after.number - 1)
        rows, _ = await service.messages(wanted, offset=0, limit=limit, oldest_first=True)
        items = [
            StreamItem(Cursor(row.id + 1), None, view, _VIEW_SIZE_BYTES + 2 * len(row.body))
            for row, view in zip(rows, self._views(rows), strict=True)
        ]
        last = items[-1].cursor if items else after
        seen = Cursor(end) if len(items) < limit else last
        return StreamPage(items, seen if seen.is_behind(last) else last)

    def _check_told(self, round_number: int) -> None:
        """Raise HistoryGone unless what changed after a round can be told."""
        parts = self._parts
        try:
            check_told(parts.store, round_number, parts.headers.last_round)
        except StateNotKept as error:
            raise HistoryGone(error.detail, str(told_from(parts.store))) from error
