"""WebSocket: the same streams and the same bounds as over TCP."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import socket
import struct

import pytest

from gossip.host import DialFailed, Host, WrongPeer
from tests.gossip.host.host_world import (
    ANYWHERE,
    HANG_S,
    assert_serves,
    dial_until_taken,
    eventually,
    read_all,
    run,
    started,
)

WEB = f"{ANYWHERE}/ws"
UPGRADE = (
    b"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)


def _port_of(host: Host) -> int:
    return int(host.addresses[0].split("/")[4])


def test_streams_run_over_a_websocket_and_know_their_address() -> None:
    async def main() -> None:
        data = b"".join(hashlib.sha256(bytes([i % 256, i // 256])).digest() for i in range(1 << 15))
        async with started("a", listen=WEB) as a, started("b") as b:
            assert "/ws/p2p/" in a.addresses[0]
            async with await b.dial(a.addresses[0], timeout_s=HANG_S) as stream:
                assert stream.remote_address == a.addresses[0].split("/p2p/")[0]
                writing = asyncio.create_task(stream.write(data * 3, timeout_s=HANG_S))
                assert await read_all(stream, 3 * len(data)) == data * 3
                await writing
            assert 0 < len(a.addresses) == 1
            for _ in range(5):
                await assert_serves(a, b)

    run(main)


def test_a_host_listens_on_tcp_and_websocket_at_once() -> None:
    async def main() -> None:
        from gossip.host import HostConfig
        from tests.gossip.host.host_world import PROTOCOL, echo

        a = Host(HostConfig(b"a" * 32, (ANYWHERE, WEB), PROTOCOL), echo)
        await a.start()
        try:
            async with started("b") as b:
                assert ["/ws/" in address for address in a.addresses] == [False, True]
                for address in a.addresses:
                    async with await b.dial(address, timeout_s=HANG_S) as stream:
                        await stream.write(b"x", timeout_s=HANG_S)
                        assert await stream.read(timeout_s=HANG_S) == b"x"
        finally:
            await a.stop()

    run(main)


def test_a_dial_to_something_else_than_a_websocket_fails_in_time() -> None:
    async def main() -> None:
        async with started("a") as a, started("b", listen=WEB) as b, started("c") as c:
            plain_as_web = a.addresses[0].replace("/p2p/", "/ws/p2p/")
            web_as_plain = b.addresses[0].replace("/ws/", "/")
            wrong = b.addresses[0].replace(b.cell_id, a.cell_id)
            for address in (plain_as_web, web_as_plain):
                with pytest.raises(DialFailed):
                    await c.dial(address, timeout_s=1)
            with pytest.raises(WrongPeer):
                await c.dial(wrong, timeout_s=HANG_S)
            with socket.create_server(("127.0.0.1", 0)) as silent:
                dead_end = f"/ip4/127.0.0.1/tcp/{silent.getsockname()[1]}/ws/p2p/{a.cell_id}"
                with pytest.raises(DialFailed, match="no answer"):
                    await c.dial(dead_end, timeout_s=0.4)
            await assert_serves(a, c)
            await assert_serves(b, c)
            assert c.restarts == 0

    run(main)


def _frame(opcode: int, data: bytes, *, final: bool = True) -> bytes:
    """A masked client frame (RFC 6455 section 5.2) with the mask 0."""
    size = len(data)
    length = bytes([0x80 | size]) if size < 126 else b"\xff" + size.to_bytes(8, "big")
    return bytes([(0x80 if final else 0) | opcode]) + length + bytes(4) + data


def test_garbage_at_every_stage_of_a_websocket_leaves_the_host_serving() -> None:
    async def main() -> None:
        async with started("a", listen=WEB, upgrade_timeout_s=0.5) as a, started("b") as b:
            huge_header = b"\x82\xff" + (1 << 62).to_bytes(8, "big") + bytes(4)
            attacks = [
                os.urandom(3000),
                b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
                b"GET / HTTP/1.1\r\nX: " + b"y" * 300_000,
                b"\x13/multistream/1.0.0\n",
                UPGRADE + os.urandom(3000),
                UPGRADE + _frame(2, os.urandom(3000)),
                UPGRADE + _frame(1, b"text"),
                UPGRADE + _frame(2, bytes(2 << 20)),
                UPGRADE + _frame(2, bytes(1000), final=False) + _frame(0, bytes(1000)) * 400,
                UPGRADE + huge_header + bytes(100_000),
                UPGRADE + _frame(9, b"ping") * 20_000,
                UPGRADE + _frame(2, b"") * 20_000,
                UPGRADE + _frame(8, b""),
            ]
            for attack in attacks:
                reader, writer = await asyncio.open_connection("127.0.0.1", _port_of(a))
                with contextlib.suppress(ConnectionError):
                    writer.write(attack)
                    await asyncio.wait_for(writer.drain(), HANG_S)
                    await asyncio.wait_for(reader.read(), HANG_S)
                writer.transport.abort()
            silent = [socket.create_connection(("127.0.0.1", _port_of(a))) for _ in range(60)]
            await (await dial_until_taken(b, a)).close()
            for sock in silent:
                sock.close()
            swarm = a._bridge.engine()._swarm  # type: ignore[union-attr]  # the host is started
            await eventually(lambda: len(swarm._upgrading) == 0)
            assert a.restarts == 0

    run(main)


def test_a_server_that_refuses_a_websocket_without_end_is_left_at_once() -> None:
    async def main() -> None:
        sent = 0
        left = asyncio.Event()

        async def refuse(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            nonlocal sent
            writer.write(b"HTTP/1.1 404 Not Found\r\nContent-Length: 99999999999\r\n\r\n")
            with contextlib.suppress(ConnectionError):
                while True:
                    writer.write(bytes(65536))
                    await writer.drain()
                    sent += 65536
            left.set()

        server = await asyncio.start_server(refuse, "127.0.0.1", 0)
        async with server, started("a") as a, started("b") as b:
            port = server.sockets[0].getsockname()[1]
            with pytest.raises(DialFailed):
                await b.dial(f"/ip4/127.0.0.1/tcp/{port}/ws/p2p/{a.cell_id}", timeout_s=HANG_S)
            await left.wait()
            assert sent < 16 << 20
            await assert_serves(a, b)

    run(main)


def test_a_server_that_resets_the_connection_instead_of_answering_is_left_at_once() -> None:
    async def main() -> None:
        async def reset(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readexactly(1)
            at_once = struct.pack("ii", 1, 0)
            writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, at_once)
            writer.transport.abort()

        server = await asyncio.start_server(reset, "127.0.0.1", 0)
        async with server, started("a") as a, started("b") as b:
            port = server.sockets[0].getsockname()[1]
            for _ in range(3):
                with pytest.raises(DialFailed, match="refused a WebSocket"):
                    await b.dial(f"/ip4/127.0.0.1/tcp/{port}/ws/p2p/{a.cell_id}", timeout_s=HANG_S)
            await assert_serves(a, b)

    run(main)
