"""A checkpoint on a real store: undo, serving, putting in place, and history with a gap."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest

from core.ids import Epoch, Round
from ledger.transaction import opaque_transaction
from node.errors import NotInHistory, OtherLayout
from node.headers import Headers
from node.layout import check_layout
from node.state_tables import values_at
from node.tables import (
    EVENTS_JOURNAL,
    HEADERS_JOURNAL,
    known_ids,
    ordered_by_id,
    ordered_from,
    unplaced,
)
from tests.ledger.transfer.world import History
from tests.node.history_store import (
    fetched,
    in_a_loop,
    ledger_of,
    opened,
    put_in_place,
    source_of,
    write,
)


@in_a_loop
async def test_the_states_at_the_ends_of_two_epochs_come_out_of_the_present_one(
    tmp_path: Path,
) -> None:
    history = History(21, 5, keys=15)
    async with opened(tmp_path / "cell.db") as store:
        for applied in history.applied:
            last = applied.header.round
            await write(store, history, first=last, last=last)
            if applied.header.epoch < 2 or last % 5:
                continue
            ledger = await ledger_of(store)
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


@in_a_loop
async def test_a_checkpoint_is_put_in_place_and_the_ledger_goes_on_equal(tmp_path: Path) -> None:
    history = History(22, 3, keys=30)
    async with opened(tmp_path / "old.db") as old, opened(tmp_path / "new.db") as new:
        await write(old, history)
        owed = opaque_transaction(b"promised")
        checkpoint = await fetched(new, await source_of(old))
        assert (await new.journal(HEADERS_JOURNAL)).length == 0  # nothing shows before
        assert new.query("SELECT count(*) FROM state") == [(0,)]
        await put_in_place(new, checkpoint, [owed])
        seal = history.links[2].header
        assert (await ledger_of(new)).header == seal
        assert unplaced(new) == [owed]
        assert new.query("SELECT count(*) FROM staged") == [(0,)]
        history.epoch()
        for store in (old, new):
            await write(store, history, first=seal.round + 1)
        assert (await ledger_of(new)).header == (await ledger_of(old)).header
        window = [receipt.id for receipt in history.receipts(2)]
        assert known_ids(new, window, history.roster(2).first_round) == set(window)

        # Who jumped serves the end that it got, and the next; and has all links.
        source = await source_of(new)
        assert source.newest() == 3
        assert await source.links(Epoch(0), 100) == history.links
        async with opened(tmp_path / "third.db") as third:
            await put_in_place(third, await fetched(third, source), [])
            assert (await ledger_of(third)).header == history.links[3].header


@in_a_loop
async def test_history_with_a_gap_says_where_it_goes_on(tmp_path: Path) -> None:
    history = History(23, 5, keys=30)
    async with opened(tmp_path / "old.db") as old, opened(tmp_path / "new.db") as new:
        await write(old, history)
        await new.journal(EVENTS_JOURNAL)
        await write(new, history, last=20)
        await put_in_place(new, await fetched(new, await source_of(old), above=20), [])
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


@in_a_loop
async def test_a_prepared_checkpoint_that_was_not_put_in_place_changes_nothing(
    tmp_path: Path,
) -> None:
    history = History(24, 2, keys=30)
    async with opened(tmp_path / "old.db") as old:
        await write(old, history)
        async with opened(tmp_path / "new.db") as new:
            await write(new, history, last=5)
            before = new.query("SELECT * FROM state")
            await fetched(new, await source_of(old), above=5)
        async with opened(tmp_path / "new.db") as new:
            assert new.query("SELECT * FROM state") == before
            checkpoint = await fetched(new, await source_of(old), above=5)
            await put_in_place(new, checkpoint, [])
        async with opened(tmp_path / "new.db") as new:
            assert (await ledger_of(new)).header == history.links[1].header


@in_a_loop
async def test_an_id_that_is_listed_again_is_shown_where_it_was_applied(tmp_path: Path) -> None:
    history = History(25, 1)
    async with opened(tmp_path / "cell.db") as store:
        await write(store, history)
        (row,) = ordered_from(store, 0, 1)
        again = "INSERT INTO ordered SELECT 1000, id, 900, event, creator, time_ns, kind, sender, "
        again += "nonce, ?, refusal, size_bytes FROM ordered WHERE position = 0"
        await store.transaction({}, [(again, [("MYC-LEDGER-014",)])])
        found = ordered_by_id(store, row.id)
        assert found is not None
        assert (found.position, found.outcome) == (0, "applied")
        assert known_ids(store, [row.id], 800) == {row.id}
        assert known_ids(store, [row.id], 901) == set()


@in_a_loop
async def test_a_store_of_another_layout_is_refused_with_a_code(tmp_path: Path) -> None:
    async with opened(tmp_path / "cell.db") as store:
        await store.transaction({}, [("UPDATE layout SET version = 1", [()])])
        with pytest.raises(OtherLayout):
            await check_layout(store)
        await store.transaction(
            {}, [("DELETE FROM layout", [()]), ("INSERT INTO state VALUES (x'01', x'02')", [()])]
        )
        with pytest.raises(OtherLayout):
            await check_layout(store)


@in_a_loop
async def test_hostile_requests_get_short_answers(tmp_path: Path) -> None:
    history = History(26, 3, keys=30)
    random = Random(1)  # noqa: S311 - chance of a test
    async with opened(tmp_path / "cell.db") as store:
        await write(store, history)
        source = await source_of(store)
        for epoch in (0, 1, 2, 3, 2**53):
            for number in (0, 1, 48, 10**6, 2**63 - 1, random.randrange(50)):
                assert len(await source.headers(Epoch(2), Round(number), 10)) <= 10
                assert len(source.receipts(Epoch(2), number, 10)) <= 10
            assert (source.snapshot(Epoch(epoch)) is not None) == (epoch in (1, 2))
            assert len(await source.links(Epoch(epoch), 10)) <= 3
