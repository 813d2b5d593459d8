"""How far the clocks of other members are from this cell's, by the times in their events.

An event says when it was made; it takes at least no time to get here. So of the newest ones of a
member that which came quickest tells best, and a member that is silent tells nothing. Members can
lie about their own clock only. Pure and bounded: a few numbers a member.
"""

from __future__ import annotations

import statistics
from collections import deque
from collections.abc import Iterable

from hashgraph.event import Event, UnresolvedEvent
from node.limits import CLOCK_EVENTS_REMEMBERED


class PeerClocks:
    """Offsets by member number of one epoch; the consensus task feeds it."""

    def __init__(self) -> None:
        self._offsets_ns: dict[int, deque[int]] = {}

    def arrived(self, events: Iterable[Event | UnresolvedEvent], now_ns: int) -> None:
        """Note new events of others that came now by this cell's clock."""
        for event in events:
            offsets = self._offsets_ns.get(event.creator)
            if offsets is None:
                offsets = self._offsets_ns[event.creator] = deque(maxlen=CLOCK_EVENTS_REMEMBERED)
            offsets.append(event.time_ns - now_ns)

    def offset_ms(self, member: int) -> float | None:
        """Return how far a member's clock is ahead of ours, negative if behind; None if unknown."""
        offsets = self._offsets_ns.get(member)
        return None if not offsets else max(offsets) / 1e6

    def usual_offset_ms(self) -> float | None:
        """Return the median over the members: how far our own clock is from theirs."""
        known = [max(offsets) / 1e6 for offsets in self._offsets_ns.values() if offsets]
        return statistics.median(known) if known else None

    def epoch_began(self) -> None:
        """Forget all: members have other numbers now."""
        self._offsets_ns.clear()
