"""The trio half of one stream: moves bytes between Yamux and the asyncio half. Trio side.

Everything that arrives is handed to asyncio at once; the peer gets credit for it only when asyncio
has read it, so the peer's receive window bounds what waits on both sides together. A peer that
sends beyond its window loses the connection (trap 6), and so does one in front of an unfinished
write (trap 7).

Methods marked *trio* are called in the trio thread, *asyncio* ones in the loop's thread.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable

import trio
from libp2p.stream_muxer.exceptions import MuxedStreamError
from libp2p.stream_muxer.yamux.yamux import DEFAULT_WINDOW_SIZE

from core.errors import MyceldError
from gossip.host.errors import PeerOverran, StreamLost
from gossip.host.limits import (
    CLOSE_LINGER_S,
    READ_CHUNK_BYTES,
    RECEIVE_SLACK_BYTES,
    RECEIVE_WINDOW_BYTES,
    WINDOW_POLL_S,
    WINDOW_POLL_S_MAX,
    WRITE_PIECE_BYTES,
)
from gossip.host.loading import Libp2pObject
from gossip.host.muxer import finish_shielded
from gossip.host.seam import PortInfo, StreamSink

_LOG = logging.getLogger(__name__)


class Port:
    """One stream of one connection; a stream we dialled owns its connection."""

    def __init__(
        self,
        info: PortInfo,
        connection: Libp2pObject,
        stream: Libp2pObject,
        *,
        post: Callable[..., None],
        close_connection: Callable[[Libp2pObject, bool], Awaitable[None]],
    ) -> None:
        self.info = info
        self.sink: StreamSink | None = None
        self._connection = connection
        self._stream = stream
        self._post = post
        self._close_connection = close_connection
        self._scope = trio.CancelScope()
        self._nursery: trio.Nursery | None = None
        self._closing = trio.Event()
        self._ended = trio.Event()
        self._dropping = False
        self._uncredited_bytes = 0

    async def serve(self) -> None:
        """Serve the stream until it is closed or lost; never raises but when cancelled (trio)."""
        try:
            await self._run()
        except Exception:  # noqa: BLE001 - supervisor of one stream
            _LOG.debug("stream of %s failed", self.info.cell_id, exc_info=True)

    def submit(self, data: bytes, answer: Callable[[MyceldError | None], None]) -> None:
        """Write `data`, then call `answer` in the loop's thread (trio)."""
        if self._closing.is_set() or not self._start(self._write, data, answer):
            self._post(answer, StreamLost("the stream is gone"))

    def consumed(self, size: int) -> None:
        """Give the peer credit for `size` bytes that were read (trio)."""
        self._uncredited_bytes -= size
        self._start(self._credit, size)

    def finish(self) -> None:
        """Close gracefully: our side now, all of it once the peer closed its own (trio)."""
        self._closing.set()

    def drop(self) -> None:
        """Close the connection at once (trio)."""
        self._dropping = True
        self._scope.cancel()

    def _start(self, function: Callable[..., Awaitable[None]], *args: object) -> bool:
        """Start a task of the stream; False when the stream has ended, or is about to."""
        if self._nursery is None:
            return False
        try:
            self._nursery.start_soon(function, *args)
        except RuntimeError:  # the nursery takes no more: its last task is over
            return False
        return True

    async def _run(self) -> None:
        clean = False
        try:
            with self._scope:
                async with trio.open_nursery() as nursery:
                    self._nursery = nursery
                    nursery.start_soon(self._pump)
                    await self._credit(RECEIVE_WINDOW_BYTES - DEFAULT_WINDOW_SIZE)
                    await self._closing.wait()
                    with trio.move_on_after(CLOSE_LINGER_S):
                        await self._stream.close()
                        await self._ended.wait()
                        clean = True
                    nursery.cancel_scope.cancel()
        finally:
            self._nursery = None
            self._post(self._tell_end, StreamLost("the stream is gone"))
            await self._leave(clean=clean)
            self._post(self._tell_closed)

    async def _pump(self) -> None:
        error = await self._receive()
        self._post(self._tell_end, error)
        self._ended.set()
        if error is None:
            await self._connection.muxed_conn.event_closed.wait()
        self._scope.cancel()

    async def _receive(self) -> MyceldError | None:
        muxed, stream = self._connection.muxed_conn, self._stream
        while True:
            try:
                data = await muxed.read_stream(stream.stream_id, READ_CHUNK_BYTES)
            except MuxedStreamError:
                lost = stream.reset_received or muxed.event_shutting_down.is_set()
                if stream.recv_closed and not lost:
                    return None
                return StreamLost("the peer reset the stream, or the connection broke")
            if self._closing.is_set():
                continue
            self._uncredited_bytes += len(data)
            if self._uncredited_bytes > RECEIVE_WINDOW_BYTES + RECEIVE_SLACK_BYTES:
                self._dropping = True
                return PeerOverran(f"{self._uncredited_bytes} bytes unread, peer goes on sending")
            self._post(self._tell_data, data)

    async def _credit(self, size: int) -> None:
        self._stream.recv_window += size
        try:
            await self._stream.send_window_update(size)
        except Exception as error:  # noqa: BLE001 - libp2p raises what it likes; the pump notices
            _LOG.debug("credit not sent: %r", error)

    async def _write(self, data: bytes, answer: Callable[[MyceldError | None], None]) -> None:
        error: MyceldError | None = StreamLost("the connection was closed during the write")
        try:
            await self._send(data)
            error = None
        except Exception as cause:  # noqa: BLE001 - libp2p raises what it likes; all mean the same
            error = StreamLost(f"write failed: {cause}")
            self.drop()
        finally:
            self._post(answer, error)

    async def _send(self, data: bytes) -> None:
        # Yamux itself gives up after 5 s without window; only our caller's deadline shall count.
        sent, pause_s = 0, WINDOW_POLL_S
        while sent < len(data):
            room = self._stream.send_window
            if room <= 0:
                if self._stream.closed or self._stream.send_closed:
                    raise MuxedStreamError("stream closed by the peer")
                await trio.sleep(pause_s)
                pause_s = min(2 * pause_s, WINDOW_POLL_S_MAX)
                continue
            pause_s = WINDOW_POLL_S
            piece = data[sent : sent + min(WRITE_PIECE_BYTES, room)]
            await self._stream.write(piece)
            sent += len(piece)

    async def _leave(self, *, clean: bool) -> None:
        if self.info.initiator or self._dropping:
            await self._close_connection(self._connection, clean)
        elif not clean and not await finish_shielded(self._stream.reset):
            await self._close_connection(self._connection, False)  # noqa: FBT003 - not orderly

    def _tell_data(self, data: bytes) -> None:
        if self.sink is not None:
            self.sink.on_data(data)

    def _tell_end(self, error: MyceldError | None) -> None:
        if self.sink is not None:
            self.sink.on_end(error)

    def _tell_closed(self) -> None:
        if self.sink is not None:
            self.sink.on_closed()
