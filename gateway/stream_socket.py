"""A WebSocket as subscriptions need it: uvicorn's, with bounds, and items written as they are.

An item goes out as two fragments of one message: one that names the subscription, and one that is
the same for all subscribers and encoded once. They are written past uvicorn's own sending, which
would encode each for each, and joined once for all who call their subscription the same. What the
kernel does not take waits in the transport, up to a bound: from there on the socket is blocked and
gets nothing more.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Callable, Mapping
from typing import Any, Final

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.http11 import Request

from core.errors import MyceldError
from gateway.errors import (
    GatewayStopping,
    SubscriberGone,
    SubscriberTooSlow,
    TokenEnded,
)
from gateway.json_bytes import json_bytes
from gateway.limits import (
    STREAM_BUFFER_SIZE_BYTES_MAX,
    STREAM_CLOSE_S_MAX,
    STREAM_PING_S,
    STREAM_SOCKET_SIZE_BYTES,
)
from gateway.subscriptions import Handout, Subscription, text_frame

EXTENSION: Final = "myceld.socket"
"""Of the ASGI scope: the `Socket` itself."""

CLOSE_CODES: Final[Mapping[type[MyceldError], int]] = {
    GatewayStopping: 1001,
    TokenEnded: 4401,
    SubscriberGone: 4408,
    SubscriberTooSlow: 4413,
}
"""Codes with which a subscriber's connection is closed; 1011 for any other error."""

_SWITCHING: Final = 101
_CLOSE_CODE_OTHER: Final = 1011
_REASON_SIZE_BYTES_MAX: Final = 123


class Socket(WebSocketsSansIOProtocol):
    """One WebSocket; a `gateway.stream_hub.Sink`. It counts as no request of the server's."""

    def __init__(self, *arguments: Any, **settings: Any) -> None:  # noqa: ANN401 - as the base class has it
        super().__init__(*arguments, **settings)
        # The hub counts and closes subscribers; the server's bounds are those of requests.
        self.connections, self.tasks = set(), set()
        self.ping_interval = self.ping_timeout = STREAM_PING_S
        self.close_timeout = STREAM_CLOSE_S_MAX
        self.on_room: Callable[[], None] = lambda: None
        """Called when it is blocked no more."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Bound what waits in the transport and in the kernel."""
        super().connection_made(transport)
        bound_buffers(self.transport)

    def handle_connect(self, event: Request) -> None:
        """Have the application find this socket."""
        super().handle_connect(event)
        if self.response.status_code == _SWITCHING:
            self.scope["extensions"] = {**(self.scope["extensions"] or {}), EXTENSION: {"it": self}}
        else:
            self._cut_later()

    def resume_writing(self) -> None:
        """Go on with what there is."""
        super().resume_writing()
        self.on_room()

    async def send(self, message: Any) -> None:  # noqa: ANN401 - as the base class has it
        """Send what the application says; it may say goodbye to who was told it already."""
        if not (self.close_sent and message["type"] == "websocket.close"):
            await super().send(message)

    def keepalive_timeout(self) -> None:
        """Close: the other end did not answer a ping."""
        self.end(SubscriberGone("no pong came in time"))

    @property
    def is_blocked(self) -> bool:
        """Whether the transport holds as much as it may."""
        return not self.writable.is_set()

    async def room(self) -> None:
        """Wait until it is not blocked, or lost."""
        await self.writable.wait()

    def put(self, subscription: Subscription, handout: Handout) -> None:
        """Send items, each a message."""
        self._write(handout.messages(subscription.first_fragment))

    def tell(self, message: Mapping[str, object]) -> None:
        """Send something that is no item."""
        self._write(text_frame(json_bytes(message)))

    def end(self, error: MyceldError) -> None:
        """Close with a code and a reason; cut the connection if that is not done in time."""
        if self.close_sent or self.transport.is_closing():
            return
        self.stop_keepalive()
        code = next(
            (CLOSE_CODES[base] for base in type(error).__mro__ if base in CLOSE_CODES),
            _CLOSE_CODE_OTHER,
        )
        reason = str(error).encode()[:_REASON_SIZE_BYTES_MAX].decode(errors="ignore")
        self.conn.send_close(code, reason)
        self.transport.write(b"".join(self.conn.data_to_send()))
        self.close_sent = True
        self.queue.put_nowait({"type": "websocket.disconnect", "code": code, "reason": reason})
        if self.read_paused:
            self.read_paused = False
            self.transport.resume_reading()
        self._cut_later()

    def _cut_later(self) -> None:
        self.close_timer = self.loop.call_later(STREAM_CLOSE_S_MAX, self.transport.abort)

    def _write(self, data: bytes) -> None:
        if not (self.close_sent or self.disconnected or self.transport.is_closing()):
            self.transport.write(data)


def bound_buffers(transport: asyncio.Transport) -> None:
    """Let little wait for the other end in the transport and in the kernel."""
    transport.set_write_buffer_limits(high=STREAM_BUFFER_SIZE_BYTES_MAX)
    raw = transport.get_extra_info("socket")
    if raw is not None:
        with contextlib.suppress(OSError):  # it is only a hint to the kernel
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, STREAM_SOCKET_SIZE_BYTES)
