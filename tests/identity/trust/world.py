"""What the tests of trust share: cells by name, and scores computed plainly by the definition."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field

from core.ids import PublicKey
from identity.trust.graph import TrustGraph
from identity.trust.limits import (
    DAMPING,
    HALF_LIFE_PERIODS,
    INDIRECT_MAX,
    INTERACTION_WEIGHT_MAX,
    INTERACTIONS_KEPT_MAX,
    INTERACTIONS_TOTAL_MAX,
    LIFE_PERIODS_MAX,
    PERIOD_S,
    SHARES_MIN,
)

EXACT = 1e-12
"""A tolerance with which hardly anything is left behind."""


def cell(name: str | int) -> PublicKey:
    """Return the key of a cell with a name."""
    return PublicKey(hashlib.sha256(str(name).encode()).digest())


ME = cell("me")


def view(*attested: tuple[str, str, float], made_s: int = 0) -> TrustGraph:
    """Return the settled view of `me` over attestations of (issuer, subject, score)."""
    graph = TrustGraph(ME, tolerance=EXACT)
    for issuer, subject, score in attested:
        graph.attest(cell(issuer), cell(subject), score=score, made_s=made_s)
    graph.settle()
    return graph


@dataclass
class Definition:
    """The score by its definition: plain dictionaries, and iteration until nothing moves."""

    own: PublicKey
    said: dict[tuple[PublicKey, PublicKey], tuple[float, int, int]] = field(default_factory=dict)
    """(issuer, subject) -> (score, time made, last round)."""
    met: dict[frozenset[PublicKey], set[tuple[int, bytes]]] = field(default_factory=dict)
    """Pair -> (period, id) of its interactions."""
    time_s: int = 0
    round: int = 0

    def scores(self) -> dict[PublicKey, float]:
        """Return the score of every cell that is spoken of."""
        cells = sorted({one for pair in (*self.said, *self.met) for one in pair} - {self.own})
        shares = {issuer: self._shares(issuer, cells) for issuer in cells}
        score = dict.fromkeys(cells, 0.0)
        for _ in range(400):
            before, score = score, {one: self._score(one, score, shares) for one in cells}
            if all(abs(score[one] - before[one]) < 1e-14 for one in cells):
                break
        return score

    def _score(
        self,
        one: PublicKey,
        score: dict[PublicKey, float],
        shares: dict[PublicKey, dict[PublicKey, float]],
    ) -> float:
        inflow = sum(DAMPING * shares[u].get(one, 0.0) * score[u] for u in score)
        others = min(INDIRECT_MAX, self._interacted(self.own, one) + inflow)
        word = self.said.get((self.own, one))
        if word is None or not self._counts(word):
            return others
        fresh = self._decay(word[1] // PERIOD_S)
        return fresh * word[0] + (1 - fresh) * others

    def _shares(self, issuer: PublicKey, cells: Iterable[PublicKey]) -> dict[PublicKey, float]:
        subjects = [*cells, self.own]
        met = {one: self._interacted(issuer, one) for one in subjects if one != issuer}
        scale = min(1.0, INTERACTIONS_TOTAL_MAX / max(sum(met.values()), 1e-9))
        weights: dict[PublicKey, float] = {}
        for one, value in met.items():
            word = self.said.get((issuer, one))
            attested = 0.0
            if word is not None and self._counts(word):
                attested = word[0] * self._decay(word[1] // PERIOD_S)
            weights[one] = min(1.0, attested + scale * value)
        total = max(sum(weights.values()), SHARES_MIN)
        return {one: weight / total for one, weight in weights.items()}

    def _interacted(self, one: PublicKey, other: PublicKey) -> float:
        left = 1.0
        kept = sorted(self.met.get(frozenset((one, other)), set()))[-INTERACTIONS_KEPT_MAX:]
        for period, _ in kept:
            left *= 1 - self._decay(period) / 2
        return INTERACTION_WEIGHT_MAX * (1 - left)

    def _counts(self, word: tuple[float, int, int]) -> bool:
        return word[2] == 0 or self.round <= word[2]

    def _decay(self, period: int) -> float:
        age = max(0, self.time_s // PERIOD_S - period)
        return 0.5 ** (age / HALF_LIFE_PERIODS) if age < LIFE_PERIODS_MAX else 0.0
