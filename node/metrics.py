"""What a running cell measures of itself, beside the counts that its parts keep anyway.

Each measure has a name and a type here, costs under a microsecond where it is taken, and a bounded
amount of memory; all else (queue depths, traffic by peer) is asked of the parts when somebody wants
to know. `node.exposition` shows everything. Pure: times come in as arguments.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from core.ids import EventId
from hashgraph.event import Event, UnresolvedEvent
from hashgraph.outcome import DecidedRound
from node.limits import ARRIVALS_MAX, LATENCY_WINDOW
from node.peer_clocks import PeerClocks

BUCKETS_MS: Final = (
    *(0.1, 0.25, 0.5, 1, 2.5, 5, 10, 25, 50, 75, 100, 150, 200, 300, 400),
    *(600, 1000, 2500, 5000, 10_000, 60_000),
)
"""Upper bounds of the classes of a histogram, from a quick fsync to a network without quorum."""


class Latency:
    """Durations in milliseconds: a histogram since the start, and the newest ones themselves."""

    def __init__(self) -> None:
        self.sum_ms = 0.0
        self._classes = [0] * (len(BUCKETS_MS) + 1)
        self._newest = array("d")
        self._at = 0

    def note(self, duration_ms: float) -> None:
        """Take one duration."""
        self.sum_ms += duration_ms
        self._classes[bisect_left(BUCKETS_MS, duration_ms)] += 1
        if len(self._newest) < LATENCY_WINDOW:
            self._newest.append(duration_ms)
        else:
            self._newest[self._at] = duration_ms
            self._at = (self._at + 1) % LATENCY_WINDOW

    @property
    def count(self) -> int:
        """How many there were."""
        return sum(self._classes)

    def quantile_ms(self, share: float) -> float | None:
        """Return the duration that `share` (0 to 1) of the newest ones do not exceed, if any."""
        newest = sorted(self._newest)
        if not newest:
            return None
        return newest[min(len(newest) - 1, int(share * len(newest)))]

    def buckets(self) -> list[tuple[float, int]]:
        """Return (upper bound in ms, how many up to it), the last bound infinite."""
        reached, result = 0, []
        for bound, count in zip((*BUCKETS_MS, float("inf")), self._classes, strict=True):
            reached += count
            result.append((bound, reached))
        return result


@dataclass(slots=True)
class ConsensusMetrics:
    """The measures of the consensus task, which owns them; everybody else only reads."""

    since_ns: int
    """Wall clock of the start: own events from before it are not measured."""
    created_to_ordered: Latency = field(default_factory=Latency)
    """From the time in an own event to its place in the order, as seen here (C2C). Only events with
    transactions count: the last ones of a busy moment wait for the next moment, as nobody misses
    them."""
    received_to_ordered: Latency = field(default_factory=Latency)
    """The same from the arrival of another's event (R2C)."""
    commit: Latency = field(default_factory=Latency)
    """Commits of own events, each with an fsync."""
    repeats: int = 0
    """Events that came although they were here already."""
    clocks: PeerClocks = field(default_factory=PeerClocks)
    """How far the clocks of other members are from ours."""
    _arrivals_ms: dict[EventId, int] = field(default_factory=dict)

    def arrived(self, events: Iterable[Event | UnresolvedEvent], now_ms: int) -> None:
        """Note new events from a peer; beyond a bound they are not measured."""
        arrivals = self._arrivals_ms
        for event in events:
            if event.payload and len(arrivals) < ARRIVALS_MAX:
                arrivals.setdefault(event.id, now_ms)

    def decided(self, decided: DecidedRound, me: int | None, now_ms: int, time_ns: int) -> None:
        """Note a decided round; `me` is the cell's number in its epoch."""
        for ordered in decided.ordered:
            event = ordered.event
            if not event.payload:
                continue
            if event.creator != me:
                since_ms = self._arrivals_ms.pop(event.id, None)
                if since_ms is not None:
                    self.received_to_ordered.note(now_ms - since_ms)
            elif event.time_ns >= self.since_ns:
                self.created_to_ordered.note(max(0, time_ns - event.time_ns) / 1e6)

    def epoch_began(self) -> None:
        """Forget events that have no place: the seal voided them."""
        self._arrivals_ms.clear()
        self.clocks.epoch_began()
