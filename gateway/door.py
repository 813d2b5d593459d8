"""The door of the gateway: what every request and connection must pass before any route.

1. A connection delivers its request head in time, and stays idle only so long.
2. The Host header is a loopback name, so no web page can reach a cell by DNS rebinding.
   There are no CORS headers: browsers keep other origins out.
3. All but /api/public/ carry the bearer token; its SHA-256 is compared in constant time. What
   hyphae ask, /api/light/, may carry the light token instead, which is good for nothing else.
4. At most REQUESTS_MAX requests are at work, LIGHT_REQUESTS_MAX of them for hyphae.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import ipaddress
from collections.abc import Callable
from typing import Final, TypeAlias

from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from core.errors import MyceldError
from gateway.answers import error_answer
from gateway.errors import ForeignHost, GatewayBusy, Unauthorized
from gateway.limits import HEAD_TIMEOUT_S, LIGHT_REQUESTS_MAX, REQUESTS_MAX, SEND_STALL_S_MAX

_PUBLIC: Final = "/api/public/"
_LIGHT: Final = "/api/light/"
TurnedAway: TypeAlias = Callable[[str, str, MyceldError], None]
"""Told the address, the method, and why."""


class Connection(H11Protocol):
    """An HTTP/1.1 connection that is closed when a request head takes too long."""

    _head_timer: asyncio.TimerHandle | None = None
    _stall_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as the base class has it
        """Start the clock: a connection that says nothing is closed too."""
        super().connection_made(transport)
        self._start_timer()

    def data_received(self, data: bytes) -> None:
        """Stop the clock when a request begins its work, start it when a new head begins."""
        super().data_received(data)
        if self.transport.get_protocol() is not self:
            self._stop_timer()  # it is a WebSocket from now on, with deadlines of its own
        elif self.cycle is not None and not self.cycle.response_complete:
            self._stop_timer()
        elif self._head_timer is None:
            self._start_timer()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the clocks."""
        self._stop_timer()
        self._stop_stall_timer()
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        """Start another clock: what is sent has to be taken."""
        super().pause_writing()
        self._stop_stall_timer()
        self._stall_timer = self.loop.call_later(SEND_STALL_S_MAX, self.transport.abort)

    def resume_writing(self) -> None:
        """Stop it: some was taken."""
        self._stop_stall_timer()
        super().resume_writing()

    def _start_timer(self) -> None:
        self._head_timer = self.loop.call_later(HEAD_TIMEOUT_S, self.transport.close)

    def _stop_timer(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _stop_stall_timer(self) -> None:
        if self._stall_timer is not None:
            self._stall_timer.cancel()
            self._stall_timer = None


class Door:
    """ASGI application that lets a request through to `inner`, or answers why not."""

    def __init__(
        self,
        inner: ASGIApp,
        token: str,
        *,
        turned_away: TurnedAway,
        light_token: str | None = None,
        requests_max: int = REQUESTS_MAX,
    ) -> None:
        """`turned_away` is told of requests that show no good token, or come from elsewhere."""
        self._turned_away = turned_away
        self._inner = inner
        self._token_hash = _hash_of(token.encode())
        self._light_hash = None if light_token is None else _hash_of(light_token.encode())
        self._free = requests_max
        self._light_free = min(LIGHT_REQUESTS_MAX, requests_max)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        try:
            self._check(scope)
        except MyceldError as refusal:
            if isinstance(refusal, Unauthorized | ForeignHost):
                address = scope["client"][0] if scope.get("client") else "?"
                self._turned_away(address, scope.get("method", "WS"), refusal)
            await error_answer(refusal)(scope, receive, send)
            return
        if scope["type"] == "websocket":
            await self._inner(scope, receive, send)  # which counts those by itself
            return
        is_light = scope["path"].startswith(_LIGHT)
        self._free -= 1
        self._light_free -= is_light
        try:
            await self._inner(scope, receive, send)
        finally:
            self._free += 1
            self._light_free += is_light

    def _check(self, scope: Scope) -> None:
        hosts = [value for name, value in scope["headers"] if name == b"host"]
        if len(hosts) != 1 or not is_loopback_host(hosts[0].decode("latin-1")):
            raise ForeignHost("the Host header does not name this machine's loopback")
        if not scope["path"].startswith(_PUBLIC):
            self._check_token(scope, self._hashes_for(scope["path"]))
        is_light = scope["path"].startswith(_LIGHT)
        if self._free <= 0 or (is_light and self._light_free <= 0):
            raise GatewayBusy("too many requests are at work")

    def _hashes_for(self, path: str) -> list[bytes]:
        """Return the hashes of the tokens that open a path."""
        if self._light_hash is None or not path.startswith(_LIGHT):
            return [self._token_hash]
        return [self._token_hash, self._light_hash]

    def _check_token(self, scope: Scope, good: list[bytes]) -> None:
        given = [value for name, value in scope["headers"] if name == b"authorization"]
        offered = scope.get("subprotocols", ())
        given += [b"Bearer " + one[7:].encode() for one in offered if one.startswith("bearer.")]
        scheme, _, token = given[0].partition(b" ") if len(given) == 1 else (b"", b"", b"")
        digest = _hash_of(token.strip())
        matches = [hmac.compare_digest(digest, each) for each in good]
        if not any(matches) or scheme.lower() != b"bearer":
            raise Unauthorized("the token is wrong" if given else "the request has no token")


def _hash_of(token: bytes) -> bytes:
    return hashlib.sha256(token).digest()


def is_loopback_host(text: str) -> bool:
    """Tell whether a Host header value, with or without port, names the loopback interface."""
    if text.startswith("["):
        name, bracket, port = text[1:].partition("]")
        if not bracket or (port and not port.startswith(":")):
            return False
        port = port[1:]
    else:
        name, _, port = text.partition(":")
    if port and not (port.isascii() and port.isdigit()):
        return False
    return is_loopback(name)


def is_loopback(name: str) -> bool:
    """Tell whether a host name or address without port is loopback."""
    if name.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False
