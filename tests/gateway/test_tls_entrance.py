"""Connections with TLS: let in, refused or closed whatever they say, a crowd in nobody's way."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

import gateway.entrance
import gateway.tls_entrance
import gateway.tls_session
from gateway.connections import Connection, Crowd
from gateway.door import DoorRules
from gateway.glance import Refused
from gateway.known import Known
from gateway.limits import TLS_BUFFER_SIZE_BYTES
from gateway.places import Places
from gateway.server import Gateway, Security
from gateway.tls import Tls, TlsFiles
from gateway.tls_entrance import TlsEntrance
from gateway.tls_session import Barren, Session, TlsProtocol
from tests.gateway.certificates import Authority
from tests.gateway.fake_cell import TOKEN, FakeCell
from tests.gateway.test_hello import hello
from tests.waiting import PATIENCE_S, run, until

HEAD = f"GET /api/v1/status HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {TOKEN}\r\n"
ASKED = HEAD.encode() + b"\r\n"
ALERT = 21
SILENT, SLOW, FLOODING, ASKED_TIMES = 200, 50, 20, 40


@dataclass(frozen=True)
class Served:
    """A gateway over TLS, and who vouches for it."""

    port: int
    crowd: Crowd
    trust: ssl.SSLContext
    files: TlsFiles

    async def plain(
        self, said: bytes = b"", *, of: str = "127.0.0.1"
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Come without TLS."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port, local_addr=(of, 0))
        writer.write(said)
        return reader, writer

    async def ask(self, trust: ssl.SSLContext | None = None) -> bytes:
        """Ask for the status over a new connection; return the first line of the answer."""
        reader, writer = await asyncio.open_connection(
            "127.0.0.1", self.port, ssl=trust or self.trust, server_hostname="localhost"
        )
        writer.write(ASKED)
        try:
            return (await reader.readline()).strip()
        finally:
            writer.close()


@pytest.fixture(name="files", scope="module")
def _files(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, TlsFiles]:
    folder = tmp_path_factory.mktemp("tls")
    authority = Authority.made(folder, "authority")
    return authority.path, authority.issue(folder, "localhost")


@contextlib.asynccontextmanager
async def serving(files: tuple[Path, TlsFiles]) -> AsyncIterator[Served]:
    rules = DoorRules(Places(), rate_open=10)
    served = Gateway(FakeCell(), token=TOKEN, security=Security(rules=rules, tls=files[1]))
    port = int((await served.start()).rsplit(":", 1)[1])
    trust = ssl.create_default_context(cafile=str(files[0]))
    try:
        yield Served(port, served.crowd, trust, files[1])
    finally:
        await served.stop()


def only(files: tuple[Path, TlsFiles], group: str) -> ssl.SSLContext:
    """Return a client that knows one group."""
    trust = ssl.create_default_context(cafile=str(files[0]))
    trust.set_ecdh_curve(group)
    return trust


def test_whoever_knows_a_cheap_group_is_served_and_nobody_by_a_dear_one(
    files: tuple[Path, TlsFiles],
) -> None:
    old = ssl.create_default_context(cafile=str(files[0]))
    old.maximum_version = ssl.TLSVersion.TLSv1_2

    async def talk() -> None:
        async with serving(files) as served:
            for trust in (None, old, only(files, "X25519"), only(files, "prime256v1")):
                assert await served.ask(trust) == b"HTTP/1.1 200 OK"
            for group in ("ffdhe8192", "ffdhe2048", "secp521r1", "secp384r1", "X448"):
                reader, writer = await served.plain(hello(group=group))
                answer = await reader.read()
                assert answer[0] == ALERT
                assert len(answer) < 16  # no certificate, no signature
                writer.close()

    run(talk())


def test_a_connection_may_come_byte_by_byte(files: tuple[Path, TlsFiles]) -> None:
    async def talk() -> None:
        async with serving(files) as served:
            came, said = ssl.MemoryBIO(), ssl.MemoryBIO()
            client = served.trust.wrap_bio(came, said, server_hostname="localhost")
            reader, writer = await served.plain()

            async def send() -> None:
                for byte in said.read():
                    writer.write(bytes([byte]))
                    await writer.drain()
                    await asyncio.sleep(0)

            while True:
                try:
                    client.do_handshake()
                    break
                except ssl.SSLWantReadError:
                    await send()
                    came.write(await reader.read(1 << 14))
            client.write(ASKED)
            await send()
            came.write(await reader.read(1 << 14))
            assert client.read(15) == b"HTTP/1.1 200 OK"
            writer.close()

    run(talk())


def test_large_bodies_come_whole(files: tuple[Path, TlsFiles]) -> None:
    async def talk() -> None:
        async with serving(files) as served:
            reader, writer = await asyncio.open_connection(
                "127.0.0.1", served.port, ssl=served.trust, server_hostname="localhost"
            )
            body = b"[" + b" " * (1 << 20) + b"]"
            post = HEAD.replace("GET /api/v1/status", "POST /api/v1/transactions")
            head = f"{post}Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
            writer.write(head.encode() + body)
            assert (await reader.readline()).startswith(b"HTTP/1.1 400")  # it was read to its end
            writer.close()

    run(talk())


def test_a_request_without_tls_is_told_so_and_garbage_is_closed(
    files: tuple[Path, TlsFiles],
) -> None:
    async def talk() -> None:
        async with serving(files) as served:
            reader, writer = await served.plain(ASKED)
            answer = await reader.read()
            assert answer.startswith(b"HTTP/1.1 400 ")
            assert b"MYC-GATEWAY-055" in answer
            writer.close()
            for said in (b"\x00" * 40, b"SSH-2.0-x\r\n", hello()[:5] + b"\x02" * 600):
                reader, writer = await served.plain(said)
                assert (await reader.read())[0] == ALERT
                writer.close()
            await until(lambda: not len(served.crowd))

    run(talk())


@pytest.mark.parametrize(
    "said", [b"", hello()[:40], hello()], ids=["silent", "half a hello", "half a handshake"]
)
def test_who_does_not_go_on_is_closed(
    files: tuple[Path, TlsFiles], said: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gateway.entrance, "HEAD_TIMEOUT_S", 0.2)

    async def talk() -> None:
        async with serving(files) as served:
            reader, writer = await served.plain(said)
            await reader.read()
            assert not len(served.crowd)
            writer.close()

    run(talk())


def test_who_says_nothing_behind_its_handshake_is_closed(
    files: tuple[Path, TlsFiles], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gateway.entrance, "HEAD_TIMEOUT_S", 0.5)

    async def talk() -> None:
        async with serving(files) as served:
            reader, writer = await asyncio.open_connection(
                "127.0.0.1", served.port, ssl=served.trust, server_hostname="localhost"
            )
            with contextlib.suppress(OSError):
                assert await reader.read() == b""
            assert not len(served.crowd)
            writer.close()

    run(talk())


def test_of_too_many_in_a_handshake_the_oldest_gives_way(
    files: tuple[Path, TlsFiles], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gateway.entrance, "HEAD_TIMEOUT_S", PATIENCE_S)
    monkeypatch.setattr(gateway.tls_entrance, "HANDSHAKES_MAX", 2)

    async def talk() -> None:
        async with serving(files) as served:
            stuck = []
            for _ in range(3):
                reader, writer = await served.plain(hello())
                assert await reader.read(1) == b"\x16"
                stuck.append((reader, writer))
            await stuck[0][0].read()
            assert len(served.crowd) == 2
            assert await served.ask() == b"HTTP/1.1 200 OK"
            for _, writer in stuck:
                writer.close()

    run(talk())


def test_an_address_where_somebody_may_ask_does_not_wait_for_strangers(
    files: tuple[Path, TlsFiles], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gateway.entrance, "HEAD_TIMEOUT_S", PATIENCE_S)
    monkeypatch.setattr(gateway.tls_entrance, "HANDSHAKE_SHARE", 1e-12)

    async def talk() -> None:
        async with serving(files) as served:
            assert await served.ask() == b"HTTP/1.1 200 OK"  # and all that strangers may have
            reader, writer = await served.plain(hello(), of="127.0.0.2")
            answer = asyncio.create_task(reader.read(1))
            for _ in range(5):
                assert await served.ask() == b"HTTP/1.1 200 OK"
            assert not answer.done()
            writer.close()
            await asyncio.gather(answer, return_exceptions=True)

    run(talk())


def test_a_refusal_from_the_entrance_goes_over_tls_and_ends_it(
    files: tuple[Path, TlsFiles],
) -> None:
    def no_connection() -> Connection:
        raise AssertionError("nobody is let in")

    async def talk() -> None:
        crowd = Crowd()
        entrance = TlsEntrance(
            crowd,
            look=lambda head, address: Refused(head[:4] + address.encode(), 0.01),
            make=no_connection,
            tls=Tls(files[1], time.time()),
            known=Known(),
        )
        with socket.create_server(("127.0.0.1", 0)) as listener:
            entrance.open(listener)
            reader, writer = await asyncio.open_connection(
                *listener.getsockname(),
                ssl=ssl.create_default_context(cafile=str(files[0])),
                server_hostname="localhost",
            )
            writer.write(ASKED)
            assert await reader.read() == b"GET 127.0.0.1"
            assert not len(crowd)
            writer.close()
            entrance.close()

    run(talk())


def test_one_who_only_keeps_tls_busy_is_cut(
    files: tuple[Path, TlsFiles], monkeypatch: pytest.MonkeyPatch
) -> None:
    trust = ssl.create_default_context(cafile=str(files[0]))
    came, said = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = trust.wrap_bio(came, said, server_hostname="localhost")
    session = Session(Tls(files[1], time.time()).context_for(frozenset()))
    while not session.is_shaken:
        with contextlib.suppress(ssl.SSLWantReadError):
            client.do_handshake()
        session.take(said.read())
        came.write(session.to_send())
    client.write(b"a" * 100)
    whole = said.read()
    assert session.take(whole) == b"a" * 100
    client.write(b"b" * 100)
    part = said.read()[:60]
    monkeypatch.setattr(gateway.tls_session, "TLS_BARREN_SIZE_BYTES_MAX", len(part))
    assert session.take(part) == b""
    with pytest.raises(Barren):
        session.take(b"\x00")


def test_a_connection_holds_a_small_buffer() -> None:
    assert TlsProtocol.max_size == TLS_BUFFER_SIZE_BYTES


def test_honest_clients_are_answered_while_others_want_handshakes(
    files: tuple[Path, TlsFiles], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gateway.tls_entrance, "TLS_CROWD_TOLD_S", PATIENCE_S)

    async def talk() -> None:
        async with serving(files) as served:

            async def hold(said: bytes) -> None:
                """Stay as long as that is possible, and come again."""
                while True:
                    with contextlib.suppress(OSError):
                        reader, writer = await served.plain(said, of="127.0.0.2")
                        try:
                            await reader.read()
                        finally:
                            writer.close()
                    await asyncio.sleep(0.5)

            async def flood(said: bytes) -> None:
                """Cut each connection when its answer begins."""
                while True:
                    with contextlib.suppress(OSError):
                        reader, writer = await served.plain(said, of="127.0.0.3")
                        try:
                            await reader.read(1)
                        finally:
                            writer.transport.abort()

            crowd_of = [
                *(hold(b"") for _ in range(SILENT)),
                *(hold(hello()[:99]) for _ in range(SLOW)),
                *(flood(hello()) for _ in range(FLOODING)),
                flood(hello(group="ffdhe8192")),
            ]
            tasks = [asyncio.create_task(one) for one in crowd_of]
            await until(lambda: len(served.crowd) > SILENT // 2)
            for _ in range(ASKED_TIMES):
                # How quickly, scripts/bench-gateway measures.
                assert await served.ask() == b"HTTP/1.1 200 OK"
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    run(talk())
