"""A network that is on the liars' side, and delivers so that elections do not end.

Virtual votes end when more than 2/3 agree, so they are kept divided: in turns of a few steps of the
hashgraph each, what two honest members make reaches one half of the others by some steps later than
the other half, and what the liar makes too.
"""

from __future__ import annotations

from typing import Final

from gossip.creator import Plan
from sim.adversaries.adversary import Adversary
from sim.adversaries.stage import LyingEpoch
from sim.link import Link

_LOOK_MS: Final = 10
_STEP_MS_MIN: Final = 5
_VICTIMS: Final = 2
"""More of them slow the whole network down: fewer votes are cast, but those agree."""


class _DividingEpoch(LyingEpoch):
    """Shows its events to one half at once, and to the other when that half has voted."""

    liar: CoinForcing

    def lie(self, plan: Plan) -> None:
        super().lie(plan)
        self.liar.secret[self.own[-1].id] = self.liar.favoured
        self.liar.memory.setdefault("held since", self.now_ms)

    def pass_time(self) -> None:
        since_ms = self.liar.memory.get("held since", self.now_ms)
        if self.now_ms - since_ms > self.liar.hold_ms:
            del self.liar.memory["held since"]
            self.release()


class CoinForcing(Adversary):
    """Keeps the votes on witnesses divided, for as long as things may go wrong.

    The network is on its side until the core heals. It hopes that rounds are never decided, not
    even by the coin, or that cells decide them differently.
    """

    epoch_kind = _DividingEpoch

    def attach(self) -> None:
        """Begin to divide, and to look how long elections take at honest cells."""
        step_ms = 2 * self.world.scenario.delay_ms + _STEP_MS_MIN
        self.hold_ms = step_ms * self.chance.choice((1, 2, 2, 4))
        self.favoured = self.cell_ids(())
        self._turn_ms = step_ms * self.chance.choice((2, 4, 4, 8))
        self._late_s = step_ms * self.chance.choice((2, 4, 4, 8)) / 1000
        self._slowed: list[Link] = []
        self.world.later(_LOOK_MS, self._look)
        self.world.later(_LOOK_MS, self._divide)

    def healed(self) -> None:
        """All links are as fast again as they were."""
        self._mend()

    def _look(self) -> None:
        self.world.later(_LOOK_MS, self._look)
        lies = self.world.verdict.lies
        for cell in self.world.cells:
            if cell.is_honest and cell.parts is not None:
                engine = cell.parts.consensus.engine
                rounds = engine.last_round - engine.last_decided_round
                lies["undecided rounds"] = max(lies.get("undecided rounds", 0), rounds)

    def _divide(self) -> None:
        self.world.later(self._turn_ms, self._divide)
        self._mend()
        members = range(self.world.scenario.members)
        honest = [at for at in members if self.world.cells[at].is_honest]
        for victim in self.chance.sample(honest, _VICTIMS):
            others = [at for at in honest if at != victim]
            late = self.chance.sample(others, max(1, len(others) // 2))
            for other in late:
                link = self.world.network.link(victim, other)
                link.spike_s += self._late_s
                self._slowed.append(link)
            self.favoured = self.cell_ids(tuple(at for at in honest if at not in late))
        self.note("divisions")

    def _mend(self) -> None:
        slowed, self._slowed = self._slowed, []
        for link in slowed:
            link.spike_s = max(0.0, link.spike_s - self._late_s)
