"""Equivocation: members that sign several histories, and show each to whom they like.

A *face* is one of the histories: it has a tip, an audience, and builds only on events of others
that know of no other face, as long as there are any. That is how a fork stays hidden longest.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from core.ids import CellId, EventId, MemberIndex
from core.ids import Sequence as SequenceNumber
from gossip.creator import Plan
from gossip.effects import Effect
from hashgraph.event import Event
from hashgraph.outcome import Effects as EngineEffects
from ledger.transaction import opaque_transaction
from sim.adversaries.adversary import Adversary
from sim.adversaries.stage import LyingEpoch

_FACES_MAX = 12
"""More than the branches that a cell takes of one forker."""


@dataclass(slots=True, eq=False)
class Face:
    """One history."""

    tip: EventId | None
    audience: frozenset[CellId] | None
    """Who sees it; None for all."""
    newest: dict[MemberIndex, EventId] = field(default_factory=dict)
    """By member: its newest event that knows of no other face."""


class TwoFaced(LyingEpoch):
    """Grows all its faces. Kinds of forkers say in `refork` when there are more."""

    faces: list[Face]

    def refork(self) -> None:
        """Change the faces before they grow."""

    def lie(self, plan: Plan) -> None:
        """Make one event on each face that has something to build on."""
        if not hasattr(self, "faces"):
            self.faces = [self.face_from(plan.self_parent, None)]
        self.refork()
        payload = self.take_payload()
        for number, face in enumerate(self.faces):
            self._grow(face, number, payload)

    def face_from(self, tip: EventId | None, audience: Iterable[CellId] | None) -> Face:
        """Return a face on an own event, with the events of others that fit it."""
        shown = None if audience is None else frozenset(audience)
        face = Face(tip, shown)
        for member in range(len(self.roster.members)):
            if member == self.me:
                continue
            for sequence in range(self.index.count(MemberIndex(member))):
                found = self.engine.events_at(MemberIndex(member), SequenceNumber(sequence))
                if not found or not self._fits(found[0], face):
                    break
                face.newest[MemberIndex(member)] = found[0]
        return face

    def reveal(self) -> None:
        """Show all faces to all."""
        if self.release():
            self.liar.note("forks revealed")
        for face in self.faces:
            face.audience = None

    def _grow(self, face: Face, number: int, payload: list[bytes]) -> None:
        tip, engine = face.tip, self.engine
        others = [
            parent
            for parent in face.newest.values()
            if tip is None or not engine.is_ancestor(tip, parent)
        ]
        if not others and tip is not None:
            return
        label = f"face {number} of {self.place} at {self.now_ms}".encode()
        what = [*payload, opaque_transaction(label)] if len(self.faces) > 1 else payload
        event = self.make(tip, others, self.time_ns, what)
        if face.audience is not None:
            self.liar.secret[event.id] = face.audience
        face.tip = event.id

    def _fits(self, event_id: EventId, face: Face) -> bool:
        """Return whether an event knows of no own event but those of a face."""
        engine = self.engine
        own = [at for at, creator in enumerate(engine.branches()) if creator == self.me]
        reach = engine.branch_vector(event_id)
        if face.tip is None:
            return all(reach[at] < 0 for at in own if at < len(reach))
        chain = engine.branch_vector(face.tip)
        return all(reach[at] <= chain[at] for at in own if at < len(reach))

    def _add(
        self, event: Event, outcome: EngineEffects, size_bytes: int, now_ms: int | None = None
    ) -> list[Effect]:
        effects = super()._add(event, outcome, size_bytes, now_ms)
        if event.creator != self.me:
            for face in getattr(self, "faces", ()):
                if self._fits(event.id, face):
                    face.newest[event.creator] = event.id
        return effects


class Forker(Adversary):
    """What all forkers share."""

    def audiences(self) -> list[frozenset[CellId]]:
        """Return two parts of the members, with all liars in both."""
        liars = self.cell_ids(tuple(one.index for one in self.world.cells if not one.is_honest))
        return [self.cell_ids(half) | liars for half in self.halves()]


class _EarlyEpoch(TwoFaced):
    liar: EquivocatesEarly

    def refork(self) -> None:
        if self.liar.fork_at(self.roster.epoch) and not self.own and len(self.faces) == 1:
            self.faces = [self.face_from(None, part) for part in self.liar.audiences()]
            self.liar.note("forks")
            self.liar.memory["forked"] = self.now_ms

    def pass_time(self) -> None:
        forked_ms = self.liar.memory.get("forked")
        if forked_ms is not None and self.now_ms - forked_ms > self.liar.reveal_ms:
            del self.liar.memory["forked"]
            if hasattr(self, "faces"):
                self.reveal()


class EquivocatesEarly(Forker):
    """Signs two first events of an epoch, one for each half of the members, and goes on with both.

    It hopes that two witnesses of the first round split what the halves decide.
    """

    epoch_kind = _EarlyEpoch

    def __init__(self, *arguments: object) -> None:
        super().__init__(*arguments)  # type: ignore[arg-type]  # those of the base
        self.reveal_ms = self.chance.choice((100, 500, 2_000))
        self._first_epoch = self.chance.choice((0, 0, 1))

    def fork_at(self, epoch: int) -> bool:
        """Return whether to fork in an epoch."""
        return epoch >= self._first_epoch


class _LateEpoch(TwoFaced):
    liar: EquivocatesLate

    def refork(self) -> None:
        if len(self.faces) > 1 or len(self.own) < self.liar.after_events:
            return
        back = self.own[self.liar.chance.randrange(3)]
        victims = self.honest_peers()
        if not victims:
            return
        audience = self.liar.chance.sample(victims, self.liar.chance.randint(1, len(victims)))
        old = self.face_from(back.self_parent, audience)
        if self.liar.chance.random() < 0.5:
            # On what is new: the fork shows in its own ancestry.
            old.newest = dict(self.faces[0].newest)
        self.faces.append(old)
        self.liar.note("forks")


class EquivocatesLate(Forker):
    """Long after, signs a second event with one of its first sequence numbers, and goes on from it.

    It hopes for cells that look for forks only near the tip, or that reorder what is ordered.
    """

    epoch_kind = _LateEpoch

    def __init__(self, *arguments: object) -> None:
        super().__init__(*arguments)  # type: ignore[arg-type]  # those of the base
        self.after_events = self.chance.choice((12, 25, 60))


class _NestedEpoch(TwoFaced):
    liar: EquivocatesNested

    def refork(self) -> None:
        chance = self.liar.chance
        if len(self.own) < self.liar.after_events or len(self.faces) >= _FACES_MAX:
            return
        if chance.random() < 0.4:
            face = chance.choice(self.faces)
            peers = self.peers
            audience = chance.sample(peers, chance.randint(0, len(peers)))
            self.faces.append(replace(face, audience=frozenset(audience), newest={**face.newest}))
            self.liar.note("forks")

    def pass_time(self) -> None:
        since_ms = self.liar.memory.setdefault("hidden since", self.now_ms)
        if hasattr(self, "faces") and self.now_ms - since_ms > self.liar.reveal_ms:
            self.liar.memory["hidden since"] = self.now_ms
            self.reveal()


class EquivocatesNested(Forker):
    """Forks its forks again and again, shows each branch to others, and all to all in the end.

    It hopes for a mistake in telling branches of branches apart, and for cells that choke on them.
    """

    epoch_kind = _NestedEpoch

    def __init__(self, *arguments: object) -> None:
        super().__init__(*arguments)  # type: ignore[arg-type]  # those of the base
        self.after_events = self.chance.choice((0, 3, 10))
        self.reveal_ms = self.chance.choice((300, 1_000, 3_000))


class _PartitionEpoch(TwoFaced):
    liar: EquivocatesInPartition

    def refork(self) -> None:
        if self.liar.is_parted and len(self.faces) == 1:
            tip = self.faces[0].tip
            self.faces = [self.face_from(tip, part) for part in self.liar.audiences()]
            self.liar.note("forks")

    def pass_time(self) -> None:
        if not self.liar.is_parted and len(getattr(self, "faces", ())) > 1:
            self.reveal()


class EquivocatesInPartition(Forker):
    """Is in both parts of a divided network, and signs another history in each of them.

    The network is on its side for a while: it cuts the honest halves off from each other. It hopes
    that both parts decide something.
    """

    epoch_kind = _PartitionEpoch

    def attach(self) -> None:
        """Plan the partition, the same one as the other liars of this kind."""
        chance = self.world.chance("partition of the liars")
        troubled_ms = self.world.scenario.troubled_ms
        self.is_parted = False
        begin_ms = chance.randrange(500, max(501, troubled_ms // 2))
        self._for_ms = chance.choice((1_500, 3_000, 6_000))
        self.world.later(begin_ms, self._part)

    def healed(self) -> None:
        """The halves meet."""
        self.is_parted = False

    def _part(self) -> None:
        one, other = self.halves()
        for a in one:
            for b in other:
                self.world.cut(a, b, self._for_ms)
                self.world.cut(b, a, self._for_ms)
        self.is_parted = True
        self.note("partitions")

        def end() -> None:
            self.is_parted = False

        self.world.while_it_lasts(self._for_ms, end)
