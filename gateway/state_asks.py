"""From HTTP requests to typed values, for the state service; as `gateway.asks`."""

from __future__ import annotations

from typing import Final

from core.limits import HASH_SIZE_BYTES, INT_MAX
from gateway import asks
from gateway.asks import Fields
from gateway.limits import JOURNAL_NAME_LENGTH_MAX
from gateway.state_views import ChangesQuery, NamespaceWish, WriteWish
from ledger.limits import BATCH_ITEMS_MAX, NAMESPACE_OWNERS_MAX, NAMESPACE_WRITERS_MAX
from ledger.namespaces import Access

_WRITE: Final = frozenset(
    {"key", "value", "value_hex", "delete", "if_absent", "if_round", "if_hash"}
)
_CONDITIONS: Final = ("if_absent", "if_round", "if_hash")


def writes(fields: Fields) -> list[WriteWish]:
    """Return the field `writes`."""
    items = fields.get("writes")
    if not isinstance(items, list) or not 1 <= len(items) <= BATCH_ITEMS_MAX:
        asks.refuse("writes", f"expected a list of 1 to {BATCH_ITEMS_MAX} objects")
    return [_write(item, f"writes[{at}]") for at, item in enumerate(items)]


def text(fields: Fields, name: str) -> str:
    """Return a field that is text, empty if it is not given."""
    value = fields.get(name, "")
    if not isinstance(value, str):
        asks.refuse(name, "expected text")
    asks.to_utf8(value, name)
    return value


def number(fields: Fields, name: str) -> int:
    """Return a query parameter that is a number and has no default."""
    return asks.index(fields, name)


def optional_number(fields: Fields, name: str) -> int | None:
    """Return a query parameter that is a number, if it is given."""
    return asks.index(fields, name) if name in fields else None


def rollback(fields: Fields) -> tuple[str, int, bool]:
    """Return what is to be put back: a key or a prefix, the round, and whether it is a key."""
    if ("key" in fields) == ("prefix" in fields):
        asks.refuse("key", "expected exactly one of `key` and `prefix`")
    exact = "key" in fields
    name = asks.key(fields) if exact else text(fields, "prefix")
    return name, _integer(fields.get("to_round"), "to_round"), exact


def changes_query(fields: Fields) -> ChangesQuery:
    """Return which changes are wanted."""
    _, limit = asks.page({"limit": fields["limit"]} if "limit" in fields else {})
    after = optional_number(fields, "after_round")
    key = text(fields, "after_key")
    if key and after is None:
        asks.refuse("after_key", "does not go without `after_round`")
    return ChangesQuery(text(fields, "prefix"), after, key, limit)


def namespace_wish(fields: Fields) -> NamespaceWish:
    """Return the namespace that the fields ask for."""
    access = fields.get("access", Access.OWNERS.value)
    words = [one.value for one in Access]
    if not isinstance(access, str) or access not in words:
        asks.refuse("access", f"expected one of {', '.join(words)}")
    name = text(fields, "name")
    if not name:
        asks.refuse("name", "expected text that is not empty")
    owners = _names(fields, "owners", NAMESPACE_OWNERS_MAX)
    return NamespaceWish(name, owners, access, _names(fields, "writers", NAMESPACE_WRITERS_MAX))


def _names(fields: Fields, name: str, count_max: int) -> tuple[str, ...]:
    items = fields.get(name, [])
    if not isinstance(items, list) or len(items) > count_max:
        asks.refuse(name, f"expected a list of at most {count_max} cells")
    for item in items:
        if not isinstance(item, str) or not 0 < len(item) <= JOURNAL_NAME_LENGTH_MAX:
            asks.refuse(name, f"expected texts of at most {JOURNAL_NAME_LENGTH_MAX} characters")
        asks.to_utf8(item, name)
    return tuple(items)


def _write(item: object, where: str) -> WriteWish:
    if not isinstance(item, dict):
        asks.refuse(where, "expected an object")
    for name in sorted(item.keys() - _WRITE):
        asks.refuse(f"{where}.{name}", "does not belong to a write")
    deletes = item.get("delete", False)
    if not isinstance(deletes, bool):
        asks.refuse(f"{where}.delete", "expected true or false")
    if deletes and item.keys() & {"value", "value_hex"}:
        asks.refuse(f"{where}.delete", "what is deleted has no value")
    given = [name for name in _CONDITIONS if name in item]
    if len(given) > 1:
        asks.refuse(f"{where}.{given[1]}", f"does not go with {given[0]}")
    digest = None if "if_hash" not in item else asks.from_hex(item["if_hash"], f"{where}.if_hash")
    if digest is not None and len(digest) != HASH_SIZE_BYTES:
        asks.refuse(f"{where}.if_hash", f"expected {2 * HASH_SIZE_BYTES} hex digits")
    if item.get("if_absent", True) is not True:
        asks.refuse(f"{where}.if_absent", "expected true, or leave it out")
    return WriteWish(
        key=asks.key(item),
        value=None if deletes else asks.value_bytes(item),
        if_absent="if_absent" in item,
        if_round=_integer(item["if_round"], f"{where}.if_round") if "if_round" in item else None,
        if_hash=digest,
    )


def _integer(value: object, name: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= INT_MAX:
        asks.refuse(name, f"expected an integer of 0 to {INT_MAX}")
    return value
