"""Answers about messages. Made by scripts/docs-client: change nothing here."""

from __future__ import annotations

from typing import NotRequired, TypedDict


class MessageView(TypedDict):
    """One message as it stands."""

    body_hex: str | None
    """The body of other types; null for a chat."""
    cell: str
    """Present cell id of the other end."""
    expires_ms: int
    """When a message that is not delivered is given up; 0 for one that was received."""
    first_cell: NotRequired[str | None]
    """The first cell id of the other end, if it has taken another key since."""
    id: int
    """Index of its block in this cell's journal `message`."""
    number: int
    """Place among the messages from this sender to this receiver, from 1."""
    origin: int
    """Index of its block in the sender's journal."""
    room: str | None
    """Id of the room it was said in."""
    status: str
    """`queued`, `sent`, `delivered`, `read` or `failed`; what was received is `delivered` until it
    is `read`.
    """
    text: str | None
    """What a chat says; null for other types."""
    timestamp_ms: int
    """When it was written, by the sender's clock."""
    type: str
    way: str
    """`sent` or `received`."""
    why: str | None
    """Code of the reason why it failed."""


class ConversationView(TypedDict):
    """What was said with one cell outside of rooms, or in one room."""

    cell: str | None
    """Present cell id of the other end; null for a room."""
    name: str | None
    """What the room is called; null for a cell."""
    newest: MessageView | None
    """What came or went last; null in a room where nothing did."""
    room: str | None
    """Id of the room; null for a cell."""
    unread: int
    """How many messages came that are not marked as read."""


class MessagesView(TypedDict):
    """A page of messages, the newest first unless news were asked for."""

    limit: int
    messages: list[MessageView]
    offset: int
    total: int


class SentView(TypedDict):
    """What was sent: one message for each receiver."""

    messages: list[MessageView]


class RoomView(TypedDict):
    """A room as this cell knows it."""

    id: str
    left: bool
    """Whether this cell is not in it any more."""
    members: list[str]
    name: str
    version: int
