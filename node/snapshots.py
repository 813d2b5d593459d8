"""The state at the ends of the newest two epochs, out of the present one and what changed since.

The table `undo` has for each of the newest two epochs the value before it of every key that it
changed, NULL for a key that was not there, written in the same transaction as the change. So the
state at the end of epoch e is the present one with what e + 1 and e + 2 changed undone.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from core.ids import Epoch, Round
from journal import Store
from ledger.machine import SealedState
from ledger.roster import Roster
from node.headers import Headers

_KEYS_PER_QUERY: Final = 500

# What `earlier` changed is undone last, so it is looked for first. One statement sees one moment.
_VALUE: Final = (
    "CASE WHEN earlier.key IS NOT NULL THEN earlier.value "
    "WHEN later.key IS NOT NULL THEN later.value ELSE state.value END"
)
_UNDONE: Final = (
    "LEFT JOIN undo AS earlier ON earlier.epoch = ? AND earlier.key = state.key "
    "LEFT JOIN undo AS later ON later.epoch = ? AND later.key = state.key"
)
_IS_KEPT: Final = "(SELECT coalesce(max(number), 0) FROM epoch) <= ?"
_ALL: Final = (
    f"SELECT state.key, {_VALUE} FROM state {_UNDONE} "  # noqa: S608 - constants
    "WHERE state.key > ? ORDER BY state.key LIMIT ?"
)
_CHANGED: Final = (
    f"SELECT state.key, {_VALUE} FROM undo JOIN state ON state.key = undo.key {_UNDONE} "  # noqa: S608 - constants
    "WHERE undo.epoch = ? AND undo.key > ? ORDER BY undo.key LIMIT ?"
)


async def sealed_states(
    store: Store, headers: Headers, rosters: Sequence[Roster]
) -> tuple[list[SealedState], Iterator[tuple[bytes, bytes]]]:
    """Return the states at the ends of the newest epochs, and what changed since the last.

    As `Ledger.restore` takes them. `rosters` are those of the newest epochs, the present one last.
    A cell that jumped has only states since then.
    """
    present = rosters[-1].epoch
    sealed: list[SealedState] = []
    for roster in rosters[1:]:
        epoch = Epoch(roster.epoch - 1)
        if epoch >= headers.first_own_epoch - 1:
            header = await headers.get(Round(roster.first_round - 1))
            entries = _changed(store, epoch) if sealed else _all(store, epoch)
            sealed.append(SealedState(header, entries))
    return sealed, _changed(store, present) if sealed else _all(store, present)


def values_at(store: Store, epoch: Epoch, keys: Sequence[bytes]) -> dict[bytes, bytes]:
    """Return the values that keys had at the end of an epoch; none if that is kept no more."""
    found: dict[bytes, bytes] = {}
    for start in range(0, len(keys), _KEYS_PER_QUERY):
        part = keys[start : start + _KEYS_PER_QUERY]
        marks = ", ".join("?" * len(part))
        sql = (
            f"SELECT state.key, {_VALUE} FROM state {_UNDONE} "  # noqa: S608 - constants and marks
            f"WHERE state.key IN ({marks}) AND {_IS_KEPT}"
        )
        rows = store.query(sql, (epoch + 1, epoch + 2, *part, epoch + 2))
        found |= {key: value for key, value in rows if value is not None}
    return found


def _all(store: Store, epoch: Epoch) -> Iterator[tuple[bytes, bytes]]:
    """Yield the state at the end of an epoch; what no epoch changed needs no undoing."""
    return _pages(store, _ALL, (epoch + 1, epoch + 2))


def _changed(store: Store, epoch: Epoch) -> Iterator[tuple[bytes, bytes]]:
    """Yield what an epoch changed, as it was at its end."""
    return _pages(store, _CHANGED, (epoch + 1, epoch + 2, epoch))


def _pages(
    store: Store, sql: str, parameters: tuple[int, ...], page: int = 5000
) -> Iterator[tuple[bytes, bytes]]:
    last = b""
    while rows := store.query(sql, (*parameters, last, page)):
        yield from ((key, value) for key, value in rows if value is not None)
        last = rows[-1][0]
