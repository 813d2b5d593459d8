"""What is asked about messages, rooms and content: request models, and what they come to."""

from __future__ import annotations

from typing import Annotated, Any, Final, Self

from pydantic import ConfigDict, model_validator

from gateway.asks import LimitAsk, TimeoutAsk, WaitAsk
from gateway.kinds import Digits, Hash, Hex, Index, Items, Name, OneOf, Switch, Text, Whole, Wrong
from gateway.limits import JOURNAL_NAME_LENGTH_MAX, MESSAGE_EXPIRES_S
from gateway.message_views import MessageQuery, MessageWish
from gateway.reading import Ask
from gateway.variants import Variants, fields
from identity.messages.envelope import MessageType
from identity.messages.limits import EXPIRES_MS_MAX, ROOM_ID_SIZE_BYTES, ROOM_MEMBERS_MAX

_WAITS: Final = ("sent", "delivered", "read")
_STATUSES: Final = ("queued", *_WAITS, "failed")
_CHAT: Final = MessageType.CHAT.name
_TYPES: Final = Variants(
    "type",
    {
        kind.name: fields("text", possible=("room",)) if kind.name == _CHAT else fields("body_hex")
        for kind in MessageType
    },
)
_ONE_END: Final[dict[str, Any]] = {"oneOf": [{"required": ["to"]}, {"required": ["room"]}]}


class MessagePath(Ask):
    """The id of a message, in the path."""

    id: Annotated[int, Digits()]
    """Index of its block in this cell's journal `message`."""


class RoomPath(Ask):
    """The id of a room, in the path."""

    id: Annotated[bytes, Hex(ROOM_ID_SIZE_BYTES)]
    """In hex."""


class ContentPath(Ask):
    """The hash of content, in the path."""

    hash: Hash
    """SHA-256 in hex."""


class MessageWaitAsk(TimeoutAsk):
    """How far a message has to come before the answer."""

    wait: Annotated[str | None, OneOf(_WAITS)] = None
    """The status that is waited for; the answer comes at once unless given."""


class SendAsk(MessageWaitAsk):
    """A message to a cell, or to everybody in a room."""

    model_config = ConfigDict(json_schema_extra={"allOf": [_TYPES.schema(_CHAT), _ONE_END]})

    to: Annotated[str | None, Text(1, JOURNAL_NAME_LENGTH_MAX)] = None
    """A cell id, or the name of a member."""
    room: Annotated[bytes | None, Hex(ROOM_ID_SIZE_BYTES)] = None
    """The id of a room, instead; for a CHAT."""
    type: Annotated[str, OneOf(_TYPES.words)] = _CHAT
    """What it is; this says whether it has a text or a body."""
    text: Annotated[str, Text()] = ""
    """What a CHAT says."""
    body_hex: Annotated[bytes, Hex()] = b""
    """The body of every other type, in hex."""
    expires_s: Annotated[int, Whole(1, EXPIRES_MS_MAX // 1000)] = MESSAGE_EXPIRES_S
    """For how long delivery is tried."""

    @model_validator(mode="after")
    def _sound(self) -> Self:
        if (self.to is None) == (self.room is None):
            raise Wrong("expected exactly one of `to` and `room`", "to")
        _TYPES.check(self.type, self.model_fields_set)
        return self

    def wish(self) -> MessageWish:
        """Return the message."""
        return MessageWish(
            to=self.to or "",
            room=self.room or b"",
            type=self.type,
            text=self.text,
            body=self.body_hex,
            expires_s=self.expires_s,
        )


class WhichAsk(LimitAsk):
    """Which messages are wanted; all unless something is given."""

    way: Annotated[str | None, OneOf(("sent", "received"))] = None
    """Which way they went."""
    cell: Annotated[str | None, Text(1, JOURNAL_NAME_LENGTH_MAX)] = None
    """The other end, by its id or a member's name."""
    room: Annotated[bytes | None, Hex(ROOM_ID_SIZE_BYTES)] = None
    """The room they were said in."""
    status: Annotated[str | None, OneOf(_STATUSES)] = None
    """How far they have come."""

    direct: Annotated[bool, Switch()] = False
    """1: only what was said outside of rooms."""

    def query(self) -> MessageQuery:
        """Return which are wanted."""
        return MessageQuery(
            way=self.way, cell=self.cell, room=self.room, status=self.status, direct=self.direct
        )


class OffsetAsk(LimitAsk):
    """A part of a list."""

    offset: Index = 0
    """How many items to leave out."""


class ConversationsAsk(OffsetAsk):
    """Which conversations are wanted; all unless one is named."""

    cell: Annotated[str | None, Text(1, JOURNAL_NAME_LENGTH_MAX)] = None
    """Only the one with this cell, by its id or a member's name."""
    room: Annotated[bytes | None, Hex(ROOM_ID_SIZE_BYTES)] = None
    """Only the one in this room, instead."""

    @model_validator(mode="after")
    def _sound(self) -> Self:
        if self.cell is not None and self.room is not None:
            raise Wrong("expected at most one of `cell` and `room`", "cell")
        return self


class MessagesAsk(WhichAsk, OffsetAsk):
    """A part of the list of messages."""


class NextMessagesAsk(WhichAsk, TimeoutAsk):
    """Which messages are waited for."""

    after: Annotated[int | None, Digits()] = None
    """Only messages with greater ids; all are news unless given."""


class PostAsk(WaitAsk):
    """Content for the global data set."""

    title: Annotated[str, Text()]
    """What it is, in one line."""
    body_hex: Annotated[bytes, Hex()]
    """The content, in hex."""
    expires_round: Annotated[int, Whole()] = 0
    """The last round in which the post stands; 0 for no end."""


class RoomMembersAsk(Ask):
    """Cells that are to be in a room."""

    members: Annotated[list[Name], Items(1, ROOM_MEMBERS_MAX, "cells")]
    """By their ids or members' names."""


class RoomAsk(RoomMembersAsk):
    """A room that is to be made."""

    name: Name
    """What it is called."""
