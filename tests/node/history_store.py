"""A network's history in real stores, as cells write it, fetch it and start on it."""

from __future__ import annotations

import asyncio
import functools
import shutil
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, ParamSpec

from core.ids import CellId, Epoch, Round
from identity.keys import verify
from journal import Store
from journal.disk import OS_DISK, Disk
from ledger.machine import Ledger
from ledger.transfer.fetcher import Fetcher
from ledger.transfer.server import answer_of
from ledger.tree import StateTree
from node.headers import Headers
from node.installation import Checkpoint, install, prepare
from node.layout import check_layout
from node.snapshots import sealed_headers
from node.state_tables import kept_from, page_heads, page_reader
from node.tables import (
    HEADERS_JOURNAL,
    SCHEMA,
    applied_statements,
    certificate_statement,
    newest_rosters,
    staged_body,
    staged_statement,
    state_value,
)
from node.transfer_serving import StoreSource
from tests.ledger.transfer.world import SHORT, History
from tests.ledger.world import KEYS

_Given = ParamSpec("_Given")


def in_a_loop(test: Callable[_Given, Coroutine[Any, Any, None]]) -> Callable[_Given, None]:
    """Have a test run in a loop of its own."""

    @functools.wraps(test)
    def run(*given: _Given.args, **named: _Given.kwargs) -> None:
        asyncio.run(test(*given, **named))

    return run


@asynccontextmanager
async def opened(path: Path, disk: Disk = OS_DISK) -> AsyncIterator[Store]:
    """Have the first cell's store open, with its tables."""
    key = KEYS[0]
    store = await Store.open(path, signer=key.sign, cell_id=key.cell_id, disk=disk)
    try:
        await store.create_tables(SCHEMA)
        await check_layout(store)
        yield store
    finally:
        await store.close()


async def write(
    store: Store,
    history: History,
    *,
    first: int = 0,
    last: int = 10**9,
    rounds_kept: int = 0,
) -> None:
    """Make rounds of a history durable, as execution does.

    Pages have the numbers that they have in the store: who jumped has others.
    """
    tree = StateTree(page_reader(store))
    tree.restore(page_heads(store), history.roster_of(first).epoch)
    for applied in history.applied:
        header = applied.header
        if not first <= header.round <= last:
            continue
        own = replace(applied, pages=tree.update(applied.changes))
        kept = kept_from(header.round, history.window_of(applied), rounds_kept)
        statements = applied_statements(own, history.roster(header.epoch), 0, kept)
        if applied.sealed is not None:
            tree.seal(header.epoch)
            statements.append(certificate_statement(history.links[header.epoch].certificate))
        await store.transaction({HEADERS_JOURNAL: [header.encode()]}, statements)


async def ledger_of(store: Store) -> Ledger:
    """Return the ledger after a restart on a store."""
    ledger = Ledger(SHORT, lambda key: state_value(store, key), page_reader(store))
    headers = await Headers.open(store)
    rosters, _ = newest_rosters(store, SHORT)
    sealed = await sealed_headers(headers, rosters)
    last = [header async for header in headers.newest(1)][-1]
    heads = page_heads(store)
    before = rosters[-2] if len(rosters) > 1 else None
    ledger.restore(last, rosters[-1], heads, before=before, sealed=sealed)
    return ledger


async def put_in_place(store: Store, checkpoint: Checkpoint, owed: list[bytes]) -> None:
    """Put a checkpoint in place as the supervisor does."""
    pen = store.pen(HEADERS_JOURNAL)
    await install(pen, checkpoint, owed)
    pen.give_back()


async def fetched(store: Store, source: StoreSource, *, above: int = 0) -> Checkpoint:
    """Fetch from one cell into the staging table, and make ready."""
    fetcher = Fetcher(
        SHORT.network_id, SHORT.roster, Round(above), lambda key: staged_body(store, key), verify
    )
    peer = CellId("peer")
    fetcher.joined(peer)
    while fetcher.whole is None:
        effects = fetcher.take()
        assert not effects.drops
        await store.transaction({}, [staged_statement(Epoch(0), effects.keep)])
        for _, ask in effects.asks:
            fetcher.answered(peer, await answer_of(ask, source))
        if effects.more:
            fetcher.advance()
        assert effects.asks or effects.more
    await store.transaction({}, [staged_statement(Epoch(0), fetcher.take().keep)])
    return await prepare(store, fetcher.whole_links, fetcher.first_round)


async def source_of(store: Store) -> StoreSource:
    """Return what a cell with this store serves."""
    return StoreSource(store, SHORT, await ledger_of(store), await Headers.open(store))


def copied(path: Path, to: Path) -> Path:
    """Copy a store as it is, as a crash leaves it."""
    to.mkdir()
    for file in path.parent.glob(f"{path.name}*"):
        shutil.copy(file, to)
    return to / path.name
