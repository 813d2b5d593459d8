"""A crowd that asks for TLS handshakes, in one process that takes as little as it can.

A handshake costs the server its keys and its signature, and this crowd nothing: each of its hellos
was made before, and the connection is cut when the server's answer begins. What is due is offered
whatever becomes of those before, from as many addresses of loopback as are wanted.
"""

from __future__ import annotations

import contextlib
import os
import resource
import select
import socket
import ssl
import struct
import time
from collections import deque
from dataclasses import dataclass
from multiprocessing.synchronize import Event
from typing import Final
from urllib.parse import urlsplit

from crowd import (
    AGAIN_S,
    BUSY,
    LIMITED,
    OFFERED,
    OK,
    OPENED,
    READ_SIZE_BYTES,
    WRITTEN,
    Comers,
    Counts,
)

SILENT: Final = 300
"""Connections that say nothing."""
SLOW: Final = 200
"""Those that send a byte of a hello a second."""
STUCK: Final = 300
"""Those that send a hello, take the answer, and say nothing more."""
WRONG_EVERY: Final = 50
"""Of so many hellos one is garbage, one a request without TLS, and one wants the dearest group."""
OLD_EVERY: Final = 4
"""Of so many one is of TLS 1.2."""
OPEN_MAX: Final = 12_000
"""Connections that wait for an answer; the oldest is given up for another one."""
_HANDSHAKE, _ALERT = 22, 21
_NO_PORT_YET: Final = 24
"""IP_BIND_ADDRESS_NO_PORT of Linux: the port is chosen with the connection, of all there are."""
_CUT: Final = struct.pack("ii", 1, 0)


@dataclass(frozen=True, slots=True)
class TlsPlan:
    """What a crowd does; `rate` is how many handshakes it asks for a second."""

    url: str
    rate: float
    addresses: int
    """From so many; 0: from the one that all others have."""
    nice: int = 10


def tls_crowd_at(plan: TlsPlan, stop: Event, done: Counts) -> None:
    """Crowd a gateway until told to stop; the whole of a process."""
    os.nice(plan.nice)
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    _TlsCrowd(plan, done).run(stop)


class _Guest:
    """A connection, what it says, and whether it comes again."""

    __slots__ = ("is_held", "is_stuck", "said", "sent", "socket")

    def __init__(self, said: bytes, *, is_held: bool = False, is_stuck: bool = False) -> None:
        self.said = said
        self.sent = 0
        self.is_held = is_held
        self.is_stuck = is_stuck
        self.socket: socket.socket | None = None


class _TlsCrowd(Comers[_Guest]):
    def __init__(self, plan: TlsPlan, done: Counts) -> None:
        parts = urlsplit(plan.url)
        self._address = (parts.hostname or "", parts.port or 443)
        super().__init__(plan.rate, done)
        self._addresses = plan.addresses
        self._waiting: deque[_Guest] = deque()
        usual, old = hello(), hello(ssl.TLSVersion.TLSv1_2)
        self._hellos = [old if at % OLD_EVERY == 0 else usual for at in range(WRONG_EVERY)]
        self._hellos[1:4] = [os.urandom(300), b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", dear_hello()]
        self._slow = [_Guest(usual, is_held=True) for _ in range(SLOW)]
        self._held = [_Guest(b"", is_held=True) for _ in range(SILENT)]
        self._held += [_Guest(usual, is_held=True, is_stuck=True) for _ in range(STUCK)]
        self._held += self._slow
        self._opened = 0

    def _offer(self, count: int) -> None:
        for _ in range(count):
            self._offered += 1
            guest = _Guest(self._hellos[self._offered % WRONG_EVERY])
            self._open(guest)
            self._waiting.append(guest)
            if len(self._waiting) > OPEN_MAX:
                self._close(self._waiting.popleft())
        self._done[OFFERED] += count

    def _go_on(self, guest: _Guest) -> None:
        self._say(guest, 1)

    def _open(self, guest: _Guest) -> None:
        guest.socket = one = socket.socket()
        guest.sent = 0
        one.setblocking(False)  # noqa: FBT003 - the standard library's own
        # Otherwise each would leave a port behind that is not to be used for a minute.
        one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _CUT)
        if self._addresses:
            self._opened += 1
            one.setsockopt(socket.IPPROTO_IP, _NO_PORT_YET, 1)
            at = self._opened % self._addresses
            one.bind((f"127.1.{at // 250}.{1 + at % 250}", 0))
        one.connect_ex(self._address)
        self._guests[one.fileno()] = guest
        self._poll.register(one, select.EPOLLIN)
        self._done[OPENED] += 1
        if guest.said and not (guest.is_held and not guest.is_stuck):
            self._say(guest, len(guest.said))

    def _say(self, guest: _Guest, size: int) -> None:
        if guest.socket is None:
            return
        try:
            guest.sent += guest.socket.send(guest.said[guest.sent : guest.sent + size])
            self._done[WRITTEN] += not guest.is_held
        except BlockingIOError:
            pass
        except OSError:
            self._close(guest)

    def _read(self, guest: _Guest) -> None:
        assert guest.socket is not None  # noqa: S101 - for the type checker
        try:
            data = guest.socket.recv(READ_SIZE_BYTES)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not guest.is_held:
            began = data[0] if data else 0
            self._done[{_HANDSHAKE: OK, _ALERT: LIMITED, 0: BUSY}.get(began, LIMITED)] += 1
        if not (data and guest.is_held):
            self._close(guest)

    def _close(self, guest: _Guest) -> None:
        if guest.socket is not None:
            del self._guests[guest.socket.fileno()]
            guest.socket.close()
            guest.socket = None
            if guest.is_held:
                self._again.append((time.monotonic() + AGAIN_S, guest))


def hello(newest: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3, group: str = "") -> bytes:
    """Return the first bytes of a client of ours."""
    context = ssl.create_default_context()
    context.maximum_version = newest
    if group:
        context.set_ecdh_curve(group)
    said = ssl.MemoryBIO()
    with contextlib.suppress(ssl.SSLWantReadError):
        context.wrap_bio(ssl.MemoryBIO(), said, server_hostname="localhost").do_handshake()
    return said.read()


def dear_hello() -> bytes:
    """Return a hello that offers the dearest group only."""
    return hello(group="ffdhe8192")
