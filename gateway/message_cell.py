"""What the gateway asks of a cell about messages and rooms. Each raises errors of `core.errors`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

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


class MessageCell(Protocol):
    """The part of `gateway.cell.Cell` that is about messages."""

    async def send_message(
        self, wish: MessageWish, *, wait: str | None, timeout_s: float
    ) -> list[MessageView]:
        """Journal a message for each receiver and have it delivered; answer once all came so far.

        A message that failed ends the waiting. Raises NotReachedInTime, NoSuchCell, NoSuchRoom,
        ToItself, BodyTooLong or OutboxFull.
        """
        ...

    async def messages(self, query: MessageQuery, *, offset: int, limit: int) -> MessagesView:
        """Return a page of messages, the newest first."""
        ...

    async def next_messages(
        self, query: MessageQuery, *, after: int, limit: int, timeout_s: float
    ) -> MessagesView:
        """Return messages with greater ids than `after`, the oldest first, once there are any.

        An empty page when the time is over.
        """
        ...

    async def conversations(
        self, *, cell: str | None, room: bytes | None, offset: int, limit: int
    ) -> list[ConversationView]:
        """Return a page of conversations, or the one with a cell or in a room, the newest first."""
        ...

    async def message(self, message_id: int, *, wait: str | None, timeout_s: float) -> MessageView:
        """Return one message, once it came so far; raises NoSuchMessage or NotReachedInTime."""
        ...

    async def mark_message_read(self, message_id: int) -> MessageView:
        """Note that a message was read, with all before it of its sender, and tell the sender."""
        ...

    async def post_content(
        self, title: str, body: bytes, *, wait: Stage, timeout_s: float, expires_round: int = 0
    ) -> ReceiptView:
        """Keep content and have it ordered into the global data set.

        Members only: from others it is refused when it is applied. Raises ContentTooLarge or
        NoRoomForContent.
        """
        ...

    async def withdraw_content(
        self, content_hash: bytes, *, wait: Stage, timeout_s: float
    ) -> ReceiptView:
        """Have it ordered that what this cell posted is no more of the data set."""
        ...

    async def keep_content(self, content_hash: bytes, how: KeepContent) -> ContentView:
        """Pin, unpin or remove one content here; raises NoSuchContent or ContentPinned."""
        ...

    async def contents(self, *, offset: int, limit: int) -> list[ContentView]:
        """Return what the global data set has, in the order of hashes."""
        ...

    async def content(self, content_hash: bytes) -> ContentView:
        """Return one content, with its body if it is here; raises NoSuchContent."""
        ...

    async def rooms(self) -> list[RoomView]:
        """Return the rooms this cell knows."""
        ...

    async def create_room(self, name: str, members: Sequence[str]) -> RoomView:
        """Make a room with this cell and others; raises BadRoom or NoSuchCell."""
        ...

    async def change_room(self, room_id: bytes, *, add: Sequence[str], leave: bool) -> RoomView:
        """Take cells into a room, or leave it; raises NoSuchRoom, NoSuchCell or BadRoom."""
        ...
