"""The clients' calls about messages, content and rooms."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final, Literal

from myceld.limits import WAIT_GRACE_S, WAIT_S_MAX
from myceld.question import Question, at, call, get, get_at, send, submit

if TYPE_CHECKING:
    from myceld.views import (
        ContentView,
        ConversationView,
        MessagesView,
        MessageView,
        Page,
        ReceiptView,
        RoomView,
        SentView,
    )


_KEEPING: Final = {
    "pin": "/api/v1/content/{hash}/pin",
    "unpin": "/api/v1/content/{hash}/unpin",
    "remove": "/api/v1/content/{hash}/remove",
}


class MessageCalls:
    """The part of both clients that is about messages."""

    @call
    def send_message(
        self,
        /,
        *,
        wait: str | None = None,
        timeout_s: float = 30.0,
        **fields: object,
    ) -> Question[SentView]:
        """Have the cell send a message; return `{"messages": [MessageView, …]}`.

        Fields: `to` (a cell id or a member's name) or `room` (its id); `text` of a chat, or `type`
        and `body_hex`; `expires_s`. It is journaled when this returns, and has come as far as
        `wait` says (`sent`, `delivered`, `read`), or failed.
        """
        if wait is None:
            return send("/api/v1/messages", fields)
        return submit("/api/v1/messages", fields, wait, timeout_s)

    @call
    def message_list(
        self, /, *, offset: int = 0, limit: int = 100, **query: object
    ) -> Question[MessagesView]:
        """Return `{"messages", "total", "offset", "limit"}`, the newest first.

        Query: `way` (`sent` or `received`), `cell`, `room`, `status`; `direct=1` leaves out what
        was said in rooms.
        """
        return get("/api/v1/messages", {"offset": offset, "limit": limit, **query})

    @call
    def next_messages(
        self, /, *, after: int = -1, limit: int = 100, timeout_s: float = 30.0, **query: object
    ) -> Question[MessagesView]:
        """Return messages with greater ids than `after`, the oldest first, once there are any.

        None when `timeout_s` is over.
        """
        asked_s = min(timeout_s, WAIT_S_MAX)
        fields = {"limit": limit, "timeout_s": asked_s, **query}
        if after >= 0:
            fields["after"] = after
        return get("/api/v1/messages/next", fields, deadline_s=asked_s + WAIT_GRACE_S)

    @call
    def message(
        self, message_id: int, *, wait: str | None = None, timeout_s: float = 30.0
    ) -> Question[MessageView]:
        """Return a MessageView, once the message came as far as `wait`, or failed."""
        return get_at(at("/api/v1/messages/{id}", id=message_id), wait, timeout_s)

    @call
    def mark_message_read(self, message_id: int) -> Question[MessageView]:
        """Note that a message was read, with all before it of its sender; the sender is told."""
        return send(at("/api/v1/messages/{id}/read", id=message_id))

    @call
    def conversations(
        self, /, *, offset: int = 0, limit: int = 100, **query: object
    ) -> Question[Page[ConversationView]]:
        """Return a page of ConversationViews, the newest first, with how much of each is unread.

        Query: `cell` or `room`, for the one with it.
        """
        return get("/api/v1/conversations", {"offset": offset, "limit": limit, **query})

    @call
    def post_content(
        self,
        title: str,
        body: bytes,
        *,
        expires_round: int = 0,
        wait: str = "stored",
        timeout_s: float = 30.0,
    ) -> Question[ReceiptView]:
        """Put content into the global data set; return the ReceiptView of its transaction.

        The post ends after `expires_round`, or not at all.
        """
        fields = {"title": title, "body_hex": body.hex(), "expires_round": expires_round}
        return submit("/api/v1/content", fields, wait, timeout_s)

    @call
    def withdraw_content(
        self, content_hash: str, *, wait: str = "stored", timeout_s: float = 30.0
    ) -> Question[ReceiptView]:
        """Take back what this cell posted; return the ReceiptView of the transaction."""
        path = at("/api/v1/content/{hash}/withdraw", hash=content_hash)
        return submit(path, {}, wait, timeout_s)

    @call
    def keep_content(
        self, content_hash: str, how: Literal["pin", "unpin", "remove"]
    ) -> Question[ContentView]:
        """Have the cell `pin`, `unpin` or `remove` one content; return its ContentView."""
        path = at(_KEEPING[how], hash=content_hash)
        return send(path)

    @call
    def contents(self, *, offset: int = 0, limit: int = 100) -> Question[Page[ContentView]]:
        """Return a page of ContentViews, in the order of hashes."""
        return get("/api/v1/content", {"offset": offset, "limit": limit})

    @call
    def content(self, content_hash: str) -> Question[ContentView]:
        """Return a ContentView, with the body if the cell has it."""
        return get(at("/api/v1/content/{hash}", hash=content_hash))

    @call
    def rooms(self) -> Question[Page[RoomView]]:
        """Return the list of RoomViews."""
        return get("/api/v1/rooms")

    @call
    def create_room(self, name: str, members: Sequence[str]) -> Question[RoomView]:
        """Make a room with this cell and others in it; return its RoomView."""
        return send("/api/v1/rooms", {"name": name, "members": list(members)})

    @call
    def add_to_room(self, room_id: str, members: Sequence[str]) -> Question[RoomView]:
        """Take cells into a room; return its RoomView."""
        return send(at("/api/v1/rooms/{id}/add", id=room_id), {"members": list(members)})

    @call
    def leave_room(self, room_id: str) -> Question[RoomView]:
        """Leave a room; return its RoomView."""
        return send(at("/api/v1/rooms/{id}/leave", id=room_id))
