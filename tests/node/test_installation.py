"""A checkpoint on a real store: undo, serving, putting in place, and history with a gap."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import pytest

from core.ids import CellId, Epoch, Round
from identity.keys import verify
from journal import Store
from journal.disk import OS_DISK, Disk
from ledger.machine import Ledger
from ledger.transaction import opaque_transaction
from ledger.transfer.fetcher import Fetcher
from ledger.transfer.server import answer_of
from ledger.tree import StateTree
from node.errors import NotInHistory, OtherLayout
from node.headers import Headers
from node.installation import Checkpoint, install, prepare
from node.snapshots import sealed_headers
from node.state_tables import kept_from, page_heads, page_reader, values_at
from node.tables import (
    EVENTS_JOURNAL,
    HEADERS_JOURNAL,
    SCHEMA,
    applied_statements,
    certificate_statement,
    check_layout,
    known_ids,
    newest_epochs,
    ordered_by_id,
    ordered_from,
    staged_body,
    staged_statement,
    state_value,
    unplaced,
)
from node.transfer_serving import StoreSource
from tests.ledger.transfer.world import SHORT, History
from tests.ledger.world import KEYS


async def _install(store: Store, checkpoint: Checkpoint, owed: list[bytes]) -> None:
    pen = store.pen(HEADERS_JOURNAL)
    await install(pen, checkpoint, owed)
    pen.give_back()


def _in_a_loop(test: Callable[[Path], Coroutine[Any, Any, None]]) -> Callable[[Path], None]:
    @functools.wraps(test)
    def run(tmp_path: Path) -> None:
        asyncio.run(test(tmp_path))

    return run


@asynccontextmanager
async def _store(path: Path, disk: Disk = OS_DISK) -> AsyncIterator[Store]:
    key = KEYS[0]
    store = await Store.open(path, signer=key.sign, cell_id=key.cell_id, disk=disk)
    try:
        await store.create_tables(SCHEMA)
        await check_layout(store)
        yield store
    finally:
        await store.close()


async def _write(
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


async def _ledger(store: Store) -> Ledger:
    """The ledger after a restart on a store."""
    ledger = Ledger(SHORT, lambda key: state_value(store, key), page_reader(store))
    headers = await Headers.open(store)
    rosters = [SHORT.roster, *(roster for roster, _ in newest_epochs(store, 3))][-3:]
    sealed = await sealed_headers(headers, rosters)
    last = [header async for header in headers.newest(1)][-1]
    heads = page_heads(store)
    ledger.restore(last, rosters[-1], heads, before=rosters[-2], sealed=sealed)
    return ledger


async def _fetch(store: Store, source: StoreSource, *, above: int = 0) -> Checkpoint:
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


async def _source(store: Store) -> StoreSource:
    return StoreSource(store, SHORT, await _ledger(store), await Headers.open(store))


@_in_a_loop
async def test_the_states_at_the_ends_of_two_epochs_come_out_of_the_present_one(
    tmp_path: Path,
) -> None:
    history = History(21, 5, keys=15)
    async with _store(tmp_path / "cell.db") as store:
        for applied in history.applied:
            last = applied.header.round
            await _write(store, history, first=last, last=last)
            if applied.header.epoch < 2 or last % 5:
                continue
            ledger = await _ledger(store)
            present = ledger.roster.epoch
            for epoch in (present - 2, present - 1):
                snapshot = ledger.snapshot(Epoch(epoch))
                wanted = history.states[epoch]
                assert snapshot is not None
                assert snapshot.root == history.links[epoch].header.state_root
                end = history.links[epoch].header.round
                assert values_at(store, end, list(wanted)) == wanted
            assert ledger.snapshot(Epoch(present - 3)) is None
            old = history.states[present - 3]
            end = history.links[present - 3].header.round
            assert present < 3 or values_at(store, end, list(old)) == {}
        ((oldest,),) = store.query("SELECT min(round) FROM change")
        assert oldest > history.links[2].header.round
        assert not store.query("SELECT 1 FROM dead_page WHERE died < 4")


@_in_a_loop
async def test_a_checkpoint_is_put_in_place_and_the_ledger_goes_on_equal(tmp_path: Path) -> None:
    history = History(22, 3, keys=30)
    async with _store(tmp_path / "old.db") as old, _store(tmp_path / "new.db") as new:
        await _write(old, history)
        owed = opaque_transaction(b"promised")
        checkpoint = await _fetch(new, await _source(old))
        assert (await new.journal(HEADERS_JOURNAL)).length == 0  # nothing shows before
        assert new.query("SELECT count(*) FROM state") == [(0,)]
        await _install(new, checkpoint, [owed])
        seal = history.links[2].header
        assert (await _ledger(new)).header == seal
        assert unplaced(new) == [owed]
        assert new.query("SELECT count(*) FROM staged") == [(0,)]
        history.epoch()
        for store in (old, new):
            await _write(store, history, first=seal.round + 1)
        assert (await _ledger(new)).header == (await _ledger(old)).header
        window = [receipt.id for receipt in history.receipts(2)]
        assert known_ids(new, window, history.roster(2).first_round) == set(window)

        # Who jumped serves the end that it got, and the next; and has all links.
        source = await _source(new)
        assert source.newest() == 3
        assert await source.links(Epoch(0), 100) == history.links
        async with _store(tmp_path / "third.db") as third:
            await _install(third, await _fetch(third, source), [])
            assert (await _ledger(third)).header == history.links[3].header


@_in_a_loop
async def test_history_with_a_gap_says_where_it_goes_on(tmp_path: Path) -> None:
    history = History(23, 5, keys=30)
    async with _store(tmp_path / "old.db") as old, _store(tmp_path / "new.db") as new:
        await _write(old, history)
        await new.journal(EVENTS_JOURNAL)
        await _write(new, history, last=20)
        await _install(new, await _fetch(new, await _source(old), above=20), [])
        headers = await Headers.open(new)
        first = history.roster(4).first_round
        assert [header.round for header in await headers.page(0, 100)] == list(range(1, 21))
        assert [header.round for header in await headers.page(20, 100)] == [20]
        for missing in (21, first - 1):
            with pytest.raises(NotInHistory, match=f"goes on at {first}"):
                await headers.page(missing, 5)
            with pytest.raises(NotInHistory):
                await headers.get(Round(missing))
        last = history.links[4].header.round
        assert [header.round for header in await headers.page(first, 100)] == list(
            range(first, last + 1)
        )
        assert await headers.page(last + 1, 5) == []
        assert headers.first_own_epoch == 5
        total = history.links[4].header.transactions_total
        begins = min(receipt.position for receipt in history.receipts(4))
        assert [row.position for row in ordered_from(new, begins, 1000)] == list(
            range(begins, total)
        )
        with pytest.raises(NotInHistory, match=f"goes on at {begins}"):
            ordered_from(new, begins - 1, 10)
        known = [row.position for row in ordered_from(new, 0, 1000)]
        assert known == list(range(len(known)))
        assert len(known) < begins


@_in_a_loop
async def test_a_prepared_checkpoint_that_was_not_put_in_place_changes_nothing(
    tmp_path: Path,
) -> None:
    history = History(24, 2, keys=30)
    async with _store(tmp_path / "old.db") as old:
        await _write(old, history)
        async with _store(tmp_path / "new.db") as new:
            await _write(new, history, last=5)
            before = new.query("SELECT * FROM state")
            await _fetch(new, await _source(old), above=5)
        async with _store(tmp_path / "new.db") as new:
            assert new.query("SELECT * FROM state") == before
            checkpoint = await _fetch(new, await _source(old), above=5)
            await _install(new, checkpoint, [])
        async with _store(tmp_path / "new.db") as new:
            assert (await _ledger(new)).header == history.links[1].header


@_in_a_loop
async def test_an_id_that_is_listed_again_is_shown_where_it_was_applied(tmp_path: Path) -> None:
    history = History(25, 1)
    async with _store(tmp_path / "cell.db") as store:
        await _write(store, history)
        (row,) = ordered_from(store, 0, 1)
        again = "INSERT INTO ordered SELECT 1000, id, 900, event, creator, time_ns, kind, sender, "
        again += "nonce, ?, refusal, size_bytes FROM ordered WHERE position = 0"
        await store.transaction({}, [(again, [("MYC-LEDGER-014",)])])
        found = ordered_by_id(store, row.id)
        assert found is not None
        assert (found.position, found.outcome) == (0, "applied")
        assert known_ids(store, [row.id], 800) == {row.id}
        assert known_ids(store, [row.id], 901) == set()


@_in_a_loop
async def test_a_store_of_another_layout_is_refused_with_a_code(tmp_path: Path) -> None:
    async with _store(tmp_path / "cell.db") as store:
        await store.transaction({}, [("UPDATE layout SET version = 1", [()])])
        with pytest.raises(OtherLayout):
            await check_layout(store)
        await store.transaction(
            {}, [("DELETE FROM layout", [()]), ("INSERT INTO state VALUES (x'01', x'02')", [()])]
        )
        with pytest.raises(OtherLayout):
            await check_layout(store)


@_in_a_loop
async def test_hostile_requests_get_short_answers(tmp_path: Path) -> None:
    history = History(26, 3, keys=30)
    random = Random(1)  # noqa: S311 - chance of a test
    async with _store(tmp_path / "cell.db") as store:
        await _write(store, history)
        source = await _source(store)
        for epoch in (0, 1, 2, 3, 2**53):
            for number in (0, 1, 48, 10**6, 2**63 - 1, random.randrange(50)):
                assert len(await source.headers(Epoch(2), Round(number), 10)) <= 10
                assert len(source.receipts(Epoch(2), number, 10)) <= 10
            assert (source.snapshot(Epoch(epoch)) is not None) == (epoch in (1, 2))
            assert len(await source.links(Epoch(epoch), 10)) <= 3
