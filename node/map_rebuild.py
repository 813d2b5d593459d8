"""Making the state's map anew from the values: for a store of an earlier layout, or a damaged map.

The map is an index of what is in `state` and `change`. It is made for the ends of the epochs that
others may still ask for and for the present, in tables of its own, and compared with the roots in
the cell's headers; then it takes the place of the old one in one durable commit. A crash before
that leaves the old one, and all is made again at the next start.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from typing import Final, TypeAlias

import structlog

from core.failpoint import hit
from core.ids import Epoch, Round
from journal import Store
from ledger.genesis import Genesis
from ledger.patches import StoredMap
from ledger.tree import StateTree
from node.errors import ValuesDamaged
from node.headers import Headers
from node.layout import LAYOUT
from node.limits import MAP_KEYS_TOLD, STATE_ROWS_PER_QUERY
from node.snapshots import sealed_headers
from node.state_tables import (
    DEAD_PAGE_TABLE,
    PAGE_TABLE,
    page_reader,
    page_statements,
    values_at,
)
from node.tables import Statement, newest_rosters

_LOG = structlog.get_logger("supervisor")

_NAME: Final = "fresh_page"
_PREPARE: Final = (
    f"DROP TABLE IF EXISTS {_NAME}",
    f"DROP TABLE IF EXISTS dead_{_NAME}",
    PAGE_TABLE.format(name=_NAME),
    DEAD_PAGE_TABLE.format(name=f"dead_{_NAME}"),
)
_SWAP: Final = (
    "DROP TABLE page",
    f"ALTER TABLE {_NAME} RENAME TO page",
    "DROP TABLE dead_page",
    f"ALTER TABLE dead_{_NAME} RENAME TO dead_page",
    "DELETE FROM page_log",
)
_SET_LAYOUT: Final = "UPDATE layout SET version = ?"
_KEYS_THERE: Final = "SELECT key FROM state WHERE key > ? ORDER BY key LIMIT ?"
_KEYS_GONE: Final = (
    "SELECT DISTINCT key FROM change WHERE key > ? AND round > {begin} "
    "AND NOT EXISTS (SELECT 1 FROM state WHERE state.key = change.key) ORDER BY key LIMIT ?"
)
_KEYS_CHANGED: Final = (
    "SELECT DISTINCT key FROM change WHERE key > ? AND round > {begin} AND round <= {end} "
    "ORDER BY key LIMIT ?"
)

_Keys: TypeAlias = Iterator[list[bytes]]


async def rebuild_map(store: Store, genesis: Genesis, is_stopping: Callable[[], bool]) -> bool:
    """Make the map anew; return False if it was not done because the cell is to stop.

    Nothing else may write to the store meanwhile. Raises ValuesDamaged when the values are not
    those of the headers; then all is as before.
    """
    await store.transaction({}, [(sql, [()]) for sql in _PREPARE], durable=False)
    tree = StateTree(page_reader(store, _NAME))
    tree.present().pages.patches.room_bytes = 0  # what is logged of pages is of one table
    done = 0
    async for changed in _filled(store, genesis, tree):
        done += changed
        if done // MAP_KEYS_TOLD != (done - changed) // MAP_KEYS_TOLD:
            _LOG.info("making the state's map anew", keys=done)
        hit("rebuild.map")
        if is_stopping():
            return False
    swap: list[Statement] = [(sql, [()]) for sql in _SWAP]
    hit("rebuild.swap.before")
    await store.transaction({}, [*swap, (_SET_LAYOUT, [(LAYOUT,)])], durable=True)
    hit("rebuild.swap.after")
    _LOG.info("the state's map was made anew", keys=done)
    return True


async def _filled(store: Store, genesis: Genesis, tree: StateTree) -> AsyncIterator[int]:
    """Write the map of one end of an epoch after the other, and the present one.

    Yields how many keys each step took.
    """
    rosters, _ = newest_rosters(store, genesis)
    headers = await Headers.open(store)
    if headers.last_round == 0:
        return
    sealed = await sealed_headers(headers, rosters)
    ends = {header.round: header for header in sealed}
    ends.setdefault(headers.last_round, await headers.get(headers.last_round))
    first = sealed[0].epoch if sealed else rosters[-1].epoch
    tree.restore(StoredMap(), Epoch(first))
    before: Round | None = None
    for end, header in sorted(ends.items()):
        for keys in _keys(store, before, end):
            values = values_at(store, end, keys)
            writes = tree.update([(key, values.get(key)) for key in keys])
            await store.transaction({}, page_statements(writes, _NAME), durable=False)
            yield len(keys)
        if tree.root() != header.state_root:
            raise ValuesDamaged(f"the values are not those of round {end}")
        if header in sealed:
            tree.seal(header.epoch)
        before = end


def _keys(store: Store, before: Round | None, end: Round) -> _Keys:
    """Yield the keys that may have another value after a round than after one before it."""
    if before is None:
        yield from _pages_of_keys(store, _KEYS_THERE)
        yield from _pages_of_keys(store, _KEYS_GONE.format(begin=int(end)))
    else:
        sql = _KEYS_CHANGED.format(begin=int(before), end=int(end))
        yield from _pages_of_keys(store, sql)


def _pages_of_keys(store: Store, sql: str) -> _Keys:
    last = b""
    while rows := store.query(sql, (last, STATE_ROWS_PER_QUERY)):
        keys = [key for (key,) in rows]
        last = keys[-1]
        yield keys
