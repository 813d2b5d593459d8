"""A seed-driven world that measures latency: real hashgraph, creator and sync on virtual time.

Signatures, disk and the cost of processing are left out: what remains is how long the rules and
the network take. Times are milliseconds; latencies come out in one-way delays.
"""

from __future__ import annotations

import heapq
import statistics
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Literal

from core.ids import CellId, EventId, MemberIndex
from gossip.creator import Creator, Plan
from gossip.wire import Have, Want
from hashgraph.engine import Engine
from hashgraph.event import Event, UnresolvedEvent
from tests.gossip.world import EPOCH, Node, event

Loss = Literal["none", "stream", "event", "break"]
"""What the loss of a frame does: nothing is lost; the stream stands still for the round trip of a
retransmission; a pushed event never arrives by itself; the link breaks and is made anew."""

Item = Have | Want | tuple[list[bytes], bool]

_RULE_SET = 2
_COIN_PERIOD = 10
_TICK_MS = 20
"""How often repair looks around: at each event it would take most of a run's time."""


@dataclass(frozen=True, slots=True)
class Setting:
    """One run. All chance comes from `seed`."""

    members: int
    delay_ms: int = 25
    """One way, of the median link. With 25 the shortest event interval is 0.2 delays."""
    jitter: float = 0.1
    """Each frame takes the delay times a factor of 1 ± this, uniform."""
    duration: float = 120.0
    """In delays."""
    rate: float | None = None
    """Transactions a delay over all members; None: every member always has some."""
    down: int = 0
    """How many members never start."""
    loss: Loss = "none"
    loss_share: float = 0.01
    far: float = 1.0
    """How many times the delay every frame of member 0 takes, in and out."""
    weights: tuple[int, ...] = ()
    """All 1 unless given."""
    busy: float = 0.0
    """What every cell tells its creator."""
    seed: int = 1


@dataclass(frozen=True, slots=True)
class Measured:
    """What came out; latencies in one-way delays."""

    events: list[float]
    """From the making of an event to its place in the order, at each member."""
    transactions: list[float]
    """From a transaction's submission to its place in the order, where it was submitted."""
    events_made: int
    transactions_made: int
    ordered_shares: list[float]
    """By member: of its transactions, how many have a place in the order."""
    events_per_member_delay: float
    rounds_per_delay: float
    parents: float
    """Other-parents of an event, on average."""
    last_event_at: float
    """When the last event of all was made."""

    @property
    def mean(self) -> float:
        return statistics.fmean(self.events)

    @property
    def transaction_mean(self) -> float:
        return statistics.fmean(self.transactions)


class SimCell:
    """One member: sync, hashgraph and creator, and its waiting transactions."""

    def __init__(self, world: LatencyWorld, index: int) -> None:
        self.world = world
        self.index = index
        self.node = _Journaled(CellId(f"cell-{index:03}"), world.setting.members)
        self.node.on_add = self._added
        self.creator = Creator(MemberIndex(index), world.weights)
        self.creator.pace(world.setting.busy)
        self.engine = Engine(
            world.weights, coin_period=_COIN_PERIOD, rule_set=_RULE_SET, epoch=EPOCH
        )
        self.waiting: deque[float] = deque()
        """When each transaction that is in no event yet was submitted."""
        self.open: set[EventId] = set()
        self.last: Event | None = None
        self.timers = 0
        self.ticked_ms = -_TICK_MS

    @property
    def saturated(self) -> bool:
        """Whether new transactions are always there."""
        return self.world.setting.rate is None

    @property
    def has_work(self) -> bool:
        return bool(self.open or self.waiting or self.saturated)

    def wake(self) -> None:
        """Handle what came in, make an event if it is time to, and set the next timer."""
        now = self.world.now_ms
        self.timers += 1  # the one that is set below is the only one
        if now - self.ticked_ms >= _TICK_MS:
            self.ticked_ms = now
            self.node.work(now)
        else:
            self.node.read(now)
        plan = self.creator.plan(
            now, has_payload=bool(self.waiting) or self.saturated, has_work=self.has_work
        )
        if plan is not None:
            self._create(plan)
        self.world.collect(self)
        waits = [self.node.sync.wait_ms(now)]
        if waits[0] is not None:
            waits[0] = max(waits[0], self.ticked_ms + _TICK_MS - now)
        if self.has_work:
            waits.append(self.creator.wait_ms(now))
        due = min((wait for wait in waits if wait is not None), default=None)
        if due is not None:
            timer = self.timers
            self.world.at(due, lambda: self.wake() if self.timers == timer else None)

    def _create(self, plan: Plan) -> None:
        parents = [self.world.made[parent] for parent in plan.other_parents]
        submitted = list(self.waiting)
        self.waiting.clear()
        if self.saturated:
            submitted = [self.world.now_ms]
        item = event(
            self.index,
            self.last,
            parents,
            salt=b"%d" % len(submitted) if submitted else b"",
            time_ns=self.world.now_ms * 1_000_000 + len(self.world.made),
        )
        self.last = item
        self.world.note_made(item, submitted)
        self.node.add(item, own=True)

    def _added(self, item: Event) -> None:
        if item.payload:
            self.open.add(item.id)
        outcome = self.engine.add(item)
        if outcome.fork is not None:
            self.creator.exclude(item.creator)
        seen = self.engine.ancestor_vector(item.id)
        self.creator.observe(item.id, item.creator, item.sequence, seen, self.world.now_ms)
        for decided in outcome.decided:
            for ordered in decided.ordered:
                self.open.discard(ordered.event.id)
                self.world.note_ordered(self, ordered.event)


