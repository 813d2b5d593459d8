"""Truncating, clearing, pruning and conflicts: what goes, what stays provable, what is freed."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import pytest

from core.ids import Hash
from journal import Appended, Conflict, Journal, Store, Truncated
from journal import events as events_module
from journal.checkpoint import sign_checkpoint, verify_checkpoint
from journal.edits import Truncate
from journal.errors import (
    BlockCleared,
    HeadRefused,
    JournalTruncated,
    NoConflict,
    NoSuchBlock,
    StoreClosed,
    StoreCorrupt,
    SubscriptionLost,
    TimedOut,
    TooManyOpen,
)
from journal.limits import SNAPSHOTS_MAX, SUBSCRIPTIONS_MAX
from journal.merkle import verify_consistency, verify_inclusion, verify_subtree_consistency
from tests.journal.world import (
    CELL_ID,
    PUBLIC_KEY,
    ahead,
    check_head,
    open_store,
    read_all,
    sign,
    sign_as_other,
    slow_leaf,
    slow_root,
)

_BLOCKS = [b"%d" % n * (1 + n % 40) for n in range(1500)]


def _run(path: Path, body: Any) -> None:  # noqa: ANN401 - an async function of one store and journal
    async def main() -> None:
        async with await open_store(path / "s.db") as store:
            journal = await store.journal("a")
            await journal.append(_BLOCKS)
            coroutine: Coroutine[Any, Any, None] = body(store, journal)
            await coroutine

    asyncio.run(main())


@pytest.mark.parametrize("length", [0, 1, 19, 255, 256, 257, 511, 512, 1024, 1279, 1499, 1500])
def test_a_truncated_journal_is_the_prefix_at_the_next_fork(tmp_path: Path, length: int) -> None:
    async def body(_store: Store, journal: Journal) -> None:
        assert await journal.truncate(length) == 1
        more = [b"other %d" % n for n in range(600)]
        for _ in range(2):
            check_head(journal, _BLOCKS[:length])
            assert await read_all(journal) == _BLOCKS[:length]
            assert journal.byte_length == sum(map(len, _BLOCKS[:length]))
            await journal.audit()
            await journal.append(more)
            check_head(journal, _BLOCKS[:length] + more)
            assert await read_all(journal) == _BLOCKS[:length] + more
            await journal.audit()
            await journal.truncate(length)
        assert journal.fork == 3

    _run(tmp_path, body)


def test_truncation_of_damaged_hashes_is_refused_and_changes_nothing(tmp_path: Path) -> None:
    async def body(store: Store, journal: Journal) -> None:
        await store._thread.run(
            lambda c: c.execute("UPDATE journal_hash_1 SET body = zeroblob(8704) WHERE key = 1")
        )
        with pytest.raises(StoreCorrupt):
            await journal.truncate(300)
        assert journal.fork == 0
        await journal.append(b"goes on")
        check_head(journal, [*_BLOCKS, b"goes on"])

    _run(tmp_path, body)


def test_cleared_blocks_are_gone_and_everything_stays_provable(tmp_path: Path) -> None:
    async def main() -> None:
        store = await open_store(tmp_path / "s.db")
        journal = await store.journal("a")
        await journal.append(_BLOCKS)
        await journal.get(300)  # now in the cache
        await journal.clear(100, 900)
        await journal.clear(1490, 1500)
        gone = {*range(100, 900), *range(1490, 1500)}
        await journal.append(b"after")
        blocks = [*_BLOCKS, b"after"]
        leaves = [slow_leaf(block) for block in blocks]
        for _ in range(2):
            check_head(journal, blocks)
            assert [n for n in range(1501) if not await journal.has(n)] == sorted(gone)
            for index in (99, 100, 101, 300, 899, 900, 1489, 1490, 1500):
                proof = await journal.prove_inclusion(index)
                verify_inclusion(leaves[index], index, 1501, proof, slow_root(leaves))
                if index in gone:
                    with pytest.raises(BlockCleared):
                        await journal.get(index)
                else:
                    assert await journal.get(index) == blocks[index]
            with pytest.raises(BlockCleared):
                await read_all(journal)
            assert [b async for b in journal.read(900, 1490)] == blocks[900:1490]
            audit = await journal.audit()
            assert (audit.blocks, audit.cleared) == (1501, len(gone))
            assert audit.content_bytes == journal.byte_length == sum(map(len, blocks))
            assert await journal.seek(sum(map(len, blocks[:500])) + 1) == (500, 1)
            await store.close()
            store = await open_store(tmp_path / "s.db")
            journal = await store.journal("a")
        assert await journal.truncate(500) == 1
        check_head(journal, blocks[:500])
        assert not await journal.has(499)
        await store.close()

    asyncio.run(main())


def test_pruning_remembers_where_the_journal_begins(tmp_path: Path) -> None:
    async def body(_store: Store, journal: Journal) -> None:
        await journal.prune(700)
        await journal.prune(600)
        assert journal.min_index == 700
        assert not await journal.has(699)
        assert [b async for b in journal.read(700)] == _BLOCKS[700:]
        proof = await journal.prove_consistency(123)
        leaves = [slow_leaf(block) for block in _BLOCKS]
        verify_consistency(123, 1500, proof, slow_root(leaves[:123]), slow_root(leaves))
        with pytest.raises(NoSuchBlock):
            await journal.prune(1501)
        await journal.audit()

    _run(tmp_path, body)


@pytest.mark.parametrize("how", ["clear", "prune", "truncate"])
def test_space_is_really_given_back(tmp_path: Path, how: str) -> None:
    def used() -> int:
        return sum((tmp_path / f"s.db{suffix}").stat().st_size for suffix in ("", "-wal"))

    async def main() -> None:
        async with await open_store(tmp_path / "s.db") as store:
            journal = await store.journal("a")
            for _ in range(10):
                await journal.append([os.urandom(600) for _ in range(2000)])
            before = used()
            if how == "truncate":
                await journal.truncate(1000)
            else:
                await (journal.clear(0, 19_000) if how == "clear" else journal.prune(19_000))
            # 1,000 of 20,000 blocks are left; the hashes of all of them if it was not truncated.
            assert before > 12_000_000
            assert used() < 3_000_000
            await journal.append([os.urandom(1000) for _ in range(100)])
            await journal.audit()

    asyncio.run(main())


def test_a_snapshot_stays_as_it_was(tmp_path: Path) -> None:
    async def body(_store: Store, journal: Journal) -> None:
        with await journal.snapshot() as snapshot:
            head = journal.checkpoint()
            await journal.append([b"x"] * 300)
            await journal.truncate(10)
            await journal.clear(0, 10)
            await journal.append([b"y"] * 2000)
            assert snapshot.checkpoint() == head
            assert [block async for block in snapshot.read()] == _BLOCKS
            assert await snapshot.get(1499) == _BLOCKS[1499]
            assert await snapshot.seek(0) == (0, 0)
            await snapshot.prove_inclusion(1000)
        with pytest.raises(StoreClosed):
            await snapshot.get(0)
        snapshots = [await journal.snapshot() for _ in range(SNAPSHOTS_MAX)]
        with pytest.raises(TooManyOpen):
            await journal.snapshot()
        for each in snapshots:
            each.close()

    _run(tmp_path, body)


def test_byte_offsets_lead_to_their_block(tmp_path: Path) -> None:
    async def body(_store: Store, journal: Journal) -> None:
        await journal.append([b""] * 30 + [b"large" * 9000, b"", b"z"])
        offset = 0
        for index, block in enumerate(_BLOCKS[:600]):
            assert await journal.seek(offset) == (index, 0)
            assert await journal.seek(offset + len(block) - 1) == (index, len(block) - 1)
            offset += len(block)
        total = journal.byte_length
        assert await journal.seek(total - 1) == (1532, 0)
        assert await journal.seek(total - 2) == (1530, 44_999)
        assert await journal.seek(total) == (1533, 0)
        for wrong in (-1, total + 1):
            with pytest.raises(NoSuchBlock):
                await journal.seek(wrong)

    _run(tmp_path, body)


def test_heads_and_ranges_of_earlier_lengths_are_signed_and_proven(tmp_path: Path) -> None:
    async def body(_store: Store, journal: Journal) -> None:
        leaves = [slow_leaf(block) for block in _BLOCKS]
        for size in (0, 1, 256, 700, 1500):
            head = verify_checkpoint(journal.checkpoint(size), f"{CELL_ID}/a/0", PUBLIC_KEY)
            assert (head.size, head.root) == (size, slow_root(leaves[:size]))
        with pytest.raises(NoSuchBlock):
            journal.checkpoint(1501)
        root, proof = await journal.prove_range(512, 768)
        assert root == slow_root(leaves[512:768])
        verify_subtree_consistency(512, 768, 1500, proof, root, slow_root(leaves))
        assert journal.durable_length == 0
        assert await journal.sync() == journal.durable_length == 1500

    _run(tmp_path, body)


def test_a_live_read_goes_on_until_its_end_a_timeout_or_a_truncation(tmp_path: Path) -> None:
    async def body(_store: Store, journal: Journal) -> None:
        async def follow(end: int | None, timeout_s: float | None = None) -> list[bytes]:
            return [b async for b in journal.read(1498, end, live=True, timeout_s=timeout_s)]

        task = asyncio.create_task(follow(1503))
        for n in range(5):
            await journal.append(b"%d" % n)
            await asyncio.sleep(0)
        assert await task == [*_BLOCKS[1498:], b"0", b"1", b"2"]
        with pytest.raises(TimedOut):
            await follow(None, 0.02)
        task = asyncio.create_task(follow(None))
        await asyncio.sleep(0.01)
        await journal.truncate(1400)
        with pytest.raises(JournalTruncated):
            await task

    _run(tmp_path, body)


def test_reads_while_the_journal_is_edited_never_call_it_damage(tmp_path: Path) -> None:
    async def body(_store: Store, journal: Journal) -> None:
        async def read() -> None:
            while not done.is_set():
                try:
                    await journal.get(50)
                    async for _ in journal.read(0, 300):
                        pass
                    await journal.prove_inclusion(299, 300)
                except (JournalTruncated, NoSuchBlock):
                    pass
                await asyncio.sleep(0)

        done = asyncio.Event()
        readers = [asyncio.create_task(read()) for _ in range(2)]
        for n in range(15):
            await journal.truncate(300 + n % 2)
            await journal.append([b"%d" % n] * 300)
            await journal.clear(310, 320)
        done.set()
        await asyncio.gather(*readers)

    _run(tmp_path, body)


@pytest.mark.parametrize("how", ["get", "has"])
def test_a_read_that_meets_one_edit_after_another_calls_neither_damage(
    tmp_path: Path, how: str
) -> None:
    async def body(store: Store, journal: Journal) -> None:
        async def is_there() -> bool:
            if how == "has":
                return await journal.has(1200)
            with contextlib.suppress(NoSuchBlock):
                return await journal.get(1200) == b"other" * 99
            return False

        with ahead(store):
            first = store._committer.put(Truncate("a", 1100), durable=True)
            while not store.reader().is_stale(store.state_of("a")):  # noqa: ASYNC110 - as above
                await asyncio.sleep(0)
            # The block is gone from the disk, then there again, and gone when that is known.
            more = asyncio.create_task(journal.append([b"other" * 99] * 300))
            reading = asyncio.create_task(is_there())
            await asyncio.sleep(0)
            second = store._committer.put(Truncate("a", 1150), durable=True)
            assert not await reading
            await asyncio.gather(first, more, second)

    _run(tmp_path, body)


def test_a_conflict_is_kept_as_evidence_and_the_journal_goes_on(tmp_path: Path) -> None:
    async def body(_store: Store, journal: Journal) -> None:
        leaves = [slow_leaf(block) for block in _BLOCKS]
        origin = f"{CELL_ID}/a/0"
        same = sign_checkpoint(origin, 700, Hash(slow_root(leaves[:700])), PUBLIC_KEY, sign)
        with pytest.raises(NoConflict):
            await journal.report_conflict(same)
        forged = sign_checkpoint(origin, 700, Hash(leaves[0]), PUBLIC_KEY, sign_as_other)
        with pytest.raises(HeadRefused):
            await journal.report_conflict(forged)
        theirs = sign_checkpoint(origin, 700, Hash(leaves[0]), PUBLIC_KEY, sign)
        ours = journal.checkpoint()
        with journal.events() as events:
            assert await journal.report_conflict(theirs) == 1
            assert await events.next(timeout_s=60) == Conflict("a", ours, theirs)
            assert await events.next(timeout_s=60) == Truncated("a", 1, 1500)
        assert journal.evidence() == [(ours, theirs)]
        assert await read_all(journal) == _BLOCKS
        await journal.append(b"goes on")
        check_head(journal, [*_BLOCKS, b"goes on"])
        with pytest.raises(HeadRefused):
            await journal.report_conflict(theirs)  # of another fork than the present one

    _run(tmp_path, body)


def test_the_lost_tail_of_a_disk_that_lied_leaves_the_journal_writable(tmp_path: Path) -> None:
    """A follower has 200 blocks, the writer comes back with 120: it goes on as the next fork."""

    async def main() -> None:
        path = tmp_path / "s.db"
        async with await open_store(path) as store:
            journal = await store.journal("a")
            await journal.append(_BLOCKS[:120])
        assert [each.name for each in tmp_path.iterdir()] == ["s.db"]  # noqa: ASYNC240 - a test
        copy = path.read_bytes()
        async with await open_store(path) as store:
            journal = await store.journal("a")
            await journal.append(_BLOCKS[120:200])
            shown = await journal.publish()
        path.write_bytes(copy)
        async with await open_store(path) as store:
            journal = await store.journal("a")
            await journal.append(b"on top")
            assert await journal.report_conflict(shown) == 1
            await journal.append(b"and more")
            check_head(journal, [*_BLOCKS[:120], b"on top", b"and more"])
            assert len(journal.evidence()) == 1

    asyncio.run(main())


def test_events_come_in_order_merged_and_bounded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events_module, "EVENTS_QUEUED_MAX", 4)

    async def body(store: Store, journal: Journal) -> None:
        other = await store.journal("b")
        with store.events() as every, journal.events() as events:
            await journal.append(b"x")
            await journal.append(b"y")
            await other.append(b"z")
            await journal.truncate(3)
            assert await events.next() == Appended("a", 0, 1500, 1502)
            assert await events.next() == Truncated("a", 1, 3)
            assert await every.next() == Appended("a", 0, 1500, 1502)
            assert await every.next() == Appended("b", 0, 0, 1)
            assert await every.next() == Truncated("a", 1, 3)
            with pytest.raises(TimedOut):
                await events.next(timeout_s=0.01)
            for _ in range(4):
                await journal.append(b"x")
                await other.append(b"x")
            with pytest.raises(SubscriptionLost):
                await every.next()
            await journal.append(b"x")
            assert await every.next() == Appended("a", 1, 7, 8)
        with pytest.raises(StopAsyncIteration):
            await anext(every)
        many = [store.events() for _ in range(SUBSCRIPTIONS_MAX)]
        with pytest.raises(TooManyOpen):
            store.events()
        assert [event async for event in _closed(many)] == []

    _run(tmp_path, body)


async def _closed(subscriptions: list[Any]) -> Any:  # noqa: ANN401 - an iterator over no events
    for subscription in subscriptions:
        subscription.close()
        async for event in subscription:
            yield event


def test_a_call_that_waits_too_long_says_so_and_its_commit_goes_on(tmp_path: Path) -> None:
    async def body(store: Store, journal: Journal) -> None:
        release = asyncio.Event()
        loop = asyncio.get_running_loop()

        def slow(_: Any) -> None:  # noqa: ANN401 - a connection
            asyncio.run_coroutine_threadsafe(release.wait(), loop).result()

        busy = asyncio.create_task(store._thread.run(slow))
        await asyncio.sleep(0.01)
        for call in (
            journal.append(b"late", durable=True, timeout_s=0.02),
            journal.sync(timeout_s=0.02),
            journal.publish(timeout_s=0.02),
            journal.truncate(5, timeout_s=0.02),
            journal.clear(0, 3, timeout_s=0.02),
            store.journal("new", timeout_s=0.02),
        ):
            with pytest.raises(TimedOut):
                await call
        release.set()
        await busy
        await store.settle()
        assert journal.length == 5
        assert store.journals() == ["a", "new"]

    _run(tmp_path, body)
