"""WebSocket below Noise: a byte stream in binary messages, accepted and dialled. Trio side.

The protocol itself is trio-websocket's. Ours are the bounds: whole messages of at most
WEBSOCKET_MESSAGE_BYTES_MAX, one message ahead, a deadline for the HTTP upgrade, and an end that
never waits for the peer. Plain `ws` only: the channel inside it is encrypted by Noise.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable

import trio
from libp2p.io.abc import ReadWriteCloser
from libp2p.io.exceptions import ConnectionClosedError
from trio_websocket import (
    ConnectionClosed,
    WebSocketConnection,
    wrap_client_stream,
    wrap_server_stream,
)

from gossip.host.limits import WEBSOCKET_MESSAGE_BYTES_MAX, WEBSOCKET_OPENING_BYTES_MAX
from gossip.host.muxer import ExactReader, remote_address_of

_LOG = logging.getLogger(__name__)

Spawn = Callable[[Callable[[], Awaitable[None]]], None]
"""Starts a background task of the swarm."""


class WebSocketStream(ReadWriteCloser):  # type: ignore[misc]  # libp2p has no types
    """One WebSocket connection as libp2p's raw stream; `read(n)` gives n bytes, less at the end."""

    def __init__(self, socket: trio.SocketStream, web: WebSocketConnection) -> None:
        self.closed = trio.Event()
        self._socket = socket
        self._web = web
        self._exact = ExactReader(self._next_message)
        self._remote = remote_address_of(socket)

    async def read(self, n: int | None = None) -> bytes:
        """Return `n` bytes, fewer at the end; raises ConnectionClosedError past the bound."""
        return await self._exact.read(n)

    async def write(self, data: bytes) -> None:
        """Send one binary message; raises ConnectionClosedError when the connection is gone."""
        try:
            await self._web.send_message(bytes(data))
        except ConnectionClosed as error:
            raise ConnectionClosedError(f"WebSocket closed: {error}") from error

    async def close(self) -> None:
        """Close the socket at once: Yamux said goodbye already, and a peer may never answer."""
        self.closed.set()
        await trio.aclose_forcefully(self._socket)

    def get_remote_address(self) -> tuple[str, int] | None:
        """Return (IP, port)."""
        return self._remote

    async def _next_message(self) -> bytes:
        try:
            while True:
                message = await self._web.get_message()
                if isinstance(message, str):
                    raise ConnectionClosedError("WebSocket text where bytes belong")
                if message:
                    return message
        except ConnectionClosed:
            return b""


class _OpeningStream(trio.abc.Stream):
    """A socket that gives only so many bytes while the HTTP upgrade is under way.

    trio-websocket collects the body of a refusal, however long it is, and waits on for an upgrade
    when its connection has ended or broken; `give_up` is called for all of them.
    """

    def __init__(self, socket: trio.SocketStream, give_up: Callable[[], None]) -> None:
        self._socket = socket
        self._give_up = give_up
        self._left = WEBSOCKET_OPENING_BYTES_MAX
        self._is_open = False

    def opened(self) -> None:
        """Lift the bound: from here on messages have their own."""
        self._is_open = True

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        """Return what arrived; raises BrokenResourceError past the bound."""
        if self._is_open:
            return bytes(await self._socket.receive_some(max_bytes))
        try:
            data = bytes(await self._socket.receive_some(max_bytes))
        except trio.BrokenResourceError:
            self._give_up()
            raise
        self._left -= len(data)
        if not data or self._left < 0:
            self._give_up()
        if self._left < 0:
            raise trio.BrokenResourceError("too long an HTTP upgrade")
        return data

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        """Send `data`."""
        await self._socket.send_all(bytes(data))

    async def wait_send_all_might_not_block(self) -> None:
        """Wait until the socket takes more."""
        await self._socket.wait_send_all_might_not_block()

    async def aclose(self) -> None:
        """Close the socket."""
        await self._socket.aclose()


async def accepted(
    nursery: trio.Nursery, socket: trio.SocketStream, timeout_s: float
) -> WebSocketStream:
    """Answer the HTTP upgrade of a client; `nursery` runs the reader until it is cancelled.

    Raises TooSlowError, and what trio-websocket does.
    """
    opening = _OpeningStream(socket, nursery.cancel_scope.cancel)
    with trio.fail_after(timeout_s):
        request = await wrap_server_stream(
            nursery,
            opening,
            max_message_size=WEBSOCKET_MESSAGE_BYTES_MAX,
        )
        web = await request.accept()
    opening.opened()
    return WebSocketStream(socket, web)


async def dialled(socket: trio.SocketStream, host: str, spawn: Spawn) -> WebSocketStream:
    """Ask for the HTTP upgrade over a fresh connection; `host` is the header's value.

    Raises ConnectionClosedError. The caller sets a deadline; the socket is closed on any failure.
    """
    holder = _Holder(socket, host)
    spawn(holder.run)
    try:
        await holder.ready.wait()
    except BaseException:
        holder.scope.cancel()
        raise
    if holder.stream is None:
        raise ConnectionClosedError("the peer refused a WebSocket")
    return holder.stream


class _Holder:
    """Runs the tasks of one dialled WebSocket: trio-websocket needs a nursery for its reader."""

    def __init__(self, socket: trio.SocketStream, host: str) -> None:
        self.ready = trio.Event()
        self.scope = trio.CancelScope()
        self.stream: WebSocketStream | None = None
        self._socket = socket
        self._host = host

    async def run(self) -> None:
        """Hold the connection until it is closed. Never raises but when cancelled."""
        opening = _OpeningStream(self._socket, self.scope.cancel)
        try:
            with self.scope:
                async with trio.open_nursery() as nursery:
                    web = await wrap_client_stream(
                        nursery,
                        opening,  # type: ignore[arg-type]  # any stream does, as for the server
                        self._host,
                        "/",
                        max_message_size=WEBSOCKET_MESSAGE_BYTES_MAX,
                    )
                    opening.opened()
                    self.stream = WebSocketStream(self._socket, web)
                    self.ready.set()
                    await self.stream.closed.wait()
                    nursery.cancel_scope.cancel()
        except Exception as error:  # noqa: BLE001 - supervisor of one connection
            _LOG.debug("WebSocket to %s ended: %r", self._host, error)
        finally:
            await trio.aclose_forcefully(self._socket)
            self.ready.set()
