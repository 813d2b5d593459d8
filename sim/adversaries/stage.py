"""The stage of a liar: the daemon's own epoch, but what it makes and shows is the liar's choice.

Everything else of the daemon is as it is: it listens, dials, syncs, journals and starts again. So a
liar is as good at all of that as an honest cell. It accuses no liar, and does not fall silent when
its own fork comes to light.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from core.errors import check
from core.ids import CellId, EventId, MemberIndex
from core.ids import Sequence as SequenceNumber
from gossip.creator import Plan
from gossip.effects import Effect, Send, SendEvents
from gossip.limits import EVENTS_FRAME_COUNT_MAX, PAYLOAD_COUNT_MAX, PAYLOAD_SIZE_BYTES_MAX
from gossip.wire import Events, Frame, Have, VectorEntry, Want
from hashgraph.event import Event, encode_event, make_event
from hashgraph.header import Parent
from hashgraph.outcome import Effects as EngineEffects
from node.stages.active_epoch import ActiveEpoch, EpochEffects

if TYPE_CHECKING:
    from sim.adversaries.adversary import Adversary

_TRY_INTERVAL_MS: Final = 700
"""Between two tries of a liar that has been removed."""

_WAKE_MS: Final = 50
"""How often a liar looks around even if nothing happens."""


class LyingEpoch(ActiveEpoch):
    """One epoch at a liar. Kinds of liars override `lie`, `pass_time` and `shows`."""

    liar: Adversary
    now_ms = 0
    time_ns = 0

    def begin(self, liar: Adversary) -> None:
        """Be this liar's, before anything is replayed."""
        self.liar = liar
        liars = [one.key.public_key for one in liar.world.cells if not one.is_honest]
        indexes = map(self.roster.index_of, liars)
        self.liars = frozenset(at for at in indexes if at is not None)
        self.own: list[Event] = []
        """Own events in the order of their making, all branches."""
        self._own_at: dict[int, EventId] = {}
        self._own_times_ns: dict[EventId, int] = {}

    # -- for the kinds of liars ----------------------------------------------------------------

    def lie(self, plan: Plan) -> None:
        """Make something, when an honest cell would make an event by this plan."""
        super()._create(plan, self.now_ms, self.time_ns)

    def pass_time(self) -> None:
        """Do something else, whenever the stage is looked at."""

    def shows(self, peer: CellId, event_id: EventId) -> bool:
        """Return whether a peer gets to see an own event."""
        audience = self.liar.secret.get(event_id)
        return audience is None or peer in audience

    def passes_on(self, peer: CellId) -> bool:  # noqa: ARG002 - kinds of liars look at it
        """Return whether a peer gets others' events when it asks for them."""
        return True

    @property
    def place(self) -> MemberIndex:
        """Our place in the roster; only with a vote is anything made."""
        check(self.me is not None, "only members lie")
        assert self.me is not None  # noqa: S101 - for the type checker; the line above decides
        return self.me

    @property
    def peers(self) -> tuple[CellId, ...]:
        """Who is connected."""
        return tuple(self._peers)

    def honest_peers(self) -> list[CellId]:
        """Return the connected members that are no liars."""
        members = self._peers.items()
        return [cell for cell, at in members if at is not None and at not in self.liars]

    def take_payload(self) -> list[bytes]:
        """Return what waits here for an event."""
        taken = self._mempool.take(
            count_max=PAYLOAD_COUNT_MAX, size_bytes_max=PAYLOAD_SIZE_BYTES_MAX
        )
        return [raw for _, raw in taken]

    def time_of(self, event_id: EventId | None) -> int:
        """Return the time of an own event, -1 for none."""
        return -1 if event_id is None else self._own_times_ns[event_id]

    def make(
        self,
        self_parent: EventId | None,
        other_parents: Iterable[EventId],
        time_ns: int,
        payload: Sequence[bytes] = (),
    ) -> Event:
        """Make an own event on any own event, and push it to whom it is shown."""
        event = self.draft(self_parent, other_parents, time_ns, payload)
        self.effects.durable = True
        outcome = self._engine.add(event)
        size_bytes = self._journal(encode_event(event, hints=bool(self.index.forkers)))
        self.effects.sends += self._add(event, outcome, size_bytes, self.now_ms)
        return event

    def draft(
        self,
        self_parent: EventId | None,
        other_parents: Iterable[EventId],
        time_ns: int,
        payload: Sequence[bytes] = (),
    ) -> Event:
        """Return an own event that fits what is here, but do not take it."""
        sequence = 0 if self_parent is None else self.index.parent(self_parent).sequence + 1
        return self.forge(
            self.place,
            sequence,
            self_parent,
            [self.index.parent(parent) for parent in other_parents],
            max(time_ns, self.time_of(self_parent) + 1),
            payload,
        )

    def forge(
        self,
        creator: MemberIndex,
        sequence: int,
        self_parent: EventId | None,
        others: Sequence[Parent],
        time_ns: int,
        payload: Sequence[bytes] = (),
    ) -> Event:
        """Return whatever event, signed with our key, that fits nothing here."""
        return make_event(
            network_id=self._network_id,
            epoch=self.roster.epoch,
            creator=creator,
            sequence=SequenceNumber(sequence),
            self_parent=self_parent,
            other_parents=others,
            time_ns=time_ns,
            payload=payload,
            sign=self._sign,
        )

    def tell(self, peer: CellId, frame: Frame) -> None:
        """Send a frame that nothing of ours is left out of."""
        self.effects.sends.append(Send(peer, frame))

    def push(self, peer: CellId, encoded: Sequence[bytes]) -> None:
        """Send events that need not be here."""
        self.tell(peer, Events(self.roster.epoch, tuple(encoded), last=False))

    def release(self) -> int:
        """Show all that was secret to all; return how many events that were."""
        secret = self.liar.secret
        hidden = [own for own in self.own if own.id in secret]
        for peer in self.peers:
            news = tuple(self.index.arrival(own.id) for own in hidden if peer not in secret[own.id])
            for at in range(0, len(news), EVENTS_FRAME_COUNT_MAX):
                part = news[at : at + EVENTS_FRAME_COUNT_MAX]
                hinted = self.index.forkers
                self.effects.sends.append(SendEvents(peer, part, last=False, hinted=hinted))
        for own in hidden:
            del secret[own.id]
        return len(hidden)

    def try_on(self) -> None:
        """Go on without a vote: sign for another one, since nothing is ours to sign."""
        if self.now_ms < self.liar.memory.get("next try", 0) or not self.peers:
            return
        self.liar.memory["next try"] = self.now_ms + _TRY_INTERVAL_MS
        victim = MemberIndex(self.liar.chance.randrange(len(self.roster.members)))
        tips = self.engine.tips(victim)
        sequence = self.index.count(victim)
        event = self.forge(victim, sequence, tips[0] if tips else None, [], self.time_ns)
        for peer in self.peers:
            self.push(peer, [encode_event(event)])
        self.liar.note("tries of those removed")

    # -- in place of the honest stage ----------------------------------------------------------

    def finish(self, now_ms: int, time_ns: int) -> None:
        """Let time pass, and lie if it is time to."""
        self.now_ms, self.time_ns = now_ms, time_ns
        if self.me is None:
            self.try_on()
        elif self._observed:
            self.pass_time()
        super().finish(now_ms, time_ns)

    def wait_ms(self, now_ms: int) -> int | None:
        """Return after how long `finish` is to be called by itself."""
        waits = super().wait_ms(now_ms)
        return _WAKE_MS if waits is None else min(waits, _WAKE_MS)

    def take_effects(self) -> EpochEffects:
        """Return all effects since the last call, without what is secret."""
        sends = self.effects.sends
        self.effects.sends = [shown for effect in sends for shown in self._shown(effect)]
        return super().take_effects()

    def _create(self, plan: Plan, now_ms: int, time_ns: int) -> None:
        self.now_ms, self.time_ns = now_ms, time_ns
        self.lie(plan)

    def _add(
        self, event: Event, outcome: EngineEffects, size_bytes: int, now_ms: int | None = None
    ) -> list[Effect]:
        """Note an event; the forks of liars are none of our business."""
        if event.creator == self.me:
            self.own.append(event)
            self._own_at[len(self.index)] = event.id
            self._own_times_ns[event.id] = event.time_ns
        if event.creator in self.liars:
            outcome = replace(outcome, fork=None)
        return super()._add(event, outcome, size_bytes, now_ms)

    def _shown(self, effect: Effect) -> list[Effect]:
        if isinstance(effect, SendEvents):
            own_at, peer = self._own_at, effect.peer
            arrivals = tuple(
                at
                for at in effect.arrivals
                if (self.shows(peer, own_at[at]) if at in own_at else self.passes_on(peer))
            )
            if not arrivals and effect.arrivals and not effect.last:
                return []
            return [replace(effect, arrivals=arrivals)]
        if isinstance(effect.frame, Have | Want) and self.liar.secret and self.me is not None:
            vector = list(effect.frame.vector)
            vector[self.me] = self._entry_for(effect.peer, vector[self.me])
            return [Send(effect.peer, replace(effect.frame, vector=tuple(vector)))]
        return [effect]

    def _entry_for(self, peer: CellId, honest: VectorEntry) -> VectorEntry:
        """Return what a peer is told of our own events: those that it gets to see."""
        shown = [own for own in self.own if self.shows(peer, own.id)]
        below = {own.self_parent for own in shown}
        tips = sorted(own.id for own in shown if own.id not in below)
        if isinstance(honest, tuple) or len(tips) > 1:
            return tuple(tips[:64])
        return max((own.sequence + 1 for own in shown), default=0)
