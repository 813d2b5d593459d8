"""The trio program of a host: listens, answers streams, and runs what belongs to connections.

Trio side: import only after `load_libp2p`. Every connection, stream and dial runs in a guard, so
that none of them ends the program; if it ends all the same, the bridge starts a new one.
"""

from __future__ import annotations

import errno
import logging
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from ipaddress import ip_address
from typing import TypeAlias, cast

import trio
from libp2p.protocol_muxer.multiselect import Multiselect
from libp2p.protocol_muxer.multiselect_communicator import MultiselectCommunicator
from libp2p.tools.anyio_service import background_trio_service

from core.errors import MyceldError
from core.ids import CellId
from gossip.host.addresses import TcpAddress, tcp_address_of
from gossip.host.channel import channel_of
from gossip.host.config import HostConfig
from gossip.host.dialler import Dialler, DiallerLinks, DialRequest
from gossip.host.errors import AddressInUse, CannotListen, NotConnected, PingFailed
from gossip.host.identify import Ourselves
from gossip.host.introduction import Introduction
from gossip.host.limits import (
    LISTEN_BACKLOG,
    NEGOTIATING_MAX,
    NEGOTIATING_PER_PEER_MAX,
    NEGOTIATION_TIMEOUT_S,
    SERVICE_STREAMS_MAX,
    SERVICE_STREAMS_PER_PEER_MAX,
    STOP_TIMEOUT_S,
)
from gossip.host.listener import PacedListener
from gossip.host.loading import Libp2pObject
from gossip.host.muxer import NegotiationPipe, finish_shielded
from gossip.host.port import Port
from gossip.host.seam import PortInfo
from gossip.host.services import Introductions, Service, ServiceStream, ping
from gossip.host.slots import Slots
from gossip.host.swarm import CellSwarm, build_swarm

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class EngineOutlets:
    """Where an engine reports to; `post` runs a function in the loop's thread."""

    post: Callable[..., None]
    on_up: Callable[[Engine], None]
    on_inbound: Callable[[Port], None]
    on_introduction: Callable[[CellId, Introduction], None]
    on_abuse: Callable[[CellId, str | None], None]
    is_denied: Callable[[str], bool]
    """Called in the trio thread."""


PingAnswer: TypeAlias = Callable[[float | MyceldError], None]
"""Takes the round trip in ms, or what went wrong; called in the loop's thread."""


