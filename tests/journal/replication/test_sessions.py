"""Followers and servers on real stores, over pipes in memory and over TCP."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from nacl.signing import SigningKey

from core.errors import MyceldError
from core.ids import CellId, PublicKey, cell_id_of
from journal import Store
from journal.replication import ByteStream, Copies, Copy, FollowSession, Servers, Shelf, fetch
from journal.replication.errors import (
    ForkMoved,
    FrameRefused,
    HeadOutdated,
    HeadsConflict,
    NotFollowed,
    PeerGone,
    PeerRefused,
)
from tests.journal.world import CELL_ID, fsyncs_of, open_store, read_all

FOLLOWER_KEY = SigningKey(b"\x05" * 32)
FOLLOWER_ID = cell_id_of(PublicKey(bytes(FOLLOWER_KEY.verify_key)))
WRITER_ID = CellId(CELL_ID)
WAIT_S = 120
"""For what must happen; nothing here takes a hundredth of it, unless the machine is very busy."""


class Pipe:
    """One end of a byte stream in memory, with the bounds of a socket."""

    def __init__(self) -> None:
        self._data = bytearray()
        self._changed = asyncio.Condition()
        self._closed = False
        self.other = self

    @classmethod
    def pair(cls) -> tuple[Pipe, Pipe]:
        one, two = cls(), cls()
        one.other, two.other = two, one
        return one, two

    async def read(self, size_max: int, *, timeout_s: float | None) -> bytes:
        async with asyncio.timeout(timeout_s), self._changed:
            await self._changed.wait_for(lambda: self._data or self._closed)
            data = bytes(self._data[:size_max])
            del self._data[:size_max]
            self._changed.notify_all()
            return data

    async def write(self, data: bytes, *, timeout_s: float) -> None:
        other = self.other
        async with asyncio.timeout(timeout_s), other._changed:
            await other._changed.wait_for(lambda: len(other._data) < 1 << 18 or other._closed)
            if other._closed:
                raise PeerGone("closed")
            other._data += data
            other._changed.notify_all()

    async def close(self) -> None:
        for end in (self, self.other):
            async with end._changed:
                end._closed = True
                end._changed.notify_all()


class Cell:
    """A store with its copies and its shelf."""

    def __init__(self, store: Store, copies: Copies, cell_id: CellId) -> None:
        self.store = store
        self.copies = copies
        self.cell_id = cell_id
        self.shelf = Shelf(store, copies, cell_id)
        self.servers = Servers(self.shelf)
        self.grown = asyncio.Event()

    async def follow(self, stream: ByteStream, journal: str = "notes") -> None:
        await FollowSession(stream, self.copies, WRITER_ID, journal, self.on_commit).run()

    def on_commit(self, copy: Copy) -> None:
        self.shelf.on_commit(copy)
        self.grown.set()

    def copy(self) -> list[int]:
        return [self.copies.length(copy) for copy in self.copies.all()]

    async def wait_length(self, length: int) -> None:
        async with asyncio.timeout(WAIT_S):
            while not (copy := self.copies.newest(WRITER_ID, "notes")) or (
                self.copies.length(copy) < length
            ):
                self.grown.clear()
                await self.grown.wait()


@contextlib.asynccontextmanager
async def writer_cell(path: Path) -> AsyncIterator[Cell]:
    async with await open_store(path) as store:
        yield Cell(store, await Copies.open(store), WRITER_ID)


@contextlib.asynccontextmanager
async def follower_cell(path: Path) -> AsyncIterator[Cell]:
    store = await Store.open(
        path,
        signer=lambda message: FOLLOWER_KEY.sign(message).signature,
        cell_id=FOLLOWER_ID,
        durability="process",
    )
    async with store:
        yield Cell(store, await Copies.open(store), FOLLOWER_ID)


@contextlib.asynccontextmanager
async def linked(server: Cell, follower: Cell) -> AsyncIterator[asyncio.Task[None]]:
    """Follow over a pipe until the block ends; yields the follower's task."""
    mine, theirs = Pipe.pair()
    serving = asyncio.create_task(server.servers.serve(theirs))
    following = asyncio.create_task(follower.follow(mine))
    try:
        yield following
    finally:
        for task in (following, serving):
            task.cancel()
        await mine.close()
        await asyncio.gather(following, serving, return_exceptions=True)


def run(work: object) -> None:
    asyncio.run(work)  # type: ignore[arg-type]  # a coroutine


