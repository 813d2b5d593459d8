"""Outbound connections: TCP, and WebSocket over it. Trio side."""

from __future__ import annotations

from libp2p.transport.tcp.tcp import TCP
from multiaddr import Multiaddr

from gossip.host.loading import Libp2pObject
from gossip.host.muxer import ExactTcpStream
from gossip.host.websocket import Spawn, dialled


class CellTransport(TCP):  # type: ignore[misc]  # libp2p has no types
    """libp2p's TCP transport for dialling, over our streams; `/ws` addresses get a WebSocket."""

    def __init__(self, spawn: Spawn) -> None:
        super().__init__()
        self._spawn = spawn

    def can_dial(self, maddr: Libp2pObject) -> bool:  # noqa: ARG002 - libp2p's signature
        """Return True: our addresses were parsed before, and there is no other transport."""
        return True

    async def dial(self, maddr: Libp2pObject) -> Libp2pObject:
        """Return a raw connection to `maddr`; raises what libp2p does. The caller sets a deadline.

        `maddr` is /kind/host/tcp/port with or without /ws.
        """
        before, web, _ = str(maddr).partition("/ws")
        connection = await super().dial(Multiaddr(before))
        socket = connection.stream.stream
        if web:
            _, _, host, _, port, *_ = before.split("/")
            authority = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
            connection.stream = await dialled(socket, authority, self._spawn)
        else:
            connection.stream = ExactTcpStream(socket)
        return connection
