"""Frames over any byte stream, with deadlines and bounded buffers.

The stream is libp2p's in a cell (`gossip.host.PeerStream`) and a TCP connection or a pipe in
tests and benchmarks; whatever raises on it goes through.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from core.failpoint import hit
from journal.replication import wire
from journal.replication.errors import PeerGone, PeerSilent
from journal.replication.limits import READ_SIZE_BYTES, WRITE_SIZE_BYTES, WRITE_TIMEOUT_MS


class ByteStream(Protocol):
    """What replication needs of a connection."""

    async def read(self, size_max: int, *, timeout_s: float | None) -> bytes:
        """Return 1 to `size_max` bytes, b"" at the end.

        Raises TimeoutError when the deadline passes, and then loses no bytes.
        """
        ...

    async def write(self, data: bytes, *, timeout_s: float) -> None:
        """Send all of `data`; raises TimeoutError or its own when the peer does not take it."""
        ...


class FrameStream:
    """Reads and writes whole frames. One reader and one writer at a time."""

    def __init__(self, stream: ByteStream) -> None:
        self._stream = stream
        self._buffer = bytearray()
        self.bytes_in = 0
        self.bytes_out = 0

    def buffered(self) -> wire.Frame | None:
        """Return a frame that has arrived whole, or None; raises FrameRefused."""
        header = wire.LENGTH_SIZE_BYTES
        if len(self._buffer) < header:
            return None
        length = wire.length_of(bytes(self._buffer[:header]))
        if len(self._buffer) < header + length:
            return None
        body = bytes(memoryview(self._buffer)[header : header + length])
        del self._buffer[: header + length]
        return wire.decode_frame(body)

    async def fill(self, *, timeout_s: float) -> None:
        """Wait for more bytes. Raises PeerGone at the end, and what the stream raises.

        The buffer holds at most one frame that is not whole, whose length was checked, and
        READ_SIZE_BYTES.
        """
        data = await self._stream.read(READ_SIZE_BYTES, timeout_s=timeout_s)
        if not data:
            raise PeerGone("the peer closed the stream")
        self.bytes_in += len(data)
        self._buffer += data

    async def read(self, *, timeout_s: float) -> wire.Frame:
        """Return the next frame; `timeout_s` is for each piece of it. Raises as `fill` does."""
        while (frame := self.buffered()) is None:
            await self.fill(timeout_s=timeout_s)
        return frame

    async def write(self, frames: Iterable[wire.Frame]) -> None:
        """Send frames, small ones together."""
        parts: list[bytes] = []
        size_bytes = 0
        for frame in frames:
            data = wire.encode_frame(frame)
            parts.append(data)
            size_bytes += len(data)
            if size_bytes >= WRITE_SIZE_BYTES:
                await self._send(parts)
                parts, size_bytes = [], 0
        if parts:
            await self._send(parts)

    async def _send(self, parts: list[bytes]) -> None:
        data = b"".join(parts)
        try:
            hit("replication.send.before")
            await self._stream.write(data, timeout_s=WRITE_TIMEOUT_MS / 1000)
            hit("replication.send.after")
        except TimeoutError as error:
            raise PeerSilent("the peer takes no data") from error
        self.bytes_out += len(data)
