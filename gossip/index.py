"""What events this cell has, in the order they arrived, as far as sync needs to know.

An event's *arrival* is its position in that order; parents always arrive before children, and the
consensus journal keeps the same order, so an arrival is also the event's index in that journal.
Holds no event bytes. Knows forks: a creator with two events at one sequence is told by its tips.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from typing import NamedTuple

from core.errors import check
from core.ids import EventId, MemberIndex
from core.ids import Sequence as SequenceNumber
from gossip.errors import TimeStandsStill
from gossip.limits import EVENTS_FRAME_COUNT_MAX, EVENTS_FRAME_SIZE_BYTES, TIPS_MAX
from gossip.wire import Vector, VectorEntry
from hashgraph.event import Event, UnresolvedEvent, encode_event
from hashgraph.places import Places


class NamedParent(NamedTuple):
    """An event that is here, as an event on top of it names it."""

    id: EventId
    creator: MemberIndex
    sequence: SequenceNumber


class EventIndex:
    """Arrivals by event id and by creator."""

    def __init__(self, members: int) -> None:
        self._arrivals: dict[EventId, int] = {}
        self._creators = array("H")
        self._sequences = array("L")
        self._sizes = array("L")
        self._times_ns = array("Q")
        self._self_parents = array("q")
        self._by_creator = [array("L") for _ in range(members)]
        self._tips: list[dict[EventId, None]] = [{} for _ in range(members)]
        self._fork_sequence: dict[MemberIndex, int] = {}
        self._places = Places(members)

    @property
    def members(self) -> int:
        """How many creators there can be."""
        return len(self._tips)

    def __len__(self) -> int:
        return len(self._creators)

    def __contains__(self, event_id: EventId) -> bool:
        return event_id in self._arrivals

    def add(self, event: Event, size_bytes: int) -> int:
        """Note an event that arrived after its parents; return its arrival."""
        event_id, creator, sequence = event.id, event.creator, event.sequence
        self_parent = event.self_parent
        check(event_id not in self._arrivals, "an event arrived twice")
        arrival = len(self._creators)
        parent = -1 if self_parent is None else self._arrivals[self_parent]
        tips = self._tips[creator]
        if self_parent in tips:
            del tips[self_parent]
        elif self._by_creator[creator]:
            known = self._fork_sequence.get(creator, sequence)
            self._fork_sequence[creator] = min(known, sequence)
        tips[event_id] = None
        self._arrivals[event_id] = arrival
        self._creators.append(creator)
        self._sequences.append(sequence)
        self._sizes.append(size_bytes)
        self._times_ns.append(event.time_ns)
        self._self_parents.append(parent)
        self._by_creator[creator].append(arrival)
        self._places.add(event)
        return arrival

    def resolve_stored(self, event: UnresolvedEvent) -> Event:
        """Return the next event of the consensus journal, at start; raises UnresolvableEvent."""
        return self._places.resolve_stored(event)

    def add_stored(self, event: UnresolvedEvent) -> None:
        """Note the next event of the consensus journal, at start; raises UnresolvableEvent."""
        self.add(self._places.resolve_stored(event), len(event.encoded))

    def resolve(self, event: UnresolvedEvent) -> Event | None:
        """Return an event with its parents, if they are here and can be told; see `Places`."""
        return self._places.resolve(event)

    def block(self, event: UnresolvedEvent, resolved: Event) -> bytes:
        """Return the journal block of an event that is to be added: with hints if it needs them."""
        needs_hints = self._places.needs_hints(event, resolved)
        if needs_hints == bool(event.hints):
            return event.encoded
        return encode_event(resolved, hints=needs_hints)

    def with_hints(self, event: UnresolvedEvent, creators: AbstractSet[MemberIndex]) -> bytes:
        """Return the bytes of an event that is here, for a peer.

        It gets hints if a parent is by one of `creators`: there the peer may know another one.
        """
        named = {event.creator, *(creator for creator, _ in event.other_places)}
        if event.hints or named.isdisjoint(creators):
            return event.encoded
        return encode_event(self._places.resolve_stored(event), hints=True)

    def arrival(self, event_id: EventId) -> int:
        """Return the arrival of a known event."""
        return self._arrivals[event_id]

    def parent(self, event_id: EventId) -> NamedParent:
        """Return a known event as a parent."""
        at = self._arrivals[event_id]
        creator, sequence = self._creators[at], self._sequences[at]
        return NamedParent(event_id, MemberIndex(creator), SequenceNumber(sequence))

    def check_time(self, self_parent: EventId, time_ns: int) -> None:
        """Raise TimeStandsStill unless an event is later than its self-parent.

        Along one chain times grow, so the consensus times of its events never fall.
        """
        if time_ns <= self._times_ns[self._arrivals[self_parent]]:
            raise TimeStandsStill("an event's time is not after that of its self-parent")

    def count(self, creator: MemberIndex) -> int:
        """Return one more than the creator's highest sequence number, 0 without events."""
        return max(
            (self._sequences[self._arrivals[tip]] + 1 for tip in self._tips[creator]), default=0
        )

    def is_forked(self, creator: MemberIndex) -> bool:
        """Return whether two events of the creator have one sequence number."""
        return creator in self._fork_sequence

    def fork_of(self, creator: MemberIndex) -> tuple[int, int] | None:
        """Return the arrivals of two events of the creator with one sequence number, if any."""
        sequence = self._fork_sequence.get(creator)
        twins = (at for at in self._by_creator[creator] if self._sequences[at] == sequence)
        first, second = next(twins, None), next(twins, None)
        return None if first is None or second is None else (first, second)

    @property
    def forkers(self) -> frozenset[MemberIndex]:
        """The creators that are forked."""
        return frozenset(self._fork_sequence)

    def vector(self, *, exact: bool = False) -> Vector:
        """Return what this cell has, as told to peers; `exact` tells the tips of every creator.

        Counts do not show a fork of which each side has another branch; tips do, at more cost.
        """
        return tuple(self._entry(MemberIndex(at), exact=exact) for at in range(len(self._tips)))

    def lacks(self, vector: Vector) -> bool:
        """Return whether the teller of `vector` has an event that is not here."""
        return any(self._lacks_entry(MemberIndex(at), entry) for at, entry in enumerate(vector))

    def beyond(self, vector: Vector) -> Iterator[int]:
        """Yield the arrivals, in order, of the events here that lie beyond `vector`."""
        floors = [self._floor(MemberIndex(at), entry) for at, entry in enumerate(vector)]
        starts = [self._first_from(MemberIndex(at), floor) for at, floor in enumerate(floors)]
        known = {
            at: self._closure(entry) for at, entry in enumerate(vector) if entry.__class__ is tuple
        }
        for arrival in range(min(starts, default=len(self)), len(self)):
            creator = self._creators[arrival]
            if self._sequences[arrival] >= floors[creator] and arrival not in known.get(
                creator, ()
            ):
                yield arrival

    def chunk(self, arrivals: Iterator[int]) -> tuple[tuple[int, ...], bool]:
        """Take as many arrivals as fit one frame; return them and whether any can be left."""
        taken: list[int] = []
        size = 0
        for arrival in arrivals:
            taken.append(arrival)
            size += self._sizes[arrival]
            if size >= EVENTS_FRAME_SIZE_BYTES or len(taken) == EVENTS_FRAME_COUNT_MAX:
                return tuple(taken), True
        return tuple(taken), False

    def _entry(self, creator: MemberIndex, *, exact: bool) -> VectorEntry:
        if exact or self.is_forked(creator):
            return tuple(sorted(self._tips[creator])[:TIPS_MAX])
        return len(self._by_creator[creator])

    def _lacks_entry(self, creator: MemberIndex, entry: VectorEntry) -> bool:
        if isinstance(entry, int):
            return entry > self.count(creator)
        return any(tip not in self._arrivals for tip in entry)

    def _floor(self, creator: MemberIndex, entry: VectorEntry) -> int:
        """Lowest sequence of the creator that the teller of `entry` may lack."""
        if isinstance(entry, int):
            # Of a fork the teller has one branch, and does not say which.
            return min(entry, self._fork_sequence.get(creator, entry))
        return 0

    def _first_from(self, creator: MemberIndex, floor: int) -> int:
        own = self._by_creator[creator]
        if self.is_forked(creator):
            return min((at for at in own if self._sequences[at] >= floor), default=len(self))
        return own[floor] if floor < len(own) else len(self)

    def _closure(self, entry: VectorEntry) -> set[int]:
        """Arrivals of the known tips in `entry` and of all their self-ancestors."""
        found: set[int] = set()
        for tip in entry if isinstance(entry, tuple) else ():
            arrival = self._arrivals.get(tip, -1)
            while arrival >= 0 and arrival not in found:
                found.add(arrival)
                arrival = self._self_parents[arrival]
        return found
