"""The serving side of replication, as a pure state machine: no task, clock, socket or disk.

    server = Server()
    loop: server.receive(frame, now_ms), or server.published(text, size) when there is a new head;
          while (read := server.next_read()) is not None:
              what the driver read is given to `server.answer_…`, which returns the frame to send

Only published heads are given to it, and it asks for nothing beyond them: the publish barrier.
Bounds: one journal a session, REQUESTS_MAX requests at a time, one frame of blocks at a time. A
follower that has everything is pushed new blocks with their head (`Tail`); one that lags is told
of new heads (`Head`) and fetches at its own pace.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

from core.errors import check
from journal.limits import TILE_HASHES
from journal.replication import wire
from journal.replication.errors import FrameRefused, PeerSilent, TooManyRequests
from journal.replication.limits import REQUEST_BLOCKS_MAX, REQUESTS_MAX, SILENCE_MS_MAX


@dataclass(frozen=True, slots=True)
class ReadHead:
    """Prove the prefix `size_from` of the newest head (0: nothing to prove)."""

    text: str
    size_from: int
    size: int


@dataclass(frozen=True, slots=True)
class ReadBlocks:
    """Read blocks from `start`, some or all up to `end`, with the proof of their range."""

    request: int
    size: int
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class ReadTile:
    """Read the leaf hashes [start, end), with the proof of their range."""

    request: int
    size: int
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class ReadTail:
    """Read all blocks [start, size) if they are few bytes; they go with the head."""

    text: str
    start: int
    size: int


Read: TypeAlias = ReadHead | ReadBlocks | ReadTile | ReadTail


class Server:
    """One session with one follower."""

    def __init__(self, now_ms: int) -> None:
        self.follow: wire.Follow | None = None
        self._head = ("", 0)
        self._told = 0  # the size that the follower's next head is proven from
        self._told_text = ""
        self._shown = -1  # size of the last head that we showed
        self._at = 0  # blocks that the follower has, or was sent
        self._reads: deque[ReadBlocks | ReadTile] = deque()
        self.disputed: str | None = None
        self._pongs: deque[wire.Pong] = deque()
        self._heard_ms = now_ms

    @property
    def due_ms(self) -> int:
        """When a silent follower is given up."""
        return self._heard_ms + SILENCE_MS_MAX

    def tick(self, now_ms: int) -> None:
        """Look at the deadline; raises PeerSilent."""
        if now_ms >= self.due_ms:
            raise PeerSilent("the follower says nothing")

    def receive(self, frame: wire.Frame, now_ms: int) -> None:
        """Take a frame of the follower; raises FrameRefused or TooManyRequests."""
        self._heard_ms = now_ms
        if self.follow is None:
            if not isinstance(frame, wire.Follow) or frame.version != wire.VERSION:
                raise FrameRefused(f"the first frame is a Follow of version {wire.VERSION}")
            self.follow = frame
            return
        match frame:
            case wire.Want():
                self._check_range(frame.size, frame.start, frame.end)
                if frame.end - frame.start > REQUEST_BLOCKS_MAX:
                    raise FrameRefused(f"more than {REQUEST_BLOCKS_MAX} blocks in one request")
                self._add(ReadBlocks(frame.request, frame.size, frame.start, frame.end))
            case wire.WantTile():
                start = frame.number * TILE_HASHES
                end = min(start + TILE_HASHES, frame.size)
                self._check_range(frame.size, start, end)
                self._add(ReadTile(frame.request, frame.size, start, end))
            case wire.Ping():
                if len(self._pongs) >= REQUESTS_MAX:
                    raise TooManyRequests("too many pings")
                self._pongs.append(wire.Pong(frame.number))
            case wire.Dispute():
                self.disputed = frame.text
            case _:
                raise FrameRefused(f"a follower does not send {type(frame).__name__}")

    def published(self, text: str, size: int, fork: int) -> None:
        """Take the newest published head of the journal that is followed."""
        check(self.follow is not None, "a journal is chosen before its head")
        follow = self.follow
        if not self._head[0] and follow is not None and follow.fork == fork:
            self._told, self._at = follow.size, follow.length
        self._head = (text, size)

    def pongs(self) -> list[wire.Frame]:
        """Return the pongs that are due; they are sent before anything else."""
        due: list[wire.Frame] = list(self._pongs)
        self._pongs.clear()
        return due

    def next_read(self) -> Read | None:
        """Return what to read now, or None when there is nothing to do."""
        text, size = self._head
        if not text:
            return None
        if not self._told_text:
            return ReadHead(text, self._told if 0 < self._told <= size else 0, size)
        if self._reads:
            return self._reads[0]
        if text != self._told_text:
            if size > self._told == self._shown == self._at:
                return ReadTail(text, self._at, size)
            return ReadHead(text, self._told if 0 < self._told <= size else 0, size)
        return None

    def answer_head(self, read: ReadHead, proof: Sequence[bytes]) -> wire.Frame:
        """Return the head with its proof."""
        self._told_text, self._shown = read.text, read.size
        self._told = max(self._told, read.size)
        return wire.Head(read.text, read.size_from, tuple(proof))

    def answer_blocks(
        self, read: ReadBlocks, blocks: Sequence[bytes], proof: Sequence[bytes]
    ) -> wire.Frame:
        """Return one frame of blocks; what is left of the request is read next."""
        check(self._reads[0] is read and len(blocks) > 0, "requests are answered in order")
        self._reads.popleft()
        end = read.start + len(blocks)
        if end < read.end:
            self._reads.appendleft(ReadBlocks(read.request, read.size, end, read.end))
        if read.start == self._at:
            self._at = end
        return wire.Blocks(read.request, read.start, tuple(blocks), tuple(proof))

    def answer_tile(
        self, read: ReadTile, leaves: Sequence[bytes], proof: Sequence[bytes]
    ) -> wire.Frame:
        """Return the leaf hashes of a tile."""
        check(self._reads[0] is read, "requests are answered in order")
        self._reads.popleft()
        return wire.Tile(read.request, tuple(leaves), tuple(proof))

    def answer_tail(self, read: ReadTail, blocks: Sequence[bytes] | None) -> wire.Frame | ReadHead:
        """Return the live tail, or what to read instead if it is too long to be pushed."""
        if blocks is None:
            return ReadHead(read.text, self._told, read.size)
        self._told_text = read.text
        self._told = self._shown = self._at = read.size
        return wire.Tail(read.text, read.start, tuple(blocks))

    def _add(self, read: ReadBlocks | ReadTile) -> None:
        if len(self._reads) >= REQUESTS_MAX:
            raise TooManyRequests(f"more than {REQUESTS_MAX} requests at a time")
        self._reads.append(read)

    def _check_range(self, size: int, start: int, end: int) -> None:
        if not self._told_text or not 0 <= start < end <= size <= self._head[1]:
            raise FrameRefused(f"[{start}, {end}) of {size} blocks is not in a head we showed")
