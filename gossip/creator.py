"""When to make the next own event, and on which parents: pure, one object a cell.

An event is made only while there is work (transactions that wait, or known ones without a place in
the order yet) and only if it moves consensus on: *tipset advancement*, the weight of other members
whose newest event it sees beyond our last snapshot, must have grown. When our own weight and the
advanced one are a supermajority, the snapshot is renewed. Without a quorum the advancement soon
stops growing, so creation stops by itself, and goes on by itself when members come back.

At most one event per snapshot may carry transactions without any advancement: it is what wakes a
quiet network. All tips that are not seen yet become other-parents, except those that another
chosen tip already sees.

Why this can not stall while a quorum is connected: take the members that can not create now. Each
has a non-advanced member outside its advanced set, whose last event is an ancestor of its own
snapshot; following these pointers descends for ever in a finite graph. So at least one can.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from core.errors import check
from core.ids import EventId, MemberIndex
from gossip.limits import EVENT_INTERVAL_MS_BUSY, EVENT_INTERVAL_MS_MIN, EVENT_PATIENCE_MS


@dataclass(frozen=True, slots=True)
class Plan:
    """Parents of the next own event."""

    self_parent: EventId | None
    other_parents: tuple[EventId, ...]


@dataclass(frozen=True, slots=True)
class _Tip:
    event_id: EventId
    sequence: int
    seen: tuple[int, ...]
    """Highest sequence per creator among the tip and its ancestors, -1 for none."""


class Creator:
    """Decides about own events. Times are milliseconds of one monotonic clock."""

    def __init__(self, me: MemberIndex, weights: Sequence[int]) -> None:
        self._me = me
        self._weights = tuple(weights)
        self._total = sum(weights)
        self._tips: list[_Tip | None] = [None] * len(weights)
        self._own_seen = (-1,) * len(weights)
        self._snapshot = self._own_seen
        self._score = 0
        self._lone_used = False
        self._last_own_ms: int | None = None
        self._planned_ms = -1
        self._excluded: set[int] = set()
        self._interval_ms = EVENT_INTERVAL_MS_MIN

    def observe(
        self,
        event_id: EventId,
        creator: MemberIndex,
        sequence: int,
        seen: Sequence[int],
        now_ms: int | None,
    ) -> None:
        """Note an event that was added to the graph, own ones too, in arrival order.

        `seen` is the highest sequence per creator among the event and its ancestors, -1 for none.
        `now_ms` is None while the journal is replayed.
        """
        tip = self._tips[creator]
        if tip is None or sequence > tip.sequence:
            self._tips[creator] = _Tip(event_id, sequence, tuple(seen))
        if creator == self._me:
            self._observe_own(tuple(seen), now_ms)

    def exclude(self, creator: MemberIndex) -> None:
        """Never again build on a creator that forked."""
        self._excluded.add(creator)

    def pace(self, busy: float) -> None:
        """Adapt the shortest time between two events to how busy the cell is, from 0 to 1."""
        slack_ms = EVENT_INTERVAL_MS_BUSY - EVENT_INTERVAL_MS_MIN
        self._interval_ms = EVENT_INTERVAL_MS_MIN + round(slack_ms * min(1.0, max(0.0, busy)))

    def plan(self, now_ms: int, *, has_payload: bool, has_work: bool) -> Plan | None:
        """Return the parents of an event to be made now, or None.

        `has_payload`: transactions wait for an event of ours. `has_work`: transactions are known
        that have no place in the order yet.
        """
        self._planned_ms = now_ms
        if not (has_payload or has_work) or self._since_own_ms(now_ms) < self._interval_ms:
            return None
        parents = self._useful_parents()
        if not self._may_create(self._seen_with(parents), now_ms, has_payload=has_payload):
            return None
        own = self._tips[self._me]
        return Plan(
            None if own is None else own.event_id,
            tuple(tip.event_id for _, tip in parents),
        )

    def wait_ms(self, now_ms: int) -> int | None:
        """Return after how long time alone may change `plan`'s answer; None if it can not.

        0 if it may have changed it already: making our last event durable can take longer than
        the waits that count from it.
        """
        if self._last_own_ms is None:
            return None
        for bound in (self._interval_ms, EVENT_PATIENCE_MS):
            due_ms = self._last_own_ms + bound
            if self._planned_ms < due_ms:
                return max(0, due_ms - now_ms)
        return None

    def _observe_own(self, seen: tuple[int, ...], now_ms: int | None) -> None:
        score = self._advancement(seen)
        if score <= self._score:
            self._lone_used = True
        self._score = score
        self._own_seen = seen
        if self._is_quorum(score):
            self._snapshot, self._score, self._lone_used = seen, 0, False
        if now_ms is not None:
            check(
                self._last_own_ms is None or now_ms >= self._last_own_ms,
                "the monotonic clock went back",
            )
            self._last_own_ms = now_ms

    def _may_create(self, seen: tuple[int, ...], now_ms: int, *, has_payload: bool) -> bool:
        score = self._advancement(seen)
        if self._is_quorum(score):
            return score > self._score or self._is_quorum(0)
        if self._since_own_ms(now_ms) < EVENT_PATIENCE_MS:
            return False
        return score > self._score or (has_payload and not self._lone_used)

    def _useful_parents(self) -> list[tuple[int, _Tip]]:
        fresh = [
            (creator, tip)
            for creator, tip in enumerate(self._tips)
            if tip is not None
            and creator != self._me
            and creator not in self._excluded
            and tip.sequence > self._own_seen[creator]
        ]
        return [
            (creator, tip)
            for creator, tip in fresh
            if not any(other != creator and by.seen[creator] >= tip.sequence for other, by in fresh)
        ]

    def _seen_with(self, parents: list[tuple[int, _Tip]]) -> tuple[int, ...]:
        return tuple(map(max, zip(self._own_seen, *(tip.seen for _, tip in parents), strict=True)))

    def _advancement(self, seen: Sequence[int]) -> int:
        return sum(
            weight
            for creator, weight in enumerate(self._weights)
            if creator != self._me and seen[creator] > self._snapshot[creator]
        )

    def _is_quorum(self, score: int) -> bool:
        return 3 * (score + self._weights[self._me]) > 2 * self._total

    def _since_own_ms(self, now_ms: int) -> int:
        if self._last_own_ms is None:
            return EVENT_PATIENCE_MS
        return now_ms - self._last_own_ms
