"""Events that wait for their parents: bounded, shared fairly, woken by what they lack.

An orphan's signature is checked, so its creator made it; who brought it is another question. So
room is counted by the peer: each may have so many, and when all the room is taken the peer with the
most bytes loses its newest ones. A peer that brings rubbish fills its own share, no one else's.

An orphan waits at one place, where a parent is missing. When all places are filled and its parents
still can not be told it is *puzzled*: another branch is not here, or it needs hints. Then it waits
at all of them. A creator that keeps to the protocol has at most one puzzled event at a time, its
later ones lack that one; so a few of each creator are kept.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from core.ids import CellId, EventId, MemberIndex
from gossip.limits import ORPHANS_PER_PEER_MAX, ORPHANS_PUZZLED_MAX, ORPHANS_SIZE_BYTES_MAX
from hashgraph.event import UnresolvedEvent
from hashgraph.header import Place


@dataclass(slots=True)
class Orphan:
    """An event, who brought it first, and at which places it waits."""

    event: UnresolvedEvent
    peer: CellId
    since_ms: int
    waits_at: tuple[Place, ...] = ()

    @property
    def size_bytes(self) -> int:
        """Bytes that it counts for; in memory it takes some three times as many."""
        return len(self.event.encoded)


@dataclass(slots=True)
class _Share:
    """What one peer brought, the oldest first."""

    orphans: dict[EventId, Orphan] = field(default_factory=dict)
    waiting: dict[EventId, None] = field(default_factory=dict)
    """Those that lack something, in the order in which they began to."""
    size_bytes: int = 0


class Orphans:
    """The orphans of an epoch. Times are milliseconds of one monotonic clock."""

    def __init__(self) -> None:
        self._by_id: dict[EventId, Orphan] = {}
        self._shares: dict[CellId, _Share] = {}
        self._waiting: dict[Place, dict[EventId, None]] = {}
        self._puzzled: Counter[MemberIndex] = Counter()
        self._awake: dict[EventId, None] = {}
        self.held: dict[EventId, None] = {}
        """Those that lack nothing that could be asked for, see `HeldBranches`."""
        self.size_bytes = 0

    def __len__(self) -> int:
        return len(self._by_id)

    def __iter__(self) -> Iterator[Orphan]:
        return iter(self._by_id.values())

    def get(self, event_id: EventId) -> Orphan | None:
        """Return an orphan, if it is one."""
        return self._by_id.get(event_id)

    def add(
        self, peer: CellId, event: UnresolvedEvent, lacking: tuple[Place, ...], now_ms: int
    ) -> bool:
        """Keep an event that waits at the places in `lacking`; return whether there is room.

        One that is here already is replaced: the new bytes have hints.
        """
        self.forget(event.id)
        orphan = Orphan(event, peer, now_ms)
        share = self._shares.get(peer)
        if share is not None and len(share.orphans) >= ORPHANS_PER_PEER_MAX:
            return False
        if not self._make_room(peer, orphan.size_bytes):
            return False
        share = self._shares.setdefault(peer, _Share())
        share.orphans[event.id] = self._by_id[event.id] = orphan
        share.size_bytes += orphan.size_bytes
        self.size_bytes += orphan.size_bytes
        return self.wait(event.id, lacking)

    def wait(self, event_id: EventId, lacking: tuple[Place, ...]) -> bool:
        """Let an orphan wait at these places; return whether it was kept.

        Several places mean that it is puzzled. Of those a creator has only a few.
        """
        orphan = self._by_id[event_id]
        creator = orphan.event.creator
        if len(lacking) > 1 and self._puzzled[creator] >= ORPHANS_PUZZLED_MAX:
            self.forget(event_id)
            return False
        self._puzzled[creator] += len(lacking) > 1
        orphan.waits_at = lacking
        self._shares[orphan.peer].waiting[event_id] = None
        for place in lacking:
            self._waiting.setdefault(place, {})[event_id] = None
        return True

    def wake(self, place: Place) -> None:
        """An event came to a place: whoever waits there is looked at again."""
        for event_id in tuple(self._waiting.get(place, ())):
            self._stop_waiting(self._by_id[event_id])
            self._awake[event_id] = None

    def hold(self, event_id: EventId) -> None:
        """Hold an orphan: nobody is to be asked for what it lacks. It can be woken as before."""
        self._shares[self._by_id[event_id].peer].waiting.pop(event_id, None)
        self.held[event_id] = None

    def waiting_at(self, place: Place) -> list[Orphan]:
        """Return the orphans that wait at a place."""
        return [self._by_id[event_id] for event_id in self._waiting.get(place, ())]

    def wake_one(self, event_id: EventId) -> None:
        """An orphan may be added now for another reason than an event that came."""
        self._stop_waiting(self._by_id[event_id])
        self._awake[event_id] = None

    def take_awake(self) -> list[Orphan]:
        """Return the orphans that were woken. Each must be forgotten, or wait again."""
        awake, self._awake = self._awake, {}
        return [self._by_id[event_id] for event_id in awake]

    def forget(self, event_id: EventId) -> None:
        """Let go of an orphan, if it is one."""
        orphan = self._by_id.pop(event_id, None)
        if orphan is None:
            return
        self._stop_waiting(orphan)
        self._awake.pop(event_id, None)
        share = self._shares[orphan.peer]
        del share.orphans[event_id]
        share.size_bytes -= orphan.size_bytes
        self.size_bytes -= orphan.size_bytes
        if not share.orphans:
            del self._shares[orphan.peer]

    def forget_of(self, peer: CellId) -> None:
        """Let go of all that a peer brought."""
        for orphan in self.of(peer):
            self.forget(orphan.event.id)

    def of(self, peer: CellId) -> list[Orphan]:
        """Return what a peer brought, the oldest first."""
        share = self._shares.get(peer)
        return [] if share is None else list(share.orphans.values())

    def longest_waiting(self) -> Iterator[Orphan]:
        """Yield of each peer the orphan that has lacked something longest."""
        for share in self._shares.values():
            if share.waiting:
                yield share.orphans[next(iter(share.waiting))]

    def _make_room(self, peer: CellId, size_bytes: int) -> bool:
        """Make room for an orphan of a peer, at the cost of those that take more than it."""
        while self.size_bytes + size_bytes > ORPHANS_SIZE_BYTES_MAX:
            if not self._shares:
                return False
            # A tuple key: the order in which peers came must not show.
            heaviest = max(self._shares, key=lambda one: (self._shares[one].size_bytes, one))
            own = self._shares.get(peer)
            would_be = size_bytes + (0 if own is None else own.size_bytes)
            if heaviest == peer or self._shares[heaviest].size_bytes < would_be:
                return False
            self.forget(next(reversed(self._shares[heaviest].orphans)))
        return True

    def _stop_waiting(self, orphan: Orphan) -> None:
        event_id = orphan.event.id
        self._puzzled[orphan.event.creator] -= len(orphan.waits_at) > 1
        self.held.pop(event_id, None)
        self._shares[orphan.peer].waiting.pop(event_id, None)
        for place in orphan.waits_at:
            waiting = self._waiting[place]
            del waiting[event_id]
            if not waiting:
                del self._waiting[place]
        orphan.waits_at = ()