async def _copied(cell: Cell) -> list[bytes]:
    copy = cell.copies.newest(WRITER_ID, "notes")
    assert copy is not None
    return await read_all(await cell.store.journal(copy.name))


def test_a_follower_catches_up_and_then_lives(tmp_path: Path) -> None:
    async def main() -> None:
        blocks = [b"%d" % n * (n % 7) for n in range(3000)]
        async with writer_cell(tmp_path / "w") as writer, follower_cell(tmp_path / "f") as cell:
            journal = await writer.store.journal("notes")
            await journal.append(blocks)
            async with linked(writer, cell):
                await cell.wait_length(3000)
                for number in range(20):
                    blocks.append(b"live %d" % number)
                    await journal.append(blocks[-1])
                    await cell.wait_length(len(blocks))
            assert await _copied(cell) == blocks
            copy = cell.copies.newest(WRITER_ID, "notes")
            assert copy is not None
            assert copy.whole is not None
            assert copy.whole.root == journal.root()

    run(main())


def test_large_blocks_arrive_one_frame_at_a_time(tmp_path: Path) -> None:
    async def main() -> None:
        blocks = [bytes([n]) * ((4 << 20) - n) for n in range(3)] + [b"x" * 65536] * 20
        async with writer_cell(tmp_path / "w") as writer, follower_cell(tmp_path / "f") as cell:
            journal = await writer.store.journal("notes")
            for block in blocks:
                await journal.append(block)
            async with linked(writer, cell):
                await cell.wait_length(len(blocks))
            assert await _copied(cell) == blocks

    run(main())


def test_a_broken_off_copy_is_resumed_after_restarts(tmp_path: Path) -> None:
    async def main() -> None:
        blocks = [b"block %d" % n * 20 for n in range(20_000)]
        async with writer_cell(tmp_path / "w") as writer:
            journal = await writer.store.journal("notes")
            await journal.append(blocks)
            lengths = [0]
            for _ in range(50):
                async with follower_cell(tmp_path / "f") as cell, linked(writer, cell):
                    await cell.wait_length(min(lengths[-1] + 2_000, 20_000))
                    lengths.append(cell.copy()[0])
                if lengths[-1] == 20_000:
                    break
            assert len(lengths) > 3  # it took several sessions, and none began anew
            assert lengths == sorted(lengths)
            async with follower_cell(tmp_path / "f") as cell:
                assert await _copied(cell) == blocks

    run(main())


def test_a_copy_serves_a_third_cell_that_trusts_only_the_writers_key(tmp_path: Path) -> None:
    async def main() -> None:
        blocks = [b"block %d" % n for n in range(1000)]
        async with writer_cell(tmp_path / "w") as writer, follower_cell(tmp_path / "f") as cell:
            journal = await writer.store.journal("notes")
            await journal.append(blocks)
            async with linked(writer, cell):
                await cell.wait_length(1000)
            async with follower_cell(tmp_path / "third") as third:
                async with linked(cell, third):
                    await third.wait_length(1000)
                assert await _copied(third) == blocks
            mine, theirs = Pipe.pair()
            serving = asyncio.create_task(cell.servers.serve(theirs))
            got = [block async for block in fetch(mine, WRITER_ID, "notes", 300, 700)]
            assert got == blocks[300:700]
            await mine.close()
            await serving

    run(main())


def test_a_journal_that_is_not_there_is_refused_with_a_code(tmp_path: Path) -> None:
    async def main() -> None:
        async with (
            writer_cell(tmp_path / "w") as writer,
            follower_cell(tmp_path / "f") as cell,
            linked(writer, cell) as following,
        ):
            with pytest.raises(PeerRefused, match="MYC-REPLICATION-009"):
                await following
        assert cell.copies.all() == []

    run(main())


