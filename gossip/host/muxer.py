"""TCP and Yamux of libp2p with the bounds they lack. Trio side: import only after `load_libp2p`.

`ExactTcpStream` reads the socket in large pieces and hands out whole items, so that a frame in many
small packets is no error (trap 12). `BoundedYamux` closes a connection whose peer sends more than
MUXER_BUFFER_BYTES_MAX into streams that nobody reads (trap 6), and never lets an error out of its
tasks. `NegotiationPipe` bounds multistream messages.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from functools import partial

import trio
from libp2p.io.exceptions import ConnectionClosedError
from libp2p.io.trio import TrioTCPStream
from libp2p.stream_muxer.exceptions import MuxedStreamError
from libp2p.stream_muxer.muxer_multistream import MuxerMultistream
from libp2p.stream_muxer.yamux.yamux import Yamux

from gossip.host.limits import (
    DROP_TIMEOUT_S,
    EXACT_READ_BYTES_MAX,
    MUXER_BUFFER_BYTES_MAX,
    NEGOTIATION_MESSAGE_BYTES_MAX,
    SOCKET_READ_BYTES,
    STREAM_OPENINGS_BURST,
    STREAM_OPENINGS_PER_S,
)
from gossip.host.loading import Libp2pObject

_LOG = logging.getLogger(__name__)


class MuxerBufferFull(trio.TooSlowError):
    """The peer filled MUXER_BUFFER_BYTES_MAX. A TooSlowError, as Yamux closes on nothing else."""


class ExactReader:
    """Whole items out of a stream of pieces; what is left of a piece waits for the next read."""

    def __init__(self, receive: Callable[[], Awaitable[bytes]]) -> None:
        self._receive = receive
        self._buffer = bytearray()

    async def read(self, n: int | None) -> bytes:
        """Return `n` bytes, fewer at the end; raises ConnectionClosedError past the bound."""
        wanted = 1 if n is None else n
        if wanted > EXACT_READ_BYTES_MAX:
            raise ConnectionClosedError(f"peer announced an item of {wanted} bytes")
        while len(self._buffer) < wanted:
            data = await self._receive()
            if not data:
                break
            self._buffer += data
        size = len(self._buffer) if n is None else wanted
        taken = bytes(self._buffer[:size])
        del self._buffer[:size]
        return taken


class ExactTcpStream(TrioTCPStream):  # type: ignore[misc]  # libp2p has no types
    """A TCP stream whose `read(n)` returns n bytes, or less only at the end of the stream."""

    def __init__(self, stream: trio.SocketStream) -> None:
        super().__init__(stream)
        self._exact = ExactReader(partial(super().read, SOCKET_READ_BYTES))
        self._remote = remote_address_of(stream)

    async def read(self, n: int | None = None) -> bytes:
        """Return `n` bytes, fewer at the end; raises ConnectionClosedError past the bound."""
        return await self._exact.read(n)

    def get_remote_address(self) -> tuple[str, int] | None:
        """Return (IP, port); unlike the base class also for IPv6."""
        return self._remote


def remote_address_of(stream: trio.SocketStream) -> tuple[str, int] | None:
    """Return (IP, port) of the other end; None when the connection is gone already."""
    try:
        name = stream.socket.getpeername()
    except OSError:
        return None
    return str(name[0]), int(name[1])


class BoundedYamux(Yamux):  # type: ignore[misc]  # libp2p has no types
    """Yamux that bounds what it buffers and contains its own failures."""

    applications = 0
    """Streams of our own protocols that are served; a connection without any may have to yield."""
    _openings = float(STREAM_OPENINGS_BURST)
    _openings_at_s = 0.0

    def allow_stream(self) -> bool:
        """Count a stream that the peer opened; False when it opens them too fast."""
        now_s = trio.current_time()
        if self._openings_at_s:
            grown = self._openings + (now_s - self._openings_at_s) * STREAM_OPENINGS_PER_S
            self._openings = min(grown, float(STREAM_OPENINGS_BURST))
        self._openings_at_s = now_s
        self._openings -= 1
        return self._openings >= 0

    async def start(self) -> None:
        """Run the connection until it ends."""
        try:
            await super().start()
        except Exception:  # noqa: BLE001 - supervisor of one connection
            _LOG.debug("connection failed", exc_info=True)
            self.event_shutting_down.set()
            await self._cleanup_on_error()

    async def _write_frame(self, data: bytes) -> None:
        try:
            await super()._write_frame(data)
        except Exception:
            # Else Yamux goes on with what is buffered, and fails to answer every frame of it.
            self.event_shutting_down.set()
            raise

    async def _read_data_body(self, length: int) -> bytes:
        buffered = sum(map(len, self.stream_buffers.values()))
        if buffered + length > MUXER_BUFFER_BYTES_MAX:
            raise MuxerBufferFull(f"{buffered + length} bytes unread")
        body: bytes = await super()._read_data_body(length)
        return body


class BoundedMuxers(MuxerMultistream):  # type: ignore[misc]  # libp2p has no types
    """Muxer negotiation that builds BoundedYamux; the base class insists on its own Yamux."""

    async def new_conn(self, conn: Libp2pObject, peer_id: Libp2pObject) -> Libp2pObject:
        """Return the negotiated muxed connection over a secured one."""
        protocol, _ = await self._selector.select(
            _ShortReads(conn),
            conn.is_initiator,
            self.negotiate_timeout,
        )
        muxed = BoundedYamux(conn, peer_id, is_initiator=conn.is_initiator)
        return self._annotate_connection(muxed, conn, protocol)


class _ShortReads:
    """A secured connection while its muxer is chosen: no long messages.

    Noise's own reads collect as much as the peer announces, 100 MB a second.
    """

    def __init__(self, conn: Libp2pObject) -> None:
        self._conn = conn

    async def read(self, n: int) -> bytes:
        """Return `n` bytes; raises ConnectionClosedError past the bound."""
        if n > NEGOTIATION_MESSAGE_BYTES_MAX:
            raise ConnectionClosedError(f"multistream message of {n} bytes")
        data: bytes = await self._conn.read(n)
        return data

    async def write(self, data: bytes) -> None:
        """Send `data`."""
        await self._conn.write(data)


class NegotiationPipe:
    """A new stream as multistream-select needs it, with short messages only.

    Reads past Yamux's credit accounting: the few bytes are not worth an encrypted frame each.
    """

    def __init__(self, stream: Libp2pObject) -> None:
        self._stream = stream

    async def read(self, n: int) -> bytes:
        """Return 1 to `n` bytes; raises ConnectionClosedError at the end or past the bound."""
        if n > NEGOTIATION_MESSAGE_BYTES_MAX:
            raise ConnectionClosedError(f"multistream message of {n} bytes")
        if n == 0:
            return b""
        try:
            data: bytes = await self._stream.muxed_conn.read_stream(self._stream.stream_id, n)
        except MuxedStreamError as error:
            raise ConnectionClosedError("stream ended during negotiation") from error
        return data

    async def write(self, data: bytes) -> None:
        """Send `data`; raises ConnectionClosedError when the stream is gone."""
        try:
            await self._stream.write(data)
        except MuxedStreamError as error:
            raise ConnectionClosedError("stream ended during negotiation") from error


async def finish_shielded(*steps: Callable[[], Awaitable[None]]) -> bool:
    """Run `steps` even in a cancelled task, within DROP_TIMEOUT_S; return whether they ended."""
    with trio.CancelScope(shield=True), trio.move_on_after(DROP_TIMEOUT_S) as scope:
        for step in steps:
            await step()
    return not scope.cancelled_caught
