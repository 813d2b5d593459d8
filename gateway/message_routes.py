"""The routes of messages, rooms and content, each a few lines from request to cell to answer."""

from __future__ import annotations

from collections.abc import Awaitable, Sequence
from typing import TypeVar

from gateway.asks import WaitAsk
from gateway.errors import NoSuchCell, NoSuchContent, NoSuchMessage, NoSuchRoom, NotReachedInTime
from gateway.limits import WAIT_GRACE_S
from gateway.message_asks import (
    ContentPath,
    ConversationsAsk,
    MessagePath,
    MessagesAsk,
    MessageWaitAsk,
    NextMessagesAsk,
    OffsetAsk,
    PostAsk,
    RoomAsk,
    RoomMembersAsk,
    RoomPath,
    SendAsk,
)
from gateway.message_cell import MessageCell
from gateway.message_views import (
    ContentView,
    ConversationView,
    KeepContent,
    MessagesView,
    MessageView,
    RoomView,
    SentView,
)
from gateway.operations import INTAKE, Operation, Page, get, post
from gateway.views import ReceiptView
from gateway.waiting import Waiting

_T = TypeVar("_T")


class MessageRoutes:
    """Everything that a client can ask about messages."""

    tag = "messages"

    def __init__(self, cell: MessageCell, waits: Waiting) -> None:
        self._cell = cell
        self._waits = waits

    def operations(self) -> Sequence[Operation]:
        """See Family."""
        late = NotReachedInTime
        return [
            post("/api/v1/messages", self.send, NoSuchCell, NoSuchRoom, late),
            get("/api/v1/messages", self.messages, NoSuchCell),
            get("/api/v1/messages/next", self.next_messages, NoSuchCell, late),
            get("/api/v1/messages/{id}", self.message, NoSuchMessage, late),
            post("/api/v1/messages/{id}/read", self.mark_read, NoSuchMessage),
            get("/api/v1/conversations", self.conversations, NoSuchCell),
            get("/api/v1/rooms", self.rooms),
            post("/api/v1/rooms", self.create_room, NoSuchCell),
            post("/api/v1/rooms/{id}/add", self.add_to_room, NoSuchRoom, NoSuchCell),
            post("/api/v1/rooms/{id}/leave", self.leave_room, NoSuchRoom),
        ]

    async def send(self, body: SendAsk) -> SentView:
        """Send a message to a cell, or to everybody in a room."""
        work = self._cell.send_message(body.wish(), wait=body.wait, timeout_s=body.timeout_s)
        return SentView(await self._reached(work, body.wait, body.timeout_s))

    async def messages(self, query: MessagesAsk) -> MessagesView:
        """List messages, the newest first."""
        work = self._cell.messages(query.query(), offset=query.offset, limit=query.limit)
        return await self._waits.read(work)

    async def next_messages(self, query: NextMessagesAsk) -> MessagesView:
        """Wait for messages that came after another one."""
        work = self._cell.next_messages(
            query.query(),
            after=-1 if query.after is None else query.after,
            limit=query.limit,
            timeout_s=query.timeout_s,
        )
        return await self._reached(work, "next", query.timeout_s)

    async def message(self, path: MessagePath, query: MessageWaitAsk) -> MessageView:
        """Return a message, once it has come as far as wanted."""
        work = self._cell.message(path.id, wait=query.wait, timeout_s=query.timeout_s)
        return await self._reached(work, query.wait, query.timeout_s)

    async def mark_read(self, path: MessagePath) -> MessageView:
        """Say that a message was read; its sender is told."""
        return await self._waits.read(self._cell.mark_message_read(path.id))

    async def conversations(self, query: ConversationsAsk) -> Page[ConversationView]:
        """List conversations, the newest first, with how much of each is unread."""
        offset, limit = query.offset, query.limit
        work = self._cell.conversations(
            cell=query.cell, room=query.room, offset=offset, limit=limit
        )
        items = await self._waits.read(work)
        return Page(items, offset + limit if len(items) == limit else None)

    async def rooms(self) -> Page[RoomView]:
        """List the rooms that this cell is in, or was."""
        return Page(await self._waits.read(self._cell.rooms()))

    async def create_room(self, body: RoomAsk) -> RoomView:
        """Make a room."""
        return await self._waits.read(self._cell.create_room(body.name, body.members))

    async def add_to_room(self, path: RoomPath, body: RoomMembersAsk) -> RoomView:
        """Add cells to a room."""
        work = self._cell.change_room(path.id, add=body.members, leave=False)
        return await self._waits.read(work)

    async def leave_room(self, path: RoomPath) -> RoomView:
        """Leave a room."""
        return await self._waits.read(self._cell.change_room(path.id, add=(), leave=True))

    async def _reached(self, work: Awaitable[_T], wait: str | None, timeout_s: float) -> _T:
        late = NotReachedInTime(f"`{wait or 'queued'}` was not reached in {timeout_s:g} s")
        return await self._waits.within(work, timeout_s + WAIT_GRACE_S, late)


class ContentRoutes:
    """Everything that a client can ask about the global data set."""

    tag = "content"

    def __init__(self, cell: MessageCell, waits: Waiting) -> None:
        self._cell = cell
        self._waits = waits

    def operations(self) -> Sequence[Operation]:
        """See Family."""
        one = "/api/v1/content/{hash}"
        return [
            post("/api/v1/content", self.post_content, *INTAKE),
            get("/api/v1/content", self.contents),
            get(one, self.content, NoSuchContent),
            post(f"{one}/withdraw", self.withdraw_content, NoSuchContent, *INTAKE),
            post(f"{one}/pin", self.pin, NoSuchContent),
            post(f"{one}/unpin", self.unpin, NoSuchContent),
            post(f"{one}/remove", self.remove, NoSuchContent),
        ]

    async def post_content(self, body: PostAsk) -> ReceiptView:
        """Post content by its hash."""
        work = self._cell.post_content(
            body.title,
            body.body_hex,
            wait=body.wait,
            timeout_s=body.timeout_s,
            expires_round=body.expires_round,
        )
        return await self._waits.reached(work, body.wait, body.timeout_s)

    async def withdraw_content(self, path: ContentPath, body: WaitAsk) -> ReceiptView:
        """Take back what this cell posted."""
        work = self._cell.withdraw_content(path.hash, wait=body.wait, timeout_s=body.timeout_s)
        return await self._waits.reached(work, body.wait, body.timeout_s)

    async def contents(self, query: OffsetAsk) -> Page[ContentView]:
        """List what was posted, the newest first."""
        offset, limit = query.offset, query.limit
        items = await self._waits.read(self._cell.contents(offset=offset, limit=limit))
        return Page(items, offset + limit if len(items) == limit else None)

    async def content(self, path: ContentPath) -> ContentView:
        """Return content, fetched from another cell if need be."""
        return await self._waits.read(self._cell.content(path.hash))

    async def pin(self, path: ContentPath) -> ContentView:
        """Keep content until it is unpinned."""
        return await self._keep(path, KeepContent.PIN)

    async def unpin(self, path: ContentPath) -> ContentView:
        """Keep content no longer than there is room for it."""
        return await self._keep(path, KeepContent.UNPIN)

    async def remove(self, path: ContentPath) -> ContentView:
        """Remove this cell's copy of content."""
        return await self._keep(path, KeepContent.REMOVE)

    async def _keep(self, path: ContentPath, how: KeepContent) -> ContentView:
        return await self._waits.read(self._cell.keep_content(path.hash, how))
