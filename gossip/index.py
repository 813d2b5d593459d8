"""What events this cell has, in the order they arrived, as far as sync needs to know.

An event's *arrival* is its position in that order; parents always arrive before children, and the
consensus journal keeps the same order, so an arrival is also the event's index in that journal.
Holds no event bytes. A creator's events form one branch, and one more from each event on that is
not on top of the last one of a branch: a fork. A creator that forked is told by its tips.
"""

from __future__ import annotations

import heapq
from array import array
from collections.abc import Container, Iterator
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import NamedTuple

from core.errors import check
from core.ids import EventId, MemberIndex
from core.ids import Sequence as SequenceNumber
from gossip.errors import TimeStandsStill
from gossip.limits import EVENTS_FRAME_COUNT_MAX, EVENTS_FRAME_SIZE_BYTES, TIPS_MAX
from gossip.wire import Vector, VectorEntry
from hashgraph.event import Event, UnresolvedEvent, encode_event
from hashgraph.header import Place
from hashgraph.places import Places


class NamedParent(NamedTuple):
    """An event that is here, as an event on top of it names it."""

    id: EventId
    creator: MemberIndex
    sequence: SequenceNumber


class Arrived(NamedTuple):
    """What is kept of an event that is here."""

    id: EventId
    creator: MemberIndex
    sequence: SequenceNumber
    time_ns: int
    size_bytes: int


@dataclass(slots=True, eq=False)
class _Branch:
    """Events of one creator, each on top of the one before."""

    creator: MemberIndex
    first_sequence: int
    opened_from: int
    """Arrival of the first one's self-parent, -1 for none."""
    arrivals: array[int] = field(default_factory=lambda: array("I"))


