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

from gossip.host.limits import WEBSOCKET_MESSAGE_BYTES_MAX
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


async def accepted(
    nursery: trio.Nursery, socket: trio.SocketStream, timeout_s: float
) -> WebSocketStream:
    """Answer the HTTP upgrade of a client; `nursery` runs the reader until it is cancelled.

    Raises TooSlowError, and what trio-websocket does.
    """
    with trio.fail_after(timeout_s):
        request = await wrap_server_stream(
            nursery,
            socket,
            max_message_size=WEBSOCKET_MESSAGE_BYTES_MAX,
        )
        web = await request.accept()
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
        try:
            with self.scope:
                async with trio.open_nursery() as nursery:
                    web = await wrap_client_stream(
                        nursery,
                        self._socket,
                        self._host,
                        "/",
                        max_message_size=WEBSOCKET_MESSAGE_BYTES_MAX,
                    )
                    self.stream = WebSocketStream(self._socket, web)
                    self.ready.set()
                    await self.stream.closed.wait()
                    nursery.cancel_scope.cancel()
        except Exception as error:  # noqa: BLE001 - supervisor of one connection
            _LOG.debug("WebSocket to %s ended: %r", self._host, error)
        finally:
            await trio.aclose_forcefully(self._socket)
            self.ready.set()
