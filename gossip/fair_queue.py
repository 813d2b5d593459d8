"""A bounded queue with a lane for each peer, emptied in fair shares of work.

Start-time fair queueing (Goyal, Vin, Cheng 1996): each lane has a clock that advances by the cost
of what was taken from it, and the lane whose clock is furthest behind is next. A lane that was
empty starts at the present, so silence saves nothing up. A peer that floods fills only its own
lane and only delays itself. `shares` divides the cost: a lane with four shares gets four times as
much done as one with one. Within a lane the order is kept.

Pure. Bounds: items and bytes a lane, and bytes in all; a lane that is empty always takes one item.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class LaneBounds:
    """How much one lane may hold, and its share of the work."""

    count_max: int
    size_bytes_max: int
    shares: int = 1


@dataclass(slots=True)
class _Lane(Generic[T]):
    clock: float
    items: deque[tuple[T, float, int]] = field(default_factory=deque)
    """(item, cost, size in bytes)."""
    size_bytes: int = 0


class FairQueue(Generic[T]):
    """Items by lane; lanes are named by text."""

    def __init__(self, size_bytes_max: int) -> None:
        self._size_bytes_max = size_bytes_max
        self._lanes: dict[str, _Lane[T]] = {}
        self._waiting: dict[str, None] = {}
        """Lanes that are not empty."""
        self._clock = 0.0
        self._count = 0
        self.size_bytes = 0

    def __len__(self) -> int:
        return self._count

    def count(self, lane: str) -> int:
        """Return how many items wait in a lane."""
        found = self._lanes.get(lane)
        return 0 if found is None else len(found.items)

    def fits(self, lane: str, size_bytes: int, bounds: LaneBounds) -> bool:
        """Return whether a lane has room for an item."""
        found = self._lanes.get(lane)
        if found is None or not found.items:
            return True
        return (
            len(found.items) < bounds.count_max
            and found.size_bytes + size_bytes <= bounds.size_bytes_max
            and self.size_bytes + size_bytes <= self._size_bytes_max
        )

    def push(self, lane: str, item: T, *, cost: float, size_bytes: int, shares: int = 1) -> None:
        """Add an item at the end of a lane, whether it fits or not."""
        found = self._lanes.setdefault(lane, _Lane(self._clock))
        if not found.items:
            found.clock = max(found.clock, self._clock)
            self._waiting[lane] = None
        found.items.append((item, cost / shares, size_bytes))
        found.size_bytes += size_bytes
        self.size_bytes += size_bytes
        self._count += 1

    def pop(self) -> tuple[str, T]:
        """Take the next item, with its lane; raises IndexError when there is none."""
        if not self._waiting:
            raise IndexError("nothing waits")
        # Dicts keep their order: of equal clocks the lane that waits longest comes first.
        name = min(self._waiting, key=lambda lane: self._lanes[lane].clock)
        lane = self._lanes[name]
        item, cost, size_bytes = lane.items.popleft()
        self._clock = max(self._clock, lane.clock)
        lane.clock += cost
        lane.size_bytes -= size_bytes
        self.size_bytes -= size_bytes
        self._count -= 1
        if not lane.items:
            del self._waiting[name]
        return name, item

    def forget(self, lane: str) -> None:
        """Remove a lane's clock once it is empty: its peer is gone."""
        if self.count(lane) == 0:
            self._lanes.pop(lane, None)
