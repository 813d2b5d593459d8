"""The trio program of a host: listens, dials, negotiates protocols, runs one port per stream.

Trio side: import only after `load_libp2p`. Every connection, stream and dial runs in a guard, so
that none of them ends the program; if it ends all the same, the bridge starts a new one.
"""

from __future__ import annotations

import errno
import logging
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import cast

import trio
from libp2p.exceptions import BaseLibp2pError
from libp2p.protocol_muxer.exceptions import ProtocolNotSupportedError
from libp2p.protocol_muxer.multiselect import Multiselect
from libp2p.protocol_muxer.multiselect_client import MultiselectClient
from libp2p.protocol_muxer.multiselect_communicator import MultiselectCommunicator
from libp2p.security.noise.exceptions import PeerIDMismatchesPubkey
from libp2p.tools.anyio_service import background_trio_service

from core.errors import MyceldError
from core.ids import CellId
from gossip.host.addresses import DialAddress, TcpAddress, tcp_address_of
from gossip.host.config import HostConfig
from gossip.host.errors import AddressInUse, CannotListen, DialFailed, ProtocolRefused, WrongPeer
from gossip.host.limits import (
    LISTEN_BACKLOG,
    NEGOTIATION_TIMEOUT_S,
    STOP_TIMEOUT_S,
    STREAMS_REFUSED_MAX,
)
from gossip.host.loading import Libp2pObject
from gossip.host.muxer import NegotiationPipe, finish_shielded
from gossip.host.port import Port, PortInfo
from gossip.host.swarm import CellSwarm, Slots, build_swarm

_LOG = logging.getLogger(__name__)


@dataclass(slots=True, eq=False)
class DialRequest:
    """A dial under way. `on_port` and `on_failed` are called in the loop's thread, one of them."""

    target: DialAddress
    protocol: str
    on_port: Callable[[Port], None]
    on_failed: Callable[[MyceldError], None]
    scope: trio.CancelScope = field(default_factory=trio.CancelScope)


