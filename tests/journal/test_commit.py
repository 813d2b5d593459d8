"""Group commit: order, all or nothing, cancellation, refusals, and a disk that fails."""

from __future__ import annotations

import asyncio
import resource
import sqlite3
import threading
from pathlib import Path
from typing import Any

import pytest

from journal import Batch, Store
from journal import committer as committer_module
from journal.errors import (
    DiskFull,
    QueueFull,
    SignerFailed,
    StatementRefused,
    WriteFailed,
    WriterStopped,
    WrittenByAnother,
)
from journal.limits import WAL_SIZE_BYTES
from tests.journal.world import CELL_ID, check_head, open_store, read_all, sign

_INSERT = "INSERT INTO tally VALUES (?)"
_TABLE = "CREATE TABLE IF NOT EXISTS tally (n INTEGER UNIQUE)"


async def _tally(store: Store) -> list[int]:
    return [n for (n,) in store.query("SELECT n FROM tally ORDER BY rowid")]


def test_waiting_commits_keep_their_order_across_journals_and_statements(tmp_path: Path) -> None:
    async def main() -> None:
        async with await open_store(tmp_path / "s.db") as store:
            await store.create_tables(_TABLE)
            results = await asyncio.gather(
                *(
                    store.commit(
                        Batch({f"j{n % 3}": [b"%d" % n], "all": [b"%d" % n]}, [(_INSERT, [(n,)])])
                    )
                    for n in range(300)
                )
            )
            assert [result["all"] for result in results] == [(n, n + 1) for n in range(300)]
            assert await read_all(await store.journal("all")) == [b"%d" % n for n in range(300)]
            for j in range(3):
                expected = [b"%d" % n for n in range(j, 300, 3)]
                assert await read_all(await store.journal(f"j{j}")) == expected
            assert await _tally(store) == list(range(300))

    asyncio.run(main())


def test_a_refused_statement_takes_its_own_commit_back_and_no_other(tmp_path: Path) -> None:
    async def main() -> None:
        async with await open_store(tmp_path / "s.db") as store:
            await store.create_tables(_TABLE)
            bad: list[tuple[str, list[Any]]] = [
                (_INSERT, [(0,)]),
                (_INSERT, [(1, 2)]),
                (_INSERT, [(2**70,)]),
                (_INSERT, [(object(),)]),
                ("COMMIT", [()]),
                ("-- a comment\n /* and */ Rollback", [()]),
                ("PRAGMA synchronous = OFF", [()]),
                ("ATTACH 'x' AS y", [()]),
                ("", [()]),
                ("SELECT 1; SELECT 2", [()]),
                ("NO SQL", [()]),
            ]
            await store.transaction({"a": [b"first"]}, [(_INSERT, [(0,)])])
            for statement in bad:
                n = len(await _tally(store))
                outcomes = await asyncio.gather(
                    store.transaction({"a": [b"x"]}, [(_INSERT, [(n,)])]),
                    store.transaction({"a": [b"lost"], "new": [b"lost"]}, [statement]),
                    store.transaction({"a": [b"y"]}, [(_INSERT, [(n + 1,)])]),
                    return_exceptions=True,
                )
                assert isinstance(outcomes[1], StatementRefused), statement
                assert [type(outcomes[i]) for i in (0, 2)] == [dict, dict], statement
            assert store.journals() == ["a"]

    asyncio.run(main())


def test_a_cancelled_caller_neither_loses_nor_halves_its_commit(tmp_path: Path) -> None:
    async def main() -> None:
        async with await open_store(tmp_path / "s.db") as store:
            await store.create_tables(_TABLE)
            journal = await store.journal("a")
            tasks = [
                asyncio.create_task(store.transaction({"a": [b"%d" % n]}, [(_INSERT, [(n,)])]))
                for n in range(40)
            ]
            await asyncio.sleep(0)
            for task in tasks[::2]:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            assert all(task.cancelled() for task in tasks[::2])
            assert await read_all(journal) == [b"%d" % n for n in range(40)]
            assert await _tally(store) == list(range(40))
            check_head(journal, [b"%d" % n for n in range(40)])

    asyncio.run(main())


