"""Connections at the entrance: bounded, and closed or let in whatever they say."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import socket
from collections.abc import AsyncIterator

import pytest

import gateway.entrance
from gateway.connections import Connection, Crowd
from gateway.entrance import Entrance
from gateway.glance import Refused
from gateway.server import Gateway
from tests.gateway.fake_cell import TOKEN, FakeCell
from tests.waiting import PATIENCE_S, until

HEAD = f"GET /api/v1/status HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {TOKEN}\r\n\r\n"


def no_connection() -> Connection:
    raise AssertionError("nobody is let in")


@contextlib.asynccontextmanager
async def refusing(pause_s: float, refused_max: int) -> AsyncIterator[tuple[int, Crowd]]:
    """Serve nobody: who has said a head is refused."""
    crowd = Crowd()
    entrance = Entrance(
        crowd,
        look=lambda _head, address: Refused(b"no, " + address.encode(), pause_s),
        make=no_connection,
        refused_max=refused_max,
    )
    with socket.create_server(("127.0.0.1", 0)) as listener:
        entrance.open(listener)
        try:
            yield listener.getsockname()[1], crowd
        finally:
            entrance.close()


async def come(port: int, said: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(said.encode())
    return reader, writer


async def holds(crowd: Crowd, count: int) -> None:
    await until(lambda: len(crowd) == count)


@pytest.mark.parametrize("said", [HEAD, HEAD.replace("\r\n", "\n")])
def test_a_head_may_come_in_pieces_and_with_any_ends_of_lines(said: str) -> None:
    async def talk() -> None:
        served = Gateway(FakeCell(), token=TOKEN)
        port = int((await served.start()).rsplit(":", 1)[1])
        reader, writer = await come(port, "")
        for begin in range(0, len(said), 30):
            writer.write(said[begin : begin + 30].encode())
            await writer.drain()
            await asyncio.sleep(0)
        assert (await reader.readline())[:12] == b"HTTP/1.1 200"
        writer.close()
        await served.stop()

    asyncio.run(talk())


def test_a_refusal_comes_after_its_pause_and_the_connection_is_closed() -> None:
    async def talk() -> None:
        async with refusing(0.01, 8) as (port, crowd):
            reader, writer = await come(port, HEAD)
            assert await reader.read() == b"no, 127.0.0.1"
            assert len(crowd) == 0
            writer.close()

    asyncio.run(talk())


def test_of_too_many_who_wait_for_a_refusal_one_gives_way() -> None:
    async def talk() -> None:
        async with refusing(PATIENCE_S, 2) as (port, crowd):
            waiting = [await come(port, HEAD) for _ in range(3)]
            reads = [asyncio.create_task(reader.read()) for reader, _ in waiting]
            gone, _ = await asyncio.wait(reads, return_when=asyncio.FIRST_COMPLETED)
            assert [read.result() for read in gone] == [b""]
            assert len(crowd) == 0  # they are in nobody's way
        assert await asyncio.gather(*reads) == [b""] * 3
        for _, writer in waiting:
            writer.close()

    asyncio.run(talk())


def test_no_room_for_another_file_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gateway.entrance, "ACCEPT_RETRY_S", 0.01)

    class Full(socket.socket):
        refusals = 3

        def accept(self) -> tuple[socket.socket, object]:
            if Full.refusals:
                Full.refusals -= 1
                raise OSError(errno.EMFILE, "too many open files")
            return super().accept()

    async def talk() -> None:
        crowd = Crowd()
        entrance = Entrance(crowd, look=lambda _head, _of: Refused(b"no", 0), make=no_connection)
        with Full() as listener:
            listener.bind(("127.0.0.1", 0))
            listener.listen()
            entrance.open(listener)
            reader, writer = await come(listener.getsockname()[1], HEAD)
            assert await reader.read() == b"no"
            assert Full.refusals == 0
            writer.close()
            entrance.close()

    asyncio.run(talk())


def test_who_gives_way_or_goes_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gateway.entrance, "HEAD_TIMEOUT_S", PATIENCE_S)

    async def talk() -> None:
        async with refusing(0, 8) as (port, crowd):
            silent = [await come(port, "GET /") for _ in range(3)]
            await holds(crowd, 3)
            silent[1][1].close()
            await holds(crowd, 2)
        assert len(crowd) == 0
        for reader, writer in (silent[0], silent[2]):
            assert await reader.read() == b""
            writer.close()

    asyncio.run(talk())
