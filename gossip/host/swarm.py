"""The libp2p swarm of a cell: TCP, WebSocket, Noise, Yamux only; bounded, guarded. Trio side.

Built from libp2p's public classes (not `new_host`), with these differences, numbers as in the
project's list of traps: no task of one connection can end the swarm (1, 2); inbound slots are
freed when their connection ends and counted per address and peer (4, 14, 22); only Noise (5);
bounded Yamux (6); no dial cache, retries or happy eyeballs (10, 11); no auto-connector (15).
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable

import trio
from libp2p.crypto.ed25519 import create_new_key_pair
from libp2p.crypto.x25519 import create_new_key_pair as create_new_x25519_key_pair
from libp2p.custom_types import TProtocol
from libp2p.network.auto_connector import AutoConnector
from libp2p.network.config import ConnectionConfig, RetryConfig
from libp2p.network.connection.raw_connection import RawConnection
from libp2p.network.exceptions import SwarmException
from libp2p.network.swarm import Swarm
from libp2p.peer.id import ID
from libp2p.peer.peerstore import PeerStore
from libp2p.rcmgr import Direction
from libp2p.security.noise.transport import PROTOCOL_ID as NOISE
from libp2p.security.noise.transport import Transport as Noise
from libp2p.stream_muxer.yamux.yamux import PROTOCOL_ID as YAMUX
from libp2p.transport.upgrader import TransportUpgrader
from multiaddr import Multiaddr

from core.ids import CellId, NotACellId, public_key_of
from gossip.budget import Buckets
from gossip.host.addresses import DialAddress, address_key
from gossip.host.config import HostConfig
from gossip.host.limits import (
    CONNECTING_ADDRESSES_MAX,
    CONNECTION_IDLE_S,
    CONNECTS_BURST,
    CONNECTS_PER_S,
    NEGOTIATION_TIMEOUT_S,
    REFUSALS_BURST,
    REFUSALS_PAUSE_S,
    REFUSALS_PER_S,
)
from gossip.host.loading import Libp2pObject
from gossip.host.muxer import (
    BoundedMuxers,
    BoundedYamux,
    ExactTcpStream,
    finish_shielded,
    remote_address_of,
)
from gossip.host.slots import Places
from gossip.host.transport import CellTransport
from gossip.host.websocket import accepted

_LOG = logging.getLogger(__name__)


class CellSwarm(Swarm):  # type: ignore[misc]  # libp2p has no types
    """Connections of one cell; see the module for what differs from libp2p's own."""

    def __init__(
        self,
        config: HostConfig,
        peer_id: Libp2pObject,
        peerstore: Libp2pObject,
        upgrader: Libp2pObject,
        is_denied: Callable[[str], bool],
    ) -> None:
        connections_max = config.inbound_connections_max + config.outbound_connections_max
        super().__init__(
            peer_id,
            peerstore,
            upgrader,
            [CellTransport(self._spawn)],
            retry_config=RetryConfig(max_retries=0),
            connection_config=ConnectionConfig(
                max_connections=connections_max,
                high_watermark=connections_max,
                low_watermark=0,
                min_connections=0,
                # Our own per-peer cap refuses the newest; libp2p's closes connections in use.
                max_connections_per_peer=connections_max,
                inbound_upgrade_timeout=config.upgrade_timeout_s,
                outbound_upgrade_timeout=config.upgrade_timeout_s,
            ),
        )
        self.auto_connector = _NoAutoConnector(self)
        # The only notifee is the tag store, which nothing here reads.
        self.notifees.clear()
        self._inbound = Places(
            total_max=config.inbound_connections_max,
            each_max=config.inbound_per_address_max,
        )
        self._upgrading = Places(
            total_max=config.upgrading_max,
            each_max=config.upgrading_per_address_max,
        )
        self._inbound_per_peer_max = config.inbound_per_peer_max
        self._purpose_grace_s = config.purpose_grace_s
        self._is_denied = is_denied
        self._connects = Buckets(CONNECTS_PER_S, CONNECTS_BURST, keys_max=CONNECTING_ADDRESSES_MAX)
        self._refusals = Buckets(REFUSALS_PER_S, REFUSALS_BURST, keys_max=1)
        self._accepts_at_s = 0.0
        self._upgrade_timeout_s = config.upgrade_timeout_s
        self.on_connection: Callable[[Libp2pObject], None] = lambda _: None

    @property
    def manager(self) -> Libp2pObject:
        """The service manager, whose tasks cannot end the service by failing."""
        return _GuardedManager(super().manager)

    def _spawn(self, work: Callable[[], Awaitable[None]]) -> None:
        self.manager.run_task(work)

    async def ready_to_accept(self) -> None:
        """Wait while connections are refused faster than it is worth to refuse them."""
        await trio.sleep_until(self._accepts_at_s)

    async def accept(self, socket: trio.SocketStream, *, websocket: bool = False) -> None:
        """Serve one inbound TCP connection until it ends. Never raises."""
        remote = remote_address_of(socket)
        try:
            key = None if remote is None else address_key(remote[0])
            if key is not None and self._may_connect(key):
                await self._serve(socket, key, websocket=websocket)
        except Exception as error:  # noqa: BLE001 - supervisor of one connection
            _LOG.debug("inbound connection of %s refused: %r", remote, error)
        finally:
            await trio.aclose_forcefully(socket)

    def _may_connect(self, address: str) -> bool:
        """Count a connection of an IP address; False when it connects too fast."""
        now_ms = int(trio.current_time() * 1000)
        if self._connects.take(address, now_ms):
            return True
        if not self._refusals.take("all", now_ms):
            self._accepts_at_s = trio.current_time() + REFUSALS_PAUSE_S
        return False

    async def _serve(self, socket: trio.SocketStream, address: str, *, websocket: bool) -> None:
        muxed: Libp2pObject = None
        yields_at_s = trio.current_time() + self._purpose_grace_s

        def has_no_purpose() -> bool:
            is_old = trio.current_time() >= yields_at_s
            return is_old and muxed is not None and muxed.applications == 0

        # The nursery holds the reader of a WebSocket.
        with self._inbound.place(address, has_no_purpose):
            async with trio.open_nursery() as nursery:
                with self._upgrading.place(address, _always) as scope:
                    stream = (
                        await accepted(nursery, socket, self._upgrade_timeout_s)
                        if websocket
                        else ExactTcpStream(socket)
                    )
                    raw = RawConnection(stream, False)  # noqa: FBT003 - positional in libp2p
                    muxed = await self.upgrade_inbound_raw_conn(raw, address)
                if not scope.cancelled_caught:
                    await _until_closed_or_idle(muxed)
                nursery.cancel_scope.cancel()

    async def add_conn(self, muxed_conn: Libp2pObject, direction: str = "unknown") -> Libp2pObject:
        """Register an authenticated connection; refuses foreign keys, full and denied peers."""
        peer_id = muxed_conn.peer_id
        ours = self.connections.get(peer_id, [])
        held = [c for c in ours if c.direction is Direction.INBOUND and not c.is_closed]
        full = direction == "inbound" and len(held) >= self._inbound_per_peer_max
        if full or not _is_cell_id(str(peer_id)) or self._is_denied(str(peer_id)):
            await muxed_conn.secured_conn.close()
            raise SwarmException(
                f"{peer_id} holds {len(held)} connections, is denied, or is no Ed25519 key"
            )
        connection = await super().add_conn(muxed_conn, direction)
        self.on_connection(connection)
        return connection

    def connections_of(self, cell_id: CellId) -> list[Libp2pObject]:
        """Return the open connections to a peer."""
        return [c for c in self.connections.get(ID.from_string(cell_id), []) if not c.is_closed]

    async def connect(self, target: DialAddress) -> Libp2pObject:
        """Open a new connection to `target`; raises SwarmException. The caller sets a deadline."""
        return await self.dial_addr(Multiaddr(str(target.at)), ID.from_string(target.cell_id))

    async def close_in_order(self, connection: Libp2pObject) -> None:
        """Say goodbye and close; drops the connection when the peer doesn't take the goodbye."""
        if not await finish_shielded(connection.muxed_conn.close):
            await self.drop(connection)

    async def drop(self, connection: Libp2pObject) -> None:
        """Close a connection at once, whatever its tasks are blocked in. Cannot be cancelled."""
        # The socket first: a blocked write holds the lock that an orderly close waits for.
        if not await finish_shielded(connection.muxed_conn.secured_conn.close, connection.close):
            self.remove_conn(connection)  # a close that is cut short would leave it here for ever


