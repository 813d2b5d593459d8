"""Trust as one cell sees it: personalised PageRank over attestations and interactions, kept up.

The score of a cell v, seen by the owner of the graph, is

    score(v)  = f a + (1 - f) min(INDIRECT_MAX, b + inflow(v))
    inflow(v) = sum over u of DAMPING share(u, v) score(u)

with a what the owner attested of v, f how fresh that is (1 new, 0 never said), and b its own
interactions with v. share(u, v) is what u says of v over all that u says, at least SHARES_MIN.
Without the bound of min this is PageRank that restarts at what the owner says itself.

A change moves few scores. So what a cell's inflow lacks is kept as its residual, and residuals
above TOLERANCE are pushed on (Zhang, Lofgren, Goel: Approximate Personalized PageRank on Dynamic
Graphs, KDD 2016). Always: inflow + residual = the sum above, to rounding. No clock: see `advance`.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Iterator
from typing import Final

from core.ids import PublicKey
from identity.trust.evidence import GENERAL_SCOPE, Evidence, Met, Statement, decay, period_of
from identity.trust.limits import (
    CELLS_MAX,
    DAMPING,
    EDGES_MAX,
    INDIRECT_MAX,
    INTERACTIONS_TOTAL_MAX,
    SHARES_MIN,
    TOLERANCE,
)

_OWN: Final = 0
"""The owner's number."""

_ENDS_FREE: Final = 1_024
"""Ends that may wait beyond four for each edge: replaced attestations leave theirs behind."""


