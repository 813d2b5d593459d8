"""What the gateway shows of messages and rooms; as `gateway.views`, part of the public API."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


@dataclass(frozen=True, slots=True)
class MessageWish:
    """A message that a client wants sent: to a cell, or to everybody in a room."""

    to: str
    """A cell id or a member's name; empty for a room."""
    room: bytes
    """Empty for a cell."""
    type: str
    """`CHAT`, `AUTH`, `TX`, `POST`, `QUERY` or `EXEC`."""
    text: str
    """Of a chat."""
    body: bytes
    """Of every other type."""
    expires_s: int


@dataclass(frozen=True, slots=True)
class MessageQuery:
    """Which messages a list is of; None: all."""

    way: str | None
    """`sent` or `received`."""
    cell: str | None
    room: bytes | None
    status: str | None
    direct: bool = False
    """Only what was said outside of rooms."""


@dataclass(frozen=True, slots=True)
class MessageView:
    """One message as it stands."""

    id: int
    """Index of its block in this cell's journal `message`."""
    way: str
    """`sent` or `received`."""
    cell: str
    """Present cell id of the other end."""
    type: str
    text: str | None
    """What a chat says; null for other types."""
    body_hex: str | None
    """The body of other types; null for a chat."""
    room: str | None
    """Id of the room it was said in."""
    timestamp_ms: int
    """When it was written, by the sender's clock."""
    status: str
    """`queued`, `sent`, `delivered`, `read` or `failed`; what was received is `delivered` until it
    is `read`."""
    why: str | None
    """Code of the reason why it failed."""
    number: int
    """Place among the messages from this sender to this receiver, from 1."""
    origin: int
    """Index of its block in the sender's journal."""
    expires_ms: int
    """When a message that is not delivered is given up; 0 for one that was received."""
    first_cell: str | None = None
    """The first cell id of the other end, if it has taken another key since."""


@dataclass(frozen=True, slots=True)
class MessagesView:
    """A page of messages, the newest first unless news were asked for."""

    messages: list[MessageView]
    total: int
    offset: int
    limit: int


@dataclass(frozen=True, slots=True)
class ConversationView:
    """What was said with one cell outside of rooms, or in one room."""

    cell: str | None
    """Present cell id of the other end; null for a room."""
    room: str | None
    """Id of the room; null for a cell."""
    name: str | None
    """What the room is called; null for a cell."""
    unread: int
    """How many messages came that are not marked as read."""
    newest: MessageView | None
    """What came or went last; null in a room where nothing did."""


@dataclass(frozen=True, slots=True)
class SentView:
    """What was sent: one message for each receiver."""

    messages: list[MessageView]


@dataclass(frozen=True, slots=True)
class RoomView:
    """A room as this cell knows it."""

    id: str
    name: str
    members: list[str]
    version: int
    left: bool
    """Whether this cell is not in it any more."""


class KeepContent(Enum):
    """What can be done with the content that is here."""

    PIN = "pin"
    UNPIN = "unpin"
    REMOVE = "remove"


@dataclass(frozen=True, slots=True)
class ContentView:
    """One content of the global data set."""

    hash: str
    size_bytes: int
    title: str
    round: int
    """In which it was posted; 0 before this cell has applied that."""
    cell: str
    """Cell id of who posted it."""
    status: str
    """`posted`, `expired` or `withdrawn`. What has ended is fetched and served no more."""
    expires_round: int
    """The last round in which the post stands; 0 for no end."""
    withdrawn_round: int
    """In which its poster took it back; 0 while that is not so."""
    here: bool
    """Whether this cell has the content itself."""
    pinned: bool
    """Whether this cell keeps it until it is unpinned."""
    posted_here: bool
    """Whether it was posted at this cell, which keeps it until it is removed."""
    body_hex: str | None
    """The content, where one was asked for and it is here."""