def build_swarm(config: HostConfig, is_denied: Callable[[str], bool]) -> CellSwarm:
    """Return a swarm with the identity of `config.seed`, not yet running.

    Peers that `is_denied` names by their id are refused once they have proven it.
    """
    key_pair = create_new_key_pair(config.seed)
    peer_id = ID.from_pubkey(key_pair.public_key)
    peerstore = PeerStore()
    peerstore.add_key_pair(peer_id, key_pair)
    noise = Noise(key_pair, noise_privkey=create_new_x25519_key_pair().private_key)
    muxers = {TProtocol(YAMUX): BoundedYamux}
    upgrader = TransportUpgrader({NOISE: noise}, muxers)
    upgrader.muxer_multistream = BoundedMuxers(muxers, int(NEGOTIATION_TIMEOUT_S))
    return CellSwarm(config, peer_id, peerstore, upgrader, is_denied)


def _always() -> bool:
    """Any negotiation may yield: an honest one takes milliseconds."""
    return True


async def _until_closed_or_idle(muxed: Libp2pObject) -> None:
    while not muxed.event_closed.is_set():
        with trio.move_on_after(CONNECTION_IDLE_S):
            await muxed.event_closed.wait()
        if not muxed.streams:
            return


def _is_cell_id(text: str) -> bool:
    try:
        public_key_of(text)
    except NotACellId:
        return False
    return True


class _NoAutoConnector(AutoConnector):  # type: ignore[misc]  # libp2p has no types
    """Dials nobody and remembers nobody."""

    async def run_background_task(self, nursery: trio.Nursery) -> None:
        """Start nothing."""

    async def maybe_connect(self) -> None:
        """Connect to nobody."""

    def record_disconnect(self, peer_id: Libp2pObject) -> None:
        """Remember nothing."""


class _GuardedManager:
    """libp2p's manager ends the whole service when a task fails; ours logs and goes on."""

    def __init__(self, manager: Libp2pObject) -> None:
        self._manager = manager

    def __getattr__(self, name: str) -> Libp2pObject:
        return getattr(self._manager, name)

    def run_task(self, function: Callable[..., Awaitable[None]], *args: object) -> None:
        """Run a task of one connection."""
        self._manager.run_task(_guarded, function, *args)


async def _guarded(function: Callable[..., Awaitable[None]], *args: object) -> None:
    try:
        await function(*args)
    except Exception:  # noqa: BLE001 - supervisor of one task
        _LOG.debug("task of a connection failed", exc_info=True)
