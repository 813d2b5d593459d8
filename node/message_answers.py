"""What a running cell answers about messages and rooms, and the way to send them."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Final, TypeVar

from core.errors import MyceldError
from core.ids import Hash, Round
from gateway.errors import NotReachedInTime
from gateway.message_views import (
    ContentView,
    ConversationView,
    KeepContent,
    MessageQuery,
    MessagesView,
    MessageView,
    MessageWish,
    RoomView,
)
from gateway.views import ReceiptView, Stage
from identity.messages.chat import Room, decode_chat
from identity.messages.envelope import MessageType
from ledger.content import Post, PostWithdraw
from ledger.kinds import Arguments
from node.conversation_tables import ConversationRow
from node.journal_answers import JournalAnswers
from node.limits import WAIT_S_MAX
from node.lines import Lines
from node.message_tables import MessageRow, Wanted
from node.services.message import Messages

_T = TypeVar("_T")
_ORDER: Final = ("queued", "sent", "delivered", "read")


class MessageAnswers(JournalAnswers, ABC):
    """The part of `gateway.cell.Cell` that is about messages."""

    @property
    def _messages(self) -> Messages:
        return self._parts.messages

    async def send_message(
        self, wish: MessageWish, *, wait: str | None, timeout_s: float
    ) -> list[MessageView]:
        """See `gateway.message_cell.MessageCell.send_message`."""
        service, expires_ms = self._messages, wish.expires_s * 1000
        if wish.room:
            rows = await service.say(wish.room, wish.text, expires_ms=expires_ms)
        elif wish.type == MessageType.CHAT.name:
            to = self._cell_id(wish.to)
            rows = [await service.chat(to, wish.text, expires_ms=expires_ms)]
        else:
            to, kind = self._cell_id(wish.to), MessageType[wish.type]
            rows = [await service.send(to, kind, wish.body, expires_ms=expires_ms)]
        if wait is not None:
            ids = [row.id for row in rows]
            rows = await self._wait_for(ids, wait, timeout_s)
        return self._views(rows)

    async def messages(self, query: MessageQuery, *, offset: int, limit: int) -> MessagesView:
        """See `gateway.message_cell.MessageCell.messages`."""
        wanted = self._wanted(query, None)
        rows, total = await self._messages.messages(wanted, offset=offset, limit=limit)
        return MessagesView(self._views(rows), total, offset, limit)

    async def next_messages(
        self, query: MessageQuery, *, after: int, limit: int, timeout_s: float
    ) -> MessagesView:
        """See `gateway.message_cell.MessageCell.next_messages`."""
        wanted = self._wanted(query, after)
        rows: list[MessageRow] = []
        total = 0
        try:
            async with asyncio.timeout(min(timeout_s, WAIT_S_MAX)):
                while not rows:
                    news = self._messages.news()  # before the look, so that nothing is missed
                    rows, total = await self._messages.messages(
                        wanted, offset=0, limit=limit, oldest_first=True
                    )
                    if not rows:
                        await news
        except TimeoutError:
            rows, total = [], 0
        return MessagesView(self._views(rows), total, 0, limit)

    async def conversations(
        self, *, cell: str | None, room: bytes | None, offset: int, limit: int
    ) -> list[ConversationView]:
        """See `gateway.message_cell.MessageCell.conversations`."""
        named = None if cell is None else self._cell_id(cell)
        rows = await self._messages.conversations(cell=named, room=room, offset=offset, limit=limit)
        return [await self._conversation_view(row) for row in rows]

    async def message(self, message_id: int, *, wait: str | None, timeout_s: float) -> MessageView:
        """See `gateway.message_cell.MessageCell.message`."""
        if wait is None:
            row = await self._messages.message(message_id)
        else:
            (row,) = await self._wait_for([message_id], wait, timeout_s)
        return message_view(row, self._parts.lines)

    async def mark_message_read(self, message_id: int) -> MessageView:
        """See `gateway.message_cell.MessageCell.mark_message_read`."""
        return message_view(await self._messages.mark_read(message_id), self._parts.lines)

    async def post_content(
        self, title: str, body: bytes, *, wait: Stage, timeout_s: float, expires_round: int = 0
    ) -> ReceiptView:
        """See `gateway.message_cell.MessageCell.post_content`."""
        identity = await self._parts.contents.keep(body)
        post = Post(identity, len(body), title, Round(expires_round))
        return await self._submit_own(post, None, wait, timeout_s)

    async def withdraw_content(
        self, content_hash: bytes, *, wait: Stage, timeout_s: float
    ) -> ReceiptView:
        """See `gateway.message_cell.MessageCell.withdraw_content`."""
        withdraw = PostWithdraw(Hash(content_hash))
        return await self._submit_own(withdraw, None, wait, timeout_s)

    async def keep_content(self, content_hash: bytes, how: KeepContent) -> ContentView:
        """See `gateway.message_cell.MessageCell.keep_content`."""
        contents = self._parts.contents
        act = {
            KeepContent.PIN: contents.pin,
            KeepContent.UNPIN: contents.unpin,
            KeepContent.REMOVE: contents.remove,
        }[how]
        return await act(Hash(content_hash))

    async def contents(self, *, offset: int, limit: int) -> list[ContentView]:
        """See `gateway.message_cell.MessageCell.contents`."""
        return self._parts.contents.views(offset, limit)

    async def content(self, content_hash: bytes) -> ContentView:
        """See `gateway.message_cell.MessageCell.content`."""
        return self._parts.contents.view(Hash(content_hash), with_body=True)

    async def rooms(self) -> list[RoomView]:
        """See `gateway.message_cell.MessageCell.rooms`."""
        lines = self._parts.lines
        return [room_view(room, lines, is_left=is_left) for room, is_left in self._messages.rooms()]

    async def create_room(self, name: str, members: Sequence[str]) -> RoomView:
        """See `gateway.message_cell.MessageCell.create_room`."""
        cells = [self._cell_id(member) for member in members]
        room = await self._messages.create_room(name, cells)
        return room_view(room, self._parts.lines, is_left=False)

    async def change_room(self, room_id: bytes, *, add: Sequence[str], leave: bool) -> RoomView:
        """See `gateway.message_cell.MessageCell.change_room`."""
        cells = [self._cell_id(member) for member in add]
        room = await self._messages.change_room(room_id, add=cells, leave=leave)
        return room_view(room, self._parts.lines, is_left=leave)

    async def hand_in(self, transaction: bytes) -> None:
        """Have a transaction ordered that another cell sent; raises what `submit` does."""
        await self.submit([transaction], wait=Stage.ACCEPTED, timeout_s=WAIT_S_MAX)

    async def post_for(self, title: str, body: bytes) -> None:
        """Post content that another cell sent; raises what `post_content` does."""
        await self.post_content(title, body, wait=Stage.ACCEPTED, timeout_s=WAIT_S_MAX)

    @abstractmethod
    async def _submit_own(
        self, arguments: Arguments, nonce: int | None, wait: Stage, timeout_s: float
    ) -> ReceiptView:
        """Sign a transaction with the cell's key, queue it, and wait until it reached a stage."""

    @abstractmethod
    async def submit(
        self, transactions: Sequence[bytes], *, wait: Stage, timeout_s: float
    ) -> list[ReceiptView]:
        """See `gateway.cell.Cell.submit`."""

    def _views(self, rows: Sequence[MessageRow]) -> list[MessageView]:
        return [message_view(row, self._parts.lines) for row in rows]

    async def _conversation_view(self, row: ConversationRow) -> ConversationView:
        room = None if row.room is None else self._messages.known_room(row.room)
        newest = None if row.newest is None else await self._messages.message(row.newest)
        lines = self._parts.lines
        return ConversationView(
            cell=None if row.cell is None else lines.present(row.cell),
            room=None if row.room is None else row.room.hex(),
            name=None if room is None else room.name,
            unread=row.unread,
            newest=None if newest is None else message_view(newest, lines),
        )

    async def _wait_for(
        self, ids: Sequence[int], status: str, timeout_s: float
    ) -> list[MessageRow]:
        """Return messages once each came so far or failed; raises NotReachedInTime."""
        service = self._messages
        try:
            async with asyncio.timeout(min(timeout_s, WAIT_S_MAX)):
                while True:
                    news = service.news()  # before the look, so that nothing is missed
                    rows = [await service.message(one) for one in ids]
                    if all(_has_come(row, status) for row in rows):
                        return rows
                    await news
        except TimeoutError as error:
            raise NotReachedInTime(f"not {status} after {timeout_s:g} s; it is tried on") from error

    def _wanted(self, query: MessageQuery, after: int | None) -> Wanted:
        named = None if query.cell is None else self._cell_id(query.cell)
        cell = None if named is None else self._parts.lines.first(named)
        return Wanted(query.way, cell, query.room, query.status, after, query.direct)


