"""Both clients over https and wss: what they trust, and what they say when they do not."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import ssl
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from gateway.server import Gateway, Security
from gateway.stream_cell import StreamKind
from gateway.tls import TlsFiles
from myceld import CellNotTrusted, CellWithoutTls, Client
from myceld.errors import CellRefused
from tests.gateway.certificates import Authority
from tests.gateway.fake_cell import TOKEN, FakeCell
from tests.gateway.fake_streams import change, transaction
from tests.myceld.driven import KINDS, Driven, Kind

WAIT_S = 120
"""For what must happen."""


@dataclass(frozen=True)
class _Served:
    """A gateway that speaks TLS, and another one that does not."""

    cell: FakeCell
    url: str
    plain_url: str
    files: TlsFiles
    authority: Path
    other_authority: Path


@pytest.fixture(name="served", scope="module")
def _served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[_Served]:
    folder = tmp_path_factory.mktemp("tls")
    ours, others = Authority.made(folder, "ours"), Authority.made(folder, "others")
    files = ours.issue(folder, "127.0.0.1")
    started: list[_Served] = []
    ready, over = threading.Event(), asyncio.Event()
    loops: list[asyncio.AbstractEventLoop] = []

    async def work() -> None:
        cell = FakeCell()
        cell.add(StreamKind.TRANSACTIONS, *(transaction(at) for at in range(30)))
        cell.add(StreamKind.STATE, change(1, "app/a"), change(2, "app/b"))
        secure = Gateway(cell, token=TOKEN, security=Security(tls=files))
        plain = Gateway(cell, token=TOKEN)
        urls = await secure.start(), await plain.start()
        started.append(_Served(cell, *urls, files, ours.path, others.path))
        loops.append(asyncio.get_running_loop())
        ready.set()
        await over.wait()
        await secure.stop()
        await plain.stop()

    thread = threading.Thread(target=lambda: asyncio.run(work()))
    thread.start()
    assert ready.wait(WAIT_S)
    yield started[0]
    loops[0].call_soon_threadsafe(over.set)
    thread.join(WAIT_S)


@KINDS
@pytest.mark.parametrize("trust", ["ca", "certificate"])
def test_calls_and_subscriptions_go_over_tls(kind: Kind, trust: str, served: _Served) -> None:
    given: dict[str, Any] = {trust: served.authority if trust == "ca" else served.files.certificate}
    with Driven(kind(served.url, TOKEN, **given)) as client:
        assert client.status()["name"] == "alpha"
        assert client.put("k", b"v", wait="certified")["stage"] == "certified"
        frames = client.first(2, "subscribe", "state:app/", after_round=0)
        assert [one["item"]["key"] for one in frames] == ["app/a", "app/b"]
        (last,) = client.first(1, "subscribe", "state:app/", after=frames[0]["cursor"])
        assert last == frames[1]


@KINDS
def test_the_environment_says_whom_to_trust(kind: Kind, served: _Served) -> None:
    given = {"MYCELD_URL": served.url, "MYCELD_TOKEN": TOKEN, "MYCELD_CA": str(served.authority)}
    with Driven(kind.from_environment(given)) as client:
        assert client.status()["name"] == "alpha"


@KINDS
@pytest.mark.parametrize(
    ("trust", "host", "why"),
    [
        ({}, "127.0.0.1", "self-signed certificate in certificate chain"),
        ({"ca": "other_authority"}, "127.0.0.1", "self-signed certificate in certificate chain"),
        ({"ca": "authority"}, "localhost", "not valid for 'localhost'"),
        ({"certificate": "other_authority"}, "127.0.0.1", "self-signed certificate"),
    ],
    ids=["the system's", "another authority", "another name", "another certificate"],
)
def test_who_is_not_trusted_is_told_apart_from_who_is_not_there(
    kind: Kind, trust: dict[str, str], host: str, why: str, served: _Served
) -> None:
    url = served.url.replace("127.0.0.1", host)
    given: dict[str, Any] = {name: getattr(served, path) for name, path in trust.items()}
    with Driven(kind(url, TOKEN, **given)) as client:
        for ask in (
            client.status,
            lambda: client.first(1, "subscribe", "rounds"),
            lambda: client.first(1, "watch", "app/"),
        ):
            with pytest.raises(CellNotTrusted, match=why) as caught:
                ask()
            assert str(caught.value).startswith(f"MYC-CLIENT-020: {url}: ")
            assert not caught.value.retryable


@KINDS
def test_a_gateway_without_tls_and_an_address_with_the_wrong_scheme_are_named(
    kind: Kind, served: _Served
) -> None:
    secure_to_plain = served.plain_url.replace("http:", "https:")
    with Driven(kind(secure_to_plain, TOKEN, ca=served.authority)) as client:
        for ask in (client.status, lambda: client.first(1, "subscribe", "rounds")):
            with pytest.raises(CellWithoutTls) as caught:
                ask()
            assert caught.value.code == "MYC-CLIENT-021"
    plain_to_secure = served.url.replace("https:", "http:")
    with Driven(kind(plain_to_secure, TOKEN)) as client, pytest.raises(CellRefused) as refused:
        client.status()
    assert refused.value.code == "MYC-GATEWAY-055"


def test_nothing_of_tls_comes_behind_the_handshake(served: _Served) -> None:
    """A subscription is read in one thread while another may write: a ticket must not come then."""
    trust = ssl.create_default_context(cafile=str(served.authority))
    address = ("127.0.0.1", urlsplit(served.url).port)
    with (
        socket.create_connection(address, WAIT_S) as raw,
        trust.wrap_socket(raw, server_hostname="127.0.0.1") as wire,
    ):
        wire.sendall(b"GET /api/v1/status HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
        answer = b"".join(iter(lambda: wire.recv(1 << 16), b""))
        assert answer.startswith(b"HTTP/1.1 401")
        assert wire.version() == "TLSv1.3"
        assert wire.session is None or not wire.session.has_ticket


async def _pass_on(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await source.read(1 << 16):
            target.write(data)
            await target.drain()
    target.close()


@contextlib.contextmanager
def _proxied(served: _Served, tickets: int) -> Iterator[str]:
    """Yield the URL of somebody else's TLS in front of the gateway that has none."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(served.files.certificate, served.files.key)
    context.num_tickets = tickets
    started: Future[tuple[str, asyncio.AbstractEventLoop, asyncio.Event]] = Future()

    async def relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        port = urlsplit(served.plain_url).port
        back, forth = await asyncio.open_connection("127.0.0.1", port)
        await asyncio.gather(_pass_on(reader, forth), _pass_on(back, writer))

    async def work() -> None:
        over = asyncio.Event()
        server = await asyncio.start_server(relay, "127.0.0.1", 0, ssl=context)
        url = f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        started.set_result((url, asyncio.get_running_loop(), over))
        await over.wait()
        server.close()

    thread = threading.Thread(target=lambda: asyncio.run(work()))
    thread.start()
    url, loop, over = started.result(WAIT_S)
    try:
        yield url
    finally:
        loop.call_soon_threadsafe(over.set)
        thread.join(WAIT_S)