def test_the_queue_refuses_more_bytes_than_its_bound_and_takes_them_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(committer_module, "QUEUE_SIZE_BYTES_MAX", 20_000)

    async def main() -> None:
        async with await open_store(tmp_path / "s.db") as store:
            journal = await store.journal("a")
            outcomes = await asyncio.gather(
                *(journal.append(b"x" * 1000) for _ in range(30)), return_exceptions=True
            )
            refused = [outcome for outcome in outcomes if isinstance(outcome, QueueFull)]
            assert refused
            assert all(error.retryable for error in refused)
            assert journal.length == 30 - len(refused)
            assert await journal.append(b"later") == (journal.length - 1, journal.length)

    asyncio.run(main())


def test_what_the_caller_changes_after_the_call_is_not_what_is_written(tmp_path: Path) -> None:
    async def main() -> None:
        async with await open_store(tmp_path / "s.db") as store:
            journal = await store.journal("a")
            blocks = [b"as it was"]
            task = asyncio.create_task(journal.append(blocks))
            await asyncio.sleep(0)
            blocks[0] = b"changed"
            await task
            assert await journal.get(0) == b"as it was"

    asyncio.run(main())


def test_a_failing_signer_fails_the_commit_and_the_next_one_goes_on(tmp_path: Path) -> None:
    broken = False

    def signer(message: bytes) -> bytes:
        if broken:
            raise OSError("the keystore is gone")
        return sign(message)

    async def main() -> None:
        nonlocal broken
        async with await Store.open(tmp_path / "s.db", signer=signer, cell_id=CELL_ID) as store:
            journal = await store.journal("a")
            await journal.append(b"a")
            broken = True
            with pytest.raises(SignerFailed):
                await journal.append(b"b")
            broken = False
            check_head(journal, [b"a"])
            assert await journal.append(b"c") == (1, 2)
            check_head(journal, [b"a", b"c"])

    asyncio.run(main())


def test_a_bug_in_the_signer_stops_the_store_loudly_and_nobody_hangs(tmp_path: Path) -> None:
    broken = False

    def signer(message: bytes) -> bytes:
        if broken:
            raise KeyError("a bug")
        return sign(message)

    async def main() -> None:
        nonlocal broken
        store = await Store.open(tmp_path / "s.db", signer=signer, cell_id=CELL_ID)
        journal = await store.journal("a")
        await journal.append(b"a")
        broken = True
        outcomes = await asyncio.gather(
            *(journal.append(b"b") for _ in range(3)), return_exceptions=True
        )
        assert [type(outcome) for outcome in outcomes] == [WriterStopped] * 3
        with pytest.raises(WriterStopped):
            await journal.append(b"c")
        with pytest.raises(KeyError):
            await store.close()
        async with await open_store(tmp_path / "s.db") as store:
            check_head(await store.journal("a"), [b"a"])

    asyncio.run(main())


def test_a_store_that_nobody_closed_ends_with_its_event_loop(tmp_path: Path) -> None:
    before = set(threading.enumerate())

    async def main() -> None:
        store = await open_store(tmp_path / "s.db")
        await (await store.journal("a")).append(b"a")

    asyncio.run(main())
    assert set(threading.enumerate()) <= before


def test_a_full_disk_is_an_error_for_all_who_waited_and_passes(tmp_path: Path) -> None:
    async def main() -> None:
        store = await open_store(tmp_path / "s.db")
        await store.create_tables(_TABLE)
        journal = await store.journal("a")
        await journal.append(b"before")

        def limit_pages(connection: sqlite3.Connection) -> None:
            (pages,) = connection.execute("PRAGMA page_count").fetchone()
            connection.execute(f"PRAGMA max_page_count = {pages + 4}")

        await store._thread.run(limit_pages)
        outcomes = await asyncio.gather(
            store.transaction({"a": [b"small"]}, [(_INSERT, [(1,)])]),
            store.transaction({"a": [b"x" * 100_000], "b": [b"x"]}),
            return_exceptions=True,
        )
        assert [type(outcome) for outcome in outcomes] == [DiskFull, DiskFull]
        assert await read_all(journal) == [b"before"]
        assert await _tally(store) == []
        check_head(journal, [b"before"])
        await store._thread.run(lambda c: c.execute("PRAGMA max_page_count = 1000000").fetchone())
        assert await journal.append(b"x" * 100_000) == (1, 2)
        await store.close()
        async with await open_store(tmp_path / "s.db") as store:
            assert store.journals() == ["a"]
            check_head(await store.journal("a"), [b"before", b"x" * 100_000])

    asyncio.run(main())


