"""The lost-tail story: a follower, a writer, and a power cut that takes what was not fsynced.

The cut is made by hand: the write-ahead log of a copied store is cut to what it had at the last
fsync. (That SQLite writes and fsyncs as it says is for the store's own tests.)
"""

from __future__ import annotations

import asyncio
import shutil
import threading
from pathlib import Path

from journal import Durability
from journal.replication import Copies
from tests.journal.replication.test_sessions import (
    WRITER_ID,
    Cell,
    _copied,
    follower_cell,
    linked,
    run,
    writer_cell,
)
from tests.journal.world import fsyncs_of, open_store


def _wal_bytes(store: Path) -> int:
    """Return where the log ends: behind the last frame with the salt of its header."""
    log = store.with_name(store.name + "-wal").read_bytes()
    page_bytes = int.from_bytes(log[8:12], "big")
    at = 32
    while log[at + 8 : at + 16] == log[16:24]:
        at += 24 + page_bytes
    return at


def _after_power_cut(store: Path, synced_bytes: int, where: Path) -> Path:
    """Return a store with what the disk had kept: the log up to the last fsync."""
    where.mkdir()
    for file in (store, store.with_name(store.name + "-wal")):
        shutil.copy(file, where / file.name)
    with (where / f"{store.name}-wal").open("r+b") as log:
        log.truncate(synced_bytes)
    return where / store.name


def test_under_process_a_follower_was_never_shown_what_the_cut_takes(tmp_path: Path) -> None:
    async def main() -> None:
        async with follower_cell(tmp_path / "f") as cell:
            async with writer_cell(tmp_path / "w") as writer:
                journal = await writer.store.journal("notes")
                await journal.append([b"%d" % n for n in range(120)])
                async with linked(writer, cell):
                    await cell.wait_length(120)
                    synced_bytes = _wal_bytes(tmp_path / "w")

                    disk_is_back = threading.Event()

                    def hang() -> None:
                        disk_is_back.wait(60)

                    fsyncs_of(writer.store, hang)
                    await journal.append([b"%d" % n for n in range(120, 200)])
                    assert journal.length == 200
                    await asyncio.sleep(0.2)
                    assert cell.copy() == [120]
                    left = _after_power_cut(tmp_path / "w", synced_bytes, tmp_path / "cut")
                    disk_is_back.set()
            async with writer_cell(left) as writer:
                journal = await writer.store.journal("notes")
                assert journal.length == 120
                async with linked(writer, cell) as following:
                    await journal.append([b"other %d" % n for n in range(100)])
                    await cell.wait_length(220)
                    assert not following.done()
            copied = await _copied(cell)
            assert copied[:120] == [b"%d" % n for n in range(120)]
            assert copied[120:] == [b"other %d" % n for n in range(100)]
            copy = cell.copies.newest(WRITER_ID, "notes")
            assert copy is not None
            assert cell.copies.evidence(copy) == []

    run(main())


def test_under_power_the_cut_takes_nothing_that_was_acknowledged(tmp_path: Path) -> None:
    durability: Durability = "power"

    async def main() -> None:
        async with follower_cell(tmp_path / "f") as cell:
            async with await open_store(tmp_path / "w", durability) as store:
                writer = Cell(store, await Copies.open(store), WRITER_ID)
                journal = await store.journal("notes")
                async with linked(writer, cell):
                    for number in range(200):
                        await journal.append(b"%d" % number)
                    synced_bytes = _wal_bytes(tmp_path / "w")
                    await cell.wait_length(200)
                    left = _after_power_cut(tmp_path / "w", synced_bytes, tmp_path / "cut")
            async with await open_store(left, durability) as store:
                writer = Cell(store, await Copies.open(store), WRITER_ID)
                journal = await store.journal("notes")
                assert journal.length == 200
                async with linked(writer, cell):
                    await journal.append(b"after the cut")
                    await cell.wait_length(201)

    run(main())