def test_a_subscription_begins_and_ends_behind_a_proxy_that_sends_tickets(served: _Served) -> None:
    """They come while the reading thread waits for the answer to what the other one writes."""
    with _proxied(served, tickets=50) as url:
        for _ in range(100):
            with Driven(Client(url, TOKEN, ca=served.authority)) as client:
                frames = client.first(2, "subscribe", "state:app/", after_round=0, patience_s=0)
                assert [one["item"]["key"] for one in frames] == ["app/a", "app/b"]


def test_server_sent_events_go_over_tls_and_resume(served: _Served) -> None:
    trust = ssl.create_default_context(cafile=str(served.authority))

    async def cursors(count: int, last: str | None = None) -> list[str]:
        headers = {"Authorization": f"Bearer {TOKEN}"} | ({"Last-Event-ID": last} if last else {})
        query = {"subscribe": "transactions", "after_round": "0"}
        found: list[str] = []
        async with (
            asyncio.timeout(WAIT_S),
            httpx.AsyncClient(verify=trust, headers=headers, trust_env=False) as client,
            client.stream("GET", f"{served.url}/api/v1/events", params=query) as answer,
        ):
            assert answer.headers["content-type"].startswith("text/event-stream")
            async for line in answer.aiter_lines():
                if line.startswith("data: ") and "cursor" in (data := json.loads(line[6:])):
                    found += [data["cursor"]] if "item" in data else []
                if len(found) == count:
                    break
        return found

    assert asyncio.run(cursors(30)) == [str(at) for at in range(1, 31)]
    assert asyncio.run(cursors(5, "25")) == [str(at) for at in range(26, 31)]
