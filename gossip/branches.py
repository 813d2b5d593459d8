"""How many branches of a forker are taken, so that forks can not fill a cell's memory.

Each branch makes every later event of the hashgraph larger, so one creator's are bounded: of a
creator with BRANCHES_MAX of them nothing more is taken for itself, be it a new branch or the next
event of one. It is *held* among the orphans.

An honest event may be on a held one: its creator had not seen the others. It is never kept out.
It waits as an orphan, its hints say for which event, and so do those of its orphaned ancestors; so
what it needs is found, and let in. Only an event on the last one of a branch that is here can need
something, one for each such event.

So nobody opens many: who could see a fork names no other-parent by that creator any more
(`BuildsOnForker`). What a member that does not fork names of a forker is thus one chain, and all
these chains together have no more ends than there are such members. That only holds while nothing
else is taken: a next event for itself would take the end of a branch from a chain that goes on
there, which would have to open another one, event after event.
"""

from __future__ import annotations

from collections.abc import Iterator

from core.ids import EventId, MemberIndex
from gossip.index import EventIndex
from gossip.limits import (
    BRANCHES_MAX,
    NEEDED_INTERVAL_MS,
    NEEDED_ORPHANS_QUICK,
    SPONSORED_PER_MEMBER,
)
from gossip.orphans import Orphans
from hashgraph.event import Event, UnresolvedEvent


class HeldBranches:
    """Which orphans are taken for nobody's sake, and which of those are needed all the same."""

    def __init__(self, index: EventIndex, orphans: Orphans) -> None:
        self._index = index
        self._orphans = orphans
        self._needed: dict[EventId, MemberIndex] = {}
        """Held events, and for whose event each is."""
        self._sponsored: dict[tuple[MemberIndex, MemberIndex], set[EventId]] = {}
        """By who named an event of whom: the branches of the latter let in for that."""
        self._changed = False
        self._looked_ms = -NEEDED_INTERVAL_MS

    def admits(self, event: Event) -> bool:
        """Return whether an event whose parents are here may be added, for itself or for others."""
        namer = self._needed.get(event.id)
        # Asked again here: another one may have taken the end of the branch since it was looked.
        if namer is not None and self._may_open(namer, event):
            return True
        return self._index.branches(event.creator) < BRANCHES_MAX

    def noted(self, event: UnresolvedEvent, *, is_held: bool) -> None:
        """Note a new orphan, or one that waits again; `is_held`: it only lacks somebody's need.

        What is on top of one that is held, in its own chain, is held too.
        """
        self._changed = self._changed or bool(event.hints)
        todo = [event] if is_held or _self_parent(event) in self._orphans.held else []
        while todo:
            held = todo.pop()
            self._orphans.hold(held.id)
            above = self._orphans.waiting_at((held.creator, held.sequence))
            todo += [
                orphan.event
                for orphan in above
                if _self_parent(orphan.event) == held.id
                and orphan.event.id not in self._orphans.held
            ]

    def changed(self) -> None:
        """An event was added: an orphan on top of it may have a right to its parents now."""
        self._changed = self._changed or bool(self._orphans.held)

    def release(self, now_ms: int) -> None:
        """Wake the held events that another orphan needs.

        All orphans have to be looked at for that, so with many of them it is done now and then.
        """
        quick = len(self._orphans) <= NEEDED_ORPHANS_QUICK
        if not self._changed or not (quick or now_ms - self._looked_ms >= NEEDED_INTERVAL_MS):
            return
        self._looked_ms, self._changed = now_ms, False
        if self._orphans.held:
            self._needed = self._what_is_needed()
            for event_id in list(self._orphans.held):
                if event_id in self._needed:
                    self._orphans.wake_one(event_id)

    def _what_is_needed(self) -> dict[EventId, MemberIndex]:
        """Return the held events below orphans that have a right to them, and who names each."""
        needed: dict[EventId, MemberIndex] = {}
        todo = [(event, event.creator) for event in self._roots()]
        done: set[tuple[EventId, MemberIndex]] = set()
        while todo:
            event, namer = todo.pop()
            for at, parent in enumerate(event.hints):
                orphan = self._orphans.get(parent)
                is_own = at == 0 and event.sequence > 0
                by = namer if is_own else event.creator
                if orphan is None or (parent, by) in done:
                    continue
                done.add((parent, by))
                todo.append((orphan.event, by))
                is_ready = parent in self._orphans.held and not orphan.waits_at
                if is_ready and self._may_need(by, orphan.event):
                    needed.setdefault(parent, by)
        return needed

    def _roots(self) -> Iterator[UnresolvedEvent]:
        """Yield the orphans on top of what is here, one on each last event of a branch."""
        tips: set[EventId] = set()
        for orphan in self._orphans:
            event = orphan.event
            if not event.hints or event.id in self._orphans.held:
                continue
            if event.sequence == 0:
                if self._index.branches(event.creator) == 0:
                    yield event
            elif event.hints[0] not in tips and self._index.is_tip(event.hints[0]):
                tips.add(event.hints[0])
                yield event

    def _may_need(self, namer: MemberIndex, held: UnresolvedEvent) -> bool:
        """Note that a member's event needs a held one; False if that is one branch too many."""
        resolved = None if namer == held.creator else self._index.resolve(held)
        return resolved is not None and self._may_open(namer, resolved)

    def _may_open(self, namer: MemberIndex, event: Event) -> bool:
        """Note the branch that a needed event opens, if it does; False if it is one too many."""
        if not self._index.opens_branch(event):
            return True
        sponsored = self._sponsored.setdefault((namer, event.creator), set())
        if event.id not in sponsored:
            if len(sponsored) >= SPONSORED_PER_MEMBER * self._index.members:
                return False
            sponsored.add(event.id)
        return True


def _self_parent(event: UnresolvedEvent) -> EventId | None:
    """Return the self-parent of an event with hints."""
    return event.hints[0] if event.hints and event.sequence else None
