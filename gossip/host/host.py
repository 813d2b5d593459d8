"""The libp2p host as the asyncio daemon sees it: listen, dial, answer, stop.

A facade without network code: the trio side does that, in its own thread (`bridge`, `engine`). One
failing connection, stream or handler never ends the host; a crash of the trio side ends its
streams with HostDown or StreamLost, and it comes back with the same identity and ports
(`restarts` counts it).
"""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from functools import partial
from typing import TYPE_CHECKING, Final, TypeAlias

from nacl.signing import SigningKey

from core.errors import MyceldError
from core.ids import CellId, PublicKey, cell_id_of, short
from gossip.host.addresses import TcpAddress, parse_dial_address, parse_listen_address
from gossip.host.bridge import Bridge, BridgeEvents
from gossip.host.config import HostConfig
from gossip.host.errors import DialFailed, HostDown, HostFailed, HostMisused, PingFailed
from gossip.host.introduction import Introduction
from gossip.host.limits import (
    DHT_QUERY_TIMEOUT_S,
    HANDLERS_MAX,
    INTRODUCTIONS_MAX,
    NEGOTIATION_MESSAGE_BYTES_MAX,
    SEED_SIZE_BYTES,
    START_TIMEOUT_S,
    STOP_TIMEOUT_S,
)
from gossip.host.seam import NetworkSide, StreamPort
from gossip.host.stream import PeerStream

if TYPE_CHECKING:
    from gossip.host.dht import Dht

DHT_PROTOCOL: Final = "/myceld/kad/1.0.0"
"""libp2p's Kademlia messages under a name of ours: cells form a DHT of their own."""

StreamHandler: TypeAlias = Callable[[PeerStream], Awaitable[None]]
"""Called for every inbound stream; when it returns or raises, the stream is closed."""

HostFactory: TypeAlias = (
    "Callable[[HostConfig, StreamHandler, Callable[[CellId, str | None], None]], Host]"
)
"""Makes a host that is not started yet; the arguments are those of `Host`."""

_LOG = logging.getLogger(__name__)


