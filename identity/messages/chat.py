"""What the sealed body of a CHAT holds: text, and the room it was said in, if any.

    [text] or [text, [room id, name, version, [member, …]]]

A room is what its members agree on by telling each other: its members are listed in every message,
sealed for each of them, and whoever is in the room may change the list by a greater version. So no
relay learns that a room exists, nor who is in it. A member that takes a new key stays one: the list
may name it by any of its keys.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from core.codec import Value, as_array, as_bytes, as_int, as_text, decode, encode
from core.errors import MyceldError
from core.ids import CellId, PublicKey, cell_id_of
from core.limits import PUBLIC_KEY_SIZE_BYTES
from identity.messages.errors import BadMessage, BadRoom, BodyTooLong
from identity.messages.limits import (
    BODY_SIZE_BYTES_MAX,
    ROOM_ID_SIZE_BYTES,
    ROOM_MEMBERS_MAX,
    ROOM_NAME_LENGTH_MAX,
)

FirstOf: TypeAlias = Callable[[PublicKey], PublicKey]
"""A key -> the first key of the cell that has or had it."""


@dataclass(frozen=True, slots=True)
class Room:
    """A room as a message tells of it; members in the order of their keys."""

    id: bytes
    name: str
    version: int
    members: tuple[PublicKey, ...]

    @property
    def member_ids(self) -> tuple[CellId, ...]:
        """Return the members' cell ids."""
        return tuple(cell_id_of(member) for member in self.members)

    def with_members(self, members: set[PublicKey]) -> Room:
        """Return the next version of the room; raises BadRoom."""
        return make_room(self.id, self.name, self.version + 1, members)

    def has(self, key: PublicKey, first_of: FirstOf) -> bool:
        """Return whether the cell that has or had a key is in the room, under any of its keys."""
        return first_of(key) in map(first_of, self.members)

    def is_followed_by(self, other: Room, sender: PublicKey, first_of: FirstOf) -> bool:
        """Return whether what `sender` tells of this room counts: a member, and news."""
        ours = (self.version, self.members, self.name)
        theirs = (other.version, other.members, other.name)
        return self.id == other.id and theirs > ours and self.has(sender, first_of)


@dataclass(frozen=True, slots=True)
class Chat:
    """Text, and where it was said. A text that is empty only tells of the room."""

    text: str
    room: Room | None = None


def make_room(identity: bytes, name: str, version: int, members: set[PublicKey]) -> Room:
    """Return a room; raises BadRoom for a name or a number of members that no room has."""
    if not 0 < len(name) <= ROOM_NAME_LENGTH_MAX or not name.isprintable():
        raise BadRoom("the name is empty, too long, or has characters that no name has")
    if not 1 <= len(members) <= ROOM_MEMBERS_MAX:
        raise BadRoom(f"{len(members)} members, a room has at most {ROOM_MEMBERS_MAX}")
    return Room(identity, name, version, tuple(sorted(members)))


def encode_chat(chat: Chat) -> bytes:
    """Return the body; raises BodyTooLong."""
    value: list[Value] = [chat.text]
    if chat.room is not None:
        value.append(_room_value(chat.room))
    body = encode(value)
    if len(body) > BODY_SIZE_BYTES_MAX:
        raise BodyTooLong(f"a text of {len(body)} bytes, at most {BODY_SIZE_BYTES_MAX} are sent")
    return body


def decode_chat(body: bytes) -> Chat:
    """Return what a body says; raises BadMessage."""
    try:
        items = as_array(decode(body, size_bytes_max=BODY_SIZE_BYTES_MAX), length_max=2)
        text = as_text(items[0] if items else None, length_max=BODY_SIZE_BYTES_MAX)
        return Chat(text, _room_of(items[1]) if len(items) == 2 else None)
    except BadMessage:
        raise
    except MyceldError as error:
        raise BadMessage(f"not a chat: {error.detail}") from error


def encode_room(room: Room) -> bytes:
    """Return a room as it is stored."""
    return encode(_room_value(room))


def decode_room(data: bytes) -> Room:
    """Return a stored room; raises BadMessage."""
    try:
        return _room_of(decode(data, size_bytes_max=BODY_SIZE_BYTES_MAX))
    except BadMessage:
        raise
    except MyceldError as error:
        raise BadMessage(f"not a room: {error.detail}") from error


def _room_value(room: Room) -> list[Value]:
    return [room.id, room.name, room.version, list(room.members)]


def _room_of(value: Value) -> Room:
    identity, name, version, members = as_array(value, length=4)
    keys = [
        PublicKey(as_bytes(item, size=PUBLIC_KEY_SIZE_BYTES))
        for item in as_array(members, length_max=ROOM_MEMBERS_MAX)
    ]
    room = make_room(
        as_bytes(identity, size=ROOM_ID_SIZE_BYTES),
        as_text(name, length_max=ROOM_NAME_LENGTH_MAX),
        as_int(version, low=1),
        set(keys),
    )
    if list(room.members) != keys:
        raise BadMessage("the members of a room are not in order, or named twice")
    return room
