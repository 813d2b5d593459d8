"""From HTTP requests to typed values, for messages and rooms; as `gateway.asks`."""

from __future__ import annotations

from typing import Final

from starlette.requests import Request

from core.limits import HASH_SIZE_BYTES, INT_MAX
from gateway import asks
from gateway.asks import Fields
from gateway.limits import (
    JOURNAL_NAME_LENGTH_MAX,
    LIST_LIMIT_DEFAULT,
    LIST_LIMIT_MAX,
    MESSAGE_EXPIRES_S,
)
from gateway.message_views import MessageQuery, MessageWish
from identity.messages.envelope import MessageType
from identity.messages.limits import EXPIRES_MS_MAX, ROOM_ID_SIZE_BYTES, ROOM_MEMBERS_MAX

_TYPES: Final = frozenset(kind.name for kind in MessageType)
_WAITS: Final = ("sent", "delivered", "read")
_STATUSES: Final = ("queued", *_WAITS, "failed")


def wish(fields: Fields) -> MessageWish:
    """Return the message that is to be sent."""
    kind = fields.get("type", "CHAT")
    if not isinstance(kind, str) or kind not in _TYPES:
        asks.refuse("type", f"expected one of {', '.join(sorted(_TYPES))}")
    if ("to" in fields) == ("room" in fields):
        asks.refuse("to", "expected exactly one of `to` and `room`")
    is_chat = kind == MessageType.CHAT.name
    content = "text" if is_chat else "body_hex"
    for field in ("text", "body_hex"):
        if (field in fields) != (field == content):
            asks.refuse(field, "is needed" if field == content else f"does not belong to {kind}")
    if "room" in fields and not is_chat:
        asks.refuse("room", "only a CHAT goes to a room")
    text = fields.get("text", "")
    if not isinstance(text, str) or (is_chat and not text):
        asks.refuse("text", "expected text that is not empty")
    asks.to_utf8(text, "text")
    return MessageWish(
        to=_name(fields, "to") if "to" in fields else "",
        room=_room(fields["room"]) if "room" in fields else b"",
        type=kind,
        text=text,
        body=b"" if is_chat else asks.from_hex(fields["body_hex"], "body_hex"),
        expires_s=_expires_s(fields),
    )


def wait(fields: Fields) -> str | None:
    """Return how far a message has to come before the answer; None: it is journaled here."""
    return _one_of(fields, "wait", _WAITS)


def query(fields: Fields) -> MessageQuery:
    """Return which messages are asked for."""
    return MessageQuery(
        way=_one_of(fields, "way", ("sent", "received")),
        cell=_name(fields, "cell") if "cell" in fields else None,
        room=_room(fields["room"]) if "room" in fields else None,
        status=_one_of(fields, "status", _STATUSES),
    )


def page(fields: Fields) -> tuple[int, int]:
    """Return `offset` and `limit` of a list."""
    offset = asks.query_int(fields, "offset", default=0, low=0, high=INT_MAX)
    limit = asks.query_int(fields, "limit", default=LIST_LIMIT_DEFAULT, low=1, high=LIST_LIMIT_MAX)
    return offset, limit


def after(fields: Fields) -> int:
    """Return the id behind which messages are news; without one, all are: -1."""
    if "after" not in fields:
        return -1
    return asks.query_int(fields, "after", default=0, low=0, high=INT_MAX)


def message_id(request: Request) -> int:
    """Return the id in the path."""
    return asks.query_int(request.path_params, "id", default=0, low=0, high=INT_MAX)


def room_id(request: Request) -> bytes:
    """Return the id of a room in the path."""
    return _room(request.path_params["id"], "id")


def name(fields: Fields) -> str:
    """Return the name of a room."""
    return _name(fields, "name")


def title(fields: Fields) -> str:
    """Return the title of content."""
    value = fields.get("title")
    if not isinstance(value, str) or not value:
        asks.refuse("title", "expected text that is not empty")
    asks.to_utf8(value, "title")
    return value


def content_hash(request: Request) -> bytes:
    """Return the hash in the path."""
    data = asks.from_hex(request.path_params["hash"], "hash")
    if len(data) != HASH_SIZE_BYTES:
        asks.refuse("hash", f"expected {HASH_SIZE_BYTES * 2} hex digits")
    return data


def members(fields: Fields) -> list[str]:
    """Return the cells that are to be in a room, by their ids or members' names."""
    items = fields.get("members")
    if not isinstance(items, list) or not 1 <= len(items) <= ROOM_MEMBERS_MAX:
        asks.refuse("members", f"expected a list of 1 to {ROOM_MEMBERS_MAX} cells")
    return [_name({"members": item}, "members") for item in items]


def _expires_s(fields: Fields) -> int:
    value = fields.get("expires_s", MESSAGE_EXPIRES_S)
    high = EXPIRES_MS_MAX // 1000
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= high:
        asks.refuse("expires_s", f"expected an integer of 1 to {high}")
    return value


def _name(fields: Fields, field: str) -> str:
    value = fields.get(field)
    if not isinstance(value, str) or not 0 < len(value) <= JOURNAL_NAME_LENGTH_MAX:
        asks.refuse(field, f"expected text of at most {JOURNAL_NAME_LENGTH_MAX} characters")
    asks.to_utf8(value, field)
    return value


def _one_of(fields: Fields, field: str, words: tuple[str, ...]) -> str | None:
    value = fields.get(field)
    if value is None:
        return None
    if not isinstance(value, str) or value not in words:
        asks.refuse(field, f"expected one of {', '.join(words)}")
    return value


def _room(value: object, field: str = "room") -> bytes:
    data = asks.from_hex(value, field)
    if len(data) != ROOM_ID_SIZE_BYTES:
        asks.refuse(field, f"expected {ROOM_ID_SIZE_BYTES * 2} hex digits")
    return data
