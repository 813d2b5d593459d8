"""A TCP forwarder that keeps a copy of all that passes, as somebody who watches the wire would."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

_READ_SIZE_BYTES = 1 << 16


class Tap:
    """What was seen. Of each connection: what came from who dialled, and what went back."""

    def __init__(self) -> None:
        self.connections: list[tuple[bytearray, bytearray]] = []
        self.port = 0
        self._behind = 0

    @property
    def size_bytes(self) -> int:
        """How much passed so far."""
        return sum(len(there) + len(back) for there, back in self.connections)

    @asynccontextmanager
    async def before(self, port: int) -> AsyncIterator[Tap]:
        """Listen, and forward to a port of this machine."""
        self._behind = port
        server = await asyncio.start_server(self._forward, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()

    async def _forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = bytearray(), bytearray()
        self.connections.append((there, back))
        away_reader, away_writer = await asyncio.open_connection("127.0.0.1", self._behind)
        await asyncio.gather(_copy(reader, away_writer, there), _copy(away_reader, writer, back))


async def _copy(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, seen: bytearray
) -> None:
    with suppress(ConnectionError):
        while data := await reader.read(_READ_SIZE_BYTES):
            seen += data
            writer.write(data)
            await writer.drain()
    writer.close()


def noise_frame_sizes(stream: bytes, start: int) -> list[int] | None:
    """Return the lengths of the Noise messages in one direction of one connection.

    `start` is where the negotiation before them ends. Each has its length before it, in the clear:
    that is all that a watcher knows of it. None while the last one is still on its way, and for
    ever where it is not what a Noise stream looks like.
    """
    sizes, at = [], start
    while at + 2 <= len(stream):
        sizes.append(int.from_bytes(stream[at : at + 2], "big"))
        at += 2 + sizes[-1]
    return sizes if at == len(stream) else None
