"""When to make the next own event, and on which parents: pure, one object a cell.

An event is made only while there is work: transactions that wait, or known ones without a place in
the order yet. The network goes in *steps* (`gossip.steps`): an event is made as soon as it is in a
higher step than our last one, so each member makes one a step, and a step takes as long as the
events of a supermajority travel. A complete step waits a little longer for those who made an event
in the step before: it takes two steps to a round only if most events see most others.

If no step comes for a patience, *tipset advancement* decides: the weight of others whose newest
event it sees beyond our last snapshot must have grown; with our own a supermajority renews the
snapshot. Once a snapshot an event may carry transactions without that: it wakes a quiet network.
Without a quorum both ways soon end, so creation stops by itself, and goes on by itself.

All tips that are not seen yet become other-parents, but those that another chosen tip sees.

Why this can not stall while a quorum is connected: take the members that can not create now. Each
has a non-advanced member outside its advanced set, whose last event is an ancestor of its own
snapshot; following these pointers descends for ever in a finite graph. So at least one can.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from types import MappingProxyType

from core.errors import check
from core.ids import EventId, MemberIndex
from gossip.limits import (
    EVENT_GRACE_SHARE,
    EVENT_INTERVAL_MS_BUSY,
    EVENT_INTERVAL_MS_MIN,
    EVENT_PATIENCE_MS,
    EVENT_PATIENCE_MS_MAX,
    EVENT_PATIENCE_STEPS,
    EVENT_STEP_SMOOTHING,
    EVENTS_PER_S_BUSY,
    PARENTS_MAX,
)
from gossip.steps import Steps


class Refusal(Enum):
    """Why no event is made."""

    NO_WORK = "no-work"
    """No transaction waits, here or without a place in the order."""
    TOO_SOON = "too-soon"
    """Our last event is too young."""
    WAITING_FOR_TIPS = "waiting-for-tips"
    """Others' next events are still on their way, and may come in time."""
    NO_QUORUM = "no-quorum"
    """Nothing came for longer than that: too few members are there."""
    OBSERVING = "observing"
    """Our own newest events may still be missing here: our cell asks the others for them first."""


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
        self._steps = Steps(weights)
        self._own_seen = (-1,) * len(weights)
        self._snapshot = self._own_seen
        self._score = 0
        self._lone_used = False
        self._last_own_ms: int | None = None
        self._planned_ms = -1
        self._excluded: set[MemberIndex] = set()
        self._interval_ms = EVENT_INTERVAL_MS_MIN
        self._complete_ms: int | None = None
        """When the step above our last event could be entered."""
        self._step_ms = 0.0
        """How long a step takes, smoothed."""
        self._entered_ms: int | None = None
        """When our last event that was in a higher step than those before was made."""
        self._late: set[MemberIndex] = set()
        """Who was waited for in vain, and not in time since then."""
        self._unseen: dict[MemberIndex, None] = {}
        """Whose newest event we have not built on, in the order the first such event came."""
        self._refusals = dict.fromkeys(Refusal, 0)
        self.last_refusal: Refusal | None = None
        """Why `plan` made no event when it was last asked; None if it did."""

    @property
    def refusals(self) -> Mapping[Refusal, int]:
        """How often `plan` made no event, by reason."""
        return MappingProxyType(self._refusals)

    @property
    def step_ms(self) -> float:
        """How long a step takes, smoothed; 0 before the first."""
        return self._step_ms

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
        before = self._steps.of_tip(self._me)
        if creator == self._me:
            self._late.update(self._steps.awaited(self._me))
        step = self._steps.note(creator, sequence, seen)
        tip = self._tips[creator]
        if tip is None or sequence > tip.sequence:
            self._tips[creator] = _Tip(event_id, sequence, tuple(seen))
        if creator == self._me:
            self._observe_own(tuple(seen), now_ms)
            if step > before:
                self._entered_ms = now_ms
        else:
            self._unseen.setdefault(creator)
            if step >= self._steps.of_tip(self._me):
                self._late.discard(creator)
        if now_ms is not None and self._complete_ms is None and self._steps.advances(self._me):
            self._complete_ms = now_ms
            if creator != self._me:
                self._time_step(now_ms)

    def exclude(self, creator: MemberIndex) -> None:
        """Never again build on a creator that forked."""
        self._excluded.add(creator)
        self._steps.exclude(creator)

    def pace(self, busy: float) -> None:
        """Adapt the shortest time between two events to how busy the cell is, from 0 to 1.

        What a cell has to do grows with the events of all members.
        """
        busy_ms = max(EVENT_INTERVAL_MS_BUSY, 1000 * len(self._weights) // EVENTS_PER_S_BUSY)
        slack_ms = busy_ms - EVENT_INTERVAL_MS_MIN
        self._interval_ms = EVENT_INTERVAL_MS_MIN + round(slack_ms * min(1.0, max(0.0, busy)))

    def plan(self, now_ms: int, *, has_payload: bool, has_work: bool) -> Plan | None:
        """Return the parents of an event to be made now, or None and set `last_refusal`.

        `has_payload`: transactions wait for an event of ours. `has_work`: transactions are known
        that have no place in the order yet.
        """
        self._planned_ms = now_ms
        decision = self._decide(now_ms, has_payload=has_payload, has_work=has_work)
        if isinstance(decision, Refusal):
            self.refuse(decision)
            return None
        self.last_refusal = None
        own = self._tips[self._me]
        return Plan(
            None if own is None else own.event_id,
            tuple(tip.event_id for _, tip in sorted(decision, key=lambda parent: parent[0])),
        )

    def refuse(self, reason: Refusal) -> None:
        """Note that no event is made, for a reason of the caller."""
        self.last_refusal = reason
        self._refusals[reason] += 1

    def wait_ms(self, now_ms: int) -> int | None:
        """Return after how long time alone may change `plan`'s answer; None if it can not.

        0 if it may have changed it already: making our last event durable can take longer than
        the waits that count from it.
        """
        if self._last_own_ms is None:
            return None
        dues = [self._last_own_ms + self._interval_ms, self._last_own_ms + self._patience_ms]
        if self._complete_ms is not None:
            dues.append(self._complete_ms + self._grace_ms)
        later = [due for due in dues if self._planned_ms < due]
        return max(0, min(later) - now_ms) if later else None

    @property
    def _patience_ms(self) -> int:
        """How long to wait for a step before an event is made without one."""
        patience_ms = round(EVENT_PATIENCE_STEPS * self._step_ms)
        return min(EVENT_PATIENCE_MS_MAX, max(EVENT_PATIENCE_MS, patience_ms))

    @property
    def _grace_ms(self) -> int:
        """How long a complete step waits for who has not come yet."""
        return min(self._patience_ms, round(EVENT_GRACE_SHARE * self._step_ms))

    def _observe_own(self, seen: tuple[int, ...], now_ms: int | None) -> None:
        score = self._advancement(seen)
        if score <= self._score:
            self._lone_used = True
        self._score = score
        for creator in [c for c in self._unseen if seen[c] > self._own_seen[c]]:
            del self._unseen[creator]  # what is newer still is unseen for a shorter time
            tip = self._tips[creator]
            if tip is not None and tip.sequence > seen[creator]:
                self._unseen[creator] = None
        self._own_seen = seen
        if self._is_quorum(score):
            self._snapshot, self._score, self._lone_used = seen, 0, False
        self._complete_ms = None
        if now_ms is not None:
            check(
                self._last_own_ms is None or now_ms >= self._last_own_ms,
                "the monotonic clock went back",
            )
            self._last_own_ms = now_ms

    def _time_step(self, now_ms: int) -> None:
        """Note how long a step took; a pause without work counts for little."""
        if self._entered_ms is None:
            return
        took_ms = min(now_ms - self._entered_ms, 2 * self._step_ms + EVENT_PATIENCE_MS)
        self._step_ms += (took_ms - self._step_ms) * EVENT_STEP_SMOOTHING

    def _decide(
        self, now_ms: int, *, has_payload: bool, has_work: bool
    ) -> list[tuple[MemberIndex, _Tip]] | Refusal:
        """Return the other-parents of an event to be made now, or why there is none."""
        if not (has_payload or has_work):
            return Refusal.NO_WORK
        since_ms = self._since_own_ms(now_ms)
        if since_ms < self._interval_ms:
            return Refusal.TOO_SOON
        if self._is_step_complete(now_ms):
            parents = self._useful_parents()
            if parents or self._is_quorum(0):
                return parents[:PARENTS_MAX]
        if since_ms < self._patience_ms:
            return Refusal.WAITING_FOR_TIPS
        parents = self._useful_parents()
        score = self._advancement(self._seen_with(parents))
        if score > self._score or (has_payload and not self._lone_used):
            return parents[:PARENTS_MAX]
        return Refusal.NO_QUORUM

    def _is_step_complete(self, now_ms: int) -> bool:
        if not self._steps.advances(self._me):
            return False
        if all(member in self._late for member in self._steps.awaited(self._me)):
            return True
        return self._complete_ms is None or now_ms - self._complete_ms >= self._grace_ms

    def _useful_parents(self) -> list[tuple[MemberIndex, _Tip]]:
        """Return the tips that are not seen yet, but those that another of them sees.

        First come those whose creators wait longest to be seen: beyond the cap nobody starves.
        """
        fresh: list[tuple[MemberIndex, _Tip]] = []
        for creator in self._unseen:
            tip = self._tips[creator]
            if tip is None or creator in self._excluded:
                continue
            if tip.sequence > self._own_seen[creator]:
                fresh.append((creator, tip))
        return [
            (creator, tip)
            for creator, tip in fresh
            if not any(other != creator and by.seen[creator] >= tip.sequence for other, by in fresh)
        ]

    def _seen_with(self, parents: list[tuple[MemberIndex, _Tip]]) -> tuple[int, ...]:
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
            return EVENT_PATIENCE_MS_MAX
        return now_ms - self._last_own_ms
