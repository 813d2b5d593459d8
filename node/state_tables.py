"""The replicated state's SQL: values, pages of the map, and what each round changed.

    state       (key, value) as `ledger` encodes them
    page        pages of the state's map (`ledger.page`), those of the ends of the newest epochs too
    page_log    leaves that changed in pages whose rows are as before (`ledger.patches`)
    dead_page   pages that are of no present state any more, and the epoch that replaced them
    change      for each round and key that it changed: the value before, NULL for none
    told_from   the first round whose state can be told: what changed up to it may be dropped

All of it is written in the transaction of the round's header. So the state at a round is the
present one with what later rounds changed undone; `told_from` moves on first, and rows that nobody
needs any more go a few with each round, so no round waits for it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, Final, TypeAlias

from core.errors import check
from core.ids import Epoch, Round
from journal import Store
from ledger.errors import StateNotKept
from ledger.machine import Applied
from ledger.page_rows import PageWrites
from ledger.patches import HeadRow, StoredMap, stored_map
from ledger.tree import ReadPages
from node.limits import (
    PAGE_LOGS_PER_QUERY,
    PRUNED_ROWS_MIN,
    STATE_KEYS_PER_QUERY,
    STATE_ROWS_PER_QUERY,
)

_Statement: TypeAlias = "tuple[str, Sequence[tuple[Any, ...]]]"

STATE_TABLE: Final = "CREATE TABLE {name} (key BLOB PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID"
PAGE_TABLE: Final = (
    "CREATE TABLE {name} (id INTEGER PRIMARY KEY, born INTEGER NOT NULL, first BLOB NOT NULL, "
    "count INTEGER NOT NULL, digest BLOB NOT NULL, body BLOB NOT NULL, saved INTEGER NOT NULL)"
)
DEAD_PAGE_TABLE: Final = (
    "CREATE TABLE {name} (died INTEGER NOT NULL, id INTEGER NOT NULL, PRIMARY KEY (died, id)) "
    "WITHOUT ROWID"
)
STATE_SCHEMA: Final = f"""
{STATE_TABLE.format(name="IF NOT EXISTS state")};
{PAGE_TABLE.format(name="IF NOT EXISTS page")};
CREATE TABLE IF NOT EXISTS page_log (id INTEGER PRIMARY KEY, body BLOB NOT NULL);
{DEAD_PAGE_TABLE.format(name="IF NOT EXISTS dead_page")};
CREATE TABLE IF NOT EXISTS change (
  id INTEGER PRIMARY KEY, round INTEGER NOT NULL, key BLOB NOT NULL, value BLOB);
