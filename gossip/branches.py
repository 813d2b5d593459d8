"""How many branches of a forker are taken, so that forks can not fill a cell's memory.

Each branch makes every later event of the hashgraph larger, so one creator's are bounded: beyond
BRANCHES_MAX of a creator no event opens another one by itself. It is *held* among the orphans.

An honest event may be on a held branch: its creator had not seen the others. It is never kept out:
it waits for that branch as an orphan, its hints say for which event, and whatever it needs, with
all held ancestors of that, is let in. Such an event counts only if it opens no branch beyond the
bound itself, or is needed in turn. And it can not sponsor many: who has a fork of a creator in its
ancestry names no other-parent by that creator any more (`BuildsOnForker`), so each branch of
another creator leads to at most one branch of it.
"""

from __future__ import annotations

from core.ids import EventId
from gossip.index import EventIndex
from gossip.limits import BRANCHES_MAX, NEEDED_INTERVAL_MS, NEEDED_ORPHANS_QUICK
from gossip.orphans import Orphans
from hashgraph.event import Event, UnresolvedEvent


class HeldBranches:
    """Which orphans would open a branch too many, and which of those are needed all the same."""

    def __init__(self, index: EventIndex, orphans: Orphans) -> None:
        self._index = index
        self._orphans = orphans
        self._held: dict[EventId, None] = {}
        self._needed: set[EventId] = set()
        self._changed = False
        self._looked_ms = -NEEDED_INTERVAL_MS

    @property
    def count(self) -> int:
        """How many orphans are held."""
        self._held = {event_id: None for event_id in self._held if self.is_held(event_id)}
        return len(self._held)

    def is_held(self, event_id: EventId) -> bool:
        """Return whether an event is an orphan that waits for nothing but to be needed."""
        return event_id in self._held and self._orphans.get(event_id) is not None

    def admits(self, event: Event) -> bool:
        """Return whether an event whose parents are here opens no branch too many."""
        if self._index.branches(event.creator) < BRANCHES_MAX:
            return True
        return event.id in self._needed or not self._index.opens_branch(event)

    def noted(self, event: UnresolvedEvent, *, is_held: bool) -> None:
        """Note a new orphan, or that one is held."""
        if is_held:
            self._held[event.id] = None
        self._changed = self._changed or is_held or bool(event.hints)

    def changed(self) -> None:
        """An event was added: an orphan on top of it may have a right to its parents now."""
        self._changed = self._changed or bool(self._held)

    def release(self, now_ms: int) -> None:
        """Wake the held events that another orphan needs.

        All orphans have to be looked at for that, so with many of them it is done now and then.
        """
        quick = len(self._orphans) <= NEEDED_ORPHANS_QUICK
        if not self._changed or not (quick or now_ms - self._looked_ms >= NEEDED_INTERVAL_MS):
            return
        self._looked_ms, self._changed = now_ms, False
        if self.count:
            self._needed = self._what_is_needed()
            for event_id in list(self._held):
                if event_id in self._needed:
                    del self._held[event_id]
                    self._orphans.wake_one(event_id)

    def _what_is_needed(self) -> set[EventId]:
        """Return the parents of orphans that have a right to them, and the orphans below those."""
        needed: set[EventId] = set()
        todo = [orphan.event for orphan in self._orphans if self._may_need(orphan.event)]
        while todo:
            event = todo.pop()
            for parent in event.hints:
                if parent not in needed and (orphan := self._orphans.get(parent)) is not None:
                    needed.add(parent)
                    todo.append(orphan.event)
        return needed

    def _may_need(self, event: UnresolvedEvent) -> bool:
        """Return whether an orphan would not open a branch too many if its parents were here."""
        if not event.hints or event.id in self._held:
            return False
        if self._index.branches(event.creator) < BRANCHES_MAX:
            return True
        return event.sequence > 0 and self._index.is_tip(event.hints[0])
