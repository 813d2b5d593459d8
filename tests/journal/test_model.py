"""Whatever is done to a store, it holds what lists in memory hold; a crash leaves a prefix."""

from __future__ import annotations

import asyncio
import os
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

from journal import Batch, Durability, Journal, Snapshot, Store
from journal.errors import BlockCleared, StatementRefused
from journal.merkle import verify_consistency, verify_inclusion
from tests.journal.world import check_head, open_store, slow_leaf, slow_root

_T = TypeVar("_T")
_TABLE = "CREATE TABLE IF NOT EXISTS tally (n INTEGER PRIMARY KEY)"
_NAMES = ("a", "b", "sealed")
_KEYS = {"sealed": b"\x07" * 32}
_DURABLE = st.sampled_from([None, True, False])
_DURABILITY: st.SearchStrategy[Durability] = st.sampled_from(["process", "power"])

_blocks = st.lists(
    st.one_of(
        st.binary(max_size=40),
        st.builds(bytes, st.integers(400, 9000)),
    ),
    max_size=60,
)
# What is drawn must not depend on the store: how much a crash leaves is not the same each time.
_crash = st.one_of(st.none(), st.integers(0, 8))
_fraction = st.integers(0, 1 << 20)
_appends = st.dictionaries(st.sampled_from(_NAMES), _blocks, min_size=1)


@dataclass
class _Log:
    """One journal: every block it has, which of them were cleared, and how often it was cut."""

    blocks: list[bytes] = field(default_factory=list)
    gone: set[int] = field(default_factory=set)
    fork: int = 0


@dataclass(frozen=True)
class _Append:
    """A commit; number n of these also put n into the table."""

    blocks: dict[str, list[bytes]]


@dataclass(frozen=True)
class _Truncate:
    name: str
    length: int


@dataclass(frozen=True)
class _Clear:
    name: str
    start: int
    end: int


@dataclass
class _Model:
    """What was done, in order."""

    steps: list[_Append | _Truncate | _Clear] = field(default_factory=list)

    @property
    def commits(self) -> int:
        """Number of commits."""
        return sum(isinstance(step, _Append) for step in self.steps)

    def keep(self, commits: int) -> None:
        """Forget all but the first so many commits, and what was done after those."""
        while self.commits > commits:
            self.steps.pop()

    def logs(self, commits: int | None = None) -> dict[str, _Log]:
        """Return the journals after so many commits (all)."""
        logs: dict[str, _Log] = {}
        left = self.commits if commits is None else commits
        for step in self.steps:
            if isinstance(step, _Append):
                if left == 0:
                    break
                left -= 1
                for name, blocks in step.blocks.items():
                    logs.setdefault(name, _Log()).blocks.extend(blocks)
            elif isinstance(step, _Truncate):
                log = logs[step.name]
                del log.blocks[step.length :]
                log.gone = {index for index in log.gone if index < step.length}
                log.fork += 1
            else:
                logs[step.name].gone |= set(range(step.start, step.end))
        return logs


async def _check_is_prefix(store: Store, model: _Model, count_min: int) -> None:
    """Check that the store is what the first so many commits made, and at least `count_min`."""
    numbers = [n for (n,) in store.query("SELECT n FROM tally ORDER BY n")]
    assert numbers == list(range(len(numbers)))
    assert count_min <= len(numbers) <= model.commits
    expected = model.logs(len(numbers))
    assert sorted(store.journals()) == sorted(expected)
    for name, log in expected.items():
        await _check_log(await store.journal(name), log)


async def _check_log(journal: Journal | Snapshot, log: _Log) -> None:
    assert journal.fork == log.fork
    for index, block in enumerate(log.blocks):
        if index in log.gone:
            with pytest.raises(BlockCleared):
                await journal.get(index)
        elif log.gone or index % 7 == 0:
            assert await journal.get(index) == block
    if not log.gone:
        assert [block async for block in journal.read()] == log.blocks
    if not (log.gone and journal.is_encrypted):  # then nobody knows what was hashed any more
        check_head(journal, await _stored(journal, log.blocks))
    assert journal.byte_length == sum(map(len, log.blocks))
    assert journal.is_encrypted == (journal.name in _KEYS)


