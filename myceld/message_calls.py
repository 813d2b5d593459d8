"""The client's calls about messages and rooms, and messages as an asynchronous stream.

    async for message in cell.messages():
        ...

yields each message that comes from now on, or after the one whose id is given: a service that notes
the id of the last message it dealt with goes on there after a restart, and misses none.
"""

from __future__ import annotations

import asyncio
from abc import abstractmethod
from collections.abc import AsyncIterator, Sequence
from typing import Self
from urllib.parse import quote

from myceld.calls import Calls, JsonObject
from myceld.limits import MESSAGE_STEP_S, WAIT_GRACE_S, WAIT_S_MAX


class MessageCalls(Calls):
    """The part of `Client` that is about messages."""

    @abstractmethod
    def twin(self) -> Self:
        """Return another client of the same cell, for another thread."""

    @abstractmethod
    def close(self) -> None:
        """Close the connection."""

    def send_message(
        self,
        *,
        wait: str | None = None,
        timeout_s: float = 30.0,
        **fields: object,
    ) -> JsonObject:
        """Have the cell send a message; return `{"messages": [MessageView, …]}`.

        Fields: `to` (a cell id or a member's name) or `room` (its id); `text` of a chat, or `type`
        and `body_hex`; `expires_s`. It is journaled when this returns, and has come as far as
        `wait` says (`sent`, `delivered`, `read`), or failed.
        """
        if wait is None:
            return self._send("/api/v1/messages", fields)
        return self._post("/api/v1/messages", fields, wait, timeout_s)

    def message_list(self, *, offset: int = 0, limit: int = 100, **query: object) -> JsonObject:
        """Return `{"messages", "total", "offset", "limit"}`, the newest first.

        Query: `way` (`sent` or `received`), `cell`, `room`, `status`.
        """
        return self._get("/api/v1/messages", {"offset": offset, "limit": limit, **query})

    def next_messages(
        self, *, after: int = -1, limit: int = 100, timeout_s: float = 30.0, **query: object
    ) -> JsonObject:
        """Return messages with greater ids than `after`, the oldest first, once there are any.

        None when `timeout_s` is over.
        """
        asked_s = min(timeout_s, WAIT_S_MAX)
        fields = {"limit": limit, "timeout_s": asked_s, **query}
        if after >= 0:
            fields["after"] = after
        return self._get("/api/v1/messages/next", fields, deadline_s=asked_s + WAIT_GRACE_S)

    def message(
        self, message_id: int, *, wait: str | None = None, timeout_s: float = 30.0
    ) -> JsonObject:
        """Return a MessageView, once the message came as far as `wait`, or failed."""
        path = f"/api/v1/messages/{message_id}"
        if wait is None:
            return self._get(path)
        asked_s = min(timeout_s, WAIT_S_MAX)
        query = {"wait": wait, "timeout_s": asked_s}
        return self._get(path, query, deadline_s=asked_s + WAIT_GRACE_S)

    def mark_message_read(self, message_id: int) -> JsonObject:
        """Note that a message was read, with all before it of its sender; the sender is told."""
        return self._send(f"/api/v1/messages/{message_id}/read", {})

    def messages(
        self, *, after: int | None = None, way: str = "received", **query: object
    ) -> MessageStream:
        """Return the messages that come from now on, or after an id (-1: all that there are)."""
        return MessageStream(self, after, {"way": way, **query})

    def post_content(
        self,
        title: str,
        body: bytes,
        *,
        expires_round: int = 0,
        wait: str = "stored",
        timeout_s: float = 30.0,
    ) -> JsonObject:
        """Put content into the global data set; return the ReceiptView of its transaction.

        The post ends after `expires_round`, or not at all.
        """
        fields = {"title": title, "body_hex": body.hex(), "expires_round": expires_round}
        return self._post("/api/v1/content", fields, wait, timeout_s)

    def withdraw_content(
        self, content_hash: str, *, wait: str = "stored", timeout_s: float = 30.0
    ) -> JsonObject:
        """Take back what this cell posted; return the ReceiptView of the transaction."""
        path = f"/api/v1/content/{quote(content_hash, safe='')}/withdraw"
        return self._post(path, {}, wait, timeout_s)

    def keep_content(self, content_hash: str, how: str) -> JsonObject:
        """Have the cell `pin`, `unpin` or `remove` one content; return its ContentView."""
        path = f"/api/v1/content/{quote(content_hash, safe='')}/{quote(how, safe='')}"
        return self._send(path, {})

    def contents(self, *, offset: int = 0, limit: int = 100) -> JsonObject:
        """Return a page of ContentViews, in the order of hashes."""
        return self._get("/api/v1/content", {"offset": offset, "limit": limit})

    def content(self, content_hash: str) -> JsonObject:
        """Return a ContentView, with the body if the cell has it."""
        return self._get(f"/api/v1/content/{quote(content_hash, safe='')}")

    def rooms(self) -> JsonObject:
        """Return the list of RoomViews."""
        return self._get("/api/v1/rooms")

    def create_room(self, name: str, members: Sequence[str]) -> JsonObject:
        """Make a room with this cell and others in it; return its RoomView."""
        return self._send("/api/v1/rooms", {"name": name, "members": list(members)})

    def add_to_room(self, room_id: str, members: Sequence[str]) -> JsonObject:
        """Take cells into a room; return its RoomView."""
        return self._send(f"{_room_path(room_id)}/add", {"members": list(members)})

    def leave_room(self, room_id: str) -> JsonObject:
        """Leave a room; return its RoomView."""
        return self._send(f"{_room_path(room_id)}/leave", {})


class MessageStream:
    """Messages one after the other, without end. Iterate it once, with `async for`."""

    def __init__(self, client: MessageCalls, after: int | None, query: JsonObject) -> None:
        self._client = client
        self._after = after
        self._query = dict(query)

    def __aiter__(self) -> Self:
        self._pages = self._messages()
        return self

    async def __anext__(self) -> JsonObject:
        """Return the next message; raises what the client's calls do."""
        return await anext(self._pages)

    async def _messages(self) -> AsyncIterator[JsonObject]:
        cell = self._client.twin()  # a client is for one thread at a time
        try:
            after = self._after
            if after is None:
                newest = await asyncio.to_thread(cell.message_list, limit=1)
                after = max((item["id"] for item in newest["messages"]), default=-1)
            while True:
                page = await asyncio.to_thread(
                    cell.next_messages, after=after, timeout_s=MESSAGE_STEP_S, **self._query
                )
                for item in page["messages"]:
                    after = item["id"]
                    yield item
        finally:
            cell.close()


def _room_path(room_id: str) -> str:
    return f"/api/v1/rooms/{quote(room_id, safe='')}"
