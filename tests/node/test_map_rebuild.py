"""The state's map made anew from the values is the one that was there, for all who ask for it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from core.failpoint import arm
from core.ids import Epoch, Round
from journal import Store
from journal.errors import WriteFailed
from ledger.errors import PageLogLost, StatePageLost
from ledger.machine import Ledger
from ledger.prover import prove_keys
from ledger.tree import Snapshot
from ledger.values import Delete
from node.errors import ValuesDamaged
from node.headers import Headers
from node.layout import LAYOUT, OTHER_MAPS, check_layout
from node.map_rebuild import rebuild_map
from node.state_tables import values_at
from node.tables import newest_rosters
from tests.ledger.map_world import fetcher, map_of
from tests.ledger.transfer.world import SHORT, History
from tests.ledger.world import KEYS, signed
from tests.node.history_store import (
    copied,
    fetched,
    in_a_loop,
    ledger_of,
    opened,
    put_in_place,
    source_of,
    write,
)

DAMAGED = (
    "UPDATE page SET body = x'00', digest = x'00', first = x'ff', saved = 9000",
    "UPDATE page_log SET body = x'00'",
    "UPDATE dead_page SET died = died + 1",
)
"""As pages of another form are: nothing of them can be read."""


class Changing(History):
    """A history in which keys go, and come again."""

    def _transaction(self) -> bytes:
        if self.random.random() < 0.4:
            self._nonce += 1
            key = Delete(f"k{self.random.randrange(self.keys)}")
            return signed(KEYS[self._nonce % len(KEYS)], self._nonce, key)
        return super()._transaction()


@pytest.fixture(scope="module")
def history() -> History:
    return Changing(31, 4, keys=60, busy=(0, 2, 6, 12))


def never() -> bool:
    """Return that the cell is not to stop."""
    return False


async def _damage(store: Store, version: int = LAYOUT) -> None:
    await store.transaction({}, [(sql, [()]) for sql in DAMAGED])
    await store.transaction({}, [("UPDATE layout SET version = ?", [(version,)])])


async def _check(store: Store, last: Round) -> Ledger:
    """Have a ledger that starts on a store, with all maps that it serves as values make them."""
    ledger = await ledger_of(store)
    assert ledger.applied_round == last
    _check_map(store, last, ledger.state)
    for epoch, end in await _ends(store):
        snapshot = ledger.snapshot(epoch)
        assert snapshot is not None
        _check_map(store, end, snapshot)
    return ledger


def _check_map(store: Store, end: Round, snapshot: Snapshot) -> None:
    everything = [
        key for (key,) in store.query("SELECT key FROM state UNION SELECT key FROM change")
    ]
    values = values_at(store, end, everything)
    assert snapshot.root == map_of(values).root
    prove_keys(snapshot, everything, fetcher(values))


async def _ends(store: Store) -> Sequence[tuple[Epoch, Round]]:
    headers = await Headers.open(store)
    rosters, _ = newest_rosters(store, SHORT)
    return [
        (Epoch(roster.epoch - 1), Round(roster.first_round - 1))
        for roster in rosters[1:]
        if roster.epoch >= headers.first_own_epoch
    ]


def _rounds() -> Iterator[int]:
    """Yield where the present state is: in the first epoch, at its end, behind it, and later."""
    yield from (1, 7, 15, 16, 17, 20, 32, 33, 40, 48, 63, 64)


@pytest.mark.parametrize("version", sorted(OTHER_MAPS))
@in_a_loop
async def test_a_store_of_an_earlier_layout_is_brought_along(
    tmp_path: Path, history: History, version: int
) -> None:
    async with opened(tmp_path / "cell.db") as store:
        first = 0
        for last in _rounds():
            await write(store, history, first=first, last=last)
            await _damage(store, version)
            assert await check_layout(store)
            assert await rebuild_map(store, SHORT, never)
            assert not await check_layout(store)
            assert store.query("SELECT version FROM layout") == [(LAYOUT,)]
            ledger = await _check(store, Round(last))
            assert ledger.header == history.applied[last - 1].header
            first = last + 1
    assert first > len(history.applied)


@in_a_loop
async def test_a_cell_that_never_applied_a_round_is_brought_along(tmp_path: Path) -> None:
    async with opened(tmp_path / "cell.db") as store:
        await _damage(store, 5)
        assert await rebuild_map(store, SHORT, never)
        assert not await check_layout(store)
        assert store.query("SELECT count(*) FROM page") == [(0,)]


@in_a_loop
async def test_a_cell_that_jumped_has_the_map_of_where_it_began(
    tmp_path: Path, history: History
) -> None:
    async with opened(tmp_path / "old.db") as old, opened(tmp_path / "new.db") as new:
        await write(old, history, last=48)
        await put_in_place(new, await fetched(new, await source_of(old)), [])
        for last in (48, 50, 64):
            if last > 48:
                await write(new, history, first=49 if last == 50 else 51, last=last)
            await _damage(new)
            with pytest.raises((StatePageLost, PageLogLost)):
                await ledger_of(new)
            assert await rebuild_map(new, SHORT, never)
            await _check(new, Round(last))


@pytest.mark.parametrize("place", ["rebuild.map", "rebuild.swap.before", "rebuild.swap.after"])
@in_a_loop
async def test_a_crash_while_the_map_is_made_leaves_the_old_one_or_the_new_one(
    tmp_path: Path, history: History, place: str
) -> None:
    path = tmp_path / "cell.db"
    async with opened(path) as store:
        await write(store, history, last=40)
        before = store.query("SELECT * FROM page ORDER BY id")
        copies: list[Path] = []

        def crash(name: str) -> None:
            if name == place:
                copies.append(copied(path, tmp_path / f"crash-{len(copies)}"))

        arm(crash)
        try:
            assert await rebuild_map(store, SHORT, never)
        finally:
            arm(None)
    assert copies
    for copy in copies:
        async with opened(copy) as again:
            if place != "rebuild.swap.after":
                assert again.query("SELECT * FROM page ORDER BY id") == before
            await _check(again, Round(40))
            assert await rebuild_map(again, SHORT, never)
            await _check(again, Round(40))


@in_a_loop
async def test_values_that_are_not_those_of_the_headers_make_no_map(
    tmp_path: Path, history: History
) -> None:
    async with opened(tmp_path / "cell.db") as store:
        await write(store, history, last=40)
        before = store.query("SELECT * FROM page ORDER BY id")
        ((key, value),) = store.query("SELECT key, value FROM state ORDER BY key DESC LIMIT 1")
        await store.transaction({}, [("UPDATE state SET value = x'00' WHERE key = ?", [(key,)])])
        with pytest.raises(ValuesDamaged):
            await rebuild_map(store, SHORT, never)
        assert store.query("SELECT * FROM page ORDER BY id") == before
        await store.transaction({}, [("UPDATE state SET value = ? WHERE key = ?", [(value, key)])])
        assert await rebuild_map(store, SHORT, never)
        await _check(store, Round(40))


@in_a_loop
async def test_a_cell_that_is_to_stop_waits_for_no_map(tmp_path: Path, history: History) -> None:
    async with opened(tmp_path / "cell.db") as store:
        await write(store, history, last=40)
        before = store.query("SELECT * FROM page ORDER BY id")
        assert not await rebuild_map(store, SHORT, lambda: True)
        assert store.query("SELECT * FROM page ORDER BY id") == before


@in_a_loop
async def test_a_disk_that_fails_leaves_the_old_map(tmp_path: Path, history: History) -> None:
    async with opened(tmp_path / "cell.db") as store:
        await write(store, history, last=40)

        def fail(name: str) -> None:
            if name == "rebuild.swap.before":
                raise WriteFailed("no room")

        arm(fail)
        try:
            with pytest.raises(WriteFailed):
                await rebuild_map(store, SHORT, never)
        finally:
            arm(None)
        await _check(store, Round(40))