def message_view(row: MessageRow, lines: Lines) -> MessageView:
    """Return a message as the gateway shows it."""
    is_chat, present = row.type is MessageType.CHAT, lines.present(row.cell)
    return MessageView(
        id=row.id,
        way=row.way,
        cell=present,
        type=row.type.name,
        text=_or_none(lambda: decode_chat(row.body).text) if is_chat else None,
        body_hex=None if is_chat else row.body.hex(),
        room=None if row.room is None else row.room.hex(),
        timestamp_ms=row.time_ms,
        status=row.status,
        why=row.why,
        number=row.number,
        origin=row.origin,
        expires_ms=row.expires_ms,
        first_cell=None if present == row.cell else row.cell,
    )


def room_view(room: Room, lines: Lines, *, is_left: bool) -> RoomView:
    """Return a room as the gateway shows it: its members by the ids that they have now."""
    members: list[str] = list(dict.fromkeys(map(lines.present, room.member_ids)))
    return RoomView(room.id.hex(), room.name, members, room.version, is_left)


def _has_come(row: MessageRow, status: str) -> bool:
    return row.status == "failed" or _ORDER.index(row.status) >= _ORDER.index(status)


def _or_none(work: Callable[[], _T]) -> _T | None:
    try:
        return work()
    except MyceldError:
        return None
