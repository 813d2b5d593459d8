"""Hosts on loopback for the tests: started in the test's loop, always stopped.

A machine may let any line wait for seconds. So what must happen has HANG_S, which only a hang
takes, and the product's own deadlines are longer still: a test that is about one sets it.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import TYPE_CHECKING, Any, Final, TypeVar

from gossip.host import DialFailed, Host, HostConfig, PeerStream, StreamHandler, StreamLost
from gossip.host.bridge import Bridge
from gossip.host.loading import load_libp2p
from tests.waiting import until

if TYPE_CHECKING:
    from gossip.host.engine import Engine
    from gossip.host.swarm import CellSwarm

_T = TypeVar("_T")

PROTOCOL = "/myceld/test/gossip/1"
ANYWHERE = "/ip4/127.0.0.1/tcp/0"

HANG_S: Final = 60.0
"""For what must happen."""

PATIENCE_S: Final = 600.0
"""The product's deadlines: who waits for one of them to pass is seen to hang."""

_DEADLINES: Final = {
    "bridge": {"STOP_TIMEOUT_S": HANG_S},
    "dht": {"DHT_LOOKUP_TIMEOUT_S": PATIENCE_S, "DHT_QUERY_TIMEOUT_S": PATIENCE_S},
    "dialler": {"NEGOTIATION_TIMEOUT_S": PATIENCE_S},
    "engine": {"NEGOTIATION_TIMEOUT_S": PATIENCE_S, "STOP_TIMEOUT_S": HANG_S},
    "host": {
        "DHT_QUERY_TIMEOUT_S": PATIENCE_S,
        "START_TIMEOUT_S": HANG_S,
        "STOP_TIMEOUT_S": HANG_S,
    },
    "port": {"CLOSE_LINGER_S": HANG_S},
    "services": {
        "NEGOTIATION_TIMEOUT_S": PATIENCE_S,
        "SERVICE_TIMEOUT_S": PATIENCE_S,
    },
    "stream": {"CLOSE_TIMEOUT_S": HANG_S},
    "swarm": {"NEGOTIATION_TIMEOUT_S": PATIENCE_S},
}
"""By module of the host."""


def lengthen_deadlines(replace: Callable[[object, str, float], None] = setattr) -> None:
    """Give the product as much time as a test has."""
    load_libp2p()
    for name, deadlines in _DEADLINES.items():
        module = importlib.import_module(f"gossip.host.{name}")
        for deadline, seconds in deadlines.items():
            replace(module, deadline, seconds)


def run(main: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Run a test coroutine with a deadline, so that a hang is a failure."""

    async def bounded() -> None:
        async with asyncio.timeout(3 * HANG_S):
            await main()

    asyncio.run(bounded())


async def echo(stream: PeerStream) -> None:
    while data := await stream.read(timeout_s=PATIENCE_S):
        await stream.write(data, timeout_s=PATIENCE_S)


async def ignore(stream: PeerStream) -> None:
    """Hold the stream without reading, until the peer ends it."""
    while not (stream.closed or stream._at_end):  # noqa: ASYNC110 - a test waits by looking
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
        **{"upgrade_timeout_s": PATIENCE_S, **bounds},  # type: ignore[arg-type]  # ints and floats by name, checked at run time
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
        piece = await stream.read(timeout_s=HANG_S)
        if not piece:
            raise StreamLost(f"end after {len(data)} of {size} bytes")
        data += piece
    return bytes(data)


async def assert_serves(host: Host, via: Host) -> None:
    """Check that `via` can dial `host` and gets an echo."""
    async with await via.dial(host.addresses[0], timeout_s=HANG_S) as stream:
        await stream.write(b"alive?", timeout_s=HANG_S)
        assert await read_all(stream, 6) == b"alive?"


async def dial_until_taken(host: Host, target: Host) -> PeerStream:
    """Dial until `target` has a place, or its upgrades are quicker than its deadline for them."""
    async with asyncio.timeout(HANG_S):
        while True:
            with contextlib.suppress(DialFailed):
                return await host.dial(target.addresses[0], timeout_s=HANG_S)
            await asyncio.sleep(0.02)


async def eventually(condition: Callable[[], bool]) -> None:
    await until(condition, within_s=HANG_S)


async def ask(host: Host, question: Callable[[Engine], _T]) -> _T:
    """Ask the network side of a started host something, in the thread that owns it."""
    bridge = host._bridge
    assert isinstance(bridge, Bridge)
    answer: asyncio.Future[_T] = asyncio.get_running_loop().create_future()
    bridge.call(lambda: bridge.post(answer.set_result, question(bridge.engine())))
    async with asyncio.timeout(HANG_S):
        return await answer


def swarm_of(engine: Engine) -> CellSwarm:
    assert engine._swarm is not None
    return engine._swarm


async def eventually_there(host: Host, condition: Callable[[Engine], bool]) -> None:
    """Wait until something holds on the network side of a host."""
    async with asyncio.timeout(HANG_S):
        while not await ask(host, condition):  # noqa: ASYNC110 - a test waits by looking
            await asyncio.sleep(0.02)