def test_a_lost_tail_that_was_published_is_a_conflict_with_evidence(tmp_path: Path) -> None:
    """The writer's disk is an old copy of itself, made by hand around the publish barrier."""

    async def main() -> None:
        async with writer_cell(tmp_path / "w") as writer:
            await (await writer.store.journal("notes")).append([b"%d" % n for n in range(120)])
        shutil.copytree(tmp_path, tmp_path / "old", ignore=shutil.ignore_patterns("old"))
        async with writer_cell(tmp_path / "w") as writer, follower_cell(tmp_path / "f") as cell:
            journal = await writer.store.journal("notes")
            await journal.append([b"%d" % n for n in range(120, 200)])
            async with linked(writer, cell):
                await cell.wait_length(200)
        async with (
            writer_cell(tmp_path / "old" / "w") as writer,
            follower_cell(tmp_path / "f") as cell,
        ):
            journal = await writer.store.journal("notes")
            assert journal.length == 120
            async with linked(writer, cell) as following:
                async with asyncio.timeout(WAIT_S):
                    await cell.grown.wait()  # it was told of 120 blocks, and has no more to do
                assert not following.done(), "behind is no contradiction"
                await journal.append([b"other %d" % n for n in range(100)])
                async with asyncio.timeout(WAIT_S):
                    with pytest.raises(HeadsConflict):
                        await following
                    while journal.fork == 0:  # noqa: ASYNC110 - when it was shown its own head
                        await asyncio.sleep(0.01)
            copy = cell.copies.newest(WRITER_ID, "notes")
            assert copy is not None
            (evidence,) = cell.copies.evidence(copy)
            assert "\n200\n" in evidence.known
            assert "\n220\n" in evidence.other
            assert await _copied(cell) == [b"%d" % n for n in range(200)]
            await journal.append(b"after")
            assert journal.length == 221
            async with linked(writer, cell) as following:
                with pytest.raises(ForkMoved):
                    await following
            async with linked(writer, cell):
                await cell.wait_length(221)
            assert (await _copied(cell))[-1] == b"after"
            first = await cell.store.journal(copy.name)
            assert await read_all(first) == [b"%d" % n for n in range(200)]

    run(main())


def test_the_publish_barrier_hides_a_tail_that_can_still_be_lost(tmp_path: Path) -> None:
    """What a follower is shown was fsynced first, even if the writer's commits are not."""

    async def main() -> None:
        async with writer_cell(tmp_path / "w") as writer, follower_cell(tmp_path / "f") as cell:
            journal = await writer.store.journal("notes")
            lengths = {0: 0}  # by commit
            synced = fsyncs_of(writer.store, lambda: time.sleep(0.02))  # the disk takes its time
            async with linked(writer, cell):
                for number in range(200):
                    await journal.append(b"%d" % number)
                    lengths[writer.store._committer._commits] = journal.length
                    copies = cell.copy()
                    assert not copies or not copies[0] or copies[0] <= lengths[max(synced)]
                    await asyncio.sleep(0.001)
                await cell.wait_length(200)

    run(main())


@pytest.mark.parametrize("garbage", [b"\xff\xff\xff\xff", b"\x00\x00\x00\x01\xc1", b"\x00" * 8])
def test_garbage_ends_a_session_with_a_code_on_either_side(garbage: bytes, tmp_path: Path) -> None:
    async def main() -> None:
        async with writer_cell(tmp_path / "w") as writer, follower_cell(tmp_path / "f") as cell:
            mine, theirs = Pipe.pair()
            await mine.write(garbage, timeout_s=WAIT_S)
            with pytest.raises(FrameRefused):
                await writer.servers.serve(theirs)
            assert writer.servers.count == 0
            mine, theirs = Pipe.pair()
            await theirs.write(garbage, timeout_s=WAIT_S)
            with pytest.raises(FrameRefused):
                await cell.follow(mine)

    run(main())


def test_what_is_followed_is_remembered_and_bounded(tmp_path: Path) -> None:
    async def main() -> None:
        async with follower_cell(tmp_path / "f") as cell:
            await cell.copies.want(WRITER_ID, "notes")
            await cell.copies.want(WRITER_ID, "notes")
            with pytest.raises(MyceldError):
                await cell.copies.want(WRITER_ID, "No Name")
            with pytest.raises(MyceldError):
                await cell.copies.want(CellId("nobody"), "notes")
            for number in range(31):
                await cell.copies.want(WRITER_ID, f"n{number}")
            with pytest.raises(MyceldError, match="MYC-REPLICATION-010"):
                await cell.copies.want(WRITER_ID, "one-more")
        async with follower_cell(tmp_path / "f") as cell:
            assert len(cell.copies.wanted()) == 32
            await cell.copies.unwant(WRITER_ID, "notes")
            assert (WRITER_ID, "notes") not in cell.copies.wanted()

    run(main())


def test_error_codes_tell_whether_to_try_again() -> None:
    assert (PeerGone.retryable, HeadOutdated.retryable) == (True, True)
    assert (HeadsConflict.retryable, NotFollowed.retryable) == (False, False)