@pytest.mark.parametrize("durable", [False, True])
def test_a_failed_write_stops_writing_until_reopened_and_reads_go_on(
    tmp_path: Path, *, durable: bool
) -> None:
    async def main() -> None:
        store = await open_store(tmp_path / "s.db")
        journal = await store.journal("a")
        await journal.append(b"before")
        # Any write beyond the present end of the log now fails, by the operating system.
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(
            resource.RLIMIT_FSIZE, ((tmp_path / "s.db-wal").stat().st_size + 8192, hard)
        )
        try:
            outcomes = await asyncio.gather(
                *(journal.append(b"x" * 50_000, durable=durable) for _ in range(3)),
                return_exceptions=True,
            )
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        assert [type(outcome) for outcome in outcomes] == [WriteFailed] * 3
        with pytest.raises(WriteFailed):
            await journal.append(b"later")
        assert await read_all(journal) == [b"before"]
        check_head(journal, [b"before"])
        await store.close()
        async with await open_store(tmp_path / "s.db") as store:
            journal = await store.journal("a")
            check_head(journal, [b"before"])
            assert await journal.append(b"after") == (1, 2)

    asyncio.run(main())


def test_a_second_writer_is_noticed_before_it_can_overwrite(tmp_path: Path) -> None:
    async def main() -> None:
        one = await open_store(tmp_path / "s.db")
        journal_one = await one.journal("a")
        two = await open_store(tmp_path / "s.db")
        journal_two = await two.journal("a")
        await journal_one.append(b"one")
        with pytest.raises(WrittenByAnother):
            await journal_two.append(b"two")
        with pytest.raises(WrittenByAnother):
            await journal_two.append(b"again")
        await journal_one.append(b"more")
        await two.close()
        await one.close()
        async with await open_store(tmp_path / "s.db") as store:
            check_head(await store.journal("a"), [b"one", b"more"])

    asyncio.run(main())


def test_the_write_ahead_log_is_copied_beside_the_writer_and_starts_over(tmp_path: Path) -> None:
    async def main() -> None:
        async with await open_store(tmp_path / "s.db") as store:
            journal = await store.journal("a")
            for _ in range(40):
                await journal.append([b"x" * 1000] * 1000)
            await store._committer._copier.idle()
            for _ in range(40):  # the rest is copied, the log starts over, the file is cut
                await journal.append([b"y" * 1000] * 1000)  # so much more, if pages were held back
                await store.sync()
                await store._committer._copier.idle()
                if (tmp_path / "s.db-wal").stat().st_size <= 2 * WAL_SIZE_BYTES:
                    break
            size_bytes = (tmp_path / "s.db-wal").stat().st_size
            assert WAL_SIZE_BYTES / 2 < size_bytes <= 2 * WAL_SIZE_BYTES
            assert (tmp_path / "s.db").stat().st_size > 30_000_000
            assert (await journal.audit()).blocks == journal.length > 40_000

    asyncio.run(main())


def test_writes_wait_for_the_copy_of_a_log_at_its_bound(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("journal.copier._FRAMES_MAX", 100)
    monkeypatch.setattr("journal.copier._REST_FRAMES", 8)

    async def main() -> None:
        async with await open_store(tmp_path / "s.db") as store:
            store._committer._copier._step = store._committer._copier._start_at = 50
            journal = await store.journal("a")
            size_bytes_max = 0
            for _ in range(500):
                await journal.append([b"x" * 1000] * 20)  # some 5 pages
                size_bytes_max = max(size_bytes_max, (tmp_path / "s.db-wal").stat().st_size)
            assert 50 < size_bytes_max / 8216 < 50 + 100 + 20
            assert (await journal.audit()).blocks == 10_000

    asyncio.run(main())
