"""A network that is on the liars' side, and delivers so that elections do not end.

Virtual votes end when more than 2/3 agree. So they are kept divided: what one honest member makes
reaches the others only through the liar, and only once they have voted without it.
"""

from __future__ import annotations

from gossip.creator import Plan
from sim.adversaries.adversary import Adversary
from sim.adversaries.stage import LyingEpoch
from sim.link import Link

_LOOK_MS = 20


class _DividingEpoch(LyingEpoch):
    liar: CoinForcing

    def lie(self, plan: Plan, now_ms: int, time_ns: int) -> None:
        super().lie(plan, now_ms, time_ns)


class CoinForcing(Adversary):
    """Holds up what a victim sends to half of the members, by more than a round, in turn.

    The network is on its side until the core heals. It hopes that rounds are never decided, not
    even by the coin, or that cells decide them differently.
    """

    epoch_kind = _DividingEpoch

    def attach(self) -> None:
        """Begin to look at the honest cells' elections."""
        self._slowed: list[tuple[Link, float]] = []
        self.world.later(_LOOK_MS, self._look)
        self.world.while_it_lasts(10**9, self._mend)

    def _look(self) -> None:
        self.world.later(_LOOK_MS, self._look)
        cells = [one for one in self.world.cells if one.is_honest and one.parts is not None]
        for cell in cells:
            assert cell.parts is not None  # noqa: S101 - for the type checker; see above
            engine = cell.parts.consensus.engine
            open_rounds = engine.last_round - engine.last_decided_round
            lies = self.world.verdict.lies
            lies["open rounds at most"] = max(lies.get("open rounds at most", 0), open_rounds)
        turn = self.world.now_ms // 2_000
        if turn != self.memory.get("turn"):
            self.memory["turn"] = turn
            self._mend()
            self._divide()

    def _divide(self) -> None:
        members = range(self.world.scenario.members)
        honest = [at for at in members if self.world.cells[at].is_honest]
        victim, *others = self.world.chance("victims", self.memory["turn"]).sample(
            honest, len(honest)
        )
        for other in others:
            self._slow(victim, other, 1.0)
        self.note("divisions")

    def _slow(self, source: int, target: int, by_s: float) -> None:
        link = self.world.network.link(source, target)
        link.spike_s += by_s
        self._slowed.append((link, by_s))

    def _mend(self) -> None:
        slowed, self._slowed = self._slowed, []
        for link, by_s in slowed:
            link.spike_s = max(0.0, link.spike_s - by_s)
