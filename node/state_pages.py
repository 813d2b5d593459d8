"""Pages of the state by prefix: what is there now, and what rounds made of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeVar

from core.ids import Round
from journal import Store
from node.limits import STATE_PAGE_SIZE_BYTES_MAX, WATCH_CHANGES_MAX
from node.state_tables import check_told

_T = TypeVar("_T")
_ENTRIES: Final = (
    "SELECT key, value FROM state WHERE key > ? AND key >= ? AND key < ? ORDER BY key LIMIT ?"
)
_UPTO: Final = "SELECT round FROM change WHERE round > ? ORDER BY round LIMIT 1 OFFSET ?"
_CHANGES: Final = (
    "SELECT this.round, this.key, CASE WHEN next.id IS NULL THEN state.value ELSE next.value END "
    "FROM change AS this LEFT JOIN change AS next ON next.id = (SELECT id FROM change "
    "WHERE key = this.key AND round > this.round ORDER BY round LIMIT 1) "
    "LEFT JOIN state ON state.key = this.key "
    "WHERE this.round >= ? AND this.round <= ? AND (this.round > ? OR this.key > ?) "
    "AND this.key >= ? AND this.key < ? ORDER BY this.round, this.key LIMIT ?"
)


@dataclass(frozen=True, slots=True)
class Change:
    """What a round made of a key; None: it took the value away."""

    round: Round
    key: bytes
    value: bytes | None


@dataclass(frozen=True, slots=True)
class ChangesPage:
    """Changes in the order of rounds and keys, and from where on to ask for more."""

    items: list[Change]
    round: Round
    key: bytes


def fitting(items: list[_T], size_bytes: Callable[[_T], int]) -> list[_T]:
    """Return the first of the items, as many as one answer holds, and at least one."""
    left = STATE_PAGE_SIZE_BYTES_MAX
    for at, item in enumerate(items):
        left -= size_bytes(item)
        if left < 0:
            return items[: max(at, 1)]
    return items


def end_of(prefix: bytes) -> bytes:
    """Return what comes after all keys with a prefix, whose last byte is none of 255."""
    return prefix[:-1] + bytes([prefix[-1] + 1])


def entries(store: Store, prefix: bytes, after: bytes, limit: int) -> list[tuple[bytes, bytes]]:
    """Return (key, value) of state keys with a prefix that come after another one."""
    return store.query(_ENTRIES, (after, prefix, end_of(prefix), limit))


def changes_after(
    store: Store, applied: Round, prefix: bytes, place: tuple[Round, bytes], limit: int
) -> ChangesPage:
    """Return what rounds made of keys with a prefix after a place: a round, and a key of it.

    At most `limit`, out of at most WATCH_CHANGES_MAX changes: the page says how far it came.
    `applied` is the newest durable round. Raises StateNotKept for a place that is not kept.
    """
    number, key = place
    check_told(store, number, applied)
    rows = store.query(_UPTO, (number, WATCH_CHANGES_MAX))
    upto = rows[0][0] if rows else applied
    found = store.query(
        _CHANGES, (number, upto, number, key or _PAST_ALL, prefix, end_of(prefix), limit)
    )
    items = [Change(Round(at), changed, value) for at, changed, value in found]
    fits = fitting(items, lambda one: len(one.value or b""))
    if len(items) == limit or len(fits) < len(items):
        return ChangesPage(fits, fits[-1].round, fits[-1].key)
    return ChangesPage(items, Round(upto), b"")


_PAST_ALL: Final = b"\xff" * 16
"""After every state key: no change of that round is wanted."""
