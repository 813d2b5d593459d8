"""The log of the state's pages on a real store: whenever a cell is killed, disk and map agree."""

from __future__ import annotations

import asyncio
import sqlite3
from pathlib import Path
from random import Random

import pytest

from core.failpoint import arm
from core.ids import Epoch
from identity.keys import KeyPair
from journal import Store
from journal.errors import WriteFailed
from ledger import patches
from ledger.page import PATCHED_BYTES
from ledger.page_rows import PageWrites
from ledger.prover import prove_keys
from ledger.tree import StateTree
from node.state_tables import (
    STATE_SCHEMA,
    page_heads,
    page_reader,
    page_statements,
    state_values,
)
from tests.ledger.map_world import map_of
from tests.node.history_store import copied

KEY = KeyPair(bytes(range(32)))
PUT = "INSERT OR REPLACE INTO state VALUES (?, ?)"
NAMES = [b"account/%03d" % number for number in range(400)]
EPOCH_ROUNDS = 8

State = dict[bytes, bytes]


@pytest.fixture(autouse=True)
def _little_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patches, "PATCHES_SIZE_BYTES_MAX", 60 * PATCHED_BYTES)


async def _opened(path: Path) -> Store:
    store = await Store.open(path, signer=KEY.sign, cell_id=KEY.cell_id)
    await store.create_tables(STATE_SCHEMA)
    return store


async def _write(store: Store, changes: State, writes: PageWrites) -> None:
    statements = [(PUT, list(changes.items())), *page_statements(writes)]
    await store.transaction({}, statements, durable=False)


def _check(store: Store, epoch: int, state: State, ends: dict[Epoch, State]) -> StateTree:
    """Have a map made of a store, equal to what it should be; prove all of it."""
    tree = StateTree(page_reader(store))
    snapshots = tree.restore(page_heads(store), Epoch(epoch), tuple(ends))
    assert tree.root() == map_of(state).root
    prove_keys(tree.present(), NAMES, lambda keys: state_values(store, keys))
    for end, snapshot in snapshots.items():
        assert snapshot.root == map_of(ends[end]).root
        prove_keys(snapshot, NAMES, lambda keys, of=ends[end]: {k: of[k] for k in keys if k in of})  # type: ignore[misc]  # a bound default
    return tree


def test_a_cell_that_is_killed_after_any_round_has_its_map_and_those_of_the_ends(
    tmp_path: Path,
) -> None:
    asyncio.run(_killed_often(tmp_path))


def test_a_round_whose_commit_fails_leaves_the_map_of_the_one_before(tmp_path: Path) -> None:
    asyncio.run(_failed_once(tmp_path))


async def _killed_often(tmp_path: Path) -> None:
    store = await _opened(tmp_path / "cell.db")
    tree, random = StateTree(page_reader(store)), Random(1)  # noqa: S311 - chance of a test
    state: State = dict.fromkeys(NAMES[:300], b"at first")
    await _write(store, state, tree.update(state.items()))
    epoch, ends = 0, dict[Epoch, State]()
    logged = folded = 0
    for number in range(4 * EPOCH_ROUNDS):
        names = [*random.sample(NAMES[:300], 6), *random.sample(NAMES[300:], number % 3 == 0)]
        changes = dict.fromkeys(names, b"%d" % number)
        writes = tree.update(changes.items())
        logged, folded = logged + bool(writes.log), folded + len(writes.folded)
        await _write(store, changes, writes)
        state |= changes
        if number % EPOCH_ROUNDS == EPOCH_ROUNDS - 1:
            tree.seal(Epoch(epoch))
            ends = {end: one for end, one in ends.items() if end == epoch - 1}
            ends[Epoch(epoch)] = dict(state)
            epoch += 1
        found = await _opened(copied(tmp_path / "cell.db", tmp_path / f"killed-{number}"))
        _check(found, epoch, state, ends)
        await found.close()
    assert logged > 2 * EPOCH_ROUNDS
    assert folded > EPOCH_ROUNDS
    await store.close()


async def _failed_once(tmp_path: Path) -> None:
    store = await _opened(tmp_path / "cell.db")
    tree = StateTree(page_reader(store))
    state: State = dict.fromkeys(NAMES, b"at first")
    await _write(store, state, tree.update(state.items()))
    for number in range(6):
        changes = dict.fromkeys(NAMES[number::40], b"%d" % number)
        await _write(store, changes, tree.update(changes.items()))
        state |= changes
    lost = dict.fromkeys(NAMES[9::40], b"lost")

    def fail(name: str) -> None:
        if name == "journal.commit.before":
            error = sqlite3.OperationalError("disk I/O error")
            error.sqlite_errorcode = sqlite3.SQLITE_IOERR_WRITE
            raise error

    arm(fail)
    try:
        with pytest.raises(WriteFailed):
            await _write(store, lost, tree.update(lost.items()))
    finally:
        arm(None)
    await store.close()  # a write that failed ends a cell
    store = await _opened(tmp_path / "cell.db")
    again = _check(store, 0, state, {})
    await _write(store, lost, again.update(lost.items()))
    _check(store, 0, state | lost, {})
    await store.close()