CREATE INDEX IF NOT EXISTS change_by_key ON change (key, round);
CREATE INDEX IF NOT EXISTS change_by_round ON change (round);
CREATE TABLE IF NOT EXISTS told_from (one INTEGER PRIMARY KEY, round INTEGER NOT NULL);
"""

_PUT_CHANGE: Final = (
    "INSERT INTO change (round, key, value) SELECT ?1, ?2, (SELECT value FROM state WHERE key = ?2)"
)
_PUT_STATE: Final = "INSERT OR REPLACE INTO state VALUES (?, ?)"
_DROP_STATE: Final = "DELETE FROM state WHERE key = ?"
_PUT_PAGE: Final = "INSERT OR REPLACE INTO {name} VALUES (?, ?, ?, ?, ?, ?, ?)"
_FOLD_PAGE: Final = "UPDATE {name} SET digest = ?, body = ?, saved = ? WHERE id = ?"
_PUT_LOG: Final = "INSERT INTO page_log VALUES (?, ?)"
_DROP_LOG: Final = "DELETE FROM page_log WHERE id <= ?"
_DROP_PAGE: Final = "DELETE FROM {name} WHERE id = ?"
_PUT_DEAD: Final = "INSERT OR IGNORE INTO dead_{name} VALUES (?, ?)"
_SET_TOLD_FROM: Final = (
    "INSERT INTO told_from VALUES (1, ?) "
    "ON CONFLICT (one) DO UPDATE SET round = max(round, excluded.round)"
)
_PRUNE_CHANGES: Final = (
    "DELETE FROM change WHERE id IN "
    "(SELECT id FROM change WHERE round <= ? ORDER BY round, id LIMIT ?)"
)
_OLD_DEAD: Final = "SELECT {what} FROM dead_page WHERE died <= ? ORDER BY died, id LIMIT ?"
_PRUNE_PAGES: Final = f"DELETE FROM page WHERE id IN ({_OLD_DEAD.format(what='id')})"  # noqa: S608 - constants
_PRUNE_DEAD: Final = (
    f"DELETE FROM dead_page WHERE (died, id) IN ({_OLD_DEAD.format(what='died, id')})"  # noqa: S608 - constants
)
_TOLD_FROM: Final = "SELECT coalesce(max(round), 0) FROM told_from"
_VALUES_AT: Final = (
    "WITH wanted (key) AS (VALUES {marks}) SELECT wanted.key, "
    "CASE WHEN change.id IS NULL THEN state.value ELSE change.value END FROM wanted "
    "LEFT JOIN state ON state.key = wanted.key LEFT JOIN change ON change.id = "
    "(SELECT id FROM change WHERE key = wanted.key AND round > {round} ORDER BY round LIMIT 1) "
    "WHERE (SELECT coalesce(max(round), 0) FROM told_from) <= {round}"
)


def state_statements(applied: Applied, kept_from: int) -> list[_Statement]:
    """Return what makes a round's changes of the state durable, and drops some that is not needed.

    `kept_from` is the first round whose state is to be told from now on.
    """
    header, changes = applied.header, applied.changes
    present = header.epoch if applied.sealed is None else applied.sealed.epoch
    pruned = PRUNED_ROWS_MIN + 2 * len(changes)
    return [
        (_PUT_CHANGE, [(header.round, key) for key, _ in changes]),
        (_PUT_STATE, [(key, value) for key, value in changes if value is not None]),
        (_DROP_STATE, [(key,) for key, value in changes if value is None]),
        *page_statements(applied.pages),
        *([(_SET_TOLD_FROM, [(kept_from,)])] if kept_from > 0 else []),
        (_PRUNE_CHANGES, [(kept_from, pruned)]),
        (_PRUNE_PAGES, [(present - 2, pruned)]),
        (_PRUNE_DEAD, [(present - 2, pruned)]),
    ]


def page_statements(writes: PageWrites, name: str = "page") -> list[_Statement]:
    """Return what brings a table of pages up to date, and that of its dead ones if there are any.

    What is logged is of `page` only: for another table there must be no room for it.
    """
    check(name == "page" or not writes.log, "a log is of one table of pages")
    died = [(epoch, number) for number, epoch in writes.died]
    return [
        (_DROP_PAGE.format(name=name), [(number,) for number in writes.gone]),
        (_PUT_PAGE.format(name=name), writes.put),
        *([(_PUT_DEAD.format(name=name), died)] if died else []),
        (_FOLD_PAGE.format(name=name), writes.folded),
        (_PUT_LOG, [(writes.number, writes.log)] if writes.log else []),
        (_DROP_LOG, [(writes.log_done,)] if writes.log_done else []),
    ]


def kept_from(round_number: Round, window_first: Round, history_rounds: int) -> int:
    """Return the first round whose state is to be told after a round.

    At least those from the end of the epoch before the last one on: others catch up from there.
    """
    return max(0, min(round_number - history_rounds, window_first - 1))


def state_values(store: Store, keys: Sequence[bytes]) -> dict[bytes, bytes]:
    """Return the stored values of those of the keys that have one."""
    found: dict[bytes, bytes] = {}
    for part in _parts(keys):
        marks = ", ".join("?" * len(part))
        sql = f"SELECT key, value FROM state WHERE key IN ({marks})"  # noqa: S608 - question marks
        found.update(store.query(sql, part))
    return found


def values_at(store: Store, round_number: Round, keys: Sequence[bytes]) -> dict[bytes, bytes]:
    """Return the values after a round of those of the keys that had one.

    None of them if that round's state can be told no more: look at `told_from`.
    """
    found: dict[bytes, bytes] = {}
    for part in _parts(keys):
        marks = ", ".join(["(?)"] * len(part))
        sql = _VALUES_AT.format(marks=marks, round=int(round_number))
        found.update((key, value) for key, value in store.query(sql, part) if value is not None)
    return found


def told_from(store: Store) -> Round:
    """Return the first round whose state can be told."""
    return Round(store.query(_TOLD_FROM)[0][0])


def check_told(store: Store, round_number: int, applied: Round) -> None:
    """Raise StateNotKept unless the state after a round can be told."""
    first = told_from(store)
    if not first <= round_number <= applied:
        raise StateNotKept(f"states are kept from round {first} to {applied}, not {round_number}")


def page_reader(store: Store, name: str = "page") -> ReadPages:
    """Return what reads pages of the state's map."""

    def read(numbers: Sequence[int]) -> Mapping[int, bytes]:
        found: dict[int, bytes] = {}
        for part in _parts(numbers):
            marks = ", ".join("?" * len(part))
            sql = f"SELECT id, body FROM {name} WHERE id IN ({marks})"  # noqa: S608 - a constant and question marks
            found.update(store.query(sql, part))
        return found

    return read


def page_heads(store: Store) -> StoredMap:
    """Return what is known of all pages without their bodies; raises PageLogLost."""
    dead: dict[int, Epoch] = {}
    last = (-1, -1)
    sql = "SELECT died, id FROM dead_page WHERE (died, id) > (?, ?) ORDER BY died, id LIMIT ?"
    while rows := store.query(sql, (*last, STATE_ROWS_PER_QUERY)):
        dead.update((number, Epoch(died)) for died, number in rows)
        last = rows[-1]
    heads: list[HeadRow] = []
    sql = "SELECT id, born, first, count, digest, saved FROM page WHERE id > ? ORDER BY id LIMIT ?"
    newest = 0
    while rows := store.query(sql, (newest, STATE_ROWS_PER_QUERY)):
        heads += map(HeadRow._make, rows)
        newest = rows[-1][0]
    return stored_map(heads, dead, _page_log(store))


def _page_log(store: Store) -> Iterator[tuple[int, bytes]]:
    """Yield (number of an update, what it logged) in their order."""
    sql = "SELECT id, body FROM page_log WHERE id > ? ORDER BY id LIMIT ?"
    newest = 0
    while rows := store.query(sql, (newest, PAGE_LOGS_PER_QUERY)):
        yield from rows
        newest = rows[-1][0]


def _parts(items: Sequence[Any]) -> list[tuple[Any, ...]]:
    source = iter(items)
    return list(iter(lambda: tuple(islice(source, STATE_KEYS_PER_QUERY)), ()))