@dataclass(frozen=True, slots=True)
class EngineOutlets:
    """Where an engine reports to; `post` runs a function in the loop's thread."""

    post: Callable[..., None]
    on_up: Callable[[Engine], None]
    on_inbound: Callable[[Port], None]
    on_abuse: Callable[[CellId, str | None], None]
    is_denied: Callable[[str], bool]
    """Called in the trio thread."""


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
        self._protocols = dict.fromkeys(protocols)
        self._outlets = outlets
        self._config = config
        self._stop = trio.Event()
        self._nursery: trio.Nursery | None = None
        self._swarm: CellSwarm | None = None
        self._streams = Slots(
            total_max=config.streams_max,
            each_max=config.streams_per_peer_max,
        )
        self._refused: Counter[str] = Counter()
        """Streams refused to peers that hold all they may."""

    async def main(self) -> None:
        """Run until `stop`; raises AddressInUse or CannotListen before anything else runs."""
        listeners = await self._listen()
        swarm = self._swarm = build_swarm(self._config, self._outlets.is_denied)
        swarm.set_stream_handler(self._on_stream)
        async with background_trio_service(swarm), trio.open_nursery() as nursery:
            self._nursery = nursery
            for listener in listeners:
                nursery.start_soon(trio.serve_listeners, swarm.accept, [listener])
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
        if self._nursery is not None:
            self._nursery.start_soon(self._dial, request)

    async def _listen(self) -> list[trio.SocketListener]:
        # Not libp2p's listener: it sets SO_REUSEPORT, so that a second cell on the same port
        # would start without an error and take half of the connections.
        listeners: list[trio.SocketListener] = []
        for address in self.addresses:
            try:
                listeners += await trio.open_tcp_listeners(
                    address.port,
                    host=address.host,
                    backlog=LISTEN_BACKLOG,
                )
            except OSError as error:
                for listener in listeners:
                    await listener.aclose()
                fault = AddressInUse if error.errno == errno.EADDRINUSE else CannotListen
                raise fault(f"{address}: {error.strerror or error}") from error
        names = [listener.socket.getsockname() for listener in listeners]
        self.addresses = tuple(tcp_address_of(name[0], name[1]) for name in names)
        return listeners

    async def _dial(self, request: DialRequest) -> None:
        port: Port | None = None
        error: MyceldError = DialFailed(f"{request.target}: given up")
        with request.scope:
            try:
                port = await self._open(request.target, request.protocol)
            except MyceldError as cause:
                error = cause
            except Exception as cause:  # noqa: BLE001 - libp2p raises what it likes
                error = _explain(request.target, cause)
        if port is None:
            self._outlets.post(request.on_failed, error)
        else:
            self._outlets.post(request.on_port, port)
            await self._run(port)

    async def _open(self, target: DialAddress, protocol: str) -> Port:
        swarm = cast("CellSwarm", self._swarm)
        connection = await swarm.connect(target)
        try:
            stream = (await connection.new_stream()).muxed_stream
            communicator = MultiselectCommunicator(NegotiationPipe(stream))
            client = MultiselectClient()
            with trio.fail_after(NEGOTIATION_TIMEOUT_S):
                await client.handshake(communicator)
                await client.try_select(communicator, protocol)
        except ProtocolNotSupportedError as error:
            await swarm.drop(connection)
            raise ProtocolRefused(f"{target} does not speak {protocol}") from error
        except BaseException:
            await swarm.drop(connection)
            raise
        return self._make_port(connection, stream, protocol, initiator=True)

    async def _on_stream(self, net_stream: Libp2pObject) -> None:
        peer = str(net_stream.muxed_conn.peer_id)
        try:
            if self._streams.take(peer):
                try:
                    await self._answer(net_stream)
                finally:
                    if self._streams.free(peer) == 0:
                        self._refused.pop(peer, None)
            else:
                await self._refuse(net_stream, peer)
        except Exception:  # noqa: BLE001 - supervisor of one stream
            _LOG.debug("inbound stream of %s failed", peer, exc_info=True)
            await self._reset(net_stream)

    async def _refuse(self, net_stream: Libp2pObject, peer: str) -> None:
        """Reset a stream beyond the bound; a peer that goes on loses the connection."""
        self._refused[peer] += 1
        if self._refused[peer] <= STREAMS_REFUSED_MAX:
            await self._reset(net_stream)
            return
        remote = net_stream.muxed_conn.get_remote_address()
        address = None if remote is None else str(tcp_address_of(*remote))
        self._outlets.post(self._outlets.on_abuse, CellId(peer), address)
        await cast("CellSwarm", self._swarm).drop(net_stream.swarm_conn)

    async def _answer(self, net_stream: Libp2pObject) -> None:
        stream = net_stream.muxed_stream
        communicator = MultiselectCommunicator(NegotiationPipe(stream))
        with trio.fail_after(NEGOTIATION_TIMEOUT_S):
            protocol, _ = await Multiselect(self._protocols).negotiate(communicator)
        port = self._make_port(net_stream.swarm_conn, stream, protocol, initiator=False)
        self._outlets.post(self._outlets.on_inbound, port)
        await self._run(port)

    async def _reset(self, net_stream: Libp2pObject) -> None:
        if not await finish_shielded(net_stream.muxed_stream.reset):
            await cast("CellSwarm", self._swarm).drop(net_stream.swarm_conn)

    def _make_port(
        self, connection: Libp2pObject, stream: Libp2pObject, protocol: str, *, initiator: bool
    ) -> Port:
        remote = connection.muxed_conn.get_remote_address()
        info = PortInfo(
            cell_id=CellId(str(connection.muxed_conn.peer_id)),
            protocol=protocol,
            initiator=initiator,
            remote_address=None if remote is None else str(tcp_address_of(*remote)),
        )
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

    async def _run(self, port: Port) -> None:
        try:
            await port.run()
        except Exception:  # noqa: BLE001 - supervisor of one stream
            _LOG.debug("stream of %s failed", port.info.cell_id, exc_info=True)


def _explain(target: DialAddress, error: BaseException) -> MyceldError:
    """Return our error for what libp2p raised: the innermost cause says most."""
    cause: BaseException = error
    while cause.__cause__ is not None:
        cause = cause.__cause__
        if isinstance(cause, PeerIDMismatchesPubkey):
            return WrongPeer(f"{target}: another cell answered")
    if "Peer ID mismatch" in str(error):
        return WrongPeer(f"{target}: another cell answered")
    known = isinstance(cause, OSError | BaseLibp2pError | trio.TooSlowError)
    text = str(cause) if known and str(cause) else type(cause).__name__
    return DialFailed(f"{target}: {text[:200]}")
