"""A TCP listener that accepts more slowly while most of what comes is refused. Trio side."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import trio


class PacedListener(trio.abc.Listener[trio.SocketStream]):
    """Waits for its owner before it accepts: what floods fills the kernel's queue, and no more.

    To accept and close costs more than the sender pays; connections that are up go on meanwhile.
    """

    def __init__(self, listener: trio.SocketListener, ready: Callable[[], Awaitable[None]]) -> None:
        self._listener = listener
        self._ready = ready

    async def accept(self) -> trio.SocketStream:
        """Return the next connection."""
        await self._ready()
        return await self._listener.accept()

    async def aclose(self) -> None:
        """Stop listening."""
        await self._listener.aclose()
