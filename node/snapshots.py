"""States of earlier rounds: values, a key's history, what changed, and the map to prove it by.

Values come out of the table `change` (`node.state_tables`), the map out of the nearest one that is
there, of the present or of the end of an epoch, with what changed in between undone in memory.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from core.ids import Epoch, Round
from journal import Store
from ledger.errors import NoStateProof, StateTooFar
from ledger.header import RoundHeader
from ledger.machine import Ledger
from ledger.roster import Roster
from ledger.tree import Snapshot
from node.headers import Headers
from node.limits import DIFF_CHANGES_MAX, OVERLAY_KEYS_MAX
from node.state_pages import end_of
from node.state_tables import check_told, told_from, values_at

_COUNT: Final = "SELECT count(*) FROM (SELECT 1 FROM change WHERE round > ? AND round <= ? LIMIT ?)"
_CHANGED: Final = (
    "SELECT DISTINCT key FROM change WHERE round > ? AND round <= ? AND key > ? "
    "ORDER BY key LIMIT ?"
)
_PRESENT_KEYS: Final = (
    "SELECT key FROM state WHERE key > ? AND key >= ? AND key < ? ORDER BY key LIMIT ?"
)
_CHANGED_ONCE: Final = (
    "WITH RECURSIVE once (key) AS ("
    "SELECT min(key) FROM change WHERE key > ? AND key >= ? AND key < ? UNION ALL "
    "SELECT (SELECT min(key) FROM change WHERE key > once.key AND key < ?) FROM once "
    "WHERE once.key IS NOT NULL) "
    "SELECT key FROM once WHERE key IS NOT NULL LIMIT ?"
)
"""One look at the index for each key, however often it changed."""
_HISTORY: Final = (
    "SELECT this.round, CASE WHEN next.id IS NULL THEN state.value ELSE next.value END "
    "FROM change AS this LEFT JOIN change AS next ON next.id = (SELECT id FROM change "
    "WHERE key = this.key AND round > this.round ORDER BY round LIMIT 1) "
    "LEFT JOIN state ON state.key = this.key "
    "WHERE this.key = ? AND this.round < ? AND this.round > ? ORDER BY this.round DESC LIMIT ?"
)


@dataclass(frozen=True, slots=True)
class Written:
    """A value that a round gave to a key, None for one that it took away."""

    round: Round
    value: bytes | None


@dataclass(frozen=True, slots=True)
class Difference:
    """A key that rounds changed: its value before them and after them."""

    key: bytes
    before: bytes | None
    after: bytes | None


@dataclass(frozen=True, slots=True)
class EntriesPage:
    """Keys and their values in order, and the last key that was looked at, None at the end."""

    items: list[tuple[bytes, bytes]]
    behind: bytes | None


async def sealed_headers(headers: Headers, rosters: Sequence[Roster]) -> list[RoundHeader]:
    """Return the headers of the ends of the newest epochs whose states are here.

    `rosters` are those of the newest epochs, the present one last. A cell that jumped has only
    states since then.
    """
    return [
        await headers.get(Round(roster.first_round - 1))
        for roster in rosters[1:]
        if roster.epoch >= headers.first_own_epoch
    ]


def value_at(store: Store, applied: Round, key: bytes, round_number: Round) -> bytes | None:
    """Return a key's value after a round, None if it had none; raises StateNotKept.

    `applied` is the newest round that is durable.
    """
    found = values_at(store, round_number, [key])
    check_told(store, round_number, applied)  # behind the look: until now it could be dropped
    return found.get(key)


def entries_at(
    store: Store, applied: Round, round_number: Round, place: tuple[bytes, bytes], limit: int
) -> EntriesPage:
    """Return what keys with a prefix had after a round.

    `place` is the prefix, whose last byte is none of 255, and the key behind which the page begins.
    Looks at `limit` keys that are there now or were once, so a page can be empty and not the last.
    Raises StateNotKept.
    """
    prefix, after = place
    bounds = (after, prefix, end_of(prefix))
    keys = {key for (key,) in store.query(_PRESENT_KEYS, (*bounds, limit))}
    keys |= {key for (key,) in store.query(_CHANGED_ONCE, (*bounds, bounds[2], limit))}
    page = sorted(keys)[:limit]
    found = values_at(store, round_number, page)
    check_told(store, round_number, applied)  # behind the look: until now it could be dropped
    items = [(key, found[key]) for key in page if key in found]
    return EntriesPage(items, page[-1] if len(page) == limit else None)


def history_of(store: Store, key: bytes, *, before: int, limit: int) -> list[Written]:
    """Return what rounds before this one made of a key, the newest first.

    What happened up to the first round whose state is kept is not told.
    """
    rows = store.query(_HISTORY, (key, before, told_from(store), limit))
    return [Written(Round(number), value) for number, value in rows]


def differences(
    store: Store,
    applied: Round,
    rounds: tuple[Round, Round],
    *,
    after: bytes | None = None,
    limit: int,
) -> list[Difference]:
    """Return the keys that rounds behind the first one up to the last one wrote, in order.

    `after`: the last key of the page before. A key can have the same value before and after.
    Raises StateNotKept, or StateTooFar for too many changes to be looked through at once.
    """
    first, last = rounds
    check_told(store, first, applied)
    check_told(store, last, applied)
    _check_near(store, first, last, DIFF_CHANGES_MAX)
    keys = _changed_keys(store, first, last, after, limit)
    before, behind = values_at(store, first, keys), values_at(store, last, keys)
    check_told(store, first, applied)  # once more: until now it could be dropped
    return [Difference(key, before.get(key), behind.get(key)) for key in keys]


def map_at(store: Store, ledger: Ledger, header: RoundHeader) -> Snapshot:
    """Return the state's map after the round of a header, made of the nearest one that is here.

    Good until the next round is applied. Raises StateNotKept, StateTooFar, or NoStateProof while a
    round is applied that is not durable yet.
    """
    applied = ledger.applied_round
    check_told(store, header.round, applied)
    snapshot, at = _nearest(ledger, header)
    low, high = Round(min(at, header.round)), Round(max(at, header.round))
    _check_near(store, low, high, OVERLAY_KEYS_MAX)
    keys = _changed_keys(store, low, high, None, OVERLAY_KEYS_MAX)
    if keys:
        values = values_at(store, header.round, keys)
        fork = snapshot.fork()
        fork.update((key, values.get(key)) for key in keys)
        snapshot = fork.present()
    if snapshot.root != header.state_root:
        raise NoStateProof("the disk is a round behind the map")
    return snapshot


def _nearest(ledger: Ledger, header: RoundHeader) -> tuple[Snapshot, Round]:
    """Return the map that is the fewest rounds away, and which round it is of."""
    found = [(ledger.state, ledger.applied_round)]
    present = ledger.roster
    ends = [(present.epoch - 1, present.first_round - 1)]
    ends.append((present.epoch - 2, ledger.window_first_round - 1))
    for epoch, end in ends:
        snapshot = ledger.snapshot(Epoch(epoch))
        if snapshot is not None:
            found.append((snapshot, Round(end)))
    return min(found, key=lambda one: abs(one[1] - header.round))


def _changed_keys(
    store: Store, first: Round, last: Round, after: bytes | None, limit: int
) -> list[bytes]:
    # The empty key is no state key: so it is before all of them.
    return [key for (key,) in store.query(_CHANGED, (first, last, after or b"", limit))]


def _check_near(store: Store, first: Round, last: Round, changes_max: int) -> None:
    ((count,),) = store.query(_COUNT, (first, last, changes_max + 1))
    if count > changes_max:
        raise StateTooFar(f"more than {changes_max} changes from round {first} to {last}")
