"""Crashes and damaged files: nothing acknowledged is lost, and what opens is a signed prefix."""

from __future__ import annotations

import asyncio
import os
import random
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from journal import Store
from journal.errors import StoreCorrupt
from tests.journal.world import check_head, open_store, read_all

_ROUNDS = int(os.environ.get("JOURNAL_KILLS", "4"))
"""How often a writing process is killed; 50 before a release."""

_TABLE = "CREATE TABLE IF NOT EXISTS tally (n INTEGER PRIMARY KEY)"
_INSERT = "INSERT INTO tally VALUES (?)"

# Appends until it is killed; says the number of each commit once it is acknowledged.
_CHILD = """
import asyncio, sys
from pathlib import Path
from tests.journal.world import open_store

async def main(path):
    store = await open_store(path)
    await store.create_tables("CREATE TABLE IF NOT EXISTS tally (n INTEGER PRIMARY KEY)")
    first = store.query("SELECT count(*) FROM tally")[0][0]
    counter = iter(range(first, 10**9))

    async def work(durable):
        for n in counter:
            block = b"%d" % n * (1 + n % 50)
            await store.transaction(
                {"a": [block], "b": [block, b"and"]},
                [("INSERT INTO tally VALUES (?)", [(n,)])],
                durable,
            )
            sys.stdout.write(f"{n}\\n")
            sys.stdout.flush()

    async def edit():
        journal = await store.journal("edited")
        while True:
            await journal.append([b"%d" % journal.fork * 90] * 40)
            await journal.clear(0, journal.length - 20)
            await journal.truncate(journal.length - 10)

    await asyncio.gather(edit(), *(work(i == 0) for i in range(8)))

asyncio.run(main(Path(sys.argv[1])))
"""


def _block(n: int) -> bytes:
    return b"%d" % n * (1 + n % 50)


async def _check_prefix(store: Store) -> int:
    """Check that journals and table are those after some number of commits; return it."""
    count: int = store.query("SELECT count(*) FROM tally")[0][0]
    a, b = await store.journal("a"), await store.journal("b")
    blocks_a = [_block(n) for n in range(count)]
    blocks_b = [block for n in range(count) for block in (_block(n), b"and")]
    assert await read_all(a) == blocks_a
    assert await read_all(b) == blocks_b
    check_head(a, blocks_a)
    check_head(b, blocks_b)
    await store.audit()
    return count


@pytest.mark.slow
def test_a_killed_process_loses_nothing_it_acknowledged(tmp_path: Path) -> None:
    async def check(acknowledged: set[int]) -> int:
        async with await open_store(tmp_path / "s.db") as store:
            count = await _check_prefix(store)
        assert acknowledged <= set(range(count))
        return count

    chance = random.Random(7)  # noqa: S311 - repeatable, not secret
    count = 0
    for _ in range(_ROUNDS):
        with subprocess.Popen(
            [sys.executable, "-c", _CHILD, str(tmp_path / "s.db")],
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
        ) as child:
            assert child.stdout is not None
            said = child.stdout.readline()
            time.sleep(chance.uniform(0.02, 0.3))
            child.kill()
            # The last line may be cut in the middle: it is not an acknowledgement then.
            said += child.stdout.read()
        acknowledged = {int(line) for line in said.splitlines(keepends=True) if line[-1] == "\n"}
        assert acknowledged
        count_before, count = count, asyncio.run(check(acknowledged))
        assert count > count_before


async def _fill(path: Path, count: int) -> None:
    """Write `count` commits and leave database and log as a crash would, in crash.db."""
    store = await open_store(path)
    await store.create_tables(_TABLE)
    for n in range(count):
        block = _block(n)
        await store.transaction({"a": [block], "b": [block, b"and"]}, [(_INSERT, [(n,)])])
    for suffix in ("", "-wal"):
        shutil.copyfile(f"{path}{suffix}", f"{path.with_name('crash.db')}{suffix}")
    await store.close()


def test_a_log_cut_or_damaged_anywhere_opens_at_a_signed_prefix(tmp_path: Path) -> None:
    async def main() -> None:
        await _fill(tmp_path / "s.db", 20)
        database = (tmp_path / "crash.db").read_bytes()
        log = (tmp_path / "crash.db-wal").read_bytes()
        chance = random.Random(11)  # noqa: S311 - repeatable, not secret
        counts = set()
        for trial in range(200):
            path = tmp_path / f"{trial}.db"
            path.write_bytes(database)
            at = chance.randrange(len(log))
            flipped = log[:at] + bytes([log[at] ^ 1 << trial % 8]) + log[at + 1 :]
            path.with_name(f"{trial}.db-wal").write_bytes(flipped if trial % 2 else log[:at])
            async with await open_store(path) as store:
                await store.create_tables(_TABLE)
                counts.add(await _check_prefix(store))
                await store.transaction({"a": [b"goes on"]})
        assert len(counts) > 10

    asyncio.run(main())


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE journal_head SET head = replace(head, 'A', 'B')",
        "UPDATE journal_head SET size = size - 1",
        "UPDATE journal_tail SET body = zeroblob(length(body))",
        "UPDATE journal_tail SET body = x''",
        "UPDATE journal_head SET name = 'b'",
        "DELETE FROM journal_head",
        "DROP TABLE journal_evidence",
        "ALTER TABLE journal_evidence RENAME COLUMN theirs TO yours",
        "CREATE TABLE journal_chunk_2 (first INTEGER PRIMARY KEY)",
        "DELETE FROM journal_hash_1",
        "UPDATE journal_hash_1 SET body = zeroblob(32)",
        "DELETE FROM journal_chunk_1 WHERE first = (SELECT max(first) FROM journal_chunk_1)",
        "UPDATE journal_chunk_1 SET body = x'91c40178'",
    ],
)
def test_a_store_that_contradicts_its_head_does_not_open(tmp_path: Path, damage: str) -> None:
    async def main() -> None:
        async with await open_store(tmp_path / "s.db") as store:
            journal = await store.journal("a")
            await journal.append([b"%d" % n for n in range(300)])
            await journal.append([b"x" * 600] * 3)  # a row of its own
            await store._thread.run(lambda connection: connection.execute(damage).fetchall())
        with pytest.raises(StoreCorrupt) as caught:
            await open_store(tmp_path / "s.db")
        assert "restore" in caught.value.remedy

    asyncio.run(main())


@pytest.mark.parametrize(
    "damage",
    [
        "DELETE FROM journal_chunk_1 WHERE first = 0",
        "UPDATE journal_chunk_1 SET body = x'91c40178' WHERE first = 0",
        "UPDATE journal_chunk_1 SET body = x'ff' WHERE first = 0",
        "UPDATE journal_hash_1 SET body = zeroblob(8704) WHERE key = 0",
        "UPDATE journal_hash_1 SET body = substr(body, 1, 8672) || zeroblob(32) WHERE key = 0",
        "DELETE FROM journal_hash_1 WHERE key = 0",
    ],
)
def test_damage_in_old_blocks_is_found_when_they_are_read(tmp_path: Path, damage: str) -> None:
    async def main() -> None:
        async with await open_store(tmp_path / "s.db") as store:
            journal = await store.journal("a")
            await journal.append([b"%d" % n for n in range(600)])
            await store._thread.run(lambda connection: connection.execute(damage).fetchall())
            with pytest.raises(StoreCorrupt):
                await journal.get_many(range(256))
            with pytest.raises(StoreCorrupt):
                await read_all(journal)
            assert await journal.get(599) == b"599"
            assert await journal.append(b"goes on") == (600, 601)

    asyncio.run(main())
