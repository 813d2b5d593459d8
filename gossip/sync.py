"""The sync protocol of one epoch as a pure state machine: who is told and sent what, and when.

Each cell pushes its own events to every peer at once. Everything else is repair, and the receiver
drives it: peers tell each other what they HAVE; who lacks something WANTs it from one peer at a
time, which streams the difference, parents first, in frames paced by the link (`Answers`).

The owner feeds in what happened and carries out the effects, in order. An event goes to `added`
only when it is in the journal: what we HAVE is what we would still have after a crash. Own events
must be durable before that, because `added` sends them.

It does not decode events, check signatures, or keep event bytes: `SendEvents` names arrivals
(positions in the consensus journal), the owner reads the bytes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from core.ids import CellId, Epoch, EventId, MemberIndex
from gossip.answers import Answers
from gossip.branches import HeldBranches
from gossip.effects import Effect, Send, SendEvents
from gossip.errors import BadFrame
from gossip.index import EventIndex
from gossip.limits import (
    BACKOFF_DOUBLINGS_MAX,
    HAVE_INTERVAL_MS,
    LACK_GRACE_MS,
    ORPHAN_GRACE_MS,
    ORPHANS_AHEAD_MAX,
    WANT_DURATION_MS_MAX,
    WANT_PATIENCE_MS,
    WANT_PROGRESS_SIZE_BYTES_MIN,
)
from gossip.orphans import Orphans
from gossip.score import Misbehaviour
from gossip.wire import Have, Vector, Want
from hashgraph.event import Event, UnresolvedEvent
from hashgraph.limits import SEQUENCE_MAX

__all__ = ["Effect", "Send", "SendEvents", "Sync", "check_vector"]

_TICK_MS: Final = 20


@dataclass(slots=True)
class _Ahead:
    creator: MemberIndex
    sequence: int
    since_ms: int
    newest_ms: int


@dataclass(slots=True)
class _Peer:
    told: Vector | None = None
    """What the peer said it has."""
    lacking_since_ms: int | None = None
    have_sent_ms: int = -HAVE_INTERVAL_MS
    have_version: int = -1
    doubted: bool = False
    """Whether its whole answer left orphans: a fork may hide behind equal counts."""
    ahead: _Ahead | None = None
    """An event of it that was too far ahead to be kept: it must have what comes before."""
    failures: int = 0
    """How often in a row it did not answer, or too slowly, or not with what it told of."""


@dataclass(slots=True)
class _Asked:
    peer: CellId
    since_ms: int
    exact: bool
    """Whether our tips were told, not our counts."""
    window_ms: int
    """Since when `window_bytes` are counted."""
    window_bytes: int = 0
    """Bytes of events that were new to us and had all their parents."""
    brought: bool = False
    """Whether there were any, in whatever window."""


class Sync:
    """The protocol's state at one cell. Times are milliseconds of one monotonic clock."""

    def __init__(self, epoch: Epoch, index: EventIndex) -> None:
        self._epoch = epoch
        self._index = index
        self.answers = Answers(index)
        self._peers: dict[CellId, _Peer] = {}
        self._orphans = Orphans()
        self._held = HeldBranches(index, self._orphans)
        self._asked: _Asked | None = None
        self._tried: dict[CellId, int] = {}
        self._seen = [0] * index.members
        self._blamed: list[tuple[CellId, Misbehaviour]] = []

    # -- peers ---------------------------------------------------------------------------------

    def connected(self, peer: CellId, now_ms: int) -> list[Effect]:
        """A peer finished its handshake: tell it what we have."""
        self._peers[peer] = _Peer(have_sent_ms=now_ms, have_version=len(self._index))
        return [Send(peer, Have(self._epoch, self._index.vector()))]

    def disconnected(self, peer: CellId) -> None:
        """Forget a peer and what it left unfinished."""
        self._peers.pop(peer, None)
        self._tried.pop(peer, None)
        self.answers.forget(peer)
        if self._asked is not None and self._asked.peer == peer:
            self._asked = None
        self._orphans.forget_of(peer)

    def told(self, peer: CellId, vector: Vector, now_ms: int) -> list[Effect]:
        """A peer told what it has. Raises BadFrame for a vector of another roster."""
        state = self._peers[peer]
        check_vector(vector, self._index.members)
        first = state.told is None
        state.told = vector
        if not self._lacks(vector):
            state.lacking_since_ms = None
        elif first:
            state.lacking_since_ms = now_ms - LACK_GRACE_MS
        elif state.lacking_since_ms is None:
            state.lacking_since_ms = now_ms
        return self._ask(now_ms)

    def wanted(self, peer: CellId, vector: Vector, now_ms: int) -> list[Effect]:
        """A peer asks for all beyond `vector`: start to stream. Raises BadFrame."""
        check_vector(vector, self._index.members)
        return [*self.answers.wanted(peer, vector, now_ms)]

    def answered(
        self, peer: CellId, now_ms: int, *, last: bool, fresh_bytes: int = 0
    ) -> list[Effect]:
        """A frame of events came from a peer (its events are already added or orphaned).

        `fresh_bytes`: of those that were new and could be added. Events that wait for their
        parents are no progress: any member can make those up.
        """
        asked = self._asked
        if asked is None or asked.peer != peer:
            return []
        asked.window_bytes += fresh_bytes
        asked.brought = asked.brought or fresh_bytes > 0
        if not last:
            return []
        self._judge_answer(self._peers[peer], asked, now_ms)
        self._asked = None
        return self._ask(now_ms)

    # -- events --------------------------------------------------------------------------------

    def is_known(self, event: UnresolvedEvent) -> bool:
        """Return whether the event is here or waits for its parents, and brings no hints."""
        if event.id in self._index:
            return True
        orphan = self._orphans.get(event.id)
        return orphan is not None and (not event.hints or bool(orphan.event.hints))

    def seen_of(self, creator: MemberIndex) -> int:
        """Return one more than the creator's highest sequence ever seen, in orphans too."""
        return max(self._index.count(creator), self._seen[creator])

    def admits(self, event: Event) -> bool:
        """Return whether an event whose parents are here may be added now; see `HeldBranches`.

        One that may not is to be given to `orphan`.
        """
        return self._held.admits(event)

    def orphan(self, peer: CellId, event: UnresolvedEvent, now_ms: int) -> None:
        """Keep a verified event until it can be added; drop it when there is no room."""
        creator = event.creator
        self._seen[creator] = max(self._seen[creator], event.sequence + 1)
        if self._is_far_ahead(creator, event.sequence):
            self._note_ahead(peer, event, now_ms)
            return  # it comes again with those that it lacks
        resolved = self._index.resolve(event)
        lacking = () if resolved is not None else self._index.lacking(event)
        if self._orphans.add(peer, event, lacking, now_ms):
            self._held.noted(event, is_held=resolved is not None)

    def _is_far_ahead(self, creator: MemberIndex, sequence: int) -> bool:
        return sequence > self._index.count(creator) + ORPHANS_AHEAD_MAX

    def _note_ahead(self, peer: CellId, event: UnresolvedEvent, now_ms: int) -> None:
        """Remember the first event of a peer that is far ahead, and when the newest one came."""
        state = self._peers.get(peer)
        if state is None:
            return
        if state.ahead is None:
            state.ahead = _Ahead(event.creator, event.sequence, now_ms, now_ms)
        state.ahead.newest_ms = now_ms

    def added(self, event: Event, arrival: int, *, own: bool) -> list[Effect]:
        """An event is in the journal and the index; an own one is pushed to every peer."""
        self._orphans.forget(event.id)
        self._orphans.wake((event.creator, event.sequence))
        self._held.changed()
        if not own:
            return []
        hinted = self._index.forkers
        return [SendEvents(peer, (arrival,), last=False, hinted=hinted) for peer in self._peers]

    def discard(self, event_id: EventId) -> None:
        """Forget an orphan that turned out to be invalid; others are left alone."""
        self._orphans.forget(event_id)

    @property
    def orphans(self) -> int:
        """How many events wait for their parents, or to be needed."""
        return len(self._orphans)

    def adoptable(self, now_ms: int) -> list[tuple[CellId, UnresolvedEvent, Event]]:
        """Return the orphans that can be added now, with who sent them: `added` or `discard` each.

        Adding them can make others adoptable, and may change what is admitted of their creators: so
        it is one of each creator at a time. One that does not fork never has more.
        """
        found = []
        creators: set[MemberIndex] = set()
        self._held.release(now_ms)
        for orphan in self._orphans.take_awake():
            if orphan.event.creator in creators:
                self._orphans.wake_one(orphan.event.id)
                continue
            resolved = self._index.resolve(orphan.event)
            if resolved is not None and self._held.admits(resolved):
                found.append((orphan.peer, orphan.event, resolved))
                creators.add(resolved.creator)
                continue
            lacking = () if resolved is not None else self._index.lacking(orphan.event)
            if self._orphans.wait(orphan.event.id, lacking):
                self._held.noted(orphan.event, is_held=resolved is not None)
        return found

    # -- time ----------------------------------------------------------------------------------

    def tick(self, now_ms: int) -> list[Effect]:
        """Time passed: tell what is new, ask for what does not come by itself, answer."""
        effects: list[Effect] = [*self.answers.tick(now_ms)]
        version = len(self._index)
        for peer, state in self._peers.items():
            due = now_ms - state.have_sent_ms >= HAVE_INTERVAL_MS
            if due and state.have_version != version:
                state.have_sent_ms, state.have_version = now_ms, version
                effects.append(Send(peer, Have(self._epoch, self._index.vector())))
            if state.told is not None and not self._lacks(state.told):
                state.lacking_since_ms = None
            ahead = state.ahead
            if ahead is not None and not self._is_far_ahead(ahead.creator, ahead.sequence):
                state.ahead = None
        return effects + self._ask(now_ms)

    def wait_ms(self, now_ms: int) -> int | None:
        """Return after how long `tick` has something to do at the earliest; None: not by itself."""
        busy = self._asked is not None or len(self._orphans) > len(self._orphans.held)
        if busy or any(
            state.lacking_since_ms is not None or state.ahead is not None
            for state in self._peers.values()
        ):
            return _TICK_MS
        version = len(self._index)
        dues = [
            max(0, state.have_sent_ms + HAVE_INTERVAL_MS - now_ms)
            for state in self._peers.values()
            if state.have_version != version
        ]
        answer_ms = self.answers.wait_ms(now_ms)
        return min([*dues, *([] if answer_ms is None else [answer_ms])], default=None)

    def take_blamed(self) -> list[tuple[CellId, Misbehaviour]]:
        """Return what peers did wrong since the last call."""
        blamed, self._blamed = self._blamed, []
        return blamed + self.answers.take_blamed()

    # -- inside: asking ------------------------------------------------------------------------

    def _ask(self, now_ms: int) -> list[Effect]:
        """Want what we lack from one peer, unless another is already answering well enough."""
        if self._asked is not None and not self._gives_up(self._asked, now_ms):
            return []
        self._asked = None
        peer = self._whom_to_ask(now_ms)
        if peer is None:
            return []
        self._tried[peer] = now_ms
        exact = self._peers[peer].doubted
        self._asked = _Asked(peer, now_ms, exact, now_ms)
        return [Send(peer, Want(self._epoch, self._index.vector(exact=exact)))]

    def _gives_up(self, asked: _Asked, now_ms: int) -> bool:
        """Decide whether to turn from the peer that was asked to another one.

        So many bytes in each window of time buy patience, up to a limit. A peer that failed before
        gets none while another one could be asked. If nobody else can be, a slow one is let go on.
        """
        state = self._peers[asked.peer]
        if now_ms - asked.window_ms >= WANT_PATIENCE_MS:
            if asked.window_bytes == 0:
                state.failures += 1
                self._judge_silence(asked)
                if state.lacking_since_ms is not None:
                    state.lacking_since_ms = now_ms
                return True
            if asked.window_bytes < WANT_PROGRESS_SIZE_BYTES_MIN:
                state.failures += 1
            asked.window_ms, asked.window_bytes = now_ms, 0
        over = now_ms - asked.since_ms >= WANT_DURATION_MS_MAX
        if not over and state.failures == 0:
            return False
        other = self._whom_to_ask(now_ms, besides=asked.peer)
        # After the longest turn it is that of another one that failed no more often.
        return other is not None and self._peers[other].failures < state.failures + over

    def _judge_silence(self, asked: _Asked) -> None:
        """Draw the conclusions from a peer that brought nothing for too long.

        A link that stands still is told from a peer that goes on, but with events nobody needs.
        """
        orphans = self._orphans.of(asked.peer)
        ahead = self._peers[asked.peer].ahead
        goes_on = any(orphan.since_ms > asked.since_ms for orphan in orphans) or (
            ahead is not None and ahead.newest_ms > asked.since_ms
        )
        what = Misbehaviour.UNRESOLVED if goes_on else Misbehaviour.UNANSWERED
        self._blamed.append((asked.peer, what))
        self._forget_stuck(asked)

    def _judge_answer(self, state: _Peer, asked: _Asked, now_ms: int) -> None:
        """Draw the conclusions from what a peer's whole answer did not bring.

        The peer has the parents of all it sent before we asked. If they are still missing it is
        asked with our tips next, and if that does not help either it never had them.
        """
        stuck = self._stuck(asked)
        if asked.exact and stuck:
            self._forget_stuck(asked)
            self._blamed.append((asked.peer, Misbehaviour.UNRESOLVED))
        ahead = state.ahead
        if ahead is not None and ahead.since_ms < asked.since_ms:
            state.ahead = None
            if self._is_far_ahead(ahead.creator, ahead.sequence):
                self._blamed.append((asked.peer, Misbehaviour.UNRESOLVED))
        state.doubted = bool(stuck) and not asked.exact
        lacking = state.told is not None and self._lacks(state.told)
        state.failures = state.failures + 1 if lacking and not asked.brought else 0
        if state.lacking_since_ms is not None:
            state.lacking_since_ms = now_ms  # it told of more: that may still come by itself

    def _stuck(self, asked: _Asked) -> list[EventId]:
        return [
            orphan.event.id
            for orphan in self._orphans.of(asked.peer)
            if orphan.since_ms < asked.since_ms and orphan.event.id not in self._orphans.held
        ]

    def _forget_stuck(self, asked: _Asked) -> None:
        for event_id in self._stuck(asked):
            self._orphans.forget(event_id)

    def _whom_to_ask(self, now_ms: int, *, besides: CellId | None = None) -> CellId | None:
        """The peer that has what we lack: who failed least, of those the one asked longest ago."""
        able = {
            orphan.peer
            for orphan in self._orphans.longest_waiting()
            if now_ms - orphan.since_ms >= self._grace_ms(orphan.peer, ORPHAN_GRACE_MS)
        }
        for peer, state in self._peers.items():
            since = state.lacking_since_ms
            due = since is not None and now_ms - since >= self._grace_ms(peer, LACK_GRACE_MS)
            if due and state.told is not None and self._lacks(state.told):
                able.add(peer)
            if state.ahead is not None and self._is_due(peer, state.ahead, now_ms):
                able.add(peer)
        able.discard(besides or CellId(""))
        # A tuple key: the order of a set must not show.
        return min(
            able,
            key=lambda peer: (self._peers[peer].failures, self._tried.get(peer, -1), peer),
            default=None,
        )

    def _is_due(self, peer: CellId, ahead: _Ahead, now_ms: int) -> bool:
        """Return whether a peer that sent an event far ahead is to be asked for the rest."""
        over = now_ms - ahead.since_ms >= self._grace_ms(peer, LACK_GRACE_MS)
        return over and self._is_far_ahead(ahead.creator, ahead.sequence)

    def _grace_ms(self, peer: CellId, grace_ms: int) -> int:
        return grace_ms << min(self._peers[peer].failures, BACKOFF_DOUBLINGS_MAX)

    def _lacks(self, vector: Vector) -> bool:
        return self._index.lacks(vector, self._orphans.held)


def check_vector(vector: Vector, members: int) -> None:
    """Raise BadFrame for a vector of another roster, or with counts that can not be."""
    if len(vector) != members:
        raise BadFrame(f"a vector of {len(vector)} entries, the roster has {members}")
    if any(isinstance(entry, int) and entry > SEQUENCE_MAX + 1 for entry in vector):
        raise BadFrame("a vector with a count that no creator can reach")
