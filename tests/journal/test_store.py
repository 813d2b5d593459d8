"""What was appended reads back, proves itself, and survives closing; other files are refused."""

from __future__ import annotations

import asyncio
import sqlite3
import stat
import threading
from pathlib import Path

import pytest

from core.ids import PublicKey, cell_id_of
from journal import Store
from journal.errors import (
    CommitRefused,
    NoDurability,
    NoSuchBlock,
    NotAJournalName,
    NotAStore,
    StatementRefused,
    StoreClosed,
    StoreUnavailable,
    WrongCell,
)
from journal.limits import BLOCK_SIZE_BYTES_MAX, COMMIT_SIZE_BYTES_MAX, JOURNALS_MAX
from journal.merkle import verify_consistency, verify_inclusion
from tests.journal.world import (
    CELL_ID,
    OTHER_KEY,
    check_head,
    fsyncs_of,
    open_store,
    read_all,
    sign,
    sign_as_other,
    slow_leaf,
    slow_root,
)


def _blocks(count: int) -> list[bytes]:
    """Blocks of many sizes: empty, small, those that fill a row, and some of several pages."""
    sizes = (100, 0, 1, 511, 512, 513, 2047, 3000, 7, 9000, 20_000)
    return [i.to_bytes(4, "big") * (sizes[i % len(sizes)] // 4 + i % 2) for i in range(count)]


def test_blocks_read_back_one_by_one_many_and_in_ranges_before_and_after_reopening(
    tmp_path: Path,
) -> None:
    async def main() -> None:
        blocks = _blocks(700)
        store = await open_store(tmp_path / "s.db")
        journal = await store.journal("consensus")
        assert await journal.append(blocks[:3]) == (0, 3)
        for at, block in enumerate(blocks[3:60], start=3):
            assert await journal.append(block) == (at, at + 1)
        assert await journal.append(blocks[60:]) == (60, 700)
        assert await journal.append([]) == (700, 700)
        for _ in range(2):
            assert await read_all(journal) == blocks
            assert [await journal.get(i) for i in range(700)] == blocks
            assert await journal.get_many([699, 0, 300, 0]) == [blocks[i] for i in (699, 0, 300, 0)]
            assert [b async for b in journal.read(255, 258)] == blocks[255:258]
            assert [b async for b in journal.read(700)] == []
            check_head(journal, blocks)
            await store.close()
            store = await open_store(tmp_path / "s.db")
            journal = await store.journal("consensus")
        await store.close()

    asyncio.run(main())


def test_proofs_of_every_size_verify_against_the_definition_of_the_tree(tmp_path: Path) -> None:
    async def main() -> None:
        blocks = [i.to_bytes(3, "big") for i in range(1300)]
        leaves = [slow_leaf(block) for block in blocks]
        async with await open_store(tmp_path / "s.db") as store:
            journal = await store.journal("state")
            for start in range(0, 1300, 100):
                await journal.append(blocks[start : start + 100])
            assert journal.root() == slow_root(leaves)
            for size in (1, 2, 255, 256, 257, 511, 512, 700, 1024, 1025, 1299, 1300):
                root = slow_root(leaves[:size])
                for index in {0, 1, 15, 16, 254, 255, 256, 511, 512, 1023, size // 2, size - 1}:
                    if index < size:
                        proof = await journal.prove_inclusion(index, size)
                        verify_inclusion(leaves[index], index, size, proof, root)
                for size1 in (1, 2, 3, 256, 257, 512, 768, 1024, size):
                    if size1 <= size:
                        proof = await journal.prove_consistency(size1, size)
                        verify_consistency(size1, size, proof, slow_root(leaves[:size1]), root)

    asyncio.run(main())


def test_what_is_not_there_is_refused(tmp_path: Path) -> None:
    async def main() -> None:
        async with await open_store(tmp_path / "s.db") as store:
            journal = await store.journal("state")
            await journal.append([b"a", b"b"])
            for index in (-1, 2, 2**63):
                with pytest.raises(NoSuchBlock):
                    await journal.get(index)
                with pytest.raises(NoSuchBlock):
                    await journal.prove_inclusion(index)
            with pytest.raises(NoSuchBlock):
                await journal.prove_inclusion(1, 3)
            for size1, size2 in ((0, 2), (2, 1), (1, 3)):
                with pytest.raises(NoSuchBlock):
                    await journal.prove_consistency(size1, size2)
            with pytest.raises(NoSuchBlock):
                [b async for b in journal.read(1, 3)]

    asyncio.run(main())


def test_an_empty_journal_has_a_signed_head_and_takes_its_first_block_after_reopening(
    tmp_path: Path,
) -> None:
    async def main() -> None:
        async with await open_store(tmp_path / "s.db") as store:
            check_head(await store.journal("state"), [])
        async with await open_store(tmp_path / "s.db") as store:
            assert store.journals() == ["state"]
            journal = await store.journal("state")
            assert await journal.append(b"a") == (0, 1)
            check_head(journal, [b"a"])

    asyncio.run(main())


def test_a_published_head_covers_all_that_was_appended_before(tmp_path: Path) -> None:
    async def main() -> None:
        async with await open_store(tmp_path / "s.db") as store:
            journal = await store.journal("state")
            await journal.append(b"a", durable=False)
            assert journal.durable_length == 0
            before = fsyncs_of(store)
            assert await journal.publish() == journal.checkpoint()
            assert (len(before), journal.durable_length) == (1, 1)
            await journal.publish()
            assert len(before) == 1  # nothing new, nothing to fsync

    asyncio.run(main())


def test_bad_names_and_oversized_blocks_are_refused_and_nothing_is_queued(tmp_path: Path) -> None:
    async def main() -> None:
        async with await open_store(tmp_path / "s.db") as store:
            with pytest.raises(NotAJournalName):
                await store.journal("No Name")
            journal = await store.journal("state")
            with pytest.raises(CommitRefused):
                await journal.append([b"fine", b"x" * (BLOCK_SIZE_BYTES_MAX + 1)])
            with pytest.raises(CommitRefused):
                await journal.append([bytearray(b"not bytes")])  # type: ignore[list-item]  # on purpose
            blocks = COMMIT_SIZE_BYTES_MAX // BLOCK_SIZE_BYTES_MAX + 1
            with pytest.raises(CommitRefused):
                await journal.append([b"x" * BLOCK_SIZE_BYTES_MAX] * blocks)
            assert await journal.append(b"x" * BLOCK_SIZE_BYTES_MAX) == (0, 1)
            assert len(await journal.get(0)) == BLOCK_SIZE_BYTES_MAX

    asyncio.run(main())


def test_a_store_has_a_bounded_number_of_journals(tmp_path: Path) -> None:
    async def main() -> None:
        async with await open_store(tmp_path / "s.db") as store:
            await store.transaction({f"j{i}": [b"x"] for i in range(JOURNALS_MAX)})
            with pytest.raises(CommitRefused):
                await store.journal("onemore")
            assert len(store.journals()) == JOURNALS_MAX
        async with await open_store(tmp_path / "s.db") as store:
            assert len(store.journals()) == JOURNALS_MAX

    asyncio.run(main())


def test_the_file_is_readable_by_its_owner_only(tmp_path: Path) -> None:
    async def main() -> None:
        async with await open_store(tmp_path / "deep" / "s.db"):
            for path in (tmp_path / "deep").iterdir():
                assert stat.S_IMODE(path.stat().st_mode) == 0o600

    asyncio.run(main())


def test_another_cells_store_or_a_wrong_key_is_refused(tmp_path: Path) -> None:
    other_id = cell_id_of(PublicKey(bytes(OTHER_KEY.verify_key)))

    async def main() -> None:
        async with await open_store(tmp_path / "s.db"):
            pass
        with pytest.raises(WrongCell):
            await Store.open(tmp_path / "s.db", signer=sign_as_other, cell_id=CELL_ID)
        with pytest.raises(WrongCell):
            await Store.open(tmp_path / "s.db", signer=sign_as_other, cell_id=other_id)
        with pytest.raises(WrongCell):
            await Store.open(tmp_path / "new.db", signer=sign_as_other, cell_id=CELL_ID)

    asyncio.run(main())


def test_files_that_are_no_store_of_this_format_are_refused_and_left_alone(tmp_path: Path) -> None:
    async def main() -> None:
        (tmp_path / "text").write_bytes(b"not a database, but long enough to be looked at" * 100)
        with sqlite3.connect(tmp_path / "other.db") as other:
            other.execute("CREATE TABLE mine (a)")
        other.close()
        async with await open_store(tmp_path / "newer.db"):
            pass
        with sqlite3.connect(tmp_path / "newer.db") as newer:
            newer.execute("PRAGMA user_version = 4")
        newer.close()
        for name in ("text", "other.db", "newer.db"):
            with pytest.raises(NotAStore):
                await open_store(tmp_path / name)
        assert (tmp_path / "text").read_bytes().startswith(b"not a database")
        with pytest.raises(StoreUnavailable):
            await open_store(tmp_path / "text" / "s.db")

    asyncio.run(main())


def test_closing_leaves_no_thread_and_refuses_what_comes_later(tmp_path: Path) -> None:
    async def main() -> None:
        before = set(threading.enumerate())
        store = await open_store(tmp_path / "s.db")
        journal = await store.journal("state")
        waiting = [asyncio.create_task(journal.append(b"%d" % i)) for i in range(50)]
        await asyncio.sleep(0)
        await asyncio.gather(store.close(), store.close())
        assert [await task for task in waiting] == [(i, i + 1) for i in range(50)]
        assert set(threading.enumerate()) <= before
        with pytest.raises(StoreClosed):
            await journal.append(b"late")
        with pytest.raises(StoreClosed):
            await journal.get(0)
        with pytest.raises(StoreClosed):
            store.query("SELECT 1")
        await store.close()

    asyncio.run(main())


def test_queries_only_read(tmp_path: Path) -> None:
    async def main() -> None:
        async with await open_store(tmp_path / "s.db") as store:
            await store.create_tables("CREATE TABLE kv (k INTEGER); -- one; two\n")
            await store.transaction({}, [("INSERT INTO kv VALUES (?)", [(1,), (2,)])])
            assert store.query("SELECT k FROM kv WHERE k > ?", (1,)) == [(2,)]
            with pytest.raises(StatementRefused):
                store.query("SELECT nothing FROM nowhere")
            for sql in ("INSERT INTO kv VALUES (3)", "DELETE FROM journal_head"):
                with pytest.raises(StatementRefused):
                    store.query(sql)
            assert store.query("SELECT count(*) FROM kv") == [(2,)]

    asyncio.run(main())


def test_opening_with_a_signer_that_is_not_asked_for_more_than_its_journals_touched(
    tmp_path: Path,
) -> None:
    signed: list[bytes] = []

    def counting(message: bytes) -> bytes:
        signed.append(message)
        return sign(message)

    async def main() -> None:
        store = await Store.open(tmp_path / "s.db", signer=counting, cell_id=CELL_ID)
        await asyncio.gather(store.journal("a"), store.journal("b"))
        await asyncio.sleep(0)
        signed.clear()
        tasks = [asyncio.create_task(store.transaction({"a": [b"x"]})) for _ in range(100)]
        await asyncio.gather(*tasks)
        assert len(signed) == 1
        await store.close()

    asyncio.run(main())


def test_opening_a_store_writes_nothing(tmp_path: Path) -> None:
    async def main() -> None:
        path = tmp_path / "s.db"
        async with await open_store(path) as store:
            await (await store.journal("a")).append([b"x"] * 300)
        before = path.read_bytes()
        async with await open_store(path) as store:
            assert store.query("PRAGMA auto_vacuum") == [(2,)]
            await store.audit()
        assert path.read_bytes() == before

    asyncio.run(main())


def test_a_store_is_not_opened_with_a_durability_that_there_is_not(tmp_path: Path) -> None:
    for wrong in ("Power", "none", "", None, True):
        with pytest.raises(NoDurability):
            asyncio.run(open_store(tmp_path / "s.db", wrong))  # type: ignore[arg-type]  # that is the test


@pytest.mark.parametrize(
    "sql",
    [
        "DROP TABLE journal_head",
        'DELETE FROM "Journal_Chunk_1"',
        "UPDATE journal_store SET syncs = 0",
    ],
)
def test_statements_of_others_do_not_touch_the_tables_of_the_journals(
    tmp_path: Path, sql: str
) -> None:
    async def main() -> None:
        async with await open_store(tmp_path / "s.db") as store:
            with pytest.raises(StatementRefused):
                await store.transaction({"a": [b"x"]}, [(sql, [()])])

    asyncio.run(main())
