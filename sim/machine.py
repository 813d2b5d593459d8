"""A machine of the simulated network: its address, its power, and what its kernel holds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sim.limits import EPHEMERAL_PORT_MIN, EPHEMERAL_PORTS

if TYPE_CHECKING:
    from sim.host import SimSide
    from sim.life import Life
    from sim.network import SimNetwork
    from sim.port import SimPort
    from sim.taps import Tap


class Machine:
    """One machine; processes come and go on it."""

    def __init__(self, index: int) -> None:
        self.index = index
        self.address = f"10.0.0.{index + 1}"
        self.up = True
        self.lives: dict[Life, None] = {}
        """Living processes that may make hosts here."""
        self.listeners: dict[int, SimSide] = {}
        """By port."""
        self.sides: dict[SimSide, None] = {}
        """Network halves of living hosts, in order of their start."""
        self.orphans: list[SimPort] = []
        """Streams whose machine lost power: their peers don't know yet."""
        self.tap: Tap | None = None
        """Sees the gossip frames of streams that open from now on."""
        self._ports_taken = 0

    def __repr__(self) -> str:
        return f"<Machine {self.index} {'up' if self.up else 'down'}>"

    def ephemeral_port(self) -> int:
        """Return a port to dial from."""
        self._ports_taken += 1
        return EPHEMERAL_PORT_MIN + self._ports_taken % EPHEMERAL_PORTS

    def ports(self) -> list[SimPort]:
        """Return all streams of its processes, in order of their opening."""
        return [port for side in self.sides for port in side.ports]


@dataclass(frozen=True, slots=True)
class Place:
    """Where a process runs."""

    network: SimNetwork
    machine: Machine
    life: Life
