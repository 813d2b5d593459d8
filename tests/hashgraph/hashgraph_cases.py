"""Random hashgraphs for the tests, the same for the same seed."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from random import Random

from core.ids import EventId, MemberIndex, Sequence, Signature
from hashgraph.event import Event, middle_bit
from hashgraph.oracle import oracle
from hashgraph.outcome import Outcome
from hashgraph.replay import replay


@dataclass(frozen=True)
class Case:
    """A graph and its rules."""

    events: tuple[Event, ...]
    weights: tuple[int, ...]
    coin_period: int
    first_round: int
    forkers: tuple[int, ...]
    rule_set: int = 1

    def by_engine(self, events: tuple[Event, ...] | None = None) -> Outcome:
        return replay(
            self.events if events is None else events,
            self.weights,
            coin_period=self.coin_period,
            first_round=self.first_round,
            rule_set=self.rule_set,
        )

    def by_oracle(self, events: tuple[Event, ...] | None = None) -> Outcome:
        return oracle(
            self.events if events is None else events,
            self.weights,
            coin_period=self.coin_period,
            first_round=self.first_round,
            rule_set=self.rule_set,
        )


def bare_event(
    creator: int,
    self_parent: Event | None,
    other_parents: list[Event] | tuple[Event, ...],
    *,
    time_ns: int = 0,
    salt: str = "",
) -> Event:
    """Return an event with a made-up id and signature, both from its contents and `salt`."""
    sequence = 0 if self_parent is None else self_parent.sequence + 1
    parts = [
        b"%d/%d" % (creator, sequence),
        salt.encode(),
        b"" if not self_parent else self_parent.id,
    ]
    seed = b"|".join([*parts, *(parent.id for parent in other_parents)])
    return Event(
        id=EventId(sha256(b"id" + seed).digest()),
        creator=MemberIndex(creator),
        sequence=Sequence(sequence),
        self_parent=None if self_parent is None else self_parent.id,
        other_parents=tuple(parent.id for parent in other_parents),
        time_ns=time_ns,
        payload=(),
        signature=Signature(sha256(b"s1" + seed).digest() + sha256(b"s2" + seed).digest()),
        body=b"",
    )


def random_case(
    seed: int,
    *,
    forks: bool,
    uneven: bool,
    members: int | None = None,
    size: int | None = None,
    coin_period: int | None = None,
    forkers_max_third: bool = True,
    rule_set: int = 1,
) -> Case:
    """Return a random graph: 2 to 10 members, 1 to all other parents, coin period 2 to 10.

    Forkers hold less than a third of the weight unless `forkers_max_third` is false.
    """
    rng = Random(seed)  # noqa: S311 - a test that repeats, no secret
    n = members or rng.randint(2, 10)
    weights = [rng.randint(1, 9) if uneven else 1 for _ in range(n)]
    forkers: list[int] = []
    if forks and forkers_max_third:
        weights = _with_room_for_a_forker(weights, rng, uneven=uneven)
        n = len(weights)
    if forks:
        for candidate in rng.sample(range(n), n):
            held = sum(weights[f] for f in forkers) + weights[candidate]
            if not forkers_max_third or 3 * held < sum(weights):
                forkers.append(candidate)
        forkers = forkers[: rng.randint(1, len(forkers))]
    return Case(
        events=tuple(
            _gossip(
                rng, n, forkers, size or rng.randint(8, rng.choice([40, 40 + 15 * n, 60 + 25 * n]))
            )
        ),
        weights=tuple(weights),
        coin_period=coin_period or rng.randint(2, 10),
        first_round=rng.choice([0, 1, 1, 7]),
        forkers=tuple(sorted(forkers)),
        rule_set=rule_set,
    )


def split_vote_case(*, coin_period: int, split_rounds: int, salt: str = "") -> Case:
    """Return a schedule of four members that keeps one election tied for `split_rounds` rounds.

    In every round each member first learns a set of witnesses, `knows[member]`, and then hears the
    members `hears[member]`. The sets are such that two voters strongly see two yes and one no, two
    see the reverse, and nothing is ever decided but by the coin. Afterwards all hear all.
    """
    steps = _Steps(salt)
    everyone = {0, 1, 2, 3}
    all_to_all = dict.fromkeys(range(4), everyone)
    # Only members 2 and 3 see the witness of member 3: the first vote is two to two.
    three = {0, 1, 2}
    steps.round({0: three, 1: three, 2: three, 3: everyone}, {**all_to_all, 0: three, 1: three})
    (a, b), (c, d) = (2, 3), (0, 1)  # who votes yes, who votes no
    for _ in range(split_rounds):
        steps.round({a: {a}, b: {a, b, c}, c: {b, c, d}, d: {b, c, d}}, all_to_all)
        (a, b), (c, d) = (c, d), (a, b)
    for _ in range(4):
        steps.round(all_to_all, all_to_all)
    return Case(tuple(steps.events), (1, 1, 1, 1), coin_period, 1, ())


@dataclass(frozen=True)
class CoinWar:
    """The events of an adversary that sees every coin, and how often it could toss on."""

    events: tuple[Event, ...]
    coin_rounds: int


def coin_war(*, coin_period: int, salt: str) -> CoinWar:
    """Return a schedule that splits the votes on one witness again whenever the coins let it.

    Between two coin rounds the votes stay two to two. Coins that fall two to two are split on;
    any other fall ends the election, and then all hear all.
    """
    steps = _Steps(salt)
    everyone = {0, 1, 2, 3}
    all_to_all = dict.fromkeys(range(4), everyone)
    three = {0, 1, 2}
    steps.round({0: three, 1: three, 2: three, 3: everyone}, {**all_to_all, 0: three, 1: three})
    yes, no = [2, 3], [0, 1]
    distance, coin_rounds = 1, 0
    while len(yes) == len(no):
        (a, b), (c, d) = yes, no
        steps.round({a: {a}, b: {a, b, c}, c: {b, c, d}, d: {b, c, d}}, all_to_all)
        yes, no = no, yes
        distance += 1
        if distance % coin_period == 0:
            coin_rounds += 1
            yes = [member for member in range(4) if middle_bit(steps.tips[member])]
            no = [member for member in range(4) if member not in yes]
    for _ in range(4):
        steps.round(all_to_all, all_to_all)
    return CoinWar(tuple(steps.events), coin_rounds)


def twin_judges_case(salt: str) -> Case:
    """Return a graph in which two witnesses of round 2 by member 4 of five become famous.

    Two members see the one and two the other, before anyone sees both: the tie counts as yes. The
    twins have not the same ancestors, and member 4's times are the medians.
    """
    events: list[Event] = []

    def add(member: int, own: Event | None, others: list[Event], step: int) -> Event:
        time_ns = 100 * step + (2, 7, 9, 3, 5)[member]
        events.append(bare_event(member, own, others, time_ns=time_ns, salt=f"{salt}/{step}"))
        return events[-1]

    start = [add(member, None, [], 0) for member in range(5)]
    first = [add(m, start[m], [e for e in start if e.creator != m], 1) for m in range(5)]
    twins = [add(4, first[4], first[:4], 5), add(4, first[4], first[:3], 6)]
    tips = [add(m, first[m], [e for e in first if e.creator != m], 2) for m in range(4)]
    for step in range(3, 13):
        seen = [twins[m // 2] for m in range(4)]
        tips = [
            add(
                m,
                tips[m],
                [*(tips[o] for o in range(4) if o != m), *seen[m : m + (step == 4)]],
                step,
            )
            for m in range(4)
        ]
    return Case(tuple(events), (1, 1, 1, 1, 1), 10, 1, (4,))


class _Steps:
    """Builds the two-step rounds of `split_vote_case`."""

    def __init__(self, salt: str) -> None:
        self.salt = salt
        self.events: list[Event] = []
        self.tips = [self._add(member, None, []) for member in range(4)]

    def round(self, knows: dict[int, set[int]], hears: dict[int, set[int]]) -> None:
        """Let every member create one event per step."""
        for heard in (knows, hears):
            self.tips = [
                self._add(m, self.tips[m], [self.tips[other] for other in sorted(heard[m] - {m})])
                for m in range(4)
            ]

    def _add(self, member: int, own: Event | None, others: list[Event]) -> Event:
        time_ns = 1_000 * len(self.events)
        event = bare_event(member, own, others, time_ns=time_ns, salt=self.salt)
        self.events.append(event)
        return event


def _with_room_for_a_forker(weights: list[int], rng: Random, *, uneven: bool) -> list[int]:
    if 3 * min(weights) >= sum(weights):
        if uneven:
            weights[rng.randrange(len(weights))] += 3 * sum(weights)
        else:
            weights += [1] * (4 - len(weights))
    if 3 * min(weights) >= sum(weights):
        weights.append(1)
    return weights


def _gossip(rng: Random, n: int, forkers: list[int], size: int) -> list[Event]:
    """Random gossip; in phases some members are slow and some pairs are cut off."""
    branches: list[list[Event]] = [[] for _ in range(n)]
    parents_max = rng.choice([1, 1, 2, n - 1, n - 1])
    fork_rate = rng.choice([0.05, 0.2, 0.5])
    stale_rate = rng.choice([0.0, 0.1, 0.4])
    ancient_rate = rng.choice([0.0, 0.0, 0.03])
    clock = rng.choice(["fine", "coarse", "wild"])
    events: list[Event] = []
    activity = [1.0] * n
    groups = [0] * n
    for step in range(size):
        if step % 20 == 0:
            activity = [rng.choice([0.05, 1.0, 1.0, 2.0]) for _ in range(n)]
            groups = [rng.choice([0, 0, 1]) for _ in range(n)] if rng.random() < 0.3 else [0] * n
        creator = rng.choices(range(n), activity)[0]
        own = _self_parent(rng, branches[creator], fork_rate if creator in forkers else 0.0)
        others = [m for m in range(n) if m != creator and branches[m]]
        near = [m for m in others if groups[m] == groups[creator]]
        picked = rng.sample(near, min(len(near), rng.randint(1, parents_max)))
        parents = []
        for member in picked:
            stale = rng.random() < stale_rate or member in forkers
            if rng.random() < ancient_rate:
                parents.append(rng.choice(branches[member]))
            else:
                parents.append(rng.choice(branches[member][-4:]) if stale else branches[member][-1])
        time_ns = rng.randrange(100) if clock == "wild" else step // (3 if clock == "coarse" else 1)
        event = bare_event(creator, own, parents, time_ns=time_ns, salt=f"{size}/{step}")
        branches[creator].append(event)
        events.append(event)
    return events


def _self_parent(rng: Random, own: list[Event], fork_rate: float) -> Event | None:
    if not own:
        return None
    if rng.random() < fork_rate:
        return rng.choice([*own[-5:], None])
    return own[-1]
