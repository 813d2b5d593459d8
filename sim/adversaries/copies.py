"""A member that votes with two copies of itself: two daemons with one key, on two machines."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sim.adversaries.adversary import Adversary
from sim.adversaries.stage import LyingEpoch
from sim.cell import SimCell
from sim.life import current_life

if TYPE_CHECKING:
    from gossip.creator import Plan


class _ShamelessEpoch(LyingEpoch):
    """Goes on when the fork of its key comes to light, and asks nobody what it signed before."""

    liar: TwoCopies

    def begin(self, liar: Adversary) -> None:
        super().begin(liar)
        self._observed = True

    def lie(self, plan: Plan) -> None:
        super().lie(plan)
        life = current_life.get()
        self.liar.note(f"events of {'the twin' if life is self.liar.twin.life else 'the first'}")


class TwoCopies(Adversary):
    """Runs twice. It hopes that a vote counts twice.

    The second one begins with an empty disk, or later with a copy of the disk. Either they are
    shameless, and each is connected to a half of the members; or they are the daemon as it is, and
    compete for everybody: that happens to honest people who start an old copy.
    """

    def attach(self) -> None:
        """Set up the second machine."""
        world = self.world
        machine = world.network.add_machine()
        self.twin = SimCell(world, machine, self.cell.key, f"cell-{self.cell.index + 1}")
        self.twin.is_honest = False
        near, far = self.halves()
        for at in far:
            world.redirects[self.cell.index, at] = self.twin.address
        if self.chance.random() < 0.7:
            self.epoch_kind = _ShamelessEpoch
            for at in far:
                world.network.wall(self.cell.index, at)
            for at in near:
                world.network.wall(machine, at)
        if self.chance.random() < 0.5:
            world.loop.call_soon(self._begin, context=world.context)
        else:
            world.later(world.scenario.troubled_ms // 3, self._begin_with_copy)

    @property
    def cells(self) -> tuple[SimCell, ...]:
        """Return both machines."""
        return self.cell, self.twin

    def healed(self) -> None:
        """Both are up from now on."""
        self.twin.come_back()

    def _begin_with_copy(self) -> None:
        self.twin.disk.put_back(self.cell.disk.copy())
        self._begin()

    def _begin(self) -> None:
        self.twin.start()
        self.note("second copies")
