"""From what subscribers send to typed wishes: the commands of a WebSocket, the query of events.

Acceptance rules:

1. A kind is `transactions`, `rounds`, `messages`, `peers`, or `state:` and a prefix of keys.
2. `sender` and `kind` narrow transactions, and nothing else.
3. A subscription begins now, `after_round` a round, or `after` a cursor; one of them at most.
4. Its name is what it was given, else what it is of; no two on one connection are the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Final
from urllib.parse import parse_qsl, quote, unquote

from core.json_text import NotJson, parse_json
from core.limits import INT_MAX, PUBLIC_KEY_SIZE_BYTES
from gateway.bodies import read_field, refuse
from gateway.kinds import Digits, Hex, Items, Text
from gateway.limits import (
    QUERY_SIZE_BYTES_MAX,
    SUBSCRIPTION_NAME_LENGTH_MAX,
    SUBSCRIPTIONS_MAX,
)
from gateway.reading import Ask
from gateway.stream_cell import Cursor, StreamFilter, StreamKind
from gateway.stream_hub import Wish
from ledger.limits import KEY_SIZE_BYTES_MAX

_SUBSCRIBE: Final = frozenset(
    {"subscribe", "subscription", "sender", "kind", "after", "after_round"}
)
_UNSUBSCRIBE: Final = frozenset({"unsubscribe"})
_EVENTS: Final = frozenset({"subscribe", "sender", "kind", "after_round"})
_NARROWING: Final = frozenset({"sender", "kind"})
_STATE: Final = "state:"
_KIND_LENGTH_MAX: Final = 64
_DIGITS_MAX: Final = 19


class EventsAsk(Ask):
    """What a request for server-sent events subscribes to."""

    subscribe: Annotated[list[str], Items(1, SUBSCRIPTIONS_MAX, "different ones")]
    """`transactions`, `rounds`, `messages`, `peers`, or `state:` and a prefix of keys; can be given
    several times."""
    sender: Annotated[str | None, Text(1)] = None
    """Only transactions of this public key, in hex."""
    kind: Annotated[str | None, Text(1, _KIND_LENGTH_MAX)] = None
    """Only transactions of this kind."""
    after_round: Annotated[int | None, Digits(0, INT_MAX - 1)] = None
    """From behind this round on; from now on unless given."""


@dataclass(frozen=True, slots=True)
class Unsubscribe:
    """The end of a subscription."""

    name: str


def command(text: str) -> Wish | Unsubscribe:
    """Return what a message on a WebSocket asks for; raises BadRequest."""
    try:
        fields: Any = parse_json(text)
    except NotJson:
        refuse("body", "expected a JSON object")
    if not isinstance(fields, dict):
        refuse("body", "expected a JSON object")
    if "unsubscribe" in fields:
        _only(fields, _UNSUBSCRIBE)
        return Unsubscribe(_text(fields, "unsubscribe", SUBSCRIPTION_NAME_LENGTH_MAX))
    _only(fields, _SUBSCRIBE)
    what = _text(fields, "subscribe", KEY_SIZE_BYTES_MAX + len(_STATE))
    wanted = _filter(what, fields)
    after = _cursor(fields["after"], "after", wanted.kind) if "after" in fields else None
    number = _number(fields["after_round"], "after_round") if "after_round" in fields else None
    if after is not None and number is not None:
        refuse("after", "expected at most one of `after` and `after_round`")
    name = what[:SUBSCRIPTION_NAME_LENGTH_MAX]
    if "subscription" in fields:
        name = _text(fields, "subscription", SUBSCRIPTION_NAME_LENGTH_MAX)
    return Wish(name, wanted, after, number)


def name_in(text: str) -> str | None:
    """Return the name that a refused command gave its subscription, if that can be told."""
    try:
        fields: Any = parse_json(text)
    except NotJson:
        return None
    if not isinstance(fields, dict):
        return None
    names = (fields.get(field) for field in ("subscription", "subscribe", "unsubscribe"))
    name = next((name for name in names if isinstance(name, str)), None)
    return None if name is None else name[:SUBSCRIPTION_NAME_LENGTH_MAX]


def events(query: str, last_event_id: str | None) -> list[Wish]:
    """Return the subscriptions of a request for server-sent events; raises BadRequest."""
    # Both are bounded before they are taken apart, which takes many times their size.
    for place, text in (("query", query), ("Last-Event-ID", last_event_id or "")):
        if len(text) > QUERY_SIZE_BYTES_MAX:
            refuse(place, f"is over {QUERY_SIZE_BYTES_MAX} bytes")
    pairs = parse_qsl(query, keep_blank_values=True)
    fields: dict[str, object] = {}
    for field, value in pairs:
        if field not in _EVENTS:
            refuse(field, f"is not one of {', '.join(sorted(_EVENTS))}")
        if field != "subscribe" and field in fields:
            refuse(field, "is given twice")
        fields[field] = value
    kinds = [value for field, value in pairs if field == "subscribe"]
    if not 1 <= len(kinds) <= SUBSCRIPTIONS_MAX or len(set(kinds)) < len(kinds):
        refuse("subscribe", f"expected 1 to {SUBSCRIPTIONS_MAX} different ones")
    if StreamKind.TRANSACTIONS.value not in kinds and fields.keys() & _NARROWING:
        refuse("kind", "belongs to transactions only, as `sender` does")
    number = _number(fields["after_round"], "after_round") if "after_round" in fields else None
    places = _places(last_event_id, len(kinds))
    wishes = []
    for what, place in zip(kinds, places, strict=True):
        _text({"subscribe": what}, "subscribe", KEY_SIZE_BYTES_MAX + len(_STATE))
        wanted = _filter(what, fields if what == StreamKind.TRANSACTIONS.value else {})
        is_placed = place and wanted.kind is not StreamKind.PEERS
        after = _cursor(place, "Last-Event-ID", wanted.kind) if is_placed else None
        has_rounds = wanted.kind not in (StreamKind.MESSAGES, StreamKind.PEERS)
        begin = number if after is None and has_rounds else None
        wishes.append(Wish(what[:SUBSCRIPTION_NAME_LENGTH_MAX], wanted, after, begin))
    return wishes


def event_place(place: Cursor) -> str:
    """Return a place as a part of `Last-Event-ID`, which brings it back."""
    return quote(place.text, safe="")


def _places(last_event_id: str | None, count: int) -> list[str]:
    if not last_event_id:
        return [""] * count
    places = [unquote(place) for place in last_event_id.split(",")]
    if len(places) != count:
        refuse("Last-Event-ID", "it is not from events of these subscriptions")
    return places


def _filter(what: str, fields: Mapping[str, Any]) -> StreamFilter:
    if what.startswith(_STATE):
        wanted = StreamFilter(StreamKind.STATE, prefix=what[len(_STATE) :])
    elif what in set(StreamKind) - {StreamKind.STATE}:
        wanted = StreamFilter(StreamKind(what), *_narrowed(fields))
    else:
        refuse("subscribe", "expected transactions, rounds, messages, peers or state:PREFIX")
    if wanted.kind is not StreamKind.TRANSACTIONS and fields.keys() & _NARROWING:
        refuse("kind", "belongs to transactions only, as `sender` does")
    return wanted


def _narrowed(fields: Mapping[str, Any]) -> tuple[str | None, str | None]:
    sender = None
    if "sender" in fields:
        key: bytes = read_field(fields, "sender", Hex(PUBLIC_KEY_SIZE_BYTES))
        sender = key.hex()
    return sender, _text(fields, "kind", _KIND_LENGTH_MAX) if "kind" in fields else None


def _cursor(value: object, field: str, kind: StreamKind) -> Cursor:
    if not isinstance(value, str):
        refuse(field, "expected a cursor, as an item has it")
    number, colon, key = value.partition(":")
    if (colon and kind is not StreamKind.STATE) or bool(colon) != bool(key):
        refuse(field, f"is no cursor of {kind.value}")
    read_field({field: key}, field, Text(0))
    return Cursor(_number(number, field), key)


def _number(value: object, field: str) -> int:
    if isinstance(value, str) and value.isascii() and value.isdigit():
        value = int(value) if len(value) <= _DIGITS_MAX else -1
    if type(value) is not int or not 0 <= value <= INT_MAX - 1:
        refuse(field, "expected an integer from 0 on")
    return value


def _text(fields: Mapping[str, Any], field: str, length_max: int) -> str:
    value = fields.get(field)
    if not isinstance(value, str) or not 0 < len(value) <= length_max:
        refuse(field, f"expected text of 1 to {length_max} characters")
    read_field(fields, field, Text())
    return value


def _only(fields: Mapping[str, Any], allowed: frozenset[str]) -> None:
    for field in fields:
        if field not in allowed:
            refuse(field, f"is not one of {', '.join(sorted(allowed))}")
