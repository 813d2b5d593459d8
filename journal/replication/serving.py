"""Runs a server's machine over a stream, against the feeds of a cell."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TypeAlias

from core.errors import MyceldError
from journal.errors import BlockCleared
from journal.replication import wire
from journal.replication.errors import NotServed, PeerGone, PeerSilent, TooManyServed
from journal.replication.feeds import Feed, Shelf
from journal.replication.following import now_ms
from journal.replication.framing import ByteStream, FrameStream
from journal.replication.limits import (
    SERVED_MAX,
    SILENCE_MS_MAX,
    SPAN_SIZE_BYTES,
    TAIL_SIZE_BYTES_MAX,
)
from journal.replication.ranges import prove_prefix, prove_range
from journal.replication.server import Read, ReadBlocks, ReadHead, ReadTail, ReadTile, Server

MayRead: TypeAlias = Callable[[str, str], MyceldError | None]
"""Told a cell id and a journal of it: returns why the follower may not read that, if so."""


class Servers:
    """All sessions in which this cell serves; at most SERVED_MAX at a time."""

    def __init__(self, shelf: Shelf) -> None:
        self._shelf = shelf
        self.count = 0

    async def serve(self, stream: ByteStream, may_read: MayRead | None = None) -> None:
        """Serve one follower until it goes away, is silent, or breaks a rule (which raises)."""
        frames = FrameStream(stream)
        if self.count >= SERVED_MAX:
            error = TooManyServed(f"{self.count} followers are served")
            await frames.write([wire.Refuse(error.code, error.detail)])
            return
        self.count += 1
        try:
            await ServeSession(frames, self._shelf, may_read).run()
        except PeerGone:
            return
        finally:
            self.count -= 1


class ServeSession:
    """One follower: a task reads its frames, another answers them and pushes what is new."""

    def __init__(self, frames: FrameStream, shelf: Shelf, may_read: MayRead | None = None) -> None:
        self._frames = frames
        self._may_read = may_read
        self._shelf = shelf
        self._server = Server(now_ms())
        self._wake = asyncio.Event()

    async def run(self) -> None:
        """Serve until the stream ends. Raises what ends it."""
        self._server.receive(await self._next_frame(), now_ms())
        follow = self._server.follow
        assert follow is not None  # noqa: S101 - for the type checker: the first frame is taken
        try:
            denied = self._may_read(follow.cell_id, follow.journal) if self._may_read else None
            if denied is not None:
                await self._frames.write([wire.Refuse(denied.code, denied.detail)])
                return
            feed = await self._shelf.feed(follow.cell_id, follow.journal)
        except NotServed as error:
            await self._frames.write([wire.Refuse(error.code, error.detail)])
            return
        self._shelf.listen(feed, self._wake)
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._read_all())
                group.create_task(self._write_all(feed))
        except* MyceldError as failures:
            raise first_of(failures) from failures
        finally:
            self._shelf.leave(feed, self._wake)

    async def _next_frame(self) -> wire.Frame:
        try:
            return await self._frames.read(timeout_s=SILENCE_MS_MAX / 1000)
        except TimeoutError as error:
            raise PeerSilent("the follower says nothing") from error

    async def _read_all(self) -> None:
        while True:
            self._server.receive(await self._next_frame(), now_ms())
            self._wake.set()

    async def _write_all(self, feed: Feed) -> None:
        server, fork = self._server, feed.fork
        while True:
            self._wake.clear()
            if feed.fork != fork:
                raise PeerGone("the journal went on at another fork; it is asked for anew")
            server.published(feed.text, feed.size, feed.fork)
            if server.disputed is not None:
                await self._settle(server.disputed)
            if pongs := server.pongs():
                await self._frames.write(pongs)
            read = server.next_read()
            if read is None:
                await self._wake.wait()  # `_read_all` ends the session if nothing comes
                continue
            try:
                frame = self._answer(feed, read)
            except BlockCleared as error:
                await self._frames.write([wire.Refuse(error.code, error.detail)])
                raise
            await self._frames.write([frame])

    async def _settle(self, text: str) -> None:
        """Let the journal go on at the next fork, if it is ours and contradicts what we signed."""
        follow = self._server.follow
        if follow is not None and follow.cell_id == self._shelf.cell_id:
            await self._shelf.dispute(follow.journal, text)
        raise PeerGone("the follower disputes the journal")

    def _answer(self, feed: Feed, read: Read) -> wire.Frame:
        node = feed.node()
        match read:
            case ReadHead():
                proof = prove_prefix(read.size_from, read.size, node) if read.size_from else []
                return self._server.answer_head(read, proof)
            case ReadBlocks():
                blocks = feed.blocks(read.start, read.end, SPAN_SIZE_BYTES)
                proof = prove_range(read.start, read.start + len(blocks), read.size, node)
                return self._server.answer_blocks(read, blocks, proof)
            case ReadTile():
                leaves = feed.leaves(read.start, read.end)
                proof = prove_range(read.start, read.end, read.size, node)
                return self._server.answer_tile(read, leaves, proof)
            case ReadTail():
                blocks = feed.blocks(read.start, read.size, TAIL_SIZE_BYTES_MAX)
                few = blocks if len(blocks) == read.size - read.start else None
                answer = self._server.answer_tail(read, few)
                return self._answer(feed, answer) if isinstance(answer, ReadHead) else answer


def first_of(failures: BaseExceptionGroup[MyceldError]) -> MyceldError:
    """Return the first error inside a group."""
    inner: BaseException = failures
    while isinstance(inner, BaseExceptionGroup):
        inner = inner.exceptions[0]
    assert isinstance(inner, MyceldError)  # noqa: S101 - for the type checker: `except*` chose it
    return inner
