"""Graphs by adversaries that fork all they can, and the promises that every graph must keep.

The promises are checked on the whole graph at once, so they hold for every cell, whatever part of
it a cell knows and in whatever sequence it met it.
"""

from __future__ import annotations

from dataclasses import replace
from random import Random

from core.errors import InvariantBroken
from core.ids import EventId
from hashgraph import Engine, Event
from tests.hashgraph.hashgraph_cases import Case, bare_event


def attack_case(seed: int, *, rule_set: int = 2) -> Case:
    """Return a graph in which forkers show their branches to different members.

    Honest members mostly hear one who is ahead, so many inherit their round, and hear of a fork in
    the same event. 4 to 10 members, forkers below a third of the weight, coin period 3 to 10.
    """
    rng = Random(seed)  # noqa: S311 - a test that repeats, no secret
    n = rng.choice([4, 4, 4, 4, 5, 7, 10])
    weights = [rng.randint(1, 4) for _ in range(n)] if rng.random() < 0.3 else [1] * n
    forkers: list[int] = []
    for candidate in rng.sample(range(n), n):
        if 3 * (sum(weights[f] for f in forkers) + weights[candidate]) < sum(weights):
            forkers.append(candidate)
    events = _Attack(rng, n, forkers).run(rng.randint(10, 60) + 14 * n)
    coin_period = rng.choice([3, 3, 3, 4, 5, 10])
    return Case(tuple(events), tuple(weights), coin_period, 1, tuple(forkers), rule_set)


def mutated_case(case: Case, seed: int) -> Case:
    """Return a graph with some edges, forks, events or weights changed at random."""
    rng = Random(seed)  # noqa: S311 - a test that repeats, no secret
    forkers = case.forkers
    rows = _rows(case)
    for _ in range(rng.randint(1, 6)):
        place = rng.randrange(1, len(rows))
        creator, own, others = rows[place]
        kind = rng.random()
        if kind < 0.35:  # one other-parent more, mostly a recent one
            other = max(0, place - 1 - int(rng.expovariate(0.08)))
            rows[place] = (creator, own, [*others, other])
        elif kind < 0.6 and others:  # one less
            rows[place] = (creator, own, [o for o in others if o != rng.choice(others)])
        elif kind < 0.75 and others:  # another one instead
            kept = [o for o in others if o != rng.choice(others)]
            rows[place] = (creator, own, [*kept, rng.randrange(place)])
        elif kind < 0.85 and creator in forkers:  # another self-parent: a fork, or one less
            mine = [p for p in range(place) if rows[p][0] == creator]
            rows[place] = (creator, rng.choice([*mine, None]), others)
        elif kind < 0.95 and forkers:  # one more branch, which someone hears
            rows = _with_branch(rng, rows, rng.choice(forkers), place)
    weights = case.weights
    if rng.random() < 0.1:
        weights = tuple(rng.randint(1, 3) for _ in weights)
        if 3 * sum(weights[f] for f in forkers) >= sum(weights):
            weights = case.weights
    return replace(case, events=_built(rows, str(seed)), weights=weights)


def with_late(case: Case, place: int) -> Case:
    """Return a graph in which the event at a place, and all above it, comes last."""
    above = {case.events[place].id}
    for event in case.events:
        if event.self_parent in above or not above.isdisjoint(event.other_parents):
            above.add(event.id)
    events = [event for event in case.events if event.id not in above]
    events += [event for event in case.events if event.id in above]
    return replace(case, events=tuple(events))


def broken_promise(case: Case) -> str | None:
    """Return which promise a graph breaks, None if it keeps all of them.

    Every voter of the graph votes on every witness here, so the engine's check that no verdict
    flips sees all verdicts there are.
    """
    try:
        engine = never_closing(case, Engine)
    except InvariantBroken:
        return "two voters decide one witness differently"
    fame = engine._fame
    states = list(engine._rounds)
    for state, above in zip(states, states[2:], strict=False):
        famous = [w for row, w in enumerate(state.rows) if w and fame.verdict(state, row)]
        voters = above.witnesses
        if not all(voter.has(witness) for voter in voters for witness in famous):
            return "a cell can close a round without one of its famous witnesses"
        agreed = state.present
        for voter in voters:
            agreed &= state.votes[voter]
        if not agreed:
            return "no witness has the votes of all two rounds above"
    return None


def never_closing(case: Case, engine_class: type[Engine]) -> Engine:
    """Return an engine with all events of a graph that closes no round and so keeps all votes."""
    engine = engine_class(
        case.weights,
        coin_period=case.coin_period,
        first_round=case.first_round,
        rule_set=case.rule_set,
    )
    engine._fame.close_rounds = lambda: None  # type: ignore[method-assign]  # so all go on voting
    for event in case.events:
        engine.insert(event)
    return engine


def all_votes(engine: Engine) -> dict[tuple[EventId, EventId], bool]:
    """Return every vote that an engine holds, by voter and witness."""
    lane = engine._fame._lane_bits
    return {
        (voter.id, witness.id): bool(ballot >> row * lane & 1)
        for state in engine._rounds
        for voter, ballot in state.votes.items()
        for row, witness in enumerate(state.rows)
        if witness is not None
    }


