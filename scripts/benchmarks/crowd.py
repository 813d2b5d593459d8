"""A crowd at a gateway, in one process that takes as little of the machine as it can.

One epoll loop over bare sockets, with requests that were put together before. What it offers does
not depend on what it gets: requests are due at even intervals, and each is written when it is due,
behind those that were not answered yet. What a socket does not take is counted as offered, too.
"""

from __future__ import annotations

import os
import select
import socket
import time
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import MutableSequence
from dataclasses import dataclass
from multiprocessing.synchronize import Event
from typing import Final, Generic, TypeAlias, TypeVar
from urllib.parse import urlsplit

G = TypeVar("G")
Counts: TypeAlias = MutableSequence[int]
"""Shared between processes: one writes, one reads; places as below."""
COUNTS: Final = 7
OPENED, OFFERED, WRITTEN, OK, LIMITED, BUSY, OTHER = range(COUNTS)

HALF_OPEN: Final = 1000
SLOW: Final = 500
LAZY: Final = 4
KEPT: Final = 128
"""Connections over which requests go, one behind another."""
NEW_EVERY: Final = 20
"""Of so many requests one comes over a connection of its own."""
NEW_MAX: Final = 4000
"""Of these, at one time; the oldest is given up for another one."""
AT_ONCE: Final = 10
"""Requests that are written to one of these in one piece."""
TICK_S: Final = 0.01
"""Between two looks at sockets: whoever sleeps in between is woken by none of them."""
AGAIN_S: Final = 1.0
"""After so long those who were cut off come again."""
READ_SIZE_BYTES: Final = 1 << 16
LAZY_BUFFER_SIZE_BYTES: Final = 4096
_STATUSES: Final = ((b"HTTP/1.1 200", OK), (b"HTTP/1.1 429", LIMITED), (b"HTTP/1.1 503", BUSY))
_SUBSCRIBE: Final = b'{"subscribe":"transactions"}'


@dataclass(frozen=True, slots=True)
class Plan:
    """What a crowd does; `rate` is how many requests it offers a second, `nice` its priority."""

    url: str
    tokens: tuple[str, ...]
    lazy_token: str
    """Of those who subscribe and never read."""
    rate: float
    nice: int = 10


class _Guest:
    """A connection, and what is to be said on it."""

    __slots__ = ("is_held", "is_open", "more", "rest", "said", "socket")

    def __init__(self, said: bytes, more: bytes = b"", *, is_held: bool = True) -> None:
        self.said = said
        self.more = more
        """Said once a second."""
        self.is_held = is_held
        """Whether it comes again by itself when it was cut off."""
        self.is_open = False
        self.rest = b""
        """Of what was not taken in one piece."""
        self.socket = socket.socket()
        self.socket.close()


def crowd_at(plan: Plan, stop: Event, done: Counts) -> None:
    """Crowd a gateway until told to stop; the whole of a process."""
    os.nice(plan.nice)
    _Crowd(plan, done).run(stop)


def most_answers(url: str, token: str, clients: int, seconds: float, done: Counts) -> None:
    """Ask as fast as answers come, over connections that are kept; the whole of a process."""
    parts = urlsplit(url)
    asked = _request(parts.netloc, token)
    poll, files = select.epoll(), {}
    for _ in range(clients):
        one = socket.create_connection((parts.hostname, parts.port))
        one.sendall(asked)
        files[one.fileno()] = one
        poll.register(one, select.EPOLLIN)
    until_s = time.monotonic() + seconds
    while time.monotonic() < until_s:
        for number, _ in poll.poll(0.1):
            data = files[number].recv(READ_SIZE_BYTES)
            if data.startswith(b"HTTP/1.1 "):  # small enough to come at once
                done[OK if data.startswith(b"HTTP/1.1 200") else OTHER] += 1
                files[number].sendall(asked)


class Comers(ABC, Generic[G]):
    """What every crowd does: some stay and come again, some say a bit a second, and what is due is
    offered in time.
    """

    def __init__(self, rate: float, done: Counts) -> None:
        self._rate = rate
        self._done = done
        self._poll = select.epoll()
        self._guests: dict[int, G] = {}
        self._again: deque[tuple[float, G]] = deque()
        self._held: list[G] = []
        """Who stays."""
        self._slow: list[G] = []
        """Of these, who goes on once a second."""
        self._offered = 0
        self._dribbled = 0.0

    def run(self, stop: Event) -> None:
        """Come, and stay."""
        for guest in self._held:
            self._open(guest)
        last_s = begun_s = time.monotonic()
        while not stop.is_set():
            now_s = time.monotonic()
            while self._again and self._again[0][0] <= now_s:
                self._open(self._again.popleft()[1])
            self._dribble(now_s - last_s)
            self._offer(int((now_s - begun_s) * self._rate) - self._offered)
            last_s = now_s
            for number, _ in self._poll.poll(0):
                self._read(self._guests[number])
            time.sleep(max(0.0, now_s + TICK_S - time.monotonic()))

    def _dribble(self, span_s: float) -> None:
        before = int(self._dribbled)
        self._dribbled += span_s * len(self._slow)
        for at in range(before, int(self._dribbled)):
            self._go_on(self._slow[at % len(self._slow)])

    @abstractmethod
    def _open(self, guest: G) -> object:
        """Connect, and say what there is to say."""

    @abstractmethod
    def _offer(self, count: int) -> None:
        """Offer so many more."""

    @abstractmethod
    def _go_on(self, guest: G) -> None:
        """Say a bit more."""

    @abstractmethod
    def _read(self, guest: G) -> None:
        """Take what came."""