class LatencyWorld:
    """Members, links and virtual time."""

    def __init__(self, setting: Setting) -> None:
        self.setting = setting
        self.weights = setting.weights or (1,) * setting.members
        self.random = Random(setting.seed)  # noqa: S311 - chance of a test, not a secret
        self.now_ms = 0
        self.made: dict[EventId, Event] = {}
        self.submitted: dict[EventId, tuple[int, list[float]]] = {}
        """When an event was made, and when its transactions were submitted."""
        self.ordered: dict[EventId, int] = {}
        """How many members ordered it."""
        self._event_spans: list[tuple[int, float]] = []
        self._transaction_spans: list[tuple[float, float]] = []
        self._queue: list[tuple[int, int, Callable[[], None]]] = []
        self._count = 0
        self._arrivals: dict[tuple[int, int], int] = {}
        self._links: dict[tuple[int, int], int] = {}
        self.cells = [SimCell(self, index) for index in range(setting.members - setting.down)]
        self.connect_all()
        for cell in self.cells:
            # Nobody starts in step.
            self.at(self.random.randrange(setting.delay_ms), cell.wake)
        if setting.rate:
            self._next_transaction(setting.rate)

    def at(self, delay_ms: int, action: Callable[[], None]) -> None:
        """Do something after a while."""
        self._count += 1
        heapq.heappush(self._queue, (self.now_ms + delay_ms, self._count, action))

    def run(self, delays: float) -> None:
        """Let time pass, in delays."""
        self.run_ms(round(delays * self.setting.delay_ms))

    def run_ms(self, duration_ms: int) -> None:
        """Let time pass."""
        end = self.now_ms + duration_ms
        while self._queue and self._queue[0][0] <= end:
            self.now_ms, _, action = heapq.heappop(self._queue)
            action()
        self.now_ms = end

    def connect_all(self) -> None:
        """Make all links that are not there."""
        for one in self.cells:
            for other in self.cells:
                if one.index < other.index and other.node.name not in one.node.nodes:
                    self._connect(one, other)

    def cut_all(self) -> None:
        """Break all links, for good."""
        for one in self.cells:
            for other in self.cells:
                if one.index < other.index:
                    self._cut(one, other)

    @property
    def transactions_ordered(self) -> int:
        """How many transactions have a place in the order where they were submitted."""
        return len(self._transaction_spans)

    @property
    def transaction_spans_ms(self) -> list[float]:
        """From submission to the place in the order, of each."""
        return [span for _, span in self._transaction_spans]

    def submit(self, cell: SimCell) -> None:
        """A transaction comes in."""
        cell.waiting.append(self.now_ms)
        cell.wake()

    def collect(self, cell: SimCell) -> None:
        """Put on their way what a cell sends."""
        for peer, mailbox in cell.node.nodes.items():
            while mailbox.inbox:
                _, item = mailbox.inbox.popleft()
                self._send(cell, self.cells[_index(peer)], item)

    def note_made(self, item: Event, submitted: list[float]) -> None:
        self.made[item.id] = item
        self.submitted[item.id] = (self.now_ms, submitted)
        self.ordered[item.id] = 0

    def note_ordered(self, cell: SimCell, item: Event) -> None:
        made_ms, submitted = self.submitted[item.id]
        self.ordered[item.id] += 1
        self._event_spans.append((made_ms, self.now_ms - made_ms))
        if item.creator == cell.index:
            self._transaction_spans += [(at, self.now_ms - at) for at in submitted]

    def measured(self) -> Measured:
        """Return the numbers, of what was made neither at the beginning nor at the end."""
        delay, end = self.setting.delay_ms, self.now_ms
        low, high = 10 * delay, end - 60 * delay * max(1.0, self.setting.far / 4)
        inside = [i for i in self.made.values() if low <= self.submitted[i.id][0] <= high]
        made, ordered = Counter[int](), Counter[int]()
        for item in inside:
            made[item.creator] += len(self.submitted[item.id][1])
            if self.ordered[item.id]:
                ordered[item.creator] += len(self.submitted[item.id][1])
        here = range(len(self.cells))
        return Measured(
            events=[span / delay for at, span in self._event_spans if low <= at <= high],
            transactions=[
                span / delay for at, span in self._transaction_spans if low <= at <= high
            ],
            events_made=len(inside),
            transactions_made=sum(made.values()),
            ordered_shares=[ordered[m] / made[m] if made[m] else 1.0 for m in here],
            events_per_member_delay=len(inside) / len(here) / ((high - low) / delay),
            rounds_per_delay=self.cells[-1].engine.last_decided_round / (end / delay),
            parents=statistics.fmean(len(item.other_parents) for item in inside) if inside else 0,
            last_event_at=max((at for at, _ in self.submitted.values()), default=0) / delay,
        )

    def _next_transaction(self, rate: float) -> None:
        wait = self.random.expovariate(rate / self.setting.delay_ms)

        def come() -> None:
            self.submit(self.random.choice(self.cells))
            self._next_transaction(rate)

        self.at(round(wait), come)

    def _send(self, sender: SimCell, receiver: SimCell, item: Item) -> None:
        setting, way = self.setting, (sender.index, receiver.index)
        link = self._links[way]
        delay = self._delay_ms(*way)
        is_push = isinstance(item, tuple)
        if setting.loss != "none" and self.random.random() < setting.loss_share:
            if setting.loss == "break":
                self.at(0, lambda: self._break(sender, receiver))
                return
            if setting.loss == "event" and is_push:
                return
            if setting.loss == "stream":
                delay += 2 * self._delay_ms(*way)
        arrival = max(self.now_ms + delay, self._arrivals.get(way, 0))
        self._arrivals[way] = arrival

        def deliver() -> None:
            if self._links.get(way) == link:
                receiver.node.inbox.append((sender.node.name, item))
                receiver.wake()

        self.at(arrival - self.now_ms, deliver)

    def _delay_ms(self, sender: int, receiver: int) -> int:
        setting = self.setting
        factor = 1 + setting.jitter * (2 * self.random.random() - 1)
        if 0 in (sender, receiver):
            factor *= setting.far
        return max(0, round(setting.delay_ms * factor))

    def _connect(self, one: SimCell, other: SimCell) -> None:
        self._count += 1
        for at, peer in ((one, other), (other, one)):
            self._links[at.index, peer.index] = self._count
            self._arrivals.pop((at.index, peer.index), None)
            at.node.nodes[peer.node.name] = Node(peer.node.name, 1)  # only its inbox is used
            at.node.carry_out(at.node.sync.connected(peer.node.name, self.now_ms), self.now_ms)
            self.collect(at)

    def _cut(self, one: SimCell, other: SimCell) -> None:
        for at, peer in ((one, other), (other, one)):
            self._links[at.index, peer.index] = -1
            if at.node.nodes.pop(peer.node.name, None) is not None:
                at.node.sync.disconnected(peer.node.name)

    def _break(self, one: SimCell, other: SimCell) -> None:
        """Lose what is under way; two round trips later the link is there again."""
        if other.node.name not in one.node.nodes:
            return
        self._cut(one, other)

        def again() -> None:
            if other.node.name in one.node.nodes:
                return
            self._connect(one, other)
            one.wake()
            other.wake()

        self.at(4 * self._delay_ms(one.index, other.index), again)


class _Journaled(Node):
    """A node that tells of each event it added, before it sends it."""

    on_add: Callable[[Event], None]

    def _take(self, signed: UnresolvedEvent, item: Event, *, own: bool) -> None:
        self.on_add(item)
        super()._take(signed, item, own=own)


def measure(setting: Setting) -> Measured:
    """Run a setting to its end."""
    world = LatencyWorld(setting)
    world.run(setting.duration)
    return world.measured()


def _index(name: CellId) -> int:
    return int(name.removeprefix("cell-"))
