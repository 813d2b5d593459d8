"""The real libp2p host with the simulated wire under it: who listens, dials and answers.

`SimHost` is `gossip.host.Host`; `SimSide` takes the place of its trio thread. A dial takes four
round trips, as the real one does: the first is the kernel's, the others need the process at the
other end.
Limits on connections and streams, restarts of the network side, and the DHT are not simulated.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Final

from core.errors import MyceldError
from core.ids import CellId
from gossip.host import (
    AddressInUse,
    DialFailed,
    Host,
    HostConfig,
    HostDown,
    Introduction,
    NotConnected,
    ProtocolRefused,
    StreamHandler,
    WrongPeer,
)
from gossip.host.addresses import DialAddress, TcpAddress
from gossip.host.bridge import BridgeEvents
from gossip.host.introduction import PROTOCOL_VERSION
from gossip.host.seam import NetworkSide, PortInfo, StreamPort
from sim.limits import ROUND_TRIPS_OF_A_DIAL, SMALL_BYTES
from sim.machine import Place
from sim.port import SimPort

_PORT_DEFAULT: Final = 4710
_KEYS_PROVEN: Final = 2
"""In this round trip (TCP is 0) the listener learns who dials; the dialler knew one before."""


class SimHost(Host):
    """A host of one process on a machine of the simulated network."""

    def __init__(
        self,
        place: Place,
        config: HostConfig,
        on_stream: StreamHandler,
        on_abused: Callable[[CellId, str | None], None] | None = None,
    ) -> None:
        super().__init__(config, on_stream, on_abused)
        self._make: Callable[..., SimSide] = partial(SimSide, place, config)

    def _make_side(
        self,
        listen: tuple[TcpAddress, ...],
        protocols: tuple[str, ...],
    ) -> NetworkSide:
        return self._make(self, self.cell_id, listen=listen, protocols=protocols)


class SimSide:
    """The network half of one host."""

    def __init__(
        self,
        place: Place,
        config: HostConfig,
        events: BridgeEvents,
        cell_id: CellId,
        *,
        listen: tuple[TcpAddress, ...],
        protocols: tuple[str, ...],
    ) -> None:
        self.network = place.network
        self.machine = place.machine
        self.life = place.life
        self.cell_id = cell_id
        self.noise_key = place.network.new_name()
        self.protocol = config.protocol
        """The host's main one: that of gossip."""
        self.protocols = protocols
        self.events = events
        self.ports: dict[SimPort, None] = {}
        """Streams and dials, in order of their opening."""
        self.addresses: tuple[str, ...] = ()
        self.agent = config.agent_version
        self._listen = listen
        self._up = False

    def start(self) -> None:
        """Listen on the machine's address; the port is the one asked for."""
        loop, taken = self.network.loop, self.machine.listeners
        ports: list[int] = []
        for address in self._listen:
            port = address.port or _free_port(taken)
            if port in taken:
                error = AddressInUse(f"{address}: Address already in use")
                loop.call_soon(self.events.on_down, error, context=self.life.context)
                return
            taken[port] = self
            ports.append(port)
        found = tuple(TcpAddress("ip4", self.machine.address, port) for port in ports)
        self.addresses = tuple(map(str, found))
        self.machine.sides[self] = None
        self.life.on_death.append(self._die)
        self._up = True
        loop.call_soon(self.events.on_up, found, context=self.life.context)

    async def stop(self) -> bool:
        """Break all connections and listen no more."""
        self._up = False
        for port in tuple(self.ports):
            port.on_refused = None  # the host itself ends its dials
            port.drop()
        self._leave_machine()
        return True

    def call(self, function: Callable[..., None], *args: object) -> None:
        """Run a method of a port; raises HostDown after `stop`."""
        if not self._up:
            raise HostDown("the network side is not running")
        if self.life.alive:
            function(*args)

    def dial(
        self,
        target: DialAddress,
        protocol: str,
        on_port: Callable[[StreamPort], None],
        on_failed: Callable[[MyceldError], None],
    ) -> Callable[[], None]:
        """Begin a dial and return what cancels it."""
        if not self._up:
            raise HostDown("the network side is not running")
        dial = _Dial(self, target, protocol, on_port, on_failed)
        if self.life.alive:
            dial.begin()
        return dial.port.drop

    def ping(self, cell_id: CellId, answer: Callable[[float | MyceldError], None]) -> None:
        """Send something there and back on the oldest stream to a cell."""
        for port in self.ports:
            if port.info.cell_id == cell_id and port.on_refused is None:
                port.ping(answer)
                return
        answer(NotConnected(f"no connection to {cell_id} is open"))

    def forget(self, port: SimPort) -> None:
        """Note that a connection is gone."""
        self.ports.pop(port, None)

    def introduce(self, peer: SimSide, observed: str | None, rtt_ms: float) -> None:
        """Tell the host what a connected peer says of itself."""
        told = Introduction(
            PROTOCOL_VERSION, peer.agent, peer.protocols, peer.addresses, observed, rtt_ms
        )
        self.events.on_introduction(peer.cell_id, told)

    def _die(self) -> None:
        self._up = False
        self._leave_machine()
        for port in tuple(self.ports):
            port.die()
        self.ports.clear()

    def _leave_machine(self) -> None:
        self.machine.sides.pop(self, None)
        listeners = self.machine.listeners
        for port in [port for port, side in listeners.items() if side is self]:
            del listeners[port]