async def _stored(journal: Journal | Snapshot, blocks: list[bytes]) -> list[bytes]:
    """Return the blocks as they are stored and hashed: other ones if the journal is encrypted."""
    if not journal.is_encrypted:
        return blocks
    stored = [block async for block in journal.read(raw=True)]
    assert all(
        block not in kept for block, kept in zip(blocks, stored, strict=True) if len(block) > 8
    )
    return stored


class StoreMachine(RuleBasedStateMachine):
    """Drives one store and the model through the same calls."""

    def __init__(self) -> None:
        super().__init__()
        self._folder = Path(tempfile.mkdtemp(prefix="journal-model-"))
        self._generation = 0
        self._runner = asyncio.Runner()
        self._model = _Model()
        self._durability: Durability = "process"
        self._store = self._run(self._open())

    def _run(self, coroutine: Coroutine[Any, Any, _T]) -> _T:
        return self._runner.run(coroutine)

    @property
    def _path(self) -> Path:
        return self._folder / f"{self._generation}.db"

    async def _open(self) -> Store:
        store = await self._open_as_it_is()
        await store.create_tables(_TABLE)
        return store

    async def _open_as_it_is(self) -> Store:
        return await open_store(self._path, self._durability, _KEYS)

    def _batch(self, appends: dict[str, list[bytes]], *, durable: bool | None) -> Batch:
        number = self._model.commits
        self._model.steps.append(_Append(appends))
        return Batch(appends, [("INSERT INTO tally VALUES (?)", [(number,)])], durable)

    @rule(appends=_appends, durable=_DURABLE)
    def commit(self, appends: dict[str, list[bytes]], *, durable: bool | None) -> None:
        before = self._model.logs()
        positions = self._run(self._store.commit(self._batch(appends, durable=durable)))
        for name, blocks in appends.items():
            start = len(before[name].blocks) if name in before else 0
            assert positions[name] == (start, start + len(blocks))

    @rule(many=st.lists(_appends, min_size=2, max_size=8), cancel=st.integers(0, 7), more=_DURABLE)
    def commit_at_once(
        self, many: list[dict[str, list[bytes]]], cancel: int, *, more: bool | None
    ) -> None:
        batches = [self._batch(appends, durable=more and at > 2) for at, appends in enumerate(many)]

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

    @rule(durability=_DURABILITY)
    def reopen(self, durability: Durability) -> None:
        async def go() -> Store:
            await self._store.close()
            self._durability = durability
            store = await self._open()
            audits = {audit.journal: audit for audit in await store.audit()}
            for name, log in self._model.logs().items():
                found = audits[name]
                assert (found.blocks, found.cleared) == (len(log.blocks), len(log.gone))
                assert found.content_bytes == sum(map(len, log.blocks))
            return store

        self._store = self._run(go())

    @rule(
        many=st.lists(_appends, min_size=1, max_size=8), yields=st.integers(0, 12), durable=_DURABLE
    )
    def crash(
        self, many: list[dict[str, list[bytes]]], yields: int, *, durable: bool | None
    ) -> None:
        """Take the files as they are in the middle of writing, and go on from those."""
        safe = self._model.commits
        batches = [self._batch(appends, durable=durable) for appends in many]

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
            store = await self._open_as_it_is()
            await _check_is_prefix(store, self._model, safe + acknowledged)
            return store

        self._store = self._run(go())
        kept = self._store.query("SELECT count(*) FROM tally")[0][0]
        self._model.keep(kept)

    @rule(upto=_fraction, index=_fraction)
    def prove(self, upto: int, index: int) -> None:
        for name, log in self._model.logs().items():
            if log.blocks and not (log.gone and name in _KEYS):
                size = 1 + upto % len(log.blocks)
                self._run(self._prove(name, log.blocks, index % size, size))

    async def _prove(self, name: str, blocks: list[bytes], at: int, size: int) -> None:
        journal = await self._store.journal(name)
        leaves = [slow_leaf(block) for block in await _stored(journal, blocks)]
        root = slow_root(leaves[:size])
        verify_inclusion(leaves[at], at, size, await journal.prove_inclusion(at, size), root)
        proof = await journal.prove_consistency(at + 1, size)
        verify_consistency(at + 1, size, proof, slow_root(leaves[: at + 1]), root)
        offset = sum(map(len, blocks[:at]))
        index, rest = await journal.seek(offset)
        assert rest == 0
        assert blocks[at:index] == [b""] * (index - at)

    @rule(appends=_appends, which=_fraction, upto=_fraction)
    def keep_a_snapshot(self, appends: dict[str, list[bytes]], which: int, upto: int) -> None:
        """What is done to the journal meanwhile is not seen in the snapshot."""
        logs = self._model.logs()
        if not logs:
            return
        name = sorted(logs)[which % len(logs)]
        length = upto % (len(logs[name].blocks) + 1)

        async def go() -> None:
            journal = await self._store.journal(name)
            with await journal.snapshot() as snapshot:
                await journal.truncate(length)
                await self._store.commit(self._batch(appends, durable=None))
                await _check_log(snapshot, logs[name])
                assert (await snapshot.audit()).blocks == len(logs[name].blocks)

        self._model.steps.append(_Truncate(name, length))
        self._run(go())

    @rule(which=_fraction, upto=_fraction, crash=_crash)
    def truncate(self, which: int, upto: int, crash: int | None) -> None:
        logs = self._model.logs()
        if logs:
            name = sorted(logs)[which % len(logs)]
            self._edit(_Truncate(name, upto % (len(logs[name].blocks) + 1)), crash)

    @rule(which=_fraction, upto=_fraction, since=_fraction, crash=_crash, prune=st.booleans())
    def clear(self, which: int, upto: int, since: int, crash: int | None, *, prune: bool) -> None:
        logs = self._model.logs()
        if logs:
            name = sorted(logs)[which % len(logs)]
            end = upto % (len(logs[name].blocks) + 1)
            start = 0 if prune else since % (end + 1)
            self._edit(_Clear(name, start, end), crash)

    def _edit(self, step: _Truncate | _Clear, yields: int | None) -> None:
        """Do it; with `yields`, take the files in the middle of it and go on from those."""

        async def go() -> None:
            journal = await self._store.journal(step.name)
            if isinstance(step, _Truncate):
                await journal.truncate(step.length)
            elif step.start == 0:
                await journal.prune(step.end)
            else:
                await journal.clear(step.start, step.end)

        async def go_and_crash() -> Store:
            old, path = self._store, self._path
            # Two files cannot be copied at one moment: so none may move into the other meanwhile.
            old.writer.free_pages = lambda connection: False  # type: ignore[method-assign]  # noqa: ARG005 - see above
            task = asyncio.create_task(go())
            for _ in range(yields or 0):
                await asyncio.sleep(0.0002)
            self._generation += 1
            for suffix in ("", "-wal"):
                shutil.copyfile(f"{path}{suffix}", f"{self._path}{suffix}")
            await task
            await old.close()
            return await self._open_as_it_is()

        edits = None if yields is None else self._edits(step.name)
        if yields is None:
            self._run(go())
        else:
            self._store = self._run(go_and_crash())
        if self._edits(step.name) != edits:
            self._model.steps.append(step)

    def _edits(self, name: str) -> int:
        return self._store.state_of(name).edits

    @invariant()
    def is_what_the_lists_say(self) -> None:
        self._run(_check_is_prefix(self._store, self._model, self._model.commits))

    def teardown(self) -> None:
        self._run(self._store.close())
        self._runner.close()
        shutil.rmtree(self._folder)


def test_a_store_does_what_lists_do_through_commits_edits_reopenings_and_crashes() -> None:
    run: Callable[[], None] = StoreMachine.TestCase(methodName="runTest").runTest
    StoreMachine.TestCase.settings = settings(
        max_examples=int(os.environ.get("JOURNAL_MODELS", "12")),
        stateful_step_count=14,
        deadline=None,
    )
    run()
