"""Hosts on loopback for the tests: started in the test's loop, always stopped."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any

from gossip.host import Host, HostConfig, PeerStream, StreamHandler, StreamLost

PROTOCOL = "/myceld/test/gossip/1"
ANYWHERE = "/ip4/127.0.0.1/tcp/0"


def run(main: Callable[[], Coroutine[Any, Any, None]], *, timeout_s: float = 20) -> None:
    """Run a test coroutine with a deadline, so that a hang is a failure."""

    async def bounded() -> None:
        async with asyncio.timeout(timeout_s):
            await main()

    asyncio.run(bounded())


async def echo(stream: PeerStream) -> None:
    while data := await stream.read(timeout_s=10):
        await stream.write(data, timeout_s=10)


async def ignore(stream: PeerStream) -> None:
    """Hold the stream without reading."""
    while not stream.closed:  # noqa: ASYNC110 - a test waits by looking
        await asyncio.sleep(0.05)


@contextlib.asynccontextmanager
async def started(
    name: str,
    on_stream: StreamHandler = echo,
    listen: str = ANYWHERE,
    **bounds: float,
) -> AsyncIterator[Host]:
    config = HostConfig(
        seed=name.encode().ljust(32, b"."),
        listen_addresses=(listen,),
        protocol=PROTOCOL,
        **bounds,  # type: ignore[arg-type]  # ints and floats by name, checked at run time
    )
    host = Host(config, on_stream)
    try:
        await host.start()
        yield host
    finally:
        await host.stop()


async def read_all(stream: PeerStream, size: int) -> bytes:
    data = bytearray()
    while len(data) < size:
        piece = await stream.read(timeout_s=10)
        if not piece:
            raise StreamLost(f"end after {len(data)} of {size} bytes")
        data += piece
    return bytes(data)


async def assert_serves(host: Host, via: Host) -> None:
    """Check that `via` can dial `host` and gets an echo."""
    async with await via.dial(host.addresses[0], timeout_s=5) as stream:
        await stream.write(b"alive?", timeout_s=5)
        assert await read_all(stream, 6) == b"alive?"


async def eventually(condition: Callable[[], bool], *, timeout_s: float = 5) -> None:
    async with asyncio.timeout(timeout_s):
        while not condition():  # noqa: ASYNC110 - a test waits by looking
            await asyncio.sleep(0.02)
