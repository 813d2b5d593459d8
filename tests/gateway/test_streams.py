"""Subscriptions over real sockets, in front of a cell made of dictionaries."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch
from urllib.parse import quote

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

import gateway.stream_hub
from gateway.grants import Grants, Terms
from gateway.limits import STREAM_LOOK_S
from gateway.policy import Scope
from gateway.server import Gateway, Security
from gateway.stream_cell import StreamKind
from gateway.stream_hub import Hub
from gateway.stream_socket import Socket
from tests.gateway.clock import Clock
from tests.gateway.fake_cell import TOKEN, FakeCell
from tests.gateway.fake_streams import change, transaction
from tests.waiting import PATIENCE_S, until

AUTHORIZED = {"Authorization": f"Bearer {TOKEN}"}
OTHER = "cd" * 32


class Served:
    """A gateway with its fake cell."""

    def __init__(self, cell: FakeCell, served: Gateway, url: str) -> None:
        self.cell, self.gateway, self.url = cell, served, url

    @property
    def port(self) -> int:
        return int(self.url.rsplit(":", 1)[1])

    def connect(self, **settings: Any) -> connect:  # noqa: ANN401 - the library's own
        settings = {
            "additional_headers": AUTHORIZED,
            "compression": None,
            "close_timeout": 1,
            "open_timeout": PATIENCE_S,
            "ping_interval": None,
            **settings,
        }
        return connect(f"ws://127.0.0.1:{self.port}/api/v1/stream", proxy=None, **settings)

    def grow(self, first: int, last: int, **about: str) -> None:
        items = [transaction(at, **about) for at in range(first, last)]
        self.cell.add(StreamKind.TRANSACTIONS, *items)

    @asynccontextmanager
    async def events(self, query: str, *headers: str) -> Any:  # noqa: ANN401 - an async iterator
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        lines = [f"GET /api/v1/events?{query} HTTP/1.1", "Host: 127.0.0.1", *headers]
        lines.append(f"Authorization: Bearer {TOKEN}")
        writer.write("\r\n".join([*lines, "", ""]).encode())
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        try:
            yield head, reader
        finally:
            writer.close()


def serve(talk: Callable[[Served], Awaitable[None]], security: Security | None = None) -> None:
    async def run() -> None:
        cell = FakeCell()
        served = Gateway(cell, token=TOKEN, security=security)
        url = await served.start()
        try:
            async with asyncio.timeout(PATIENCE_S):
                await talk(Served(cell, served, url))
        finally:
            await served.stop()

    asyncio.run(run())


async def ask(wire: ClientConnection, **fields: object) -> Any:  # noqa: ANN401 - parsed JSON
    await wire.send(json.dumps(fields))
    return json.loads(await wire.recv())


async def cursors(wire: ClientConnection, count: int) -> list[str]:
    return [json.loads(await wire.recv())["cursor"] for _ in range(count)]


async def until_closed(wire: ClientConnection) -> AsyncIterator[str]:
    with contextlib.suppress(ConnectionClosed):
        while True:
            yield str(await wire.recv())


async def until_idle(hub: Hub) -> None:
    await until(hub.is_idle)


async def event(reader: asyncio.StreamReader) -> dict[str, str]:
    """Return the next event of a chunked answer, of which each chunk holds whole lines."""
    found: dict[str, str] = {}
    while True:
        read = await reader.readline()
        assert read, "it ended in the midst of an event"
        line = read.decode().strip("\r\n")
        name, colon, value = line.partition(": ")
        if colon and name in ("id", "event", "data"):
            found[name] = value
        elif not line and "data" in found:
            return found


def test_history_comes_first_and_then_what_is_new_without_a_gap() -> None:
    async def talk(served: Served) -> None:
        served.grow(0, 500)
        async with served.connect() as wire:
            told = await ask(wire, subscribe="transactions", subscription="t", after_round=5)
            assert told == {"subscription": "t", "subscribed": "transactions", "cursor": "50"}
            first = json.loads(await wire.recv())
            assert (first["subscription"], first["kind"], first["round"]) == (
                "t",
                "transactions",
                6,
            )
            assert first["item"]["position"] == 50
            served.grow(500, 520)
            assert await cursors(wire, 469) == [str(at) for at in range(52, 521)]
            served.grow(520, 522)
            assert await cursors(wire, 2) == ["521", "522"]

    serve(talk)


def test_who_comes_again_goes_on_behind_the_last_cursor() -> None:
    async def talk(served: Served) -> None:
        served.grow(0, 5)
        async with served.connect() as wire:
            await ask(wire, subscribe="transactions", after_round=0, subscription="t")
        async with served.connect() as wire:
            await ask(wire, subscribe="transactions", after="3")
            assert await cursors(wire, 2) == ["4", "5"]
        served.grow(5, 9)
        async with served.connect() as wire:
            await ask(wire, subscribe="transactions", after="5")
            assert await cursors(wire, 4) == ["6", "7", "8", "9"]

    serve(talk)


def test_several_subscriptions_share_a_connection_each_with_its_filter() -> None:
    async def talk(served: Served) -> None:
        async with served.connect() as wire:
            await ask(wire, subscribe="transactions", subscription="mine", sender=OTHER)
            await ask(wire, subscribe="transactions", subscription="puts", kind="put")
            await ask(wire, subscribe="state:app/")
            served.grow(0, 1, sender=OTHER, kind="delete")
            served.grow(1, 2)
            changes = change(1, "app/b"), change(1, "other/a"), change(2, "app/a")
            served.cell.add(StreamKind.STATE, *changes)
            got = [json.loads(await wire.recv()) for _ in range(4)]
            seen = sorted((one["subscription"], one["cursor"]) for one in got)
            assert seen == [
                ("mine", "1"),
                ("puts", "2"),
                ("state:app/", "1:app/b"),
                ("state:app/", "2:app/a"),
            ]
            assert (await ask(wire, unsubscribe="mine"))["unsubscribed"] is True
            served.grow(2, 3, sender=OTHER)
            assert json.loads(await wire.recv())["subscription"] == "puts"

    serve(talk)


def test_peers_begin_with_all_of_them_and_have_no_history() -> None:
    async def talk(served: Served) -> None:
        async with served.connect() as wire:
            await ask(wire, subscribe="peers")
            assert json.loads(await wire.recv())["item"]["name"] == "beta"
            refused = await ask(wire, subscribe="peers", subscription="p", after="1")
            assert refused["error"]["code"] == "MYC-GATEWAY-014"

    serve(talk)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        '{"subscribe":"blocks"}',
        '{"subscribe":"state"}',
        '{"subscribe":"rounds","kind":"put"}',
        '{"subscribe":"rounds","after":"1:a"}',
        '{"subscribe":"rounds","after":1}',
        '{"subscribe":"rounds","after":"1","after_round":1}',
        '{"subscribe":"rounds","after_round":-1}',
        '{"subscribe":"transactions","sender":"zz"}',
        '{"subscribe":"transactions","more":1}',
        '{"subscribe":"transactions","subscription":""}',
    ],
)
def test_a_command_that_is_none_is_refused_and_the_connection_goes_on(text: str) -> None:
    async def talk(served: Served) -> None:
        async with served.connect() as wire:
            await wire.send(text)
            refusal = json.loads(await wire.recv())
            assert refusal["error"]["code"] == "MYC-GATEWAY-014"
            assert (await ask(wire, subscribe="rounds"))["subscribed"] == "rounds"

    serve(talk)


def test_what_is_not_kept_is_refused_with_the_place_where_history_goes_on() -> None:
    async def talk(served: Served) -> None:
        served.grow(0, 100)
        served.cell.kept_from = 60
        async with served.connect() as wire:
            for begin in ({"after_round": 2}, {"after": "7"}):
                answer = await ask(wire, subscribe="transactions", **begin)
                if "error" not in answer:
                    answer = json.loads(await wire.recv())
                assert answer["error"]["code"] == "MYC-GATEWAY-061"
                assert answer["error"]["resume"] == "60"
            await ask(wire, subscribe="transactions", after="60")
            assert await cursors(wire, 40) == [str(at) for at in range(61, 101)]

    serve(talk)


def test_who_never_reads_is_dropped_and_others_get_all_of_it_meanwhile() -> None:
    async def talk(served: Served) -> None:
        lazy = socket.socket()
        lazy.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        lazy.setblocking(False)  # noqa: FBT003 - the standard library's own
        loop = asyncio.get_running_loop()
        await loop.sock_connect(lazy, ("127.0.0.1", served.port))
        big = "x" * 20_000
        async with served.connect(sock=lazy, max_queue=1) as idle, served.connect() as wire:
            await ask(idle, subscribe="state:", subscription="s")
            await ask(wire, subscribe="state:", subscription="s")
            for number in range(1, 101):
                served.cell.add(StreamKind.STATE, change(number, "k", big))
                assert await cursors(wire, 1) == [f"{number}:k"]
            late = [json.loads(text)["cursor"] async for text in until_closed(idle)]
            assert (idle.close_code, (idle.close_reason or "")[:15]) == (4413, "MYC-GATEWAY-062")
            assert f"go on after {late[-1]}" in (idle.close_reason or "")

    with (
        patch("gateway.subscriptions.STREAM_TAIL_ITEMS_MAX", 20),
        patch.object(gateway.stream_hub, "STREAM_PACE_S", 0.0),
        # What it missed drops it, and no clock; it has all the time for the goodbye.
        patch.object(gateway.stream_hub, "STREAM_STALL_S_MAX", PATIENCE_S),
        patch("gateway.stream_socket.STREAM_PING_S", PATIENCE_S),
        patch("gateway.stream_socket.STREAM_CLOSE_S_MAX", PATIENCE_S),
    ):
        serve(talk)


def test_who_takes_nothing_for_too_long_is_cut_even_if_it_never_reads_the_goodbye() -> None:
    async def talk(served: Served) -> None:
        lazy = socket.socket()
        lazy.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        lazy.setblocking(False)  # noqa: FBT003 - the standard library's own
        loop = asyncio.get_running_loop()
        await loop.sock_connect(lazy, ("127.0.0.1", served.port))
        async with served.connect(sock=lazy, max_queue=1) as idle:
            clock = Clock()
            await ask(idle, subscribe="state:", subscription="s")
            changes = [change(number, "k", "x" * 20_000) for number in range(1, 60)]
            served.cell.add(StreamKind.STATE, *changes)
            (subscriber,) = served.gateway.streams.hub.subscribers
            connection = subscriber.sink
            assert isinstance(connection, Socket)
            await clock.run_until(lambda: connection.disconnected, step_s=STREAM_LOOK_S)

    serve(talk)


def test_a_token_opens_what_its_scopes_say_until_it_is_revoked(tmp_path: Path) -> None:
    grants = Grants.open(tmp_path / "grants", now_ms=lambda: 1, random=os.urandom)

    async def talk(served: Served) -> None:
        grant, token = await grants.make_token(Terms("watcher", (Scope.READ,)))
        bearer = {"Authorization": f"Bearer {token}"}
        async with served.connect(additional_headers=bearer) as wire:
            refused = await ask(wire, subscribe="messages")
            assert refused["error"]["code"] == "MYC-GATEWAY-040"
            await ask(wire, subscribe="rounds")
            await grants.revoke(grant.id)
            with pytest.raises(ConnectionClosed) as closed:
                await wire.recv()
            assert closed.value.rcvd is not None
            assert closed.value.rcvd.code == 4401
        await until_idle(served.gateway.streams.hub)
        with pytest.raises(InvalidStatus) as turned_away:
            async with served.connect(additional_headers=bearer):
                pass
        assert turned_away.value.response.status_code == 401

    serve(talk, security=Security(grants=grants))


def test_a_stop_says_goodbye_and_nothing_runs_when_nobody_subscribes() -> None:
    async def talk(served: Served) -> None:
        hub = served.gateway.streams.hub
        assert hub.is_idle()
        async with served.connect() as wire:
            await ask(wire, subscribe="rounds")
            assert not hub.is_idle()
        await until_idle(hub)
        async with served.connect() as wire, served.events("subscribe=rounds") as (_, reader):
            await ask(wire, subscribe="rounds")
            await event(reader)
            await served.gateway.stop()
            with pytest.raises(ConnectionClosed) as closed:
                await wire.recv()
            assert closed.value.rcvd is not None
            assert closed.value.rcvd.code == 1001
            goodbye = await event(reader)
            assert goodbye["event"] == "error"
            assert "MYC-GATEWAY-018" in goodbye["data"]
        await until_idle(hub)

    with patch("gateway.listener.STOP_TIMEOUT_S", PATIENCE_S):  # nobody is cut off
        serve(talk)


def test_a_browser_shows_its_token_as_a_subprotocol_that_is_not_chosen() -> None:
    async def talk(served: Served) -> None:
        offered = ["myceld.1", f"bearer.{TOKEN}"]
        async with served.connect(additional_headers={}, subprotocols=offered) as wire:
            assert wire.subprotocol == "myceld.1"
        for protocols in (["myceld.1"], ["myceld.1", "bearer.wrong"]):
            with pytest.raises(InvalidStatus) as refused:
                async with served.connect(additional_headers={}, subprotocols=protocols):
                    pass
            assert refused.value.response.status_code == 401

    serve(talk)


def test_connections_beyond_the_bound_are_refused() -> None:
    async def talk(served: Served) -> None:
        async with served.connect(), served.connect():
            with pytest.raises(InvalidStatus) as refused:
                async with served.connect():
                    pass
            assert refused.value.response.status_code == 503
            assert "MYC-GATEWAY-063" in (refused.value.response.body or b"").decode()

    with patch.object(gateway.stream_hub, "SUBSCRIBERS_PER_CALLER_MAX", 2):
        serve(talk)


def test_events_go_on_from_the_last_id_for_each_of_several_subscriptions() -> None:
    async def talk(served: Served) -> None:
        served.grow(0, 5)
        served.cell.add(StreamKind.STATE, change(1, "app/a"), change(1, "app/b,c"))
        query = f"subscribe=transactions&subscribe={quote('state:app/')}&after_round=0"
        async with served.events(query) as (head, reader):
            assert " 200 " in head
            assert "text/event-stream" in head
            told = [json.loads((await event(reader))["data"]) for _ in range(2 + 5 + 2)]
            assert [one.get("subscribed") for one in told[:2]] == ["transactions", "state"]
            first = [one["cursor"] for one in told[2:]]
            assert sorted(first) == ["1", "1:app/a", "1:app/b,c", "2", "3", "4", "5"]
        last = quote("3", safe="") + "," + quote("1:app/a", safe="")
        async with served.events(query, f"Last-Event-ID: {last}") as (_, reader):
            found = [await event(reader) for _ in range(5)]
            items = [json.loads(one["data"]) for one in found if "id" in one]
            assert sorted(one["cursor"] for one in items) == ["1:app/b,c", "4", "5"]
            assert found[-1]["id"] == "5,1%3Aapp%2Fb%2Cc"

    serve(talk)


@pytest.mark.parametrize("query", ["", "subscribe=blocks", "subscribe=rounds&sender=aa", "x=1"])
def test_events_of_nothing_known_are_refused(query: str) -> None:
    async def talk(served: Served) -> None:
        async with served.events(query) as (head, _):
            assert " 400 " in head

    serve(talk)
