"""Dials: a connection, its protocol, and the stream that owns it. Trio side.

At most `dialling_max` are under way; others wait within their caller's deadline, and count as
outbound connections, which are bounded too. A dial ends by one of its request's callbacks, whatever
libp2p raises.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import trio
from libp2p.exceptions import BaseLibp2pError
from libp2p.protocol_muxer.exceptions import ProtocolNotSupportedError
from libp2p.protocol_muxer.multiselect_client import MultiselectClient
from libp2p.protocol_muxer.multiselect_communicator import MultiselectCommunicator
from libp2p.security.noise.exceptions import PeerIDMismatchesPubkey

from core.errors import MyceldError
from gossip.host.addresses import DialAddress, tcp_address_of
from gossip.host.channel import channel_of
from gossip.host.config import HostConfig
from gossip.host.errors import DialFailed, ProtocolRefused, TooManyDials, WrongPeer
from gossip.host.limits import NEGOTIATION_TIMEOUT_S
from gossip.host.loading import Libp2pObject
from gossip.host.muxer import NegotiationPipe
from gossip.host.port import Port
from gossip.host.seam import PortInfo
from gossip.host.slots import Slots
from gossip.host.swarm import CellSwarm


@dataclass(slots=True, eq=False)
class DialRequest:
    """A dial under way. `on_port` and `on_failed` are called in the loop's thread, one of them."""

    target: DialAddress
    protocol: str
    on_port: Callable[[Port], None]
    on_failed: Callable[[MyceldError], None]
    scope: trio.CancelScope = field(default_factory=trio.CancelScope)


@dataclass(frozen=True, slots=True)
class DiallerLinks:
    """What a dialler needs of its engine."""

    post: Callable[..., None]
    make_port: Callable[[Libp2pObject, Libp2pObject, PortInfo], Port]


class Dialler:
    """All dials of one engine."""

    def __init__(self, config: HostConfig, swarm: CellSwarm, links: DiallerLinks) -> None:
        self._swarm = swarm
        self._links = links
        self._places = trio.CapacityLimiter(config.dialling_max)
        self._outbound = Slots(
            total_max=config.outbound_connections_max,
            each_max=config.outbound_connections_max,
        )

    async def dial(self, request: DialRequest) -> None:
        """Dial, report, and serve the stream until it ends. Never raises but when cancelled."""
        peer = request.target.cell_id
        if not self._outbound.take(peer):
            error = TooManyDials(f"{request.target}: no place for another outbound connection")
            self._links.post(request.on_failed, error)
            return
        try:
            port = await self._attempt(request)
            if port is not None:
                self._links.post(request.on_port, port)
                await port.serve()
        finally:
            self._outbound.free(peer)

    async def _attempt(self, request: DialRequest) -> Port | None:
        port: Port | None = None
        error: MyceldError = DialFailed(f"{request.target}: given up")
        with request.scope:
            try:
                async with self._places:
                    port = await self._open(request.target, request.protocol)
            except MyceldError as cause:
                error = cause
            except Exception as cause:  # noqa: BLE001 - libp2p raises what it likes
                error = _explain(request.target, cause)
        if port is None:
            self._links.post(request.on_failed, error)
        return port

    async def _open(self, target: DialAddress, protocol: str) -> Port:
        connection = await self._swarm.connect(target)
        try:
            stream = (await connection.new_stream()).muxed_stream
            communicator = MultiselectCommunicator(NegotiationPipe(stream))
            client = MultiselectClient()
            with trio.fail_after(NEGOTIATION_TIMEOUT_S):
                await client.handshake(communicator)
                await client.try_select(communicator, protocol)
        except ProtocolNotSupportedError as error:
            await self._swarm.drop(connection)
            raise ProtocolRefused(f"{target} does not speak {protocol}") from error
        except BaseException:
            await self._swarm.drop(connection)
            raise
        remote = connection.muxed_conn.get_remote_address()
        channel = channel_of(connection.muxed_conn)
        info = PortInfo(
            cell_id=target.cell_id,
            protocol=protocol,
            initiator=True,
            remote_address=None
            if remote is None
            else str(tcp_address_of(*remote, websocket=target.at.websocket)),
            binding=channel.binding,
            peer_key=channel.peer_key,
        )
        return self._links.make_port(connection, stream, info)


def _explain(target: DialAddress, error: BaseException) -> MyceldError:
    """Return our error for what libp2p raised: the innermost cause says most."""
    cause: BaseException = error
    while (inner := _inner(cause)) is not None:
        cause = inner
        if isinstance(cause, PeerIDMismatchesPubkey):
            return WrongPeer(f"{target}: another cell answered")
    if "Peer ID mismatch" in str(error):
        return WrongPeer(f"{target}: another cell answered")
    known = isinstance(cause, OSError | BaseLibp2pError | trio.TooSlowError)
    text = str(cause) if known and str(cause) else type(cause).__name__
    if isinstance(cause, OSError) and cause.strerror:
        text = cause.strerror
    return DialFailed(f"{target}: {text[:200]}")


def _inner(error: BaseException) -> BaseException | None:
    """Return what an exception was raised from, of a group the first one; None for the innermost.

    A connection is tried to each address of a name, so a refusal comes in a group.
    """
    if isinstance(error, BaseExceptionGroup):
        first: BaseException = error.exceptions[0]
        return first
    return error.__cause__