class _Crowd(Comers[_Guest]):
    def __init__(self, plan: Plan, done: Counts) -> None:
        parts = urlsplit(plan.url)
        host, self._address = parts.netloc, (parts.hostname or "", parts.port or 80)
        super().__init__(plan.rate, done)
        self._single: deque[_Guest] = deque()
        begun = b"GET /api/v1/status HTTP/1.1\r\n"
        post = (
            f"POST /api/v1/transactions HTTP/1.1\r\nHost: {host}\r\n"
            f"Authorization: Bearer {plan.tokens[0]}\r\nContent-Length: 900\r\n\r\n"
        ).encode()
        self._slow = [_Guest(post if at % 2 else begun + b"X: ", b"x") for at in range(SLOW)]
        self._held = [_Guest(begun) for _ in range(HALF_OPEN)] + self._slow
        self._requests = [_request(host, token) for token in ("", *plan.tokens)]
        self._kept = [
            _Guest(self._requests[at % len(self._requests)], is_held=False) for at in range(KEPT)
        ]
        self._lazy = [_lazy(self._address, host, plan.lazy_token) for _ in range(LAZY)]
        self._over = self._singles = self._turn = 0

    def _offer(self, count: int) -> None:
        """Write requests that are due, most of them behind others."""
        single, self._over = divmod(self._over + count, NEW_EVERY)
        for _ in range(single):
            self._singles += 1
            guest = _Guest(self._requests[self._singles % len(self._requests)], is_held=False)
            self._single.append(guest)
            if len(self._single) > NEW_MAX:
                self._close(self._single.popleft())
            self._done[WRITTEN] += self._open(guest)
        left = count - single
        while left > 0:
            many, self._turn = min(left, AT_ONCE), self._turn + 1
            guest = self._kept[self._turn % KEPT]
            is_new = not guest.is_open
            if is_new:
                self._done[WRITTEN] += self._open(guest)
            if guest.is_open and many > is_new:
                self._done[WRITTEN] += (many - is_new) * self._say(
                    guest, guest.said * (many - is_new)
                )
            left -= many
        self._offered += count
        self._done[OFFERED] += count

    def _go_on(self, guest: _Guest) -> None:
        if guest.is_open:
            self._say(guest, guest.more)

    def _open(self, guest: _Guest) -> bool:
        """Connect, and say what there is to say; return whether it was taken."""
        guest.socket = socket.socket()
        guest.socket.setblocking(False)  # noqa: FBT003 - the standard library's own
        guest.socket.connect_ex(self._address)
        guest.is_open, guest.rest = True, b""
        self._guests[guest.socket.fileno()] = guest
        self._poll.register(guest.socket, select.EPOLLIN)
        self._done[OPENED] += 1
        return self._say(guest, guest.said)

    def _say(self, guest: _Guest, said: bytes) -> bool:
        try:
            if guest.rest:
                guest.rest = guest.rest[guest.socket.send(guest.rest) :]
            if not guest.rest:
                guest.rest = said[guest.socket.send(said) :]
                return True
        except BlockingIOError:
            pass
        except OSError:
            self._close(guest)
        return False

    def _read(self, guest: _Guest) -> None:
        try:
            data = guest.socket.recv(READ_SIZE_BYTES)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        for status, place in _STATUSES:
            self._done[place] += data.count(status)
        if not data:
            self._close(guest)

    def _close(self, guest: _Guest) -> None:
        if guest.is_open:
            guest.is_open = False
            del self._guests[guest.socket.fileno()]
            guest.socket.close()
            if guest.is_held:
                self._again.append((time.monotonic() + AGAIN_S, guest))


def _request(host: str, token: str) -> bytes:
    path = "/api/v1/status" if token else "/api/public/health"
    credential = f"Authorization: Bearer {token}\r\n" if token else ""
    return f"GET {path} HTTP/1.1\r\nHost: {host}\r\n{credential}\r\n".encode()


def _lazy(address: tuple[str, int], host: str, token: str) -> socket.socket:
    """Return a WebSocket that subscribes, and never reads again."""
    one = socket.socket()
    one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, LAZY_BUFFER_SIZE_BYTES)
    one.settimeout(20)
    one.connect(address)
    one.sendall(
        (
            f"GET /api/v1/stream HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {token}\r\n"
            "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
            "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
        ).encode()
    )
    if b" 101 " not in one.recv(READ_SIZE_BYTES):
        raise ConnectionError("the cell took no WebSocket")
    one.sendall(bytes([0x81, 0x80 | len(_SUBSCRIBE), 0, 0, 0, 0]) + _SUBSCRIBE)
    return one
