"""An audit finds what reads do not touch, stops when it is told to, and shares the event loop."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from journal import Journal, Store
from journal.errors import StoreClosed, StoreCorrupt, TimedOut
from journal.limits import PAGE_SIZE_BYTES
from tests.journal.world import ahead, open_store, stopped_clock


def _run(
    tmp_path: Path, blocks: list[bytes], body: Callable[[Store, Journal], Awaitable[None]]
) -> None:
    async def main() -> None:
        async with await open_store(tmp_path / "s.db") as store:
            journal = await store.journal("a")
            await journal.append(blocks)
            await body(store, journal)

    asyncio.run(main())


@pytest.mark.parametrize("count", [10, 300, 1024])
@pytest.mark.parametrize(
    "damage",
    [
        "INSERT INTO journal_hash_1 VALUES (-1, zeroblob(32))",
        "INSERT INTO journal_hash_1 VALUES (4, zeroblob(8704))",
        "INSERT INTO journal_hash_1 VALUES ((8 << 48) + 4, zeroblob(32))",
        "INSERT INTO journal_hash_1 VALUES ((62 << 48), zeroblob(32))",
        "INSERT INTO journal_chunk_1 VALUES (-1, 0, x'91c40178')",
        "INSERT INTO journal_chunk_1 VALUES (5000, 0, x'91c40178')",
        "UPDATE journal_chunk_1 SET before = before + 1 WHERE first = 0",
    ],
)
def test_rows_that_nothing_leads_to_and_counts_that_do_not_add_up_are_found(
    tmp_path: Path, damage: str, count: int
) -> None:
    async def body(store: Store, journal: Journal) -> None:
        with contextlib.closing(sqlite3.connect(tmp_path / "s.db", isolation_level=None)) as other:
            other.execute(damage)
        with pytest.raises(StoreCorrupt):
            await store.audit()
        assert await journal.get(count - 1) == b"%d" % (count - 1)

    _run(tmp_path, [b"%d" % n for n in range(count)], body)


def test_what_is_written_but_not_acknowledged_yet_is_no_damage(tmp_path: Path) -> None:
    """The writer's thread may be a commit ahead of what this thread knows."""

    async def body(store: Store, journal: Journal) -> None:
        with ahead(store):
            appending = asyncio.create_task(journal.append([b"more"] * 500))
            while store.reader().is_at(store.state_of("a")):  # noqa: ASYNC110 - until the disk has it
                await asyncio.sleep(0)
            assert journal.length == 300
            (audit,) = await store.audit()
            assert audit.blocks == 800
            await appending

    _run(tmp_path, [b"first"] * 300, body)


def test_a_head_that_is_not_what_was_acknowledged_is_found_at_once(tmp_path: Path) -> None:
    async def body(store: Store, journal: Journal) -> None:
        with contextlib.closing(sqlite3.connect(tmp_path / "s.db", isolation_level=None)) as other:
            other.execute("DELETE FROM journal_chunk_1 WHERE first = 0")
            other.execute("UPDATE journal_head SET size = size + 1")
        with pytest.raises(StoreCorrupt):
            await asyncio.wait_for(store.audit(), 60)
        assert journal.length == 300

    _run(tmp_path, [b"first"] * 300, body)


def test_damage_below_the_rows_is_an_error_with_a_code(tmp_path: Path) -> None:
    async def main() -> None:
        path = tmp_path / "s.db"
        async with await open_store(path) as store:
            await (await store.journal("a")).append([b"x"] * 10)
            found = store.query("SELECT rootpage FROM sqlite_schema WHERE name = 'journal_hash_1'")
        data = bytearray(path.read_bytes())
        data[(found[0][0] - 1) * PAGE_SIZE_BYTES] = 0xFF
        path.write_bytes(data)
        async with await open_store(path) as store:
            with pytest.raises(StoreCorrupt):
                await store.audit()

    asyncio.run(main())


def test_an_audit_of_large_blocks_gives_the_event_loop_its_turn(tmp_path: Path) -> None:
    async def body(_: Store, journal: Journal) -> None:
        turns = 0

        async def count() -> None:
            nonlocal turns
            while True:
                turns += 1
                await asyncio.sleep(0)

        counting = asyncio.create_task(count())
        with await journal.snapshot() as snapshot:
            assert (await snapshot.audit()).blocks == 24
        counting.cancel()
        assert turns >= 24

    _run(tmp_path, [b"x" * (1 << 20)] * 24, body)


def test_an_audit_that_takes_too_long_stops_with_an_error(tmp_path: Path) -> None:
    async def body(_: Store, journal: Journal) -> None:
        seen: list[tuple[int, int]] = []

        with await journal.snapshot() as snapshot:
            with stopped_clock() as later:

                def slow(done: int, of: int) -> None:
                    seen.append((done, of))
                    later(0.02)

                with pytest.raises(TimedOut):
                    await snapshot.audit(slow, timeout_s=0.05)
            assert 1 < len(seen) < 8
            assert (await snapshot.audit()).blocks == 4000

    _run(tmp_path, [b"%d" % n for n in range(4000)], body)


def test_closing_the_store_ends_an_audit_and_is_no_damage(tmp_path: Path) -> None:
    async def body(store: Store, journal: Journal) -> None:
        with await journal.snapshot() as snapshot:
            audit = asyncio.create_task(snapshot.audit())
            await asyncio.sleep(0)
            await store.close()
            with pytest.raises(StoreClosed):
                await audit

    _run(tmp_path, [b"%d" % n for n in range(20_000)], body)


def test_audits_of_a_journal_and_of_all_stop_in_time(tmp_path: Path) -> None:
    async def body(store: Store, journal: Journal) -> None:
        with stopped_clock() as later:
            for audit in (journal.audit, store.audit):
                with pytest.raises(TimedOut):
                    await audit(lambda _done, _of: later(0.02), timeout_s=0.05)
        assert (await journal.audit()).blocks == 4000

    _run(tmp_path, [b"%d" % n for n in range(4000)], body)
