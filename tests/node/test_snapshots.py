"""Earlier rounds of the state on a real store: values, histories, differences, the map itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest

from core.ids import Epoch, Round
from journal import Store
from ledger.errors import StateNotKept, StateTooFar
from ledger.header import RoundHeader
from ledger.map_proof import Opened
from ledger.prover import prove_keys, prove_range
from node import snapshots
from node.snapshots import (
    Difference,
    Written,
    differences,
    entries_at,
    history_of,
    map_at,
    value_at,
)
from node.state_tables import kept_from, state_statements, state_values, told_from, values_at
from tests.ledger.map_world import slow_root
from tests.ledger.transfer.world import History
from tests.node.history_store import in_a_loop, ledger_of, opened, write


class Told:
    """A history with the state after each of its rounds."""

    def __init__(self, seed: int, epochs: int) -> None:
        self.history = History(seed, epochs, keys=12)
        self.states: list[dict[bytes, bytes]] = [{}]
        for applied in self.history.applied:
            state = dict(self.states[-1])
            for key, value in applied.changes:
                assert value is not None
                state[key] = value
            self.states.append(state)

    @property
    def last(self) -> Round:
        return self.history.applied[-1].header.round

    def header(self, number: int) -> RoundHeader:
        return self.history.applied[number - 1].header

    def written(self, key: bytes) -> list[Written]:
        """Return the whole history of a key, by its definition."""
        return [
            Written(applied.header.round, value)
            for applied in reversed(self.history.applied)
            for one, value in applied.changes
            if one == key
        ]


@in_a_loop
async def test_every_kept_round_is_told_as_it_was(tmp_path: Path) -> None:
    told = Told(41, 3)
    async with opened(tmp_path / "cell.db") as store:
        await write(store, told.history, rounds_kept=10**6)
        keys = sorted(told.states[-1])
        for number in range(told.last + 1):
            assert values_at(store, Round(number), keys) == told.states[number]
        for key in keys:
            whole = told.written(key)
            assert history_of(store, key, before=told.last + 1, limit=10**6) == whole
            pages: list[Written] = []
            before = told.last + 1
            while page := history_of(store, key, before=before, limit=2):
                pages += page
                before = page[-1].round
            assert pages == whole
        with pytest.raises(StateNotKept):
            value_at(store, told.last, keys[0], Round(told.last + 1))
        assert value_at(store, told.last, b"value/never", Round(3)) is None


@in_a_loop
async def test_what_two_rounds_differ_in_comes_page_by_page(
    tmp_path: Path,
) -> None:
    told = Told(42, 2)
    random = Random(1)  # noqa: S311 - chance of a test
    async with opened(tmp_path / "cell.db") as store:
        await write(store, told.history, rounds_kept=10**6)
        for _ in range(20):
            first, last = sorted(random.sample(range(told.last + 1), 2))
            changed = {
                key for applied in told.history.applied[first:last] for key, _ in applied.changes
            }
            wanted = [
                Difference(key, told.states[first].get(key), told.states[last].get(key))
                for key in sorted(changed)
            ]
            rounds = Round(first), Round(last)
            found: list[Difference] = []
            while page := differences(
                store, told.last, rounds, after=found[-1].key if found else None, limit=5
            ):
                found += page
            assert found == wanted


@in_a_loop
async def test_the_keys_of_an_earlier_round_come_page_by_page_also_those_that_are_gone(
    tmp_path: Path,
) -> None:
    told = Told(45, 3)
    async with opened(tmp_path / "cell.db") as store:
        await write(store, told.history, rounds_kept=10**6)
        gone, applied = sorted(told.states[-1])[1], Round(told.last + 1)
        undo = (
            "INSERT INTO change (round, key, value) SELECT ?, key, value FROM state WHERE key = ?"
        )
        drop = "DELETE FROM state WHERE key = ?"
        statements: list[tuple[str, Sequence[Sequence[int | bytes]]]] = [
            (undo, [(applied, gone)]),
            (drop, [(gone,)]),
        ]
        await store.transaction({}, statements, durable=False)
        now = {key: value for key, value in told.states[-1].items() if key != gone}
        for number, state in enumerate([*told.states, now]):
            for prefix in {key[:6] for key in told.states[-1]}:
                found: dict[bytes, bytes] = {}
                behind: bytes | None = b""
                while behind is not None:
                    place = prefix, behind
                    page = entries_at(store, applied, Round(number), place, 3)
                    assert behind == b"" or page.behind is None or page.behind > behind
                    found, behind = found | dict(page.items), page.behind
                wanted = {key: value for key, value in state.items() if key.startswith(prefix)}
                assert list(found.items()) == sorted(wanted.items())
        with pytest.raises(StateNotKept):
            entries_at(store, applied, Round(applied + 1), (b"value/", b""), 3)


@in_a_loop
async def test_the_map_of_an_earlier_round_proves_its_state(tmp_path: Path) -> None:
    told = Told(43, 4)
    async with opened(tmp_path / "cell.db") as store:
        await write(store, told.history, rounds_kept=10**6)
        ledger = await ledger_of(store)
        for number in range(1, told.last + 1):
            header, state = told.header(number), told.states[number]

            def fetch(keys: Sequence[bytes], at: int = number) -> dict[bytes, bytes]:
                return values_at(store, Round(at), keys)

            snapshot = map_at(store, ledger, header)
            key = sorted(told.states[-1])[number % len(told.states[-1])]
            told_now = Opened(prove_keys(snapshot, [key], fetch))
            assert (told_now.root, told_now.get(key)) == (header.state_root, state.get(key))
            proof = prove_range(snapshot, b"", None, fetch, count_max=999, size_bytes_max=10**6)
            assert dict(Opened(proof).scan(b"", None).entries) == state
        assert ledger.state.root == told.header(told.last).state_root


@in_a_loop
async def test_a_round_too_far_from_every_map_is_refused_with_a_code(tmp_path: Path) -> None:
    told = Told(44, 3)
    async with opened(tmp_path / "cell.db") as store:
        await write(store, told.history, rounds_kept=10**6)
        ledger = await ledger_of(store)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(snapshots, "OVERLAY_KEYS_MAX", 3)
            patch.setattr(snapshots, "DIFF_CHANGES_MAX", 3)
            with pytest.raises(StateTooFar):
                map_at(store, ledger, told.header(2))
            with pytest.raises(StateTooFar):
                differences(store, told.last, (Round(1), told.last), limit=9)


@in_a_loop
async def test_what_nobody_needs_goes_and_the_newest_two_epochs_stay(tmp_path: Path) -> None:
    told = Told(45, 6)
    async with opened(tmp_path / "cell.db") as store:
        await write(store, told.history, rounds_kept=5)
        first = told.history.roster(5).first_round - 1
        assert told_from(store) == first
        ((oldest,),) = store.query("SELECT min(round) FROM change")
        assert oldest > first
        keys = sorted(told.states[-1])
        for number in range(first, told.last + 1):
            assert values_at(store, Round(number), keys) == told.states[number]
        for number in (0, first - 1):
            assert values_at(store, Round(number), keys) == {}
            with pytest.raises(StateNotKept):
                value_at(store, told.last, keys[0], Round(number))
            if number:
                with pytest.raises(StateNotKept):
                    map_at(store, await ledger_of(store), told.header(number))
        assert state_values(store, keys) == told.states[-1]
        await _pages_are_those_of_the_newest_ends(store)


async def _pages_are_those_of_the_newest_ends(store: Store) -> None:
    ledger = await ledger_of(store)
    present = ledger.roster.epoch
    assert not store.query("SELECT 1 FROM dead_page WHERE died <= ?", (present - 2,))
    assert store.query("SELECT count(*) FROM dead_page WHERE id NOT IN (SELECT id FROM page)") == [
        (0,)
    ]
    kept = [epoch for epoch in range(present) if ledger.snapshot(Epoch(epoch)) is not None]
    assert kept == [present - 2, present - 1]


def test_how_much_is_kept_never_reaches_into_what_others_catch_up_from() -> None:
    assert kept_from(Round(1000), Round(900), 50) == 899
    assert kept_from(Round(1000), Round(900), 500) == 500
    assert kept_from(Round(1000), Round(1), 0) == 0
    assert kept_from(Round(10), Round(1), 10**6) == 0


@in_a_loop
async def test_a_key_that_was_deleted_is_gone_and_its_history_says_so(tmp_path: Path) -> None:
    told = Told(46, 1)
    async with opened(tmp_path / "cell.db") as store:
        await write(store, told.history, rounds_kept=10**6)
        key = next(key for key in sorted(told.states[-1]) if key.startswith(b"value/"))
        ledger = await ledger_of(store)
        last = told.history.applied[-1]
        header = replace(last.header, round=Round(told.last + 1), epoch=Epoch(1))
        pages = ledger._tree.update([(key, None)])
        applied = replace(last, header=header, changes=((key, None),), pages=pages, entries=())
        statements = state_statements(replace(applied, sealed=None), 0)
        await store.transaction({}, statements)
        left = {one: value for one, value in told.states[-1].items() if one != key}
        assert ledger.state.root == slow_root(left)
        assert state_values(store, [key]) == {}
        assert values_at(store, header.round, [key]) == {}
        assert values_at(store, told.last, [key]) == {key: told.states[-1][key]}
        newest = history_of(store, key, before=header.round + 1, limit=1)
        assert newest == [Written(header.round, None)]
