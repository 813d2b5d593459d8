"""A loop on virtual time with a loopback in memory: no stall of this machine is seen in it.

What is written arrives in the loop's next turn, whole and in order; what was written before one end
closes arrives as well. There are no bounds on what is under way.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from errno import ECONNREFUSED
from typing import Any, TypeVar

from sim.loop import SimLoop

_T = TypeVar("_T")
_Factory = Callable[[], asyncio.BaseProtocol]
_FIRST_PORT = 40_000


def run_wired(work: Coroutine[Any, Any, _T]) -> _T:
    """Run something to its end in a loop of its own."""
    loop = WiredLoop()
    try:
        result: _T = loop.run_until_complete(work)
    finally:
        loop.run_until_complete(_end_all())
        loop.close()
    return result


async def _end_all() -> None:
    left = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
    for task in left:
        task.cancel()
    if left:
        await asyncio.wait(left)


class WiredLoop(SimLoop):
    """Connects by port number; TLS, names and addresses mean nothing here."""

    def __init__(self) -> None:
        super().__init__()
        self.servers: dict[int, _Factory] = {}
        self._next_port = _FIRST_PORT

    async def create_server(self, factory: _Factory, *_: object, **__: object) -> _Server:  # type: ignore[override]  # as it is called
        """Listen at the next port."""
        self._next_port += 1
        self.servers[self._next_port] = factory
        return _Server(self, self._next_port)

    async def create_connection(  # type: ignore[override]  # as above
        self, factory: _Factory, host: str, port: int, **_: object
    ) -> tuple[asyncio.Transport, asyncio.BaseProtocol]:
        """Connect to what listens at a port."""
        await asyncio.sleep(0)
        accepts = self.servers.get(port)
        if accepts is None:
            raise ConnectionRefusedError(ECONNREFUSED, "nobody listens", host)
        here, there = _End(self, factory()), _End(self, accepts())
        here.other, there.other = there, here
        for end in (there, here):
            end.protocol.connection_made(end)
        return here, here.protocol


class _Server:
    def __init__(self, loop: WiredLoop, port: int) -> None:
        self.sockets = (self,)
        self._loop, self._port = loop, port

    def getsockname(self) -> tuple[str, int]:
        return "127.0.0.1", self._port

    def close(self) -> None:
        self._loop.servers.pop(self._port, None)


class _End(asyncio.Transport):
    """One end of a connection."""

    other: _End

    def __init__(self, loop: WiredLoop, protocol: Any) -> None:  # noqa: ANN401 - streams ask for it so
        super().__init__()
        self.protocol = protocol
        self._loop = loop
        self._closing = self._lost = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        if data and not self._closing:
            self._loop.call_soon(self.other.take, bytes(data))

    def is_closing(self) -> bool:
        return self._closing

    def close(self) -> None:
        if not self._closing:
            self._closing = True
            self._loop.call_soon(self.lose)
            self._loop.call_soon(self.other.end)

    def abort(self) -> None:
        self.close()

    def take(self, data: bytes) -> None:
        """Hand on what came."""
        if not self._closing:
            self.protocol.data_received(data)

    def end(self) -> None:
        """Note that nothing more comes: the other end is gone."""
        if not self._closing:
            self._closing = True
            self.protocol.eof_received()
            self.lose()

    def lose(self) -> None:
        """Tell the protocol, once."""
        if not self._lost:
            self._lost = True
            self.protocol.connection_lost(None)