class TrustGraph:
    """The view of one cell in one scope. Changes take effect with `settle`."""

    def __init__(
        self, own: PublicKey, scope: str = GENERAL_SCOPE, *, tolerance: float = TOLERANCE
    ) -> None:
        self.own = own
        self.scope = scope
        self._tolerance = tolerance
        self._period = 0
        self._round = 0
        self._numbers: dict[PublicKey, int] = {}
        self._keys: list[PublicKey] = []
        self._said: list[dict[int, Evidence]] = []
        self._by: list[set[int]] = []
        self._edges = 0
        self._flows: list[dict[int, float]] = []
        """By issuer: DAMPING share, by subject."""
        self._word: list[float] = []
        """f a, the fresh part of the owner's own word."""
        self._open: list[float] = []
        """1 - f, how far the words of others count."""
        self._met: list[float] = []
        """b, the owner's own interactions."""
        self._inflow: list[float] = []
        self._residual: list[float] = []
        self._waiting: deque[int] = deque()
        self._waits = bytearray()
        self._stale: dict[int, None] = {}
        """Issuers whose shares have to be computed anew, in the order of their changes."""
        self._stale_own: dict[int, None] = {}
        """Subjects of which the owner says something else."""
        self._ends: list[tuple[int, int, int]] = []
        """(last round, issuer, subject) of attestations that end, the first in front."""
        self._number(own)

    def __len__(self) -> int:
        """Return how many cells are known, the owner included."""
        return len(self._keys)

    @property
    def edges(self) -> int:
        """How many pairs of issuer and subject are known."""
        return self._edges

    @property
    def is_settled(self) -> bool:
        """Whether scores are those of all that was told."""
        return not (self._stale or self._stale_own or self._waiting)

    # -- what is told --------------------------------------------------------------------------

    def attest(
        self,
        issuer: PublicKey,
        subject: PublicKey,
        *,
        score: float,
        made_s: int,
        scope: str = GENERAL_SCOPE,
        expires_round: int = 0,
    ) -> bool:
        """Take an attestation in place of the issuer's old one of this subject and scope.

        Returns whether it is in the graph: those of other scopes and beyond its bounds are not.
        """
        if issuer == subject or scope not in (self.scope, GENERAL_SCOPE):
            return False
        found = self._evidence(issuer, subject)
        if found is None:
            return False
        made = Statement(min(max(score, 0.0), 1.0), period_of(made_s), expires_round)
        if scope == self.scope:
            found.scoped = made
        else:
            found.general = made
        pair = self._numbers[issuer], self._numbers[subject]
        self._changed(*pair)
        if expires_round:
            self._note_end(expires_round, *pair)
        return True

    def revoke(self, issuer: PublicKey, subject: PublicKey, scope: str = GENERAL_SCOPE) -> None:
        """Forget an attestation, if it is there."""
        pair = self._numbers.get(issuer), self._numbers.get(subject)
        if pair[0] is None or pair[1] is None:
            return
        found = self._said[pair[0]].get(pair[1])
        if found is None:
            return
        if scope == self.scope:
            found.scoped = None
        elif scope == GENERAL_SCOPE:
            found.general = None
        self._changed(pair[0], pair[1])

    def interact(self, one: PublicKey, other: PublicKey, *, time_s: int, identity: bytes) -> bool:
        """Take an interaction that both signed; told twice, it counts once.

        `identity` tells it from others. Returns whether it is in the graph.
        """
        if one == other:
            return False
        met = Met(period_of(time_s), identity)
        for issuer, subject in ((one, other), (other, one)):
            found = self._evidence(issuer, subject)
            if found is None:
                return False
            if found.note(met):
                self._changed(self._numbers[issuer], self._numbers[subject])
        return True

    def advance(self, *, time_s: int, round_number: int) -> None:
        """Let time pass: attestations end with their rounds, and all loses weight with age."""
        self._round = max(self._round, round_number)
        while self._ends and self._ends[0][0] < self._round:
            _, issuer, subject = heapq.heappop(self._ends)
            self._changed(issuer, subject)
        if period_of(time_s) > self._period:
            self._period = period_of(time_s)
            self._stale |= {at: None for at, said in enumerate(self._said) if at and said}
            self._stale_own |= dict.fromkeys(self._said[_OWN])

    # -- what comes of it ----------------------------------------------------------------------

    def settle(self, steps_max: int | None = None) -> bool:
        """Pass changes on until all residuals are small; return whether that is done.

        With `steps_max`, stop after about so many edges, to go on with the next call.
        """
        steps = 0
        while steps_max is None or steps < steps_max:
            if self._stale_own:
                subject = next(iter(self._stale_own))
                del self._stale_own[subject]
                steps += self._refresh_own(subject)
            elif self._stale:
                issuer = next(iter(self._stale))
                del self._stale[issuer]
                steps += self._refresh(issuer)
            elif self._waiting:
                steps += self._push(self._waiting.popleft())
            else:
                return True
        return self.is_settled

    def score(self, subject: PublicKey) -> float:
        """Return the owner's score of a cell, 0 to 1: 0 for one it knows nothing of, 1 for itself.

        As of the last `settle`.
        """
        number = self._numbers.get(subject)
        if number is None:
            return 0.0
        return 1.0 if number == _OWN else self._score(number, self._residual[number])

    def scores(self) -> Iterator[tuple[PublicKey, float]]:
        """Yield every other cell that is known, with its score."""
        for number in range(1, len(self._keys)):
            yield self._keys[number], self._score(number, self._residual[number])

    def weight(self, issuer: PublicKey, subject: PublicKey) -> float:
        """Return what an issuer says of a subject now, 0 to 1, before it is shared."""
        found = None
        numbers = self._numbers.get(issuer), self._numbers.get(subject)
        if numbers[0] is not None and numbers[1] is not None:
            found = self._said[numbers[0]].get(numbers[1])
        if found is None:
            return 0.0
        attested = found.attested(self._period, self._round)
        return min(1.0, attested + found.interacted(self._period))

    def known(self) -> tuple[PublicKey, ...]:
        """Return all cells that are known, the owner first, then as they were met."""
        return tuple(self._keys)

    def subjects(self, issuer: PublicKey) -> tuple[PublicKey, ...]:
        """Return those of which an issuer says something."""
        number = self._numbers.get(issuer)
        return () if number is None else tuple(self._keys[at] for at in self._said[number])

    def issuers(self, subject: PublicKey) -> tuple[PublicKey, ...]:
        """Return those, but the owner, who say something of a subject, first met first."""
        number = self._numbers.get(subject)
        if number is None:
            return ()
        return tuple(self._keys[at] for at in sorted(self._by[number]) if at != _OWN)

    def flow(self, issuer: PublicKey, subject: PublicKey) -> float:
        """Return DAMPING share(issuer, subject): what of an issuer's score flows to a subject."""
        return self._flows[self._numbers[issuer]].get(self._numbers[subject], 0.0)

    def parts(self, subject: PublicKey) -> tuple[float, float, float]:
        """Return what makes a known cell's score: (own word, own interactions, how far it passes).

        The last says what of its inflow comes through: less than 1 if the owner's own word counts,
        or if the inflow is beyond its bound. score = word + passes (interactions + inflow).
        """
        number = self._numbers[subject]
        total = self._met[number] + self._inflow[number] + self._residual[number]
        passes = self._open[number] * (1.0 if total <= INDIRECT_MAX else INDIRECT_MAX / total)
        return self._word[number], self._met[number], passes

    # -- inside --------------------------------------------------------------------------------

    def _number(self, key: PublicKey) -> int | None:
        number = self._numbers.get(key)
        if number is None and len(self._keys) < CELLS_MAX:
            number = self._numbers[key] = len(self._keys)
            self._keys.append(key)
            self._said.append({})
            self._by.append(set())
            self._flows.append({})
            for values, begin in (
                (self._word, 0.0),
                (self._open, 1.0),
                (self._met, 0.0),
                (self._inflow, 0.0),
                (self._residual, 0.0),
            ):
                values.append(begin)
            self._waits.append(0)
        return number

    def _evidence(self, issuer: PublicKey, subject: PublicKey) -> Evidence | None:
        """Return the evidence of a pair, new if there is none; None beyond the bounds."""
        source, target = self._number(issuer), self._number(subject)
        if source is None or target is None:
            return None
        found = self._said[source].get(target)
        if found is None and self._edges < EDGES_MAX:
            found = self._said[source][target] = Evidence()
            self._by[target].add(source)
            self._edges += 1
        return found

    def _note_end(self, expires_round: int, issuer: int, subject: int) -> None:
        heapq.heappush(self._ends, (expires_round, issuer, subject))
        if len(self._ends) > 4 * self._edges + _ENDS_FREE:
            self._ends = sorted(
                {
                    (made.expires_round, source, target)
                    for source, said in enumerate(self._said)
                    for target, found in said.items()
                    for made in (found.scoped, found.general)
                    if made is not None and made.expires_round
                }
            )

    def _changed(self, issuer: int, subject: int) -> None:
        if issuer == _OWN:
            self._stale_own[subject] = None
        else:
            self._stale[issuer] = None
        if self._said[issuer].get(subject, _NOTHING).is_empty:
            self._edges -= self._said[issuer].pop(subject, None) is not None
            self._by[subject].discard(issuer)

    def _score(self, number: int, more: float = 0.0) -> float:
        inflow = self._met[number] + self._inflow[number] + more
        bounded = min(max(inflow, 0.0), INDIRECT_MAX)
        return self._word[number] + self._open[number] * bounded

    def _refresh_own(self, subject: int) -> int:
        """Take in what the owner says of a subject."""
        found = self._said[_OWN].get(subject, _NOTHING)
        statement = found.statement(self._round)
        fresh = 0.0 if statement is None else decay(statement.made, self._period)
        before = self._score(subject)
        self._word[subject] = found.attested(self._period, self._round)
        self._open[subject] = 1.0 - fresh
        self._met[subject] = found.interacted(self._period)
        return self._spread(subject, self._score(subject) - before)

    def _refresh(self, issuer: int) -> int:
        """Compute an issuer's shares anew, and add to residuals what that changes."""
        said, before = self._said[issuer], self._flows[issuer]
        met = {at: one.interacted(self._period) for at, one in said.items() if one.met}
        total = sum(met.values())
        scale = 1.0 if total <= INTERACTIONS_TOTAL_MAX else INTERACTIONS_TOTAL_MAX / total
        now, number = self._period, self._round
        weights = {
            at: min(1.0, one.attested(now, number) + scale * met.get(at, 0.0))
            for at, one in said.items()
        }
        unit = DAMPING / max(sum(weights.values()), SHARES_MIN)
        after = {at: unit * weight for at, weight in weights.items() if at != _OWN and weight > 0.0}
        self._flows[issuer] = after
        score = self._score(issuer)
        if score > 0.0:
            for subject, flow in after.items():
                self._add(subject, score * (flow - before.get(subject, 0.0)))
            for subject, flow in before.items():
                if subject not in after:
                    self._add(subject, -score * flow)
        return len(said) + len(before) + 1

    def _push(self, number: int) -> int:
        """Take a residual into its cell's inflow, and what that changes into others' residuals."""
        self._waits[number] = 0
        before = self._score(number)
        self._inflow[number] += self._residual[number]
        self._residual[number] = 0.0
        return self._spread(number, self._score(number) - before)

    def _spread(self, number: int, change: float) -> int:
        if change == 0.0:
            return 1
        flows, residual, waits = self._flows[number], self._residual, self._waits
        tolerance = self._tolerance
        for subject, flow in flows.items():
            left = residual[subject] + change * flow
            residual[subject] = left
            if not waits[subject] and not -tolerance <= left <= tolerance:
                waits[subject] = 1
                self._waiting.append(subject)
        return len(flows) + 1

    def _add(self, subject: int, change: float) -> None:
        self._residual[subject] += change
        if not self._waits[subject] and abs(self._residual[subject]) > self._tolerance:
            self._waits[subject] = 1
            self._waiting.append(subject)


_NOTHING: Final = Evidence()