class Engine:
    """One life of the network side; a new one is made after a crash."""

    def __init__(
        self,
        config: HostConfig,
        listen: tuple[TcpAddress, ...],
        protocols: tuple[str, ...],
        outlets: EngineOutlets,
    ) -> None:
        self.addresses = listen
        self._introductions = Introductions(self._ourselves, self._introduced)
        self._services: dict[str, Service] = self._introductions.services()
        self._protocols = dict.fromkeys((*protocols, *self._services))
        self._outlets = outlets
        self._config = config
        self._untold: set[str] = set()
        """Peers that lost their connection for abuse, of which the loop's thread has not heard yet.
        However late that is, they get no other one before it has decided."""
        self._stop = trio.Event()
        self._nursery: trio.Nursery | None = None
        self._swarm: CellSwarm | None = None
        self._dialler: Dialler | None = None
        self._negotiating = Slots(total_max=NEGOTIATING_MAX, each_max=NEGOTIATING_PER_PEER_MAX)
        self._serving = Slots(
            total_max=SERVICE_STREAMS_MAX,
            each_max=SERVICE_STREAMS_PER_PEER_MAX,
        )
        self._streams = Slots(
            total_max=config.streams_max,
            each_max=config.streams_per_peer_max,
        )

    async def main(self) -> None:
        """Run until `stop`; raises AddressInUse or CannotListen before anything else runs."""
        listeners = await self._listen()
        swarm = self._swarm = build_swarm(self._config, self._is_denied)
        swarm.set_stream_handler(self._on_stream)
        swarm.on_connection = self._on_connection
        links = DiallerLinks(self._outlets.post, self._make_port)
        self._dialler = Dialler(self._config, swarm, links)
        async with background_trio_service(swarm), trio.open_nursery() as nursery:
            self._nursery = nursery
            for listener, address in zip(listeners, self.addresses, strict=True):
                accept = partial(swarm.accept, websocket=address.websocket)
                paced = PacedListener(listener, swarm.ready_to_accept)
                nursery.start_soon(trio.serve_listeners, accept, [paced])
            self._outlets.on_up(self)
            await self._stop.wait()
            # Trap 23: libp2p closes connections one by one, 0.2 s each.
            with trio.move_on_after(STOP_TIMEOUT_S / 2):
                async with trio.open_nursery() as closing:
                    for connection in swarm.get_connections():
                        closing.start_soon(swarm.drop, connection)
            nursery.cancel_scope.cancel()

    def stop(self) -> None:
        """End the program."""
        self._stop.set()

    def dial(self, request: DialRequest) -> None:
        """Begin a dial; it ends by one of the request's callbacks, or by its scope."""
        if self._nursery is not None and self._dialler is not None:
            self._nursery.start_soon(self._dialler.dial, request)

    def ping(self, cell_id: CellId, answer: PingAnswer) -> None:
        """Ping a connected peer by libp2p's ping; `answer` is called within its deadlines."""
        if self._nursery is not None:
            self._nursery.start_soon(self._ping, cell_id, answer)

    async def _listen(self) -> list[trio.SocketListener]:
        # Not libp2p's listener: it sets SO_REUSEPORT, so that a second cell on the same port
        # would start without an error and take half of the connections.
        listeners: list[trio.SocketListener] = []
        addresses: list[TcpAddress] = []
        for address in self.addresses:
            try:
                opened = await trio.open_tcp_listeners(
                    address.port,
                    host=address.host,
                    backlog=LISTEN_BACKLOG,
                )
            except OSError as error:
                for listener in listeners:
                    await listener.aclose()
                fault = AddressInUse if error.errno == errno.EADDRINUSE else CannotListen
                raise fault(f"{address}: {error.strerror or error}") from error
            listeners += opened
            names = [listener.socket.getsockname() for listener in opened]
            web = address.websocket
            addresses += [tcp_address_of(name[0], name[1], websocket=web) for name in names]
        self.addresses = tuple(addresses)
        return listeners

    def _ourselves(self) -> Ourselves:
        cell_id = CellId(str(cast("CellSwarm", self._swarm).get_peer_id()))
        told = (a for a in self.addresses if not ip_address(a.host).is_unspecified)
        return Ourselves(
            cell_id=cell_id,
            agent_version=self._config.agent_version,
            protocols=tuple(self._protocols),
            listen_addresses=tuple(map(str, told)),
        )

    def _introduced(self, cell_id: CellId, introduction: Introduction) -> None:
        self._outlets.post(self._outlets.on_introduction, cell_id, introduction)

    def _is_denied(self, cell_id: str) -> bool:
        return cell_id in self._untold or self._outlets.is_denied(cell_id)

    def _tell_abuse(self, cell_id: CellId, address: str | None) -> None:
        """Tell of an abuse (called in the loop's thread)."""
        self._outlets.on_abuse(cell_id, address)
        self._untold.discard(cell_id)

    def _on_connection(self, connection: Libp2pObject) -> None:
        if self._nursery is not None:
            self._nursery.start_soon(self._introductions.introduce, connection)

    async def _ping(self, cell_id: CellId, answer: PingAnswer) -> None:
        connections = cast("CellSwarm", self._swarm).connections_of(cell_id)
        result: float | MyceldError = NotConnected(f"no connection to {cell_id} is open")
        if connections:
            try:
                result = await ping(connections[0])
            except Exception as error:  # noqa: BLE001 - libp2p raises what it likes
                result = PingFailed(f"{cell_id}: {error!r:.200}")
        self._outlets.post(answer, result)

    async def _on_stream(self, net_stream: Libp2pObject) -> None:
        peer = str(net_stream.muxed_conn.peer_id)
        try:
            if not net_stream.muxed_conn.allow_stream():
                remote = net_stream.muxed_conn.get_remote_address()
                address = None if remote is None else str(tcp_address_of(*remote))
                self._untold.add(peer)
                self._outlets.post(self._tell_abuse, CellId(peer), address)
                await cast("CellSwarm", self._swarm).drop(net_stream.swarm_conn)
                return
            protocol = await self._negotiate(net_stream, peer)
            if protocol in self._services:
                await self._serve(net_stream, peer, self._services[protocol])
            elif protocol is not None:
                await self._answer(net_stream, peer, protocol)
        except Exception:  # noqa: BLE001 - supervisor of one stream
            _LOG.debug("inbound stream of %s failed", peer, exc_info=True)
            await self._reset(net_stream)

    async def _negotiate(self, net_stream: Libp2pObject, peer: str) -> str | None:
        """Return the protocol that the peer chose; None if it has too many such streams."""
        if not self._negotiating.take(peer):
            await self._reset(net_stream)
            return None
        try:
            communicator = MultiselectCommunicator(NegotiationPipe(net_stream.muxed_stream))
            with trio.fail_after(NEGOTIATION_TIMEOUT_S):
                protocol, _ = await Multiselect(self._protocols).negotiate(communicator)
        finally:
            self._negotiating.free(peer)
        return str(protocol)

    async def _serve(self, net_stream: Libp2pObject, peer: str, service: Service) -> None:
        if not self._serving.take(peer):
            await self._reset(net_stream)
            return
        stream = ServiceStream(net_stream.muxed_stream)
        try:
            await service(stream, net_stream.swarm_conn)
        finally:
            if not await stream.finish():
                await cast("CellSwarm", self._swarm).drop(net_stream.swarm_conn)
            self._serving.free(peer)

    async def _answer(self, net_stream: Libp2pObject, peer: str, protocol: str) -> None:
        if not self._streams.take(peer):
            await self._reset(net_stream)
            return
        remote = net_stream.muxed_conn.get_remote_address()
        channel = channel_of(net_stream.muxed_conn)
        info = PortInfo(
            cell_id=CellId(peer),
            protocol=protocol,
            initiator=False,
            remote_address=None if remote is None else str(tcp_address_of(*remote)),
            binding=channel.binding,
            peer_key=channel.peer_key,
        )
        try:
            net_stream.muxed_conn.applications += 1
            port = self._make_port(net_stream.swarm_conn, net_stream.muxed_stream, info)
            self._outlets.post(self._outlets.on_inbound, port)
            await port.serve()
        finally:
            net_stream.muxed_conn.applications -= 1
            self._streams.free(peer)

    async def _reset(self, net_stream: Libp2pObject) -> None:
        if not await finish_shielded(net_stream.muxed_stream.reset):
            await cast("CellSwarm", self._swarm).drop(net_stream.swarm_conn)

    def _make_port(self, connection: Libp2pObject, stream: Libp2pObject, info: PortInfo) -> Port:
        return Port(
            info,
            connection,
            stream,
            post=self._outlets.post,
            close_connection=self._close_connection,
        )

    async def _close_connection(self, connection: Libp2pObject, orderly: bool) -> None:  # noqa: FBT001 - a callback
        """Close a connection; return once its socket is closed, 0.2 s before libp2p would."""
        swarm, muxed = cast("CellSwarm", self._swarm), connection.muxed_conn
        if self._nursery is None:
            await swarm.drop(connection)
            return
        self._nursery.start_soon(swarm.close_in_order if orderly else swarm.drop, connection)
        await finish_shielded(muxed.event_closed.wait)
