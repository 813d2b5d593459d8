"""The oracle: the rules read aloud (Baird 2016, sections 4 and 5; rule set 2 where it says so).

Brute force over sets of ancestors, quadratic and worse, for tests and for `replay --oracle`. Shares
no code with the engine, only the values it takes and returns.

Only one rule depends on the sequence in which events turn up: a witness that turns up after its
round was decided is not famous. The *position* of an event is its place in the given sequence.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property

from core.ids import EventId, Round
from hashgraph.event import Event, middle_bit
from hashgraph.outcome import OrderedEvent, Outcome


def oracle(
    events: Sequence[Event],
    weights: Sequence[int],
    *,
    coin_period: int = 10,
    first_round: int = 1,
    coin: Callable[[Event], bool] = middle_bit,
    rule_set: int = 1,
) -> Outcome:
    """Return what the rules say about `events`, which come parents first."""
    graph = _Definitions(events, weights, coin_period, first_round, coin, rule_set=rule_set)
    closed = graph.closed_at
    received: dict[EventId, Round] = {}
    order: list[OrderedEvent] = []
    number = first_round
    last_time_ns = -1
    while number in closed:
        judges = graph.judges(number)
        batch = [e for e in events if e.id not in received and graph.is_received(e, judges)]
        for median_ns, _, _, event in sorted(graph.order_key(e, judges) for e in batch):
            last_time_ns = max(median_ns, last_time_ns + 1)
            received[event.id] = Round(number)
            order.append(OrderedEvent(event, last_time_ns))
        number += 1
    return Outcome(
        round={e.id: Round(graph.round(e)) for e in events},
        witnesses={Round(r): frozenset(w.id for w in graph.witnesses(r)) for r in graph.all_rounds},
        famous={w.id: graph.famous(w) for r in graph.all_rounds for w in graph.witnesses(r)},
        decided_rounds=tuple(Round(r) for r in sorted(closed)),
        received=received,
        order=tuple(order),
    )


class _Definitions:
    """Each method is one definition. Memoised, or it would take years."""

    def __init__(
        self,
        events: Sequence[Event],
        weights: Sequence[int],
        coin_period: int,
        first_round: int,
        coin: Callable[[Event], bool],
        *,
        rule_set: int = 1,
    ) -> None:
        self.events = events
        self.weights = weights
        self.coin_period = coin_period
        self.first_round = first_round
        self.coin = coin
        self.rule_set = rule_set
        self.by_id = {event.id: event for event in events}
        self.position = {event.id: position for position, event in enumerate(events)}
        self.below: dict[EventId, set[EventId]] = {}
        self.self_ancestors: dict[EventId, list[Event]] = {}
        for event in events:
            own = [] if event.self_parent is None else [event.self_parent]
            parents = [self.below[parent] for parent in [*own, *event.other_parents]]
            self.below[event.id] = {event.id}.union(*parents)
            chain = self.self_ancestors[event.self_parent] if event.self_parent is not None else []
            self.self_ancestors[event.id] = [*chain, event]
        self.forks = [
            (a, b)
            for a in events
            for b in events
            if a.creator == b.creator
            and a not in self.self_ancestors[b.id]
            and b not in self.self_ancestors[a.id]
        ]
        self._forked: dict[EventId, set[int]] = {}
        self._strongly: dict[tuple[EventId, EventId], bool] = {}
        self._rounds: dict[EventId, int] = {}
        self._electors: dict[EventId, list[Event]] = {}
        self._votes: dict[tuple[EventId, EventId], tuple[bool, bool]] = {}
        self._verdicts: dict[EventId, list[tuple[int, bool]]] = {}

    def ancestors(self, x: Event) -> list[Event]:
        """Return the ancestors of x, itself included."""
        return [self.by_id[key] for key in self.below[x.id]]

    def is_supermajority(self, weight: int) -> bool:
        return 3 * weight > 2 * sum(self.weights)

    def weight(self, events: Sequence[Event]) -> int:
        """Weight of the creators of these events, each counted once."""
        return sum(self.weights[creator] for creator in {event.creator for event in events})

    def sees(self, x: Event, y: Event) -> bool:
        below = self.below[x.id]
        if x.id not in self._forked:
            forks = [(a, b) for a, b in self.forks if a.id in below and b.id in below]
            self._forked[x.id] = {a.creator for a, _ in forks}
        return y.id in below and y.creator not in self._forked[x.id]

    def strongly_sees(self, x: Event, y: Event) -> bool:
        if (x.id, y.id) not in self._strongly:
            through = [z for z in self.ancestors(x) if self.sees(z, y) and self.sees(x, z)]
            answer = self.sees(x, y) and self.is_supermajority(self.weight(through))
            self._strongly[x.id, y.id] = answer
        return self._strongly[x.id, y.id]

    def round(self, x: Event) -> int:
        if x.id not in self._rounds:
            parents = [self.by_id[p] for p in x.other_parents]
            parents += [self.by_id[x.self_parent]] if x.self_parent is not None else []
            number = max((self.round(p) for p in parents), default=self.first_round)
            below = [w for w in self.ancestors(x) if w != x and self.is_witness(w)]
            strong = [w for w in below if self.round(w) == number and self.strongly_sees(x, w)]
            self._rounds[x.id] = number + self.is_supermajority(self.weight(strong))
        return self._rounds[x.id]

    def is_witness(self, x: Event) -> bool:
        own = x.self_parent
        return own is None or self.round(self.by_id[own]) < self.round(x)

    @cached_property
    def all_rounds(self) -> list[int]:
        return sorted({self.round(e) for e in self.events})

    @cached_property
    def _witnesses(self) -> dict[int, list[Event]]:
        witnesses: dict[int, list[Event]] = {r: [] for r in self.all_rounds}
        for event in self.events:
            if self.is_witness(event):
                witnesses[self.round(event)].append(event)
        return witnesses

    def witnesses(self, number: int) -> list[Event]:
        return self._witnesses.get(number, [])

    def electors(self, y: Event) -> list[Event]:
        """Return the witnesses of the round before that witness y strongly sees."""
        if y.id not in self._electors:
            below = self.witnesses(self.round(y) - 1)
            self._electors[y.id] = [w for w in below if self.strongly_sees(y, w)]
        return self._electors[y.id]

    def is_weak(self, y: Event) -> bool:
        return not self.is_supermajority(self.weight(self.electors(y)))

    def guide(self, y: Event) -> Event:
        """Return whom a weak witness copies (rule set 2)."""
        own_round = [w for w in self.witnesses(self.round(y)) if w.id in self.below[y.id]]
        return min((w for w in own_round if not self.is_weak(w)), key=lambda w: w.id)

    def vote(self, y: Event, x: Event) -> tuple[bool, bool]:
        """Return the vote of witness y on the fame of witness x, and whether it decides."""
        if (y.id, x.id) not in self._votes:
            distance = self.round(y) - self.round(x)
            if self.rule_set == 2 and self.is_weak(y):
                self._votes[y.id, x.id] = (self.vote(self.guide(y), x)[0], False)
            elif distance == 1:
                self._votes[y.id, x.id] = (self.sees(y, x), False)
            else:
                self._votes[y.id, x.id] = self.count(
                    y, distance, [(w, self.vote(w, x)) for w in self.electors(y)]
                )
        return self._votes[y.id, x.id]

    def count(
        self, y: Event, distance: int, ballots: list[tuple[Event, tuple[bool, bool]]]
    ) -> tuple[bool, bool]:
        yes = self.weight([w for w, (ballot, _) in ballots if ballot])
        no = self.weight([w for w, (ballot, _) in ballots if not ballot])
        decisive = self.is_supermajority(yes) or self.is_supermajority(no)
        if distance % self.coin_period != 0:
            return yes >= no, decisive
        return (yes >= no if decisive else self.coin(y)), False

    def verdicts(self, x: Event) -> list[tuple[int, bool]]:
        """Return (position, fame) for every voter that decides on x, the first first."""
        if x.id not in self._verdicts:
            self._verdicts[x.id] = sorted(self.find_verdicts(x))
        return self._verdicts[x.id]

    def find_verdicts(self, x: Event) -> list[tuple[int, bool]]:
        found = []
        for number in self.all_rounds:
            if number >= self.round(x) + 2:
                for y in self.witnesses(number):
                    answer, decides = self.vote(y, x)
                    if decides:
                        found.append((max(self.position[x.id], self.position[y.id]), answer))
        return found

    @cached_property
    def closed_at(self) -> dict[int, int]:
        """By decided round, the position at which all its witnesses known by then were decided."""
        closed = {}
        never = len(self.events)
        for number in self.all_rounds:
            above = [self.position[e.id] for e in self.events if self.round(e) == number + 2]
            known = [
                (self.position[w.id], min(self.verdicts(w))[0] if self.verdicts(w) else never)
                for w in self.witnesses(number)
            ]
            for now in range(min(above, default=never), never):
                if all(decided <= now for position, decided in known if position <= now):
                    closed[number] = now
                    break
        return closed

    def famous(self, x: Event) -> bool | None:
        if self.position[x.id] > self.closed_at.get(self.round(x), len(self.events)):
            return False
        verdicts = self.verdicts(x)
        return verdicts[0][1] if verdicts else None

    def judges(self, number: int) -> list[Event]:
        famous = sorted((w for w in self.witnesses(number) if self.famous(w)), key=lambda w: w.id)
        return [w for w in famous if w.id == min(f.id for f in famous if f.creator == w.creator)]

    def is_received(self, x: Event, judges: list[Event]) -> bool:
        return bool(judges) and all(x.id in self.below[judge.id] for judge in judges)

    def order_key(self, x: Event, judges: list[Event]) -> tuple[int, bytes, EventId, Event]:
        """Return the median time, the whitened signature, and the id for what is still a tie."""
        times = []
        whitened = bytes(x.signature)
        for judge in judges:
            having = [z for z in self.self_ancestors[judge.id] if x.id in self.below[z.id]]
            times.append(having[0].time_ns)
            whitened = bytes(a ^ b for a, b in zip(whitened, judge.signature, strict=True))
        return sorted(times)[len(times) // 2], whitened, x.id, x
