"""The asyncio half of a stream to one peer, what the rest of the daemon reads and writes.

All state lives in the loop's thread. Deadlines are kept here; the trio half only moves bytes and is
told to drop the connection when one passes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Self

from core.errors import MyceldError
from core.ids import CellId
from gossip.host.errors import (
    HostDown,
    HostMisused,
    ReadTimedOut,
    StreamClosed,
    WriteTimedOut,
)
from gossip.host.limits import CLOSE_TIMEOUT_S, READ_CHUNK_BYTES, RECEIVE_CREDIT_BYTES
from gossip.host.seam import NetworkSide, StreamPort


class PeerStream:
    """A byte stream to an authenticated peer.

    `cell_id` is proven by the Noise handshake. A stream we dialled (`initiator`) owns its
    connection: closing it closes the connection. Use it as an asynchronous context manager, or
    close it. One reader at a time; writers take turns. `binding` names the connection at both ends,
    `peer_key` the process at the other one.
    """

    def __init__(
        self, bridge: NetworkSide, port: StreamPort, on_closed: Callable[[PeerStream], None]
    ) -> None:
        self.cell_id: CellId = port.info.cell_id
        self.protocol: str = port.info.protocol
        self.initiator: bool = port.info.initiator
        self.remote_address: str | None = port.info.remote_address
        self.binding = port.info.binding
        self.peer_key = port.info.peer_key
        self._bridge = bridge
        self._port = port
        self._report_closed = on_closed
        self._buffer = bytearray()
        self._uncredited_bytes = 0
        self._at_end = False
        self._error: MyceldError | None = None
        self._local_closed = False
        self._gone = asyncio.Event()
        self._reader: asyncio.Future[None] | None = None
        self._writers = asyncio.Lock()
        self._answers: set[asyncio.Future[None]] = set()
        port.sink = self

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    def __repr__(self) -> str:
        way = "to" if self.initiator else "from"
        return f"<PeerStream {way} {self.cell_id} at {self.remote_address}>"

    @property
    def closed(self) -> bool:
        """True once we closed it, or it is gone altogether."""
        return self._local_closed or self._gone.is_set()

    async def read(
        self,
        size_max: int = READ_CHUNK_BYTES,
        *,
        timeout_s: float | None,
    ) -> bytes:
        """Return 1 to `size_max` bytes, or b"" when the peer closed its side.

        Raises ReadTimedOut (the stream stays intact), StreamLost (also when our own network side
        crashed), PeerOverran, HostDown, StreamClosed after our own close, HostMisused if another
        read is under way. Cancelling is safe: no bytes are lost.
        """
        if self._local_closed:
            raise StreamClosed("read after close")
        if self._reader is not None:
            raise HostMisused("two reads on one stream at the same time")
        if not self._buffer and not self._at_end:
            self._reader = asyncio.get_running_loop().create_future()
            try:
                async with asyncio.timeout(timeout_s):
                    await self._reader
            except TimeoutError as error:
                raise ReadTimedOut(f"nothing from {self.cell_id} in {timeout_s} s") from error
            finally:
                self._reader = None
        if not self._buffer and self._error is not None:
            raise _again(self._error)
        data = bytes(self._buffer[:size_max])
        del self._buffer[:size_max]
        self._credit(len(data))
        return data

    async def write(self, data: bytes, *, timeout_s: float) -> None:
        """Hand `data` to the network; returns when the last byte is in the kernel's buffer.

        Raises WriteTimedOut (the connection is closed), StreamLost, HostDown, StreamClosed. A
        write that is cancelled half way also closes the connection, as the rest of the bytes
        would be missing. For speed, write much at once: each call costs a hop between threads.
        """
        begun = False
        try:
            async with asyncio.timeout(timeout_s), self._writers:
                if self._local_closed:
                    raise StreamClosed("write after close")
                if self._gone.is_set():
                    raise _again(self._error or StreamClosed("write after the connection ended"))
                answer = asyncio.get_running_loop().create_future()
                self._answers.add(answer)
                try:
                    begun = True
                    self._bridge.call(self._port.submit, bytes(data), _Answer(answer))
                    await answer
                finally:
                    self._answers.discard(answer)
        except TimeoutError as error:
            self._drop()
            raise WriteTimedOut(f"{self.cell_id} took no data for {timeout_s} s") from error
        except asyncio.CancelledError:
            if begun:
                self._drop()
            raise

    async def close(self) -> None:
        """Close gracefully, within CLOSE_TIMEOUT_S; what was written arrives if the peer reads.

        Returns when the stream is gone. Never raises but when cancelled. A protocol that must know
        that its last bytes were read needs an answer from the peer.
        """
        if self._gone.is_set():
            self._local_closed = True
            return
        self._end_locally()
        try:
            self._bridge.call(self._port.finish)
            async with asyncio.timeout(CLOSE_TIMEOUT_S):
                await self._gone.wait()
        except HostDown:
            self.on_closed()
        except TimeoutError:
            self._drop()

    async def abort(self) -> None:
        """Drop the whole connection at once; what is under way is lost. Never raises."""
        self._drop()

    def on_data(self, data: bytes) -> None:
        """Take bytes from the trio half."""
        if self._at_end or self._local_closed:
            return
        self._buffer += data
        self._wake_reader()

    def on_end(self, error: MyceldError | None) -> None:
        """Note that no more bytes follow; the first reason counts."""
        if not self._at_end:
            self._at_end = True
            self._error = error
            self._wake_reader()

    def on_closed(self) -> None:
        """Note that the stream is gone."""
        if self._gone.is_set():
            return
        self._gone.set()
        for answer in self._answers:
            if not answer.done():
                answer.set_exception(_again(self._error or HostDown("the network side ended")))
        self._report_closed(self)

    def _end_locally(self) -> None:
        self._local_closed = True
        self._buffer.clear()
        self.on_end(StreamClosed("closed by this cell"))

    def _drop(self) -> None:
        self._end_locally()
        try:
            self._bridge.call(self._port.drop)
        except HostDown:
            self.on_closed()

    def _credit(self, size: int) -> None:
        self._uncredited_bytes += size
        if self._uncredited_bytes < RECEIVE_CREDIT_BYTES or self._gone.is_set():
            return
        credit, self._uncredited_bytes = self._uncredited_bytes, 0
        try:
            self._bridge.call(self._port.consumed, credit)
        except HostDown:
            self.on_closed()

    def _wake_reader(self) -> None:
        if self._reader is not None and not self._reader.done():
            self._reader.set_result(None)


class _Answer:
    """Completes the future of one write; called in the loop's thread, maybe after its deadline."""

    __slots__ = ("_future",)

    def __init__(self, future: asyncio.Future[None]) -> None:
        self._future = future

    def __call__(self, error: MyceldError | None) -> None:
        if self._future.done():
            return
        if error is None:
            self._future.set_result(None)
        else:
            self._future.set_exception(error)


def _again(error: MyceldError) -> MyceldError:
    """Return a fresh copy: an exception raised twice drags its first traceback along."""
    return type(error)(error.detail)