class Host(BridgeEvents):
    """One cell's presence on the network. Start once, stop once; bound to the loop of `start`."""

    def __init__(
        self,
        config: HostConfig,
        on_stream: StreamHandler,
        on_abused: Callable[[CellId, str | None], None] | None = None,
    ) -> None:
        """`on_abused` is told of peers that lost their connection for opening too many streams."""
        if len(config.seed) != SEED_SIZE_BYTES:
            raise HostMisused(f"a seed has {SEED_SIZE_BYTES} bytes, not {len(config.seed)}")
        _check_protocol(config.protocol)
        self._config = config
        self._listen = tuple(parse_listen_address(text) for text in config.listen_addresses)
        self._handlers: dict[str, StreamHandler] = {config.protocol: on_stream}
        self._cell_id = cell_id_of(PublicKey(bytes(SigningKey(config.seed).verify_key)))
        self._dht: Dht | None = None
        if config.dht:
            self._handlers[DHT_PROTOCOL] = self._answer_dht
            for text in config.dht_bootstrap:
                parse_dial_address(text)
        self._bridge: NetworkSide | None = None
        self._addresses: tuple[str, ...] = ()
        self._restarts = -1
        self._stopped = False
        self._started: asyncio.Future[None] | None = None
        self._streams: dict[PeerStream, None] = {}  # in order, for whoever replays
        self._tasks: set[asyncio.Task[None]] = set()
        self._dials: set[asyncio.Future[PeerStream]] = set()
        self._on_abused = on_abused
        self.denied: frozenset[str] = frozenset()
        """Cells that get no connection now. Set it to a new set; never change one in place, for
        the network thread reads it."""
        self._introductions: OrderedDict[CellId, Introduction] = OrderedDict()

    @property
    def cell_id(self) -> CellId:
        """Our own id, derived from the seed."""
        return self._cell_id

    @property
    def addresses(self) -> tuple[str, ...]:
        """The multiaddrs we listen on, with real ports and /p2p/<cell id>; empty before start."""
        return self._addresses

    @property
    def restarts(self) -> int:
        """How often the trio side was started again after a crash."""
        return max(0, self._restarts)

    def introduction(self, cell_id: CellId) -> Introduction | None:
        """Return what a peer last said of itself; None before it did, or long ago."""
        return self._introductions.get(cell_id)

    @property
    def dht(self) -> Dht | None:
        """The DHT; None before start, and when the configuration has none."""
        return self._dht

    def set_handler(self, protocol: str, handler: StreamHandler) -> None:
        """Answer a further protocol. Before start only; raises HostMisused."""
        if self._bridge is not None or len(self._handlers) >= HANDLERS_MAX:
            raise HostMisused(f"handler for {protocol} set after start, or too many of them")
        _check_protocol(protocol)
        self._handlers[protocol] = handler

    async def start(self) -> tuple[str, ...]:
        """Listen; return the real addresses. Raises AddressInUse, CannotListen, HostFailed."""
        if self._bridge is not None:
            raise HostMisused("a host is started once")
        self._started = asyncio.get_running_loop().create_future()
        self._bridge = self._make_side(self._listen, tuple(self._handlers))
        self._bridge.start()
        try:
            async with asyncio.timeout(START_TIMEOUT_S):
                await self._started
        except TimeoutError as error:
            await self.stop()
            raise HostFailed(f"not listening after {START_TIMEOUT_S} s") from error
        except BaseException:
            await self.stop()
            raise
        if self._config.dht:
            self._dht = self._make_dht()
        return self._addresses

    async def stop(self) -> None:
        """Close everything, within STOP_TIMEOUT_S; handlers are cancelled. Safe to repeat."""
        if self._stopped or self._bridge is None:
            return
        self._stopped = True
        tasks = self._tasks - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        if not await self._bridge.stop():
            _LOG.warning("the network thread did not end in %s s", STOP_TIMEOUT_S)
        self._fail_all(HostDown("the host was stopped"))
        if tasks:
            await asyncio.wait(tasks, timeout=STOP_TIMEOUT_S)

    async def dial(
        self,
        address: str,
        *,
        timeout_s: float,
        protocol: str | None = None,
    ) -> PeerStream:
        """Open a new connection to `address` (with /p2p/<cell id>) and one stream on it.

        Raises NotAMultiaddr, DialFailed (refused, unreachable, deadline), WrongPeer,
        ProtocolRefused, HostDown, HostMisused (not started, or our own address).
        """
        target = parse_dial_address(address)
        if target.cell_id == self._cell_id:
            raise HostMisused(f"{address} is this cell itself")
        bridge = self._running_bridge()
        answer: asyncio.Future[PeerStream] = asyncio.get_running_loop().create_future()

        def on_port(port: StreamPort) -> None:
            stream = self._adopt(bridge, port)
            if answer.done():
                _spawn(stream.abort(), self._tasks)
            else:
                answer.set_result(stream)

        def on_failed(error: MyceldError) -> None:
            if not answer.done():
                answer.set_exception(error)

        self._dials.add(answer)
        cancel: Callable[[], None] | None = None
        try:
            cancel = bridge.dial(target, protocol or self._config.protocol, on_port, on_failed)
            async with asyncio.timeout(timeout_s):
                return await answer
        except TimeoutError as error:
            _give_up(cancel)
            raise DialFailed(f"{address}: no answer in {timeout_s} s") from error
        except asyncio.CancelledError:
            _give_up(cancel)
            if answer.done() and not answer.cancelled() and answer.exception() is None:
                await answer.result().abort()
            raise
        finally:
            self._dials.discard(answer)

    async def ping(self, cell_id: CellId, *, timeout_s: float) -> float:
        """Return the round trip in ms to a connected peer, by libp2p's ping.

        Raises NotConnected, PingFailed, HostDown, HostMisused (not started).
        """
        bridge = self._running_bridge()
        waiting: asyncio.Future[float] = asyncio.get_running_loop().create_future()

        def answer(result: float | MyceldError) -> None:
            if waiting.done():
                return
            if isinstance(result, MyceldError):
                waiting.set_exception(result)
            else:
                waiting.set_result(result)

        bridge.ping(cell_id, answer)
        try:
            async with asyncio.timeout(timeout_s):
                return await waiting
        except TimeoutError as error:
            raise PingFailed(f"{cell_id} did not answer in {timeout_s} s") from error

    def on_up(self, addresses: tuple[TcpAddress, ...]) -> None:
        """Note the real addresses (called by the bridge)."""
        self._restarts += 1
        self._addresses = tuple(f"{address}/p2p/{self._cell_id}" for address in addresses)
        if self._started is not None and not self._started.done():
            self._started.set_result(None)

    def on_down(self, error: MyceldError) -> None:
        """Fail whatever belonged to the trio side that ended (called by the bridge)."""
        if self._started is not None and not self._started.done():
            self._started.set_exception(error)
        self._fail_all(HostDown(f"the network side ended: {error}"))

    def on_inbound(self, port: StreamPort) -> None:
        """Run the handler of a stream that a peer opened (called by the bridge)."""
        stream = self._adopt(self._running_bridge(), port)
        handler = self._handlers[stream.protocol]
        if self._stopped or len(self._tasks) >= 2 * self._config.streams_max:
            _spawn(stream.abort(), self._tasks)
        else:
            _spawn(_handle(stream, handler), self._tasks)

    def on_abuse(self, cell_id: CellId, remote_address: str | None) -> None:
        """Pass on what a peer did (called by the bridge)."""
        if self._on_abused is not None:
            self._on_abused(cell_id, remote_address)

    def is_denied(self, cell_id: str) -> bool:
        """Return whether a cell gets no connection now (called in the trio thread)."""
        return cell_id in self.denied

    def on_introduction(self, cell_id: CellId, introduction: Introduction) -> None:
        """Keep what a peer said of itself (called by the bridge)."""
        self._introductions[cell_id] = introduction
        self._introductions.move_to_end(cell_id)
        if len(self._introductions) > INTRODUCTIONS_MAX:
            self._introductions.popitem(last=False)
        if self._dht is not None:
            self._dht.learn(cell_id, introduction)

    def _make_side(
        self,
        listen: tuple[TcpAddress, ...],
        protocols: tuple[str, ...],
    ) -> NetworkSide:
        """Return the network half; a simulation puts its own here."""
        return Bridge(self._config, listen, protocols, self)

    def _make_dht(self) -> Dht:
        from gossip.host.dht import Dht, DhtLinks  # noqa: PLC0415 - 2 MB of libp2p, loaded by start

        links = DhtLinks(
            cell_id=self._cell_id,
            protocol=DHT_PROTOCOL,
            addresses=lambda: self._addresses,
            dial=partial(self.dial, timeout_s=DHT_QUERY_TIMEOUT_S, protocol=DHT_PROTOCOL),
        )
        bootstrap = (t for t in self._config.dht_bootstrap if self._cell_id not in t)
        return Dht(links, bootstrap)

    async def _answer_dht(self, stream: PeerStream) -> None:
        if self._dht is not None:
            await self._dht.handle(stream)

    def _running_bridge(self) -> NetworkSide:
        if self._bridge is None:
            raise HostMisused("the host is not started")
        return self._bridge

    def _adopt(self, bridge: NetworkSide, port: StreamPort) -> PeerStream:
        stream = PeerStream(bridge, port, self._forget)
        self._streams[stream] = None
        return stream

    def _forget(self, stream: PeerStream) -> None:
        self._streams.pop(stream, None)

    def _fail_all(self, error: HostDown) -> None:
        for answer in self._dials:
            if not answer.done():
                answer.set_exception(HostDown(error.detail))
        for stream in tuple(self._streams):
            stream.on_end(error)
            stream.on_closed()


def _check_protocol(protocol: str) -> None:
    size = len(protocol.encode())
    if not protocol.startswith("/") or "\n" in protocol or size >= NEGOTIATION_MESSAGE_BYTES_MAX:
        raise HostMisused(f"{protocol[:80]!r} is no protocol name such as /myceld/…/gossip/1")


async def _handle(stream: PeerStream, handler: StreamHandler) -> None:
    """Run one handler to its end, whatever it raises, and close its stream."""
    try:
        await handler(stream)
    except MyceldError as error:
        _LOG.info("stream of %s ended: %s", short(stream.cell_id), error)
    except Exception:  # noqa: BLE001 - supervisor of one handler
        _LOG.exception("handler of %s failed (stream of %s)", stream.protocol, stream.cell_id)
    finally:
        await stream.close()


def _spawn(work: Awaitable[None], tasks: set[asyncio.Task[None]]) -> None:
    task = asyncio.ensure_future(work)
    tasks.add(task)
    task.add_done_callback(tasks.discard)


def _give_up(cancel: Callable[[], None] | None) -> None:
    try:
        if cancel is not None:
            cancel()
    except HostDown:
        _LOG.debug("the network side is gone, nothing to cancel")
