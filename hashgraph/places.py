"""Which events are known at which place, to tell which events the parents of another one are.

At nearly all places there is one event. Where a creator forked there are more, and then the hash of
an event's parents decides: by the event's hints, or by trying combinations, of which only
RESOLUTIONS_MAX are tried. An event that is not resolved lacks a parent, or hints.

Of the events at a place the one that was added first is its *first*. Parents that are all first
need no hints in a journal that keeps the order of adding: whoever reads it finds the same ones.
"""

from __future__ import annotations

from itertools import islice, product

from core.ids import EventId, MemberIndex
from core.ids import Sequence as SequenceNumber
from hashgraph.errors import UnresolvableEvent
from hashgraph.event import Event, UnresolvedEvent
from hashgraph.header import Place
from hashgraph.limits import RESOLUTIONS_MAX


class Places:
    """The ids of an epoch's events by place, added parents first."""

    def __init__(self, members: int) -> None:
        self._first: list[list[EventId]] = [[] for _ in range(members)]
        self._further: dict[Place, list[EventId]] = {}

    def add(self, event: Event) -> None:
        """Note an event whose self-parent is here."""
        own = self._first[event.creator]
        if event.sequence == len(own):
            own.append(event.id)
        else:
            self._further.setdefault((event.creator, event.sequence), []).append(event.id)

    def at(self, creator: MemberIndex, sequence: SequenceNumber) -> list[EventId]:
        """Return the events at a place, the first one first."""
        own = self._first[creator]
        if sequence >= len(own):
            return []
        return [own[sequence], *self._further.get((creator, sequence), ())]

    def resolve(self, event: UnresolvedEvent) -> Event | None:
        """Return the event with its parents; None if one is not here or they can not be told.

        All members that the event names must be of the epoch.
        """
        if event.hints:
            return self._by_hints(event)
        firsts = self._firsts(event)
        if firsts is None:
            return None
        return event.resolved(firsts) or (self._by_trying(event) if self._further else None)

    def lacking(self, event: UnresolvedEvent) -> tuple[Place, ...]:
        """Return at which places something has to come before `resolve` can give another answer.

        One place, where a parent is missing; or all places of the parents, if at each of them there
        is some event and there are no hints.
        """
        places = self._parent_places(event)
        if event.hints:
            known = zip(places, event.hints, strict=True)
            return next(((place,) for place, parent in known if parent not in self.at(*place)), ())
        missing = ((place,) for place in places if not self.at(*place))
        return next(missing, tuple(places))

    def resolve_stored(self, event: UnresolvedEvent) -> Event:
        """Return an event of a journal, all before it being here; raises UnresolvableEvent.

        It must have been added by `resolve` in the journal's order, with hints if `needs_hints`.
        """
        firsts = event.hints or self._firsts(event)
        resolved = None if firsts is None else event.resolved(firsts)
        if resolved is None:
            raise UnresolvableEvent(f"event {event.sequence} of member {event.creator}")
        return resolved

    def needs_hints(self, event: UnresolvedEvent, resolved: Event) -> bool:
        """Return whether a parent is not the first at its place."""
        if not self._further:
            return False
        own = () if resolved.self_parent is None else (resolved.self_parent,)
        return self._firsts(event) != [*own, *resolved.other_parents]

    def _firsts(self, event: UnresolvedEvent) -> list[EventId] | None:
        first = self._first
        try:
            others = [first[creator][sequence] for creator, sequence in event.other_places]
            if event.sequence:
                others.insert(0, first[event.creator][event.sequence - 1])
        except IndexError:
            return None
        return others

    def _by_hints(self, event: UnresolvedEvent) -> Event | None:
        known = zip(self._parent_places(event), event.hints, strict=True)
        if any(parent not in self.at(*place) for place, parent in known):
            return None
        return event.resolved(event.hints)

    def _by_trying(self, event: UnresolvedEvent) -> Event | None:
        choices = [self.at(*place) for place in self._parent_places(event)]
        for parents in islice(product(*choices), 1, RESOLUTIONS_MAX):
            resolved = event.resolved(parents)
            if resolved is not None:
                return resolved
        return None

    def _parent_places(self, event: UnresolvedEvent) -> list[Place]:
        own = [(event.creator, SequenceNumber(event.sequence - 1))] if event.sequence else []
        return [*own, *event.other_places]