class EventIndex:
    """Arrivals by event id, and by branch. About 100 bytes an event, beside the id itself."""

    def __init__(self, members: int) -> None:
        self._arrivals: dict[EventId, int] = {}
        self._ids: list[EventId] = []
        self._sequences = array("I")
        self._sizes = array("I")
        self._times_ns = array("Q")
        self._branch_of = array("I")
        self._branches: list[_Branch] = []
        self._of: list[list[int]] = [[] for _ in range(members)]
        """Numbers of each creator's branches."""
        self._counts = [0] * members
        """One more than each creator's highest sequence number."""
        self._fork_sequence: dict[MemberIndex, SequenceNumber] = {}
        self._places = Places(members)

    @property
    def members(self) -> int:
        """How many creators there can be."""
        return len(self._of)

    def __len__(self) -> int:
        return len(self._ids)

    def __contains__(self, event_id: EventId) -> bool:
        return event_id in self._arrivals

    def add(self, event: Event, size_bytes: int) -> int:
        """Note an event that arrived after its parents; return its arrival."""
        event_id = event.id
        check(event_id not in self._arrivals, "an event arrived twice")
        arrival = len(self._ids)
        number = self._branch_for(event)
        self._branches[number].arrivals.append(arrival)
        if event.sequence >= self._counts[event.creator]:
            self._counts[event.creator] = event.sequence + 1
        self._arrivals[event_id] = arrival
        self._ids.append(event_id)
        self._sequences.append(event.sequence)
        self._sizes.append(size_bytes)
        self._times_ns.append(event.time_ns)
        self._branch_of.append(number)
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

    def lacking(self, event: UnresolvedEvent) -> tuple[Place, ...]:
        """Return where what an event that is not resolved lacks will come; see `Places`."""
        return self._places.lacking(event)

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

    def at(self, arrival: int) -> Arrived:
        """Return what is known of the event with this arrival, which is below the length."""
        creator = self._branches[self._branch_of[arrival]].creator
        return Arrived(
            self._ids[arrival],
            creator,
            SequenceNumber(self._sequences[arrival]),
            self._times_ns[arrival],
            self._sizes[arrival],
        )

    def parent(self, event_id: EventId) -> NamedParent:
        """Return a known event as a parent."""
        at = self._arrivals[event_id]
        creator = self._branches[self._branch_of[at]].creator
        return NamedParent(event_id, creator, SequenceNumber(self._sequences[at]))

    def check_time(self, self_parent: EventId, time_ns: int) -> None:
        """Raise TimeStandsStill unless an event is later than its self-parent.

        Along one chain times grow, so the consensus times of its events never fall.
        """
        if time_ns <= self._times_ns[self._arrivals[self_parent]]:
            raise TimeStandsStill("an event's time is not after that of its self-parent")

    def count(self, creator: MemberIndex) -> int:
        """Return one more than the creator's highest sequence number, 0 without events."""
        return self._counts[creator]

    def branches(self, creator: MemberIndex) -> int:
        """Return how many branches the creator has, 0 without events."""
        return len(self._of[creator])

    def opens_branch(self, event: Event) -> bool:
        """Return whether an event that is not here would be one more branch of its creator."""
        return self._extended(event) is None

    def is_tip(self, event_id: EventId) -> bool:
        """Return whether an event is here and the last one of its branch."""
        arrival = self._arrivals.get(event_id)
        if arrival is None:
            return False
        return self._branches[self._branch_of[arrival]].arrivals[-1] == arrival

    def is_forked(self, creator: MemberIndex) -> bool:
        """Return whether two events of the creator have one sequence number."""
        return creator in self._fork_sequence

    @property
    def forkers(self) -> frozenset[MemberIndex]:
        """The creators that are forked."""
        return frozenset(self._fork_sequence)

    def fork_of(self, creator: MemberIndex) -> tuple[int, int] | None:
        """Return the arrivals of two events of the creator with one sequence number, if any."""
        sequence = self._fork_sequence.get(creator)
        if sequence is None:
            return None
        first, second, *_ = self._places.at(creator, sequence)
        return self._arrivals[first], self._arrivals[second]

    def vector(self, *, exact: bool = False) -> Vector:
        """Return what this cell has, as told to peers; `exact` tells the tips of every creator.

        Counts do not show a fork of which each side has another branch; tips do, at more cost.
        """
        return tuple(self._entry(MemberIndex(at), exact=exact) for at in range(len(self._of)))

    def lacks(self, vector: Vector, besides: Container[EventId] = ()) -> bool:
        """Return whether the teller of `vector` has an event that is neither here nor `besides`."""
        for entry, count in zip(vector, self._counts, strict=False):
            if isinstance(entry, int):
                if entry > count:
                    return True
            elif any(tip not in self._arrivals and tip not in besides for tip in entry):
                return True
        return False

    def told(self, at: int, entry: VectorEntry) -> int:
        """Return an entry of a vector as a count: of tips the highest that is known here."""
        if isinstance(entry, int):
            return entry
        known = (self._arrivals[tip] for tip in entry if tip in self._arrivals)
        return max(
            (
                self._sequences[arrival] + 1
                for arrival in known
                if self._branches[self._branch_of[arrival]].creator == at
            ),
            default=0,
        )

    def beyond(self, vector: Vector) -> Iterator[int]:
        """Return the arrivals, in order, of the events here that lie beyond `vector`.

        It takes time for each branch, and then for each event that is taken out.
        """
        rest = []
        for at, entry in enumerate(vector):
            known = self._known(MemberIndex(at), entry)
            for number in self._of[at]:
                arrivals, start = self._branches[number].arrivals, known.get(number, 0)
                if start < len(arrivals):
                    rest.append(_from(arrivals, start, len(arrivals)))
        return heapq.merge(*rest)

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

    def _branch_for(self, event: Event) -> int:
        """Return the number of the branch that an event extends or opens, and note a fork."""
        extended = self._extended(event)
        if extended is not None:
            return extended
        creator, own = event.creator, self._of[event.creator]
        if own:
            known = self._fork_sequence.get(creator, event.sequence)
            self._fork_sequence[creator] = min(known, event.sequence)
        parent = -1 if event.self_parent is None else self._arrivals[event.self_parent]
        self._branches.append(_Branch(creator, event.sequence, parent))
        own.append(len(self._branches) - 1)
        return own[-1]

    def _extended(self, event: Event) -> int | None:
        """Return the number of the branch on top of whose last event an event is."""
        if event.self_parent is None:
            return None
        parent = self._arrivals[event.self_parent]
        number = self._branch_of[parent]
        return number if self._branches[number].arrivals[-1] == parent else None

    def _entry(self, creator: MemberIndex, *, exact: bool) -> VectorEntry:
        if exact or self.is_forked(creator):
            own = (self._branches[number] for number in self._of[creator])
            return tuple(sorted(self._ids[branch.arrivals[-1]] for branch in own)[:TIPS_MAX])
        return self.count(creator)

    def _known(self, creator: MemberIndex, entry: VectorEntry) -> dict[int, int]:
        """Return how many of the first events of each branch the teller of `entry` has."""
        known: dict[int, int] = {}
        if isinstance(entry, int):
            # Of a fork the teller has one branch, and does not say which.
            reached = min(entry, self._fork_sequence.get(creator, entry))
            for number in self._of[creator]:
                branch = self._branches[number]
                known[number] = min(max(0, reached - branch.first_sequence), len(branch.arrivals))
            return known
        for tip in entry:
            arrival = self._arrivals.get(tip, -1)
            while arrival >= 0:
                number = self._branch_of[arrival]
                branch = self._branches[number]
                reached = self._sequences[arrival] + 1 - branch.first_sequence
                if known.get(number, 0) >= reached:
                    break
                known[number] = reached
                arrival = branch.opened_from
        return known


def _from(arrivals: array[int], start: int, end: int) -> Iterator[int]:
    """Yield a part of an array that may grow meanwhile."""
    for at in range(start, end):
        yield arrivals[at]
