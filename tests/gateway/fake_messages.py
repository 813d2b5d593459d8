"""Messages of the gateway's fake cell: lists in memory, delivered at once unless told otherwise."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Sequence
from dataclasses import replace

from gateway.errors import NoSuchContent, NoSuchMessage, NoSuchRoom, NotReachedInTime
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

PEER_ID = "12D3KooWPeer"


class FakeMessages:
    """Keeps what is sent; a message to `nobody` fails, one to `later` stays queued."""

    def __init__(self) -> None:
        self.sent: list[MessageView] = []
        self.known_rooms: dict[str, RoomView] = {}
        self.arrived = asyncio.Event()
        self.posted: dict[str, ContentView] = {}

    def receive(self, text: str, *, room: str | None = None) -> MessageView:
        """Have a message arrive."""
        view = self._view(MessageWish("", b"", "CHAT", text, b"", 0), PEER_ID)
        view = replace(view, way="received", status="delivered", room=room, expires_ms=0)
        self.sent.append(view)
        self.arrived.set()
        return view

    async def send_message(
        self, wish: MessageWish, *, wait: str | None, timeout_s: float
    ) -> list[MessageView]:
        if wish.to == "later" and wait is not None:
            await asyncio.sleep(min(timeout_s, 0.01))
            raise NotReachedInTime(f"not {wait} after {timeout_s:g} s; it is tried on")
        to = [wish.to]
        if wish.room:
            room = self.known_rooms.get(wish.room.hex())
            if room is None:
                raise NoSuchRoom("this cell is in no such room")
            to = [member for member in room.members if member != "me"]
        views = [self._view(wish, cell) for cell in to]
        self.sent += views
        return views

    async def messages(self, query: MessageQuery, *, offset: int, limit: int) -> MessagesView:
        found = [view for view in reversed(self.sent) if _fits(view, query)]
        return MessagesView(found[offset : offset + limit], len(found), offset, limit)

    async def next_messages(
        self, query: MessageQuery, *, after: int, limit: int, timeout_s: float
    ) -> MessagesView:
        found: list[MessageView] = []
        try:
            async with asyncio.timeout(timeout_s):
                while not found:
                    self.arrived.clear()
                    found = [v for v in self.sent if v.id > after and _fits(v, query)]
                    if not found:
                        await self.arrived.wait()
        except TimeoutError:
            found = []
        return MessagesView(found[:limit], len(found), 0, limit)

    async def conversations(
        self, *, cell: str | None, room: bytes | None, offset: int, limit: int
    ) -> list[ConversationView]:
        found: dict[tuple[str | None, str | None], list[MessageView]] = {}
        for view in reversed(self.sent):
            found.setdefault((None if view.room else view.cell, view.room), []).append(view)
        wanted = (cell, None if room is None else room.hex())
        views = [
            ConversationView(
                cell=with_cell,
                room=in_room,
                name=None if in_room is None else self.known_rooms[in_room].name,
                unread=sum((one.way, one.status) == ("received", "delivered") for one in messages),
                newest=messages[0],
            )
            for (with_cell, in_room), messages in found.items()
            if wanted in ((None, None), (with_cell, in_room))
        ]
        return views[offset : offset + limit]

    async def message(
        self,
        message_id: int,
        *,
        wait: str | None,  # noqa: ARG002 - all has come as far as it ever will
        timeout_s: float,  # noqa: ARG002 - as above
    ) -> MessageView:
        if message_id >= len(self.sent):
            raise NoSuchMessage(f"there is no message {message_id}")
        return self.sent[message_id]

    async def mark_message_read(self, message_id: int) -> MessageView:
        view = replace(await self.message(message_id, wait=None, timeout_s=1), status="read")
        self.sent[message_id] = view
        return view

    async def post_content(
        self, title: str, body: bytes, *, wait: Stage, timeout_s: float, expires_round: int = 0
    ) -> ReceiptView:
        identity = hashlib.sha256(body).hexdigest()
        self.posted[identity] = ContentView(
            hash=identity,
            size_bytes=len(body),
            title=title,
            round=7,
            cell=PEER_ID,
            status="posted",
            expires_round=expires_round,
            withdrawn_round=0,
            here=True,
            pinned=False,
            posted_here=True,
            body_hex=body.hex(),
        )
        return await self.submit_post(body, wait, timeout_s)

    async def withdraw_content(
        self, content_hash: bytes, *, wait: Stage, timeout_s: float
    ) -> ReceiptView:
        view = await self.content(content_hash)
        self.posted[view.hash] = replace(view, status="withdrawn", withdrawn_round=8)
        return await self.submit_post(content_hash, wait, timeout_s)

    async def keep_content(self, content_hash: bytes, how: KeepContent) -> ContentView:
        view = await self.content(content_hash)
        if how is KeepContent.REMOVE:
            view = replace(view, here=False, posted_here=False, body_hex=None)
        else:
            view = replace(view, pinned=how is KeepContent.PIN)
        self.posted[view.hash] = view
        return view

    async def submit_post(self, body: bytes, wait: Stage, timeout_s: float) -> ReceiptView:
        raise NotImplementedError

    async def contents(self, *, offset: int, limit: int) -> list[ContentView]:
        found = [replace(self.posted[key], body_hex=None) for key in sorted(self.posted)]
        return found[offset : offset + limit]

    async def content(self, content_hash: bytes) -> ContentView:
        view = self.posted.get(content_hash.hex())
        if view is None:
            raise NoSuchContent("nothing of that hash was posted")
        return view

    async def rooms(self) -> list[RoomView]:
        return list(self.known_rooms.values())

    async def create_room(self, name: str, members: Sequence[str]) -> RoomView:
        identity = f"{len(self.known_rooms):032x}"
        view = RoomView(identity, name, ["me", *members], 1, left=False)
        self.known_rooms[identity] = view
        return view

    async def change_room(self, room_id: bytes, *, add: Sequence[str], leave: bool) -> RoomView:
        view = self.known_rooms.get(room_id.hex())
        if view is None:
            raise NoSuchRoom("this cell is in no such room")
        members = [member for member in (*view.members, *add) if not (leave and member == "me")]
        view = replace(view, members=members, version=view.version + 1, left=leave)
        self.known_rooms[room_id.hex()] = view
        return view

    def _view(self, wish: MessageWish, cell: str) -> MessageView:
        failed = cell == "nobody"
        return MessageView(
            id=len(self.sent),
            way="sent",
            cell=cell,
            type=wish.type,
            text=wish.text if wish.type == "CHAT" else None,
            body_hex=None if wish.type == "CHAT" else wish.body.hex(),
            room=wish.room.hex() or None,
            timestamp_ms=1_700_000_000_000,
            status="failed" if failed else "queued" if cell == "later" else "delivered",
            why="MYC-IDENTITY-308" if failed else None,
            number=1,
            origin=len(self.sent),
            expires_ms=1_700_000_000_000 + wish.expires_s * 1000,
        )


def _fits(view: MessageView, query: MessageQuery) -> bool:
    room = None if query.room is None else query.room.hex()
    return (
        query.way in (None, view.way)
        and query.cell in (None, view.cell)
        and room in (None, view.room)
        and query.status in (None, view.status)
        and not (query.direct and view.room)
    )
