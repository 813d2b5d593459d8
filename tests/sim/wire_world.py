"""Hosts on a simulated network for the tests, each in a life of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, TypeAlias

from core.ids import CellId
from gossip.host import Host, HostConfig, PeerStream, StreamHandler
from sim.clock import installed
from sim.life import Life
from sim.loop import SimLoop
from sim.network import SimNetwork

End: TypeAlias = tuple[float, type[Exception] | None]
"""When a stream ended, and by which error; None when its peer closed it."""

PROTOCOL = "/myceld/test/gossip/1"


class WireWorld:
    """Some machines with one host each, named by their indices. Links take exactly 10 ms."""

    def __init__(self, machines: int = 2, seed: int = 1) -> None:
        self.loop = SimLoop()
        self.network = SimNetwork(self.loop, seed, machines)
        self.seed = seed
        self.lives: dict[int, Life] = {}
        self.hosts: dict[int, Host] = {}
        for link in self.network.links():
            link.delay_s, link.jitter_s = 0.01, 0.0

    def start(
        self,
        index: int,
        on_stream: StreamHandler | None = None,
        *,
        key: int | None = None,
    ) -> Life:
        """Start a host on a machine; `key` is that of another machine, its own by default."""
        life = self.lives[index] = self.loop.life(str(index))
        seed = bytes([1 + (index if key is None else key)]) * 32
        config = HostConfig(seed, ("/ip4/0.0.0.0/tcp/4710",), PROTOCOL)

        async def main() -> None:
            host = self.network.host_of(life, index)(config, on_stream or _hold, _ignore)
            await host.start()
            self.hosts[index] = host

        life.run(main)
        self.run_for(0.001)
        return life

    def do(self, index: int, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        """Start a task in the life of a host."""
        context = self.lives[index].context.copy()
        return context.run(lambda: self.loop.create_task(work))

    def result(self, index: int, work: Coroutine[Any, Any, Any]) -> Any:  # noqa: ANN401 - the work's
        """Run a task of a host to its end, and return what it returned."""
        with installed(self.loop, self.seed):
            return self.loop.run_until_complete(self.do(index, work))

    def run_for(self, seconds: float) -> None:
        """Let time pass."""
        with installed(self.loop, self.seed):
            self.loop.run_until(self.loop.time() + seconds)

    def dial(self, here: int, there: int, timeout_s: float = 5) -> PeerStream:
        """Open a stream between two hosts."""
        return self.result(here, self.dialled(here, there, timeout_s))  # type: ignore[no-any-return]  # it is one

    async def dialled(self, here: int, there: int, timeout_s: float = 5) -> PeerStream:
        """Dial from one host to another."""
        return await self.hosts[here].dial(self.hosts[there].addresses[0], timeout_s=timeout_s)


def _ignore(_cell: CellId, _address: str | None) -> None:
    """Nobody is abused here."""


async def _hold(stream: PeerStream) -> None:
    """Keep a stream open without reading."""
    while not stream.closed:  # noqa: ASYNC110 - there is no event for it
        await asyncio.sleep(0.1)


def collecting(got: list[bytes], ends: list[End]) -> Callable[[PeerStream], Any]:
    """Return a handler that keeps what arrives, and how it ended."""

    async def collect(stream: PeerStream) -> None:
        try:
            while data := await stream.read(timeout_s=None):
                got.append(data)
        except Exception as error:
            ends.append((round(asyncio.get_running_loop().time(), 6), type(error)))
            raise
        ends.append((round(asyncio.get_running_loop().time(), 6), None))

    return collect
