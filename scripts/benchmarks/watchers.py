"""Subscribers by the hundred in one process that takes as little of the machine as it can.

While it measures it only reads sockets and notes when; what came is taken apart afterwards, frame
by frame. Others would be on other machines: their work is not the cell's.
"""

from __future__ import annotations

import os
import re
import selectors
import socket
import time
from collections.abc import Iterator
from multiprocessing.connection import Connection
from typing import Final
from urllib.parse import urlsplit

CONNECT_PAUSE_S: Final = 0.003
CONNECT_TIMEOUT_S: Final = 20.0
LOOK_S: Final = 0.01
"""Between two looks at sockets, a part of the latency; who sleeps in between is woken by none."""
READ_SIZE_BYTES: Final = 1 << 18
LAZY_BUFFER_SIZE_BYTES: Final = 4096
_COMMAND: Final = b'{"subscribe":"transactions"}'
_MASKED: Final = 0x80
_ZERO_MASK: Final = bytes(4)
_ID: Final = re.compile(rb'"item":\{.*?"id":"([0-9a-f]{64})"')
_TEXT, _CONTINUATION, _CLOSE = 1, 0, 8


class WatchFailed(Exception):
    """The cell did not take a subscriber; the text says what it said instead."""


class Watcher:
    """One WebSocket, subscribed to transactions; `chunks` is what came, and when."""

    def __init__(self, host: str, port: int, token: str, *, reads: bool) -> None:
        self.chunks: list[tuple[int, bytes]] = []
        self.socket = socket.socket()
        if not reads:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, LAZY_BUFFER_SIZE_BYTES)
        self.socket.settimeout(CONNECT_TIMEOUT_S)
        self.socket.connect((host, port))
        self.socket.sendall(
            (
                f"GET /api/v1/stream HTTP/1.1\r\nHost: {host}:{port}\r\n"
                f"Authorization: Bearer {token}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
                "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
            ).encode()
        )
        self._read_until(b"\r\n\r\n")
        frame = bytes([_MASKED | _TEXT, _MASKED | len(_COMMAND)]) + _ZERO_MASK + _COMMAND
        self.socket.sendall(frame)
        self._read_until(b"}")
        self.socket.setblocking(False)  # noqa: FBT003 - the standard library's own

    def got(self) -> Iterator[tuple[str, int]]:
        """Yield the id of each transaction that came, and when it was whole."""
        text, rest = b"", b""
        for at_ns, chunk in self.chunks:
            data, begin = rest + chunk, 0
            while (frame := _frame(data, begin)) is not None:
                kind, is_last, payload, begin = frame
                if kind not in (_TEXT, _CONTINUATION):
                    if kind == _CLOSE:
                        raise WatchFailed(f"the cell closed: {payload[2:].decode()}")
                    continue
                text = payload if kind == _TEXT else text + payload
                if is_last and (match := _ID.search(text)) is not None:
                    yield match[1].decode(), at_ns
            rest = data[begin:]

    def _read_until(self, end: bytes) -> None:
        said = b""
        while end not in said:
            more = self.socket.recv(4096)
            said += more
            if not more or (end == b"\r\n\r\n" and b" 101 " not in said[:20]):
                raise WatchFailed(said.decode(errors="replace"))


def watch(url: str, token: str, count: int, control: Connection) -> None:
    """Subscribe, say so, read until told when what was applied, send spans and what is missed.

    The whole of a process. One of the subscribers never reads.
    """
    os.nice(10)  # they would be on other machines
    parts = urlsplit(url)
    host, port = parts.hostname or "", parts.port or 0
    watchers = []
    for number in range(count):
        watchers.append(Watcher(host, port, token, reads=number > 0))
        time.sleep(CONNECT_PAUSE_S)
    control.send("ready")
    _read(watchers[1:], control)
    applied_ns: dict[str, int] = control.recv()
    spans_ms: list[float] = []
    missed = 0
    for watcher in watchers[1:]:
        got = list(watcher.got())
        spans_ms += [(at - applied_ns[one]) / 1e6 for one, at in got if one in applied_ns]
        missed += len(applied_ns.keys() - dict(got).keys()) + len(got) - len(dict(got))
    for watcher in watchers:
        watcher.socket.close()
    control.send((spans_ms, missed))


def _read(watchers: list[Watcher], control: Connection) -> None:
    """Note what comes until the other process has something to say."""
    same: dict[bytes, bytes] = {}
    with selectors.EpollSelector() as selector:
        selector.register(control, selectors.EVENT_READ)
        for watcher in watchers:
            selector.register(watcher.socket, selectors.EVENT_READ, watcher)
        while True:
            time.sleep(LOOK_S)
            for key, _ in selector.select(0):
                if key.data is None:
                    return
                data = key.data.socket.recv(READ_SIZE_BYTES)
                # Most get the same at the same time, and it is held once.
                key.data.chunks.append((time.time_ns(), same.setdefault(data, data)))
                if not data:
                    selector.unregister(key.fileobj)


def _frame(data: bytes, begin: int) -> tuple[int, bool, bytes, int] | None:
    """Return kind, whether it ends a message, content and end of a frame that is whole."""
    if len(data) < begin + 2:
        return None
    size, at = data[begin + 1], begin + 2
    if size > 125:
        width = 2 if size == 126 else 8
        if len(data) < at + width:
            return None
        size, at = int.from_bytes(data[at : at + width], "big"), at + width
    if len(data) < at + size:
        return None
    return data[begin] & 15, bool(data[begin] & 128), data[at : at + size], at + size
