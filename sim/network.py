"""The simulated network: machines, the links between them, and what can go wrong with both.

Machines are known by their index; cells by nothing, so two machines may run the same key. Links are
directed: `cut(a, b)` with `both=False` stops only what goes from a to b.
"""

from __future__ import annotations

import contextvars
import hashlib
from collections.abc import Callable, Iterable, Sequence
from functools import partial

from gossip.host import HostFactory
from sim.chance import chance
from sim.errors import NetworkMisused
from sim.host import SimHost
from sim.life import Life
from sim.limits import MACHINES_MAX, RETRANSMISSION_S_MAX, RETRANSMISSION_S_MIN
from sim.link import Channel, Link
from sim.loop import SimLoop
from sim.machine import Machine, Place
from sim.taps import Tap


class SimNetwork:
    """All machines, and a link for each pair and direction."""

    def __init__(self, loop: SimLoop, seed: int, machines: int) -> None:
        if not 0 < machines <= MACHINES_MAX:
            raise NetworkMisused(f"{machines} machines are not between 1 and {MACHINES_MAX}")
        self.loop = loop
        self.machines = [Machine(index) for index in range(machines)]
        self._seed = seed
        self._by_address = {machine.address: machine for machine in self.machines}
        self._links: dict[tuple[int, int], Link] = {}
        self._walls: set[tuple[int, int]] = set()
        self._chance = chance(seed, "network")
        self._named = 0

    def host_of(self, life: Life, index: int) -> HostFactory:
        """Return what makes the hosts of a process on a machine, with the arguments of `Host`."""
        machine = self.machine(index)
        machine.lives[life] = None
        life.on_death.append(lambda: machine.lives.pop(life, None))
        return partial(SimHost, Place(self, machine, life))

    def add_machine(self) -> int:
        """Add one more machine, linked as the first two are, and return its index."""
        index, like = len(self.machines), self.link(0, 1)
        if index >= MACHINES_MAX:
            raise NetworkMisused(f"there are {index} machines already")
        machine = Machine(index)
        self.machines.append(machine)
        self._by_address[machine.address] = machine
        for other in range(index):
            for link in (self.link(index, other), self.link(other, index)):
                link.delay_s, link.jitter_s, link.loss = like.delay_s, like.jitter_s, like.loss
        return index

    def new_name(self) -> bytes:
        """Return 32 bytes that nothing was named before, for a connection or a process."""
        self._named += 1
        return hashlib.sha256(f"{self._seed} {self._named}".encode()).digest()

    def machine(self, index: int) -> Machine:
        """Return a machine; raises NetworkMisused."""
        if not 0 <= index < len(self.machines):
            raise NetworkMisused(f"there is no machine {index} of {len(self.machines)}")
        return self.machines[index]

    def machine_at(self, address: str) -> Machine | None:
        """Return the machine with an IP address."""
        return self._by_address.get(address)

    def link(self, source: int, target: int) -> Link:
        """Return the way from one machine to another, to read or to change."""
        key = (self.machine(source).index, self.machine(target).index)
        link = self._links.get(key)
        if link is None:
            link = Link(chance(self._seed, f"link {source} {target}"))
            if source == target:
                link.delay_s = link.jitter_s = 0.0
            self._links[key] = link
        return link

    def links(self) -> list[Link]:
        """Return all links between different machines, in order."""
        count = range(len(self.machines))
        return [self.link(a, b) for a in count for b in count if a != b]

    def channel(self, source: Machine, target: Machine) -> Channel:
        """Return a new ordered way from one machine to another."""
        return Channel(self.loop, self.link(source.index, target.index), source, target)

    def cut(self, source: int, target: int, *, both: bool = True) -> None:
        """Lose all packets from one machine to another, and back unless told otherwise."""
        for a, b in _directions(source, target, both=both):
            link = self.link(a, b)
            if not link.cut:
                link.cut, link.cut_at_s = True, self.loop.time()

    def heal(self, source: int, target: int, *, both: bool = True) -> None:
        """Mend what `cut` did; what was lost comes after its sender's next try."""
        for a, b in _directions(source, target, both=both):
            link = self.link(a, b)
            if link.cut and (a, b) not in self._walls:
                link.cut = False
                self._try_again(link, self.loop.time() - link.cut_at_s)

    def wall(self, one: int, other: int) -> None:
        """Cut two machines off from each other for good: nothing heals that."""
        self._walls |= {(one, other), (other, one)}
        self.cut(one, other)

    def partition(self, groups: Sequence[Iterable[int]]) -> None:
        """Cut all links between groups, and heal those within; who is in no group is alone."""
        group_of = {index: number for number, group in enumerate(groups) for index in group}
        for a in range(len(self.machines)):
            for b in range(a + 1, len(self.machines)):
                together = group_of.get(a, -1 - a) == group_of.get(b, -1 - b)
                (self.heal if together else self.cut)(a, b)

    def heal_all(self) -> None:
        """Mend all links."""
        self.partition([range(len(self.machines))])

    def break_streams(self, a: int, b: int) -> int:
        """Reset all connections between two machines; return how many."""
        there = self.machine(b)
        ports = [port for port in self.machine(a).ports() if port.there is there]
        for port in ports:
            for end in (port, port.peer):
                if end is not None:
                    self.loop.call_soon(end.arrive_lost, context=end.side.life.context)
        return len(ports)

    def tap(self, index: int, tap: Tap | None) -> None:
        """Let a function see and change the gossip frames of streams that open from now on."""
        self.machine(index).tap = tap

    def power_off(self, index: int) -> None:
        """Cut a machine's power: its processes die, and their peers hear nothing of it."""
        machine = self.machine(index)
        machine.up = False
        for life in tuple(machine.lives):
            life.kill()

    def power_on(self, index: int) -> None:
        """Give power back: whoever still sends to streams from before is told they are gone."""
        machine = self.machine(index)
        machine.up = True
        orphans, machine.orphans = machine.orphans, []
        for port in orphans:
            self._later(RETRANSMISSION_S_MAX, port.after_power_cut)
        for other in range(len(self.machines)):
            self._try_again(self.link(other, index), RETRANSMISSION_S_MAX)

    def _try_again(self, link: Link, outage_s: float) -> None:
        """Send what was lost: kernels wait ever longer, so the longer it took the later."""
        waiting = list(link.waiting)
        link.waiting.clear()
        for channel in waiting:
            self._later(min(outage_s, RETRANSMISSION_S_MAX), channel.send_again)

    def _later(self, within_s: float, function: Callable[[], None]) -> None:
        wait_s = self._chance.uniform(RETRANSMISSION_S_MIN, max(RETRANSMISSION_S_MIN, within_s))
        self.loop.call_later(wait_s, function, context=contextvars.Context())


def _directions(source: int, target: int, *, both: bool) -> list[tuple[int, int]]:
    return [(source, target), (target, source)] if both else [(source, target)]
