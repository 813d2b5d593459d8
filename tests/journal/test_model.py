"""Whatever is done to a store, it holds what lists in memory hold; a crash leaves a prefix."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from journal import Batch, Store
from journal.errors import StatementRefused
from journal.merkle import verify_consistency, verify_inclusion
from tests.journal.world import check_head, open_store, read_all, slow_leaf, slow_root

_T = TypeVar("_T")
_TABLE = "CREATE TABLE IF NOT EXISTS tally (n INTEGER PRIMARY KEY)"
_NAMES = ("a", "b", "c")

_blocks = st.lists(
    st.one_of(
        st.binary(max_size=40),
        st.builds(bytes, st.integers(400, 9000)),
    ),
    max_size=60,
)
_appends = st.dictionaries(st.sampled_from(_NAMES), _blocks, min_size=1)


@dataclass
class _Model:
    """The commits in their order; commit number n also put n into the table."""

    commits: list[dict[str, list[bytes]]] = field(default_factory=list)

    def journals(self, count: int) -> dict[str, list[bytes]]:
        journals: dict[str, list[bytes]] = {}
        for appends in self.commits[:count]:
            for name, blocks in appends.items():
                journals.setdefault(name, []).extend(blocks)
        return journals


async def _check_is_prefix(store: Store, model: _Model, count_min: int) -> None:
    """Check that the store is what the first so many commits made, and at least `count_min`."""
    numbers = [n for (n,) in store.query("SELECT n FROM tally ORDER BY n")]
    assert numbers == list(range(len(numbers)))
    assert count_min <= len(numbers) <= len(model.commits)
    expected = model.journals(len(numbers))
    assert sorted(store.journals()) == sorted(expected)
    for name, blocks in expected.items():
        journal = await store.journal(name)
        assert await read_all(journal) == blocks
        check_head(journal, blocks)


class StoreMachine(RuleBasedStateMachine):
    """Drives one store and the model through the same calls."""

    def __init__(self) -> None:
        super().__init__()
        self._folder = Path(tempfile.mkdtemp(prefix="journal-model-"))
        self._generation = 0
        self._runner = asyncio.Runner()
        self._model = _Model()
        self._store = self._run(self._open())

    def _run(self, coroutine: Coroutine[Any, Any, _T]) -> _T:
        return self._runner.run(coroutine)

    @property
    def _path(self) -> Path:
        return self._folder / f"{self._generation}.db"

    async def _open(self) -> Store:
        store = await open_store(self._path)
        await store.create_tables(_TABLE)
        return store

    def _batch(self, appends: dict[str, list[bytes]], *, durable: bool) -> Batch:
        number = len(self._model.commits)
        self._model.commits.append(appends)
        return Batch(appends, [("INSERT INTO tally VALUES (?)", [(number,)])], durable)

    @rule(appends=_appends, durable=st.booleans())
    def commit(self, appends: dict[str, list[bytes]], *, durable: bool) -> None:
        before = self._model.journals(len(self._model.commits))
        positions = self._run(self._store.commit(self._batch(appends, durable=durable)))
        for name, blocks in appends.items():
            start = len(before.get(name, []))
            assert positions[name] == (start, start + len(blocks))

    @rule(many=st.lists(_appends, min_size=2, max_size=8), cancel=st.integers(0, 7))
    def commit_at_once(self, many: list[dict[str, list[bytes]]], cancel: int) -> None:
        batches = [self._batch(appends, durable=False) for appends in many]

        async def go() -> None:
            tasks = [asyncio.create_task(self._store.commit(batch)) for batch in batches]
            await asyncio.sleep(0)
            tasks[cancel % len(tasks)].cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

        self._run(go())

    @rule(appends=_appends)
    def commit_what_is_refused(self, appends: dict[str, list[bytes]]) -> None:
        bad = Batch(appends, [("INSERT INTO tally VALUES ('no number')", [()])])
        with pytest.raises(StatementRefused):
            self._run(self._store.commit(bad))

    @rule()
    def reopen(self) -> None:
        async def go() -> Store:
            await self._store.close()
            return await self._open()

        self._store = self._run(go())

    @rule(many=st.lists(_appends, min_size=1, max_size=8), yields=st.integers(0, 12))
    def crash(self, many: list[dict[str, list[bytes]]], yields: int) -> None:
        """Take the files as they are in the middle of writing, and go on from those."""
        safe = len(self._model.commits)
        batches = [self._batch(appends, durable=False) for appends in many]

        async def go() -> Store:
            old, path = self._store, self._path
            tasks = [asyncio.create_task(old.commit(batch)) for batch in batches]
            for _ in range(yields):
                await asyncio.sleep(0.0002)
            acknowledged = sum(task.done() for task in tasks)
            self._generation += 1
            for suffix in ("", "-wal"):
                shutil.copyfile(f"{path}{suffix}", f"{self._path}{suffix}")
            await asyncio.gather(*tasks)
            await old.close()
            store = await open_store(self._path)
            await _check_is_prefix(store, self._model, safe + acknowledged)
            return store

        self._store = self._run(go())
        kept = self._store.query("SELECT count(*) FROM tally")[0][0]
        del self._model.commits[kept:]

    @rule(data=st.data())
    def prove(self, data: st.DataObject) -> None:
        for name, blocks in self._model.journals(len(self._model.commits)).items():
            if blocks:
                size = data.draw(st.integers(1, len(blocks)))
                at = data.draw(st.integers(0, size - 1))
                self._run(self._prove(name, blocks, at, size))

    async def _prove(self, name: str, blocks: list[bytes], at: int, size: int) -> None:
        journal = await self._store.journal(name)
        leaves = [slow_leaf(block) for block in blocks]
        root = slow_root(leaves[:size])
        verify_inclusion(leaves[at], at, size, await journal.prove_inclusion(at, size), root)
        proof = await journal.prove_consistency(at + 1, size)
        verify_consistency(at + 1, size, proof, slow_root(leaves[: at + 1]), root)
        assert await journal.get(at) == blocks[at]

    @invariant()
    def is_what_the_lists_say(self) -> None:
        self._run(_check_is_prefix(self._store, self._model, len(self._model.commits)))

    def teardown(self) -> None:
        self._run(self._store.close())
        self._runner.close()
        shutil.rmtree(self._folder)


def test_a_store_does_what_lists_do_through_commits_reopenings_and_crashes() -> None:
    run: Callable[[], None] = StoreMachine.TestCase(methodName="runTest").runTest
    StoreMachine.TestCase.settings = settings(
        max_examples=12, stateful_step_count=12, deadline=None
    )
    run()
