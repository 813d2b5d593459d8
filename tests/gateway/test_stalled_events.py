"""Server-sent events to somebody who does not read: what is held for them, and how it ends."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from unittest.mock import patch

from structlog.testing import capture_logs

from gateway.limits import STREAM_BUFFER_SIZE_BYTES_MAX, STREAM_LOOK_S, STREAM_ROOM_BYTES
from gateway.stream_cell import StreamKind
from gateway.stream_routes import _Events
from tests.gateway.clock import Clock
from tests.gateway.fake_cell import TOKEN
from tests.gateway.fake_streams import change
from tests.gateway.test_streams import Served, event, serve, until_idle
from tests.waiting import PATIENCE_S, until

_VALUE = "x" * 20_000
_CHANGES = 50
"""3 MB of JSON: more than the buffers of both ends take, and less than the tail holds."""
_CUT_AFTER_S = PATIENCE_S / 3
"""Long after it was dropped, on any machine."""


@asynccontextmanager
async def _deaf(served: Served) -> AsyncIterator[tuple[socket.socket, _Events]]:
    """Subscribe and read nothing; yields both ends."""
    lazy = socket.socket()
    lazy.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    lazy.setblocking(False)  # noqa: FBT003 - the standard library's own
    loop = asyncio.get_running_loop()
    await loop.sock_connect(lazy, ("127.0.0.1", served.port))
    head = (
        "GET /api/v1/events?subscribe=state%3A&after_round=0 HTTP/1.1",
        *("Host: 127.0.0.1", f"Authorization: Bearer {TOKEN}", "", ""),
    )
    await loop.sock_sendall(lazy, "\r\n".join(head).encode())
    hub = served.gateway.streams.hub
    await until(lambda: bool(hub.subscribers))
    sink = hub.subscribers[0].sink
    assert isinstance(sink, _Events)
    try:
        yield lazy, sink
    finally:
        lazy.close()


async def _grow_until_dropped(served: Served, sink: _Events, clock: Clock) -> int:
    """Let the state change until the subscriber is gone; return the most that waited for it."""
    hub, most = served.gateway.streams.hub, 0
    for number in range(1, _CHANGES + 1):
        served.cell.add(StreamKind.STATE, change(number, "k", _VALUE))
        await asyncio.sleep(0)
        most = max(most, sink._size_bytes)

    def is_dropped() -> bool:
        nonlocal most
        most = max(most, sink._size_bytes)
        return not hub.subscribers

    await clock.run_until(is_dropped, step_s=STREAM_LOOK_S)
    return most


def test_who_never_reads_is_dropped_with_a_reason_then_cut_and_holds_little_meanwhile() -> None:
    async def talk(served: Served) -> None:
        with capture_logs() as told:
            async with _deaf(served) as (lazy, sink):
                clock = Clock()
                most = await _grow_until_dropped(served, sink, clock)
                largest = len(_VALUE) * 2 + 1024
                assert most >= STREAM_BUFFER_SIZE_BYTES_MAX
                assert most <= STREAM_BUFFER_SIZE_BYTES_MAX + STREAM_ROOM_BYTES + 2 * largest
                (dropped,) = [one for one in told if one["event"] == "subscriber dropped"]
                assert dropped["reason"].startswith("MYC-GATEWAY-062: nothing was read for")
                routes = served.gateway.streams
                assert routes._events == 1
                await clock.run_until(lambda: not routes._events, step_s=_CUT_AFTER_S / 20)
                left = 0
                with contextlib.suppress(ConnectionResetError):
                    while data := await asyncio.get_running_loop().sock_recv(lazy, 1 << 20):
                        left += len(data)
                assert left < 1 << 20
        await until_idle(served.gateway.streams.hub)

    with patch("gateway.connections.SEND_STALL_S_MAX", _CUT_AFTER_S):
        serve(talk)


def test_who_reads_on_before_it_is_cut_learns_why_and_goes_on_without_a_gap() -> None:
    async def talk(served: Served) -> None:
        async with _deaf(served) as (lazy, sink):
            await _grow_until_dropped(served, sink, Clock())
            reader, writer = await asyncio.open_connection(sock=lazy, limit=1 << 20)
            await reader.readuntil(b"\r\n\r\n")
            found: list[dict[str, str]] = []
            while not found or found[-1].get("event") != "error":
                found.append(await event(reader))
            assert "MYC-GATEWAY-062" in found[-1]["data"]
            with contextlib.suppress(asyncio.IncompleteReadError):
                assert not (await reader.readuntil(b"0\r\n\r\n")).strip(b"0\r\n")
            writer.close()
        items = [one for one in found if "id" in one]
        rounds = [json.loads(one["data"])["round"] for one in items]
        last = f"Last-Event-ID: {items[-1]['id']}"
        async with served.events("subscribe=state%3A", last) as (_, again):
            await event(again)  # that it is subscribed
            while rounds[-1] < _CHANGES:
                rounds.append(json.loads((await event(again))["data"])["round"])
        assert rounds == list(range(1, _CHANGES + 1))

    with patch("gateway.connections.SEND_STALL_S_MAX", _CUT_AFTER_S):
        serve(talk)