class _Dial:
    """The handshake of one connection: messages there and back, each on its channel."""

    def __init__(
        self,
        side: SimSide,
        target: DialAddress,
        protocol: str,
        on_port: Callable[[StreamPort], None],
        on_failed: Callable[[MyceldError], None],
    ) -> None:
        self._network = network = side.network
        self._side = side
        self._target = target
        self._on_port = on_port
        self._began_s = network.loop.time()
        machine = network.machine_at(target.at.host)
        self._machine = machine
        info = PortInfo(
            *(target.cell_id, protocol, True, str(target.at)),
            binding=network.new_name(),
            peer_key=b"",
        )
        channel = network.channel(side.machine, machine or side.machine)
        self.port = SimPort(network.loop, side, channel, info=info, there=machine)
        self.port.on_refused = on_failed

    def begin(self) -> None:
        """Send the first packet; to nowhere when there is no such machine."""
        self._side.ports[self.port] = None
        if self._machine is not None:
            self.port.channel.send(SMALL_BYTES, self._connect)

    def _connect(self) -> None:
        """Answer as the kernel of the other machine."""
        machine, dialler = self._machine, self.port
        if machine is None or dialler.gone:
            return
        back = self._network.channel(machine, self._side.machine)
        back.receiver = self._side.life
        listener = machine.listeners.get(self._target.at.port)
        if listener is None:
            error = DialFailed(f"{self._target}: Connection refused")
            back.send(SMALL_BYTES, dialler.arrive_refusal, error)
            return
        here = f"/ip4/{self._side.machine.address}/tcp/{self._side.machine.ephemeral_port()}"
        info = PortInfo(
            *(self._side.cell_id, dialler.info.protocol, False, here),
            binding=dialler.info.binding,
            peer_key=self._side.noise_key,
        )
        dialler.info = replace(dialler.info, peer_key=listener.noise_key)
        port = SimPort(self._network.loop, listener, back, info=info, there=self._side.machine)
        port.peer, dialler.peer = dialler, port
        port.await_opening()
        dialler.channel.receiver = listener.life
        listener.ports[port] = None
        back.send(SMALL_BYTES, self._back, port, 0)

    def _back(self, port: SimPort, step: int) -> None:
        """Go on as the dialler, after so many round trips."""
        dialler, listener = self.port, port.side
        if dialler.gone:
            return
        if step == _KEYS_PROVEN - 1:
            error = self._objection(listener)
            if error is not None:
                dialler.channel.send(SMALL_BYTES, port.arrive_lost)
                dialler.arrive_refusal(error)
                return
        if step < ROUND_TRIPS_OF_A_DIAL - 1:
            dialler.channel.send(SMALL_BYTES, self._there, port, step + 1)
            return
        rtt_ms = (self._network.loop.time() - self._began_s) * 1000 / ROUND_TRIPS_OF_A_DIAL
        dialler.open()
        self._on_port(dialler)
        self._side.introduce(listener, port.info.remote_address, rtt_ms)

    def _objection(self, listener: SimSide) -> MyceldError | None:
        target = self._target
        if listener.cell_id != target.cell_id:
            return WrongPeer(f"{target}: another cell answered")
        if self._side.events.is_denied(target.cell_id):
            return DialFailed(f"{target}: the cell is denied")
        return None

    def _there(self, port: SimPort, step: int) -> None:
        """Go on as the listener."""
        listener, dialler = port.side, self.port
        if port.gone:
            return
        error: MyceldError | None = None
        if step == _KEYS_PROVEN and listener.events.is_denied(self._side.cell_id):
            error = DialFailed(f"{self._target}: the connection was closed")
        last = step == ROUND_TRIPS_OF_A_DIAL - 1
        if last and port.info.protocol not in listener.protocols:
            error = ProtocolRefused(f"{self._target} does not speak {port.info.protocol}")
        if error is not None:
            port.channel.send(SMALL_BYTES, dialler.arrive_refusal, error)
            port.gone = True
            listener.forget(port)
            return
        port.channel.send(SMALL_BYTES, self._back, port, step)
        if last:
            port.open()
            listener.events.on_inbound(port)
            rtt_ms = (self._network.loop.time() - self._began_s) * 1000 / ROUND_TRIPS_OF_A_DIAL
            listener.introduce(self._side, str(self._target.at), rtt_ms)


def _free_port(taken: dict[int, SimSide]) -> int:
    port = _PORT_DEFAULT
    while port in taken:
        port += 1
    return port