class _Attack:
    """Gossip in which every fork of a member is shown to a set of members only, for a while."""

    def __init__(self, rng: Random, n: int, forkers: list[int]) -> None:
        self.rng = rng
        self.n = n
        self.forkers = forkers
        self.honest = [m for m in range(n) if m not in forkers]
        self.events: list[Event] = []
        self.tips: dict[int, Event] = {}
        self.branches: dict[int, list[tuple[Event, set[int]]]] = {f: [] for f in forkers}
        self.fork_rate = rng.choice([0.1, 0.2, 0.4])
        self.leak_rate = rng.choice([0.0, 0.03, 0.08])
        self.many = rng.choice([1, 2, n - 1, n - 1])
        self.follow_rate = rng.choice([0.0, 0.1, 0.3])
        self.all_rate = rng.choice([0.1, 0.4])

    def run(self, size: int) -> list[Event]:
        """Let everyone create events, and everyone hear everyone in the end."""
        rng = self.rng
        leader = rng.randrange(self.n)
        slow = set(rng.sample(self.honest, rng.choice([0, 0, 1])))
        for step in range(size):
            if step % 8 == 0:
                leader = rng.randrange(self.n)
                slow = set(rng.sample(self.honest, rng.choice([0, 0, 1])))
            creator = leader if rng.random() < 0.25 else rng.randrange(self.n)
            if creator in slow and rng.random() < 0.8:
                continue
            if creator in self.branches:
                self._forked(creator)
            else:
                self._honest(creator, leader)
        return self.events

    def _honest(self, creator: int, leader: int) -> None:
        rng = self.rng
        others = [m for m in range(self.n) if m != creator]
        if rng.random() < self.follow_rate and leader != creator:
            heard = {leader, rng.choice([*self.forkers, *others])}
        else:
            heard = set(others if rng.random() < self.all_rate else rng.sample(others, self.many))
        parents = [self._shown(member, creator) for member in sorted(heard)]
        self.tips[creator] = self._add(creator, self.tips.get(creator), parents)

    def _forked(self, creator: int) -> None:
        """Go on with one branch, or open one for some members."""
        rng = self.rng
        branches = self.branches[creator]
        sides = set(rng.sample(range(self.n), rng.randint(1, self.n)))
        if not branches or rng.random() < self.fork_rate:
            mine = [event for event in self.events if event.creator == creator]
            own = rng.choice(mine[-8:]) if mine and rng.random() < 0.9 else None
            branches.append((self._add(creator, own, self._wanted(creator)), sides))
        else:
            place = rng.randrange(max(0, len(branches) - 3), len(branches))
            own, shown = branches[place]
            shown = shown | sides if rng.random() < 0.1 else shown
            branches[place] = (self._add(creator, own, self._wanted(creator)), shown)

    def _wanted(self, creator: int) -> list[Event | None]:
        """Parents as a forker likes them: some tips, some of the events just below."""
        rng = self.rng
        heard = rng.sample(range(self.n), rng.randint(1, self.n))
        parents = [self._shown(member, creator) for member in sorted(heard) if member != creator]
        if self.events and rng.random() < 0.3:
            parents.append(rng.choice(self.events[-12:]))
        return parents

    def _shown(self, member: int, to: int) -> Event | None:
        """Return the last event that a member shows to another one."""
        if member not in self.branches:
            return self.tips.get(member)
        leaks = self.rng.random() < self.leak_rate
        shown = [tip for tip, sides in self.branches[member] if leaks or to in sides]
        return self.rng.choice(shown[-2:]) if shown else None

    def _add(self, creator: int, own: Event | None, parents: list[Event | None]) -> Event:
        known = [parent for parent in parents if parent is not None and parent is not own]
        number = len(self.events)
        event = bare_event(
            creator, own, list(dict.fromkeys(known)), time_ns=number, salt=f"{number}"
        )
        self.events.append(event)
        return event


_Row = tuple[int, int | None, list[int]]
"""An event as creator, self-parent and other-parents, both by place in the list."""


def _rows(case: Case) -> list[_Row]:
    place = {event.id: number for number, event in enumerate(case.events)}
    return [
        (
            event.creator,
            None if event.self_parent is None else place[event.self_parent],
            [place[other] for other in event.other_parents],
        )
        for event in case.events
    ]


def _with_branch(rng: Random, rows: list[_Row], forker: int, place: int) -> list[_Row]:
    """Put one more event of a forker before a place, and let some events from there on have it."""
    mine = [p for p in range(place) if rows[p][0] == forker]
    heard = [p for p in range(max(0, place - 8), place) if rng.random() < 0.4]
    moved: list[_Row] = [
        (
            creator,
            None if own is None else own + (own >= place),
            [other + (other >= place) for other in others],
        )
        for creator, own, others in rows
    ]
    moved.insert(place, (forker, rng.choice([*mine[-4:], None]), heard))
    for later in rng.sample(range(place + 1, len(moved)), min(2, len(moved) - place - 1)):
        moved[later][2].append(place)
    return moved


def _built(rows: list[_Row], salt: str) -> tuple[Event, ...]:
    events: list[Event] = []
    for number, (creator, own, others) in enumerate(rows):
        picked = sorted({other for other in others if other != own})
        parents = [events[other] for other in picked]
        self_parent = None if own is None else events[own]
        events.append(
            bare_event(creator, self_parent, parents, time_ns=number, salt=f"{salt}/{number}")
        )
    return tuple(events)
