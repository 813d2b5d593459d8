"""One stream of messages with a peer, either way: frames in, frames out, an end to silence.

Knows nothing of what frames mean. What arrives in one read is handed on together, and the next read
waits until that is dealt with, so a peer is slowed down by its own stream.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeAlias

from core.failpoint import hit
from core.ids import CellId
from gossip.budget import Bucket
from gossip.host import PeerStream, ReadTimedOut
from identity.messages.wire import Frame, FrameReader, encode_frame
from node.errors import PeerTooSlow
from node.limits import (
    MEMBER_MESSAGES_BURST,
    MEMBER_MESSAGES_PER_S,
    MESSAGE_LINK_IDLE_S,
    MESSAGE_LINK_SILENCE_S,
    MESSAGE_LINK_SIZE_BYTES_MAX,
    MESSAGE_READ_SIZE_BYTES,
    READ_PAUSE_MS_MAX,
    STRANGER_MESSAGES_BURST,
    STRANGER_MESSAGES_PER_S,
    WRITE_TIMEOUT_MS,
)
from node.session import now_ms

Handle: TypeAlias = Callable[["Link", Sequence[Frame]], Awaitable[None]]
Pump: TypeAlias = Callable[["Link"], Awaitable[int | None]]
"""Queues what is due for the peer; returns in how many ms there is more by itself, if any."""


class Link:
    """A stream of messages; `run` returns when it is over."""

    def __init__(self, stream: PeerStream, *, member: bool) -> None:
        self.cell_id: CellId = stream.cell_id
        self.peer_key = stream.peer_key
        self.is_dialled = stream.initiator
        self.is_over = False
        self.relayed: dict[CellId, int] = {}
        """What this peer was asked to keep for a cell, up to which number."""
        self.floors: dict[CellId, int] = {}
        """The floor of our messages to a cell that this peer was told."""
        self.floor_told = (0, 0)
        """The floor of our messages to the peer itself, and at which retry it was told."""
        self.handed: dict[CellId, int] = {}
        """What was handed over of a sender's messages that were kept for this peer."""
        self.full_until_ms = 0
        """Until when this peer is not asked to keep more."""
        self._stream = stream
        self._reader = FrameReader()
        self._outbound: deque[bytes] = deque()
        self._outbound_bytes = 0
        self._wake = asyncio.Event()
        self._moved_ms = now_ms()
        self._budget = (
            Bucket(MEMBER_MESSAGES_PER_S, MEMBER_MESSAGES_BURST, now_ms())
            if member
            else Bucket(STRANGER_MESSAGES_PER_S, STRANGER_MESSAGES_BURST, now_ms())
        )

    @property
    def has_room(self) -> bool:
        """Whether more may be queued for the peer now."""
        return self._outbound_bytes < MESSAGE_LINK_SIZE_BYTES_MAX // 2

    def send(self, frame: Frame) -> None:
        """Queue a frame; raises PeerTooSlow when too much waits."""
        data = encode_frame(frame)
        if self._outbound_bytes + len(data) > MESSAGE_LINK_SIZE_BYTES_MAX:
            raise PeerTooSlow(f"{self._outbound_bytes} bytes of messages wait for {self.cell_id}")
        self._outbound.append(data)
        self._outbound_bytes += len(data)
        self._wake.set()

    def wake(self) -> None:
        """There may be something for the peer: have the pump look."""
        self._wake.set()

    async def run(self, handle: Handle, pump: Pump) -> None:
        """Serve the stream to its end. Raises why it ended, unless it was time."""
        parts = [
            asyncio.create_task(self._read_all(handle), name="messages-read"),
            asyncio.create_task(self._write_all(pump), name="messages-write"),
        ]
        try:
            await asyncio.wait(parts, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self.is_over = True
            for part in parts:
                part.cancel()
            results = await asyncio.gather(*parts, return_exceptions=True)
        for result in results:
            if isinstance(result, Exception):
                raise result

    async def close(self) -> None:
        """Close the stream."""
        await self._stream.close()

    async def _read_all(self, handle: Handle) -> None:
        while True:
            try:
                data = await self._stream.read(
                    MESSAGE_READ_SIZE_BYTES, timeout_s=MESSAGE_LINK_SILENCE_S
                )
            except ReadTimedOut:
                return
            if not data:
                return
            self._moved_ms = now_ms()
            frames = self._reader.feed(data)
            self._budget.spend(len(frames), now_ms())
            wait_ms = self._budget.wait_ms(now_ms())
            if wait_ms:
                await asyncio.sleep(min(wait_ms, READ_PAUSE_MS_MAX) / 1000)
            if frames:
                await handle(self, frames)

    async def _write_all(self, pump: Pump) -> None:
        while True:
            self._wake.clear()
            due_ms = await pump(self)
            if self._outbound:
                await self._write()
            elif await self._is_idle(due_ms):
                return

    async def _write(self) -> None:
        """Write what is queued; much at once, as each write costs a hop between threads."""
        while self._outbound:
            parts = [self._outbound.popleft()]
            size = len(parts[0])
            while self._outbound and size + len(self._outbound[0]) <= MESSAGE_READ_SIZE_BYTES:
                parts.append(self._outbound.popleft())
                size += len(parts[-1])
            hit("message.send.before")
            await self._stream.write(b"".join(parts), timeout_s=WRITE_TIMEOUT_MS / 1000)
            hit("message.send.after")
            self._outbound_bytes -= size
            self._moved_ms = now_ms()

    async def _is_idle(self, due_ms: int | None) -> bool:
        """Wait until there may be something to do; return whether the stream has no use now."""
        if due_ms is None and self.is_dialled:
            left_ms = self._moved_ms + int(MESSAGE_LINK_IDLE_S * 1000) - now_ms()
            if left_ms <= 0:
                return True
            due_ms = left_ms
        try:
            async with asyncio.timeout(None if due_ms is None else due_ms / 1000):
                await self._wake.wait()
        except TimeoutError:
            return False
        return False
