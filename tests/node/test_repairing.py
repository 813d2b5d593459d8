"""A wrong state on a real store gives way to the certified one; what was wrong is kept aside."""

from __future__ import annotations

import asyncio
import functools
import sqlite3
from collections.abc import Callable, Coroutine
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

from core.ids import Epoch, Hash, MemberIndex, Round, Signature
from journal.checkup import StoreAtRest
from ledger.certificate import Certificate
from node.headers import Headers
from node.repairing import install_repair, keep_evidence
from node.stages.execution import Divergence
from node.tables import HEADERS_JOURNAL, Statement, newest_epochs, ordered_from, unplaced
from tests.ledger.transfer.world import History
from tests.ledger.world import opaque
from tests.node.history_store import fetched, ledger_of, opened, source_of, write

CERTIFICATE = Certificate(
    Epoch(1), Round(20), Hash(bytes(32)), ((MemberIndex(0), Signature(bytes(64))),)
)


def _in_a_loop(test: Callable[[Path], Coroutine[Any, Any, None]]) -> Callable[[Path], None]:
    @functools.wraps(test)
    def run(tmp_path: Path) -> None:
        asyncio.run(test(tmp_path))

    return run


@_in_a_loop
async def test_what_is_certified_replaces_what_is_wrong_and_the_ledger_goes_on_equal(
    tmp_path: Path,
) -> None:
    history = History(31, 3, keys=20)
    async with opened(tmp_path / "right.db") as right, opened(tmp_path / "cell.db") as wrong:
        await write(right, history)
        seal, first = history.links[2].header, history.roster(2).first_round
        await write(wrong, history, last=first + 4)
        for applied in history.applied:  # from here on all its headers differ
            header = applied.header
            if header.round > first + 4:
                other = replace(header, state_root=Hash(bytes([header.round]) * 32))
                await wrong.transaction({HEADERS_JOURNAL: [other.encode()]}, [])
        later = await right.journal(HEADERS_JOURNAL)
        await wrong.transaction({HEADERS_JOURNAL: [await later.get(0)] * 3}, [])  # and beyond
        rows: list[Statement] = [
            ("UPDATE state SET value = x'00'", [()]),
            ("UPDATE ordered SET outcome = 'MYC-LEDGER-011' WHERE round >= ?", [(first,)]),
            ("INSERT INTO epoch SELECT 9, roster, 7 FROM epoch LIMIT 1", [()]),
            ("DELETE FROM epoch WHERE number = 2", [()]),
        ]
        await wrong.transaction({}, rows)
        await keep_evidence(tmp_path, Divergence(CERTIFICATE, Hash(bytes(32))))
        pen = wrong.pen(HEADERS_JOURNAL)
        await install_repair(pen, await fetched(wrong, await source_of(right)), [opaque("owed")])
        pen.give_back()

        assert (await ledger_of(wrong)).header == seal
        assert [roster.epoch for roster, _ in newest_epochs(wrong, 9)] == [1, 2, 3]
        headers = await Headers.open(wrong)
        assert headers.last_round == seal.round
        for applied in history.applied:
            assert await headers.get(applied.header.round) == applied.header
        at, seen = 1, []
        while page := await headers.page(at, 7):
            seen += page
            at = page[-1].round + 1
        assert seen == [applied.header for applied in history.applied]
        count = seal.transactions_total
        theirs = ordered_from(right, 0, 10_000)
        assert [(row.id, row.outcome) for row in ordered_from(wrong, 0, 10_000)] == [
            (row.id, row.outcome) for row in theirs[:count]
        ]
        assert unplaced(wrong) == [opaque("owed")]
        history.epoch()
        for store in (right, wrong):
            await write(store, history, first=seal.round + 1)
        assert (await ledger_of(wrong)).header == (await ledger_of(right)).header
    with closing(sqlite3.connect(tmp_path / "diverged-20.db")) as evidence:
        outcomes = {row[0] for row in evidence.execute("SELECT outcome FROM ordered")}
        assert "MYC-LEDGER-011" in outcomes


@_in_a_loop
async def test_in_the_first_epoch_everything_begins_again(tmp_path: Path) -> None:
    history = History(32, 1, keys=20)
    async with opened(tmp_path / "cell.db") as store:
        await write(store, history)
        pen = store.pen(HEADERS_JOURNAL)
        await install_repair(pen, None, [])
        pen.give_back()
        headers = await Headers.open(store)
        assert (headers.last_round, headers.first_own_epoch) == (0, 0)
        assert [header async for header in headers.newest(10)] == []
        for table in ("state", "page", "change", "ordered", "epoch"):
            assert store.query(f"SELECT count(*) FROM {table}") == [(0,)]  # noqa: S608 - constants
        await write(store, history)
        headers = await Headers.open(store)
        assert headers.last_round == history.links[0].header.round
        assert await headers.get(Round(3)) == history.applied[2].header


@_in_a_loop
async def test_a_copy_at_rest_is_the_store_at_one_moment(tmp_path: Path) -> None:
    history = History(33, 1, keys=5)
    async with opened(tmp_path / "cell.db") as store:
        await write(store, history)
        found = Divergence(CERTIFICATE, Hash(bytes(32)))
        await keep_evidence(tmp_path, found)
        await store.transaction({HEADERS_JOURNAL: [b"later"]}, [])
        await keep_evidence(tmp_path, found)  # once is enough
        await keep_evidence(tmp_path, None)
        length = (await store.journal(HEADERS_JOURNAL)).length
        at_rest = StoreAtRest(tmp_path / "diverged-20.db")
        try:
            assert at_rest.cell_id == store.cell_id
            assert len(list(at_rest.blocks(HEADERS_JOURNAL))) == length - 1
            assert [audit.blocks for audit in await at_rest.audit()] == [length - 1]
            assert list(at_rest.blocks("none")) == []
        finally:
            at_rest.close()
