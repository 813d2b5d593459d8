"""How much each peer may tell: a burst, and a rate in the long run (token buckets)."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field

from core.ids import CellId
from gossip.discovery.address import Reach
from node.discovery.limits import (
    SPORES_BURST_MAX,
    SPORES_PER_S,
    TOLD_BURST_MAX,
    TOLD_PER_S,
)
from node.limits import PEER_SESSIONS_MAX


@dataclass(slots=True)
class Bucket:
    """Holds up to `burst` tokens, and gets `rate` new ones a second."""

    burst: float
    rate: float
    tokens: float = field(init=False)
    at_s: float = 0.0

    def __post_init__(self) -> None:
        self.tokens = self.burst

    def spend(self, count: int, now_s: float) -> bool:
        """Take tokens out if there are enough."""
        self.tokens = min(self.burst, self.tokens + (now_s - self.at_s) * self.rate)
        self.at_s = now_s
        if count > self.tokens:
            return False
        self.tokens -= count
        return True


@dataclass(slots=True)
class PeerState:
    """What discovery remembers of a peer."""

    reach: Reach
    told: Bucket = field(default_factory=lambda: Bucket(TOLD_BURST_MAX, TOLD_PER_S))
    spores: Bucket = field(default_factory=lambda: Bucket(SPORES_BURST_MAX, SPORES_PER_S))


class PeerStates:
    """States by cell id; they outlive a connection, so that a new one brings no new budget."""

    def __init__(self) -> None:
        self._states: OrderedDict[CellId, PeerState] = OrderedDict()

    def connected(self, cell_id: CellId, reach: Reach) -> PeerState:
        """Return the state of a peer that connected from this far away."""
        state = self._states.setdefault(cell_id, PeerState(reach))
        state.reach = reach
        self._states.move_to_end(cell_id)
        if len(self._states) > 2 * PEER_SESSIONS_MAX:
            self._states.popitem(last=False)
        return state

    def of(self, cell_id: CellId) -> PeerState:
        """Return the state of a connected peer; one that was forgotten is told the least."""
        return self._states.get(cell_id) or self.connected(cell_id, Reach.WORLD)
