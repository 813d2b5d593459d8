"""The sync protocol of one epoch as a pure state machine: who is told and sent what, and when.

Each cell pushes its own events to every peer at once. Everything else is repair, and the receiver
drives it: peers tell each other what they HAVE; who lacks something WANTs it from one peer at a
time, which streams the difference, parents first, in frames paced by the link.

The owner feeds in what happened and carries out the effects, in order. An event goes to `added`
only when it is in the journal: what we HAVE is what we would still have after a crash. Own events
must be durable before that, because `added` sends them.

It does not decode events, check signatures, or keep event bytes: `SendEvents` names arrivals
(positions in the consensus journal), the owner reads the bytes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TypeAlias

from core.ids import CellId, Epoch, EventId, MemberIndex
from gossip.errors import BadFrame
from gossip.index import EventIndex
from gossip.limits import (
    HAVE_INTERVAL_MS,
    LACK_GRACE_MS,
    ORPHAN_GRACE_MS,
    ORPHANS_PER_PEER_MAX,
    ORPHANS_SIZE_BYTES_MAX,
    WANT_DURATION_MS_MAX,
    WANT_PATIENCE_MS,
)
from gossip.score import Misbehaviour
from gossip.wire import Frame, Have, Vector, Want
from hashgraph.event import Event, UnresolvedEvent

_TICK_MS = 20


@dataclass(frozen=True, slots=True)
class Send:
    """Send a frame to a peer."""

    peer: CellId
    frame: Frame


@dataclass(frozen=True, slots=True)
class SendEvents:
    """Send the events with these arrivals to a peer; `last` ends the answer to its Want.

    Events with a parent by a creator in `hinted` get hints: it forked, here or there.
    """

    peer: CellId
    arrivals: tuple[int, ...]
    last: bool
    hinted: frozenset[MemberIndex] = frozenset()


Effect: TypeAlias = Send | SendEvents


@dataclass(slots=True)
class _Peer:
    told: Vector | None = None
    """What the peer said it has."""
    lacking_since_ms: int | None = None
    have_sent_ms: int = -HAVE_INTERVAL_MS
    have_version: int = -1
    stream: Iterator[int] | None = None
    """What is left of the answer to its Want."""
    hinted: frozenset[MemberIndex] = frozenset()
    """Creators that its Want told by their tips: there it may know other events than we."""
    orphans: int = 0
    orphan_ms: int = -1
    """When it last sent one, kept or not."""
    doubted: bool = False
    """Whether its whole answer left orphans: a fork may hide behind equal counts."""


@dataclass(slots=True)
class _Orphan:
    event: UnresolvedEvent
    size_bytes: int
    peer: CellId
    since_ms: int


@dataclass(slots=True)
class _Asked:
    peer: CellId
    since_ms: int
    progress_ms: int
    exact: bool
    """Whether our tips were told, not our counts."""
    brought: bool = False
    """Whether an event of the peer was added since its last frame."""


@dataclass(slots=True)
class _Orphans:
    """Events whose parents are missing, bounded per peer and in bytes."""

    by_id: dict[EventId, _Orphan] = field(default_factory=dict)
    size_bytes: int = 0


class Sync:
    """The protocol's state at one cell. Times are milliseconds of one monotonic clock."""

    def __init__(self, epoch: Epoch, index: EventIndex, members: int) -> None:
        self._epoch = epoch
        self._index = index
        self._members = members
        self._peers: dict[CellId, _Peer] = {}
        self._orphans = _Orphans()
        self._asked: _Asked | None = None
        self._tried: dict[CellId, int] = {}
        self._seen = [0] * members
        self._blamed: list[tuple[CellId, Misbehaviour]] = []

    def connected(self, peer: CellId, now_ms: int) -> list[Effect]:
        """A peer finished its handshake: tell it what we have."""
        self._peers[peer] = _Peer(have_sent_ms=now_ms, have_version=len(self._index))
        return [Send(peer, Have(self._epoch, self._index.vector()))]

    def disconnected(self, peer: CellId) -> None:
        """Forget a peer and what it left unfinished."""
        self._peers.pop(peer, None)
        self._tried.pop(peer, None)
        if self._asked is not None and self._asked.peer == peer:
            self._asked = None
        for event_id in [i for i, o in self._orphans.by_id.items() if o.peer == peer]:
            self._forget_orphan(event_id)

    def told(self, peer: CellId, vector: Vector, now_ms: int) -> list[Effect]:
        """A peer told what it has. Raises BadFrame for a vector of another roster."""
        state = self._peers[peer]
        self._check_vector(vector)
        first = state.told is None
        state.told = vector
        if not self._index.lacks(vector):
            state.lacking_since_ms = None
        elif first:
            state.lacking_since_ms = now_ms - LACK_GRACE_MS
        elif state.lacking_since_ms is None:
            state.lacking_since_ms = now_ms
        return self._ask(now_ms)

    def wanted(self, peer: CellId, vector: Vector) -> list[Effect]:
        """A peer asks for all beyond `vector`: start to stream. Raises BadFrame."""
        self._check_vector(vector)
        state = self._peers[peer]
        state.stream = self._index.beyond(vector)
        state.hinted = frozenset(
            MemberIndex(at) for at, entry in enumerate(vector) if isinstance(entry, tuple)
        )
        return self.drained(peer)

    def drained(self, peer: CellId) -> list[Effect]:
        """A peer's link has room: go on with what it asked for."""
        state = self._peers.get(peer)
        if state is None or state.stream is None:
            return []
        arrivals, more = self._index.chunk(state.stream)
        if not more:
            state.stream = None
        return [
            SendEvents(peer, arrivals, last=not more, hinted=state.hinted | self._index.forkers)
        ]

    def is_streaming(self, peer: CellId) -> bool:
        """Return whether `drained` has more to send to the peer."""
        state = self._peers.get(peer)
        return state is not None and state.stream is not None

    def brought(self, peer: CellId) -> None:
        """An event that a peer sent was added."""
        if self._asked is not None and self._asked.peer == peer:
            self._asked.brought = True

    def answered(self, peer: CellId, now_ms: int, *, last: bool) -> list[Effect]:
        """A frame of events came from a peer (its events are already added or orphaned)."""
        if self._asked is None or self._asked.peer != peer:
            return []
        if self._asked.brought:
            # Events that only wait for parents are no progress: anybody can make those up.
            self._asked.progress_ms, self._asked.brought = now_ms, False
        if not last:
            return []
        self._judge_answer(self._peers[peer], self._asked, now_ms)
        self._asked = None
        return self._ask(now_ms)

    def is_known(self, event: UnresolvedEvent) -> bool:
        """Return whether the event is here or waits for its parents, and brings no hints."""
        if event.id in self._index:
            return True
        orphan = self._orphans.by_id.get(event.id)
        return orphan is not None and (not event.hints or bool(orphan.event.hints))

    def seen_of(self, creator: MemberIndex) -> int:
        """Return one more than the creator's highest sequence ever seen, in orphans too."""
        return max(self._index.count(creator), self._seen[creator])

    def orphan(self, peer: CellId, event: UnresolvedEvent, now_ms: int) -> None:
        """Keep a verified event until its parents come; drop it when there is no room."""
        state = self._peers[peer]
        size_bytes = len(event.encoded)
        self.discard(event.id)
        self._seen[event.creator] = max(self._seen[event.creator], event.sequence + 1)
        full = self._orphans.size_bytes + size_bytes > ORPHANS_SIZE_BYTES_MAX
        state.orphan_ms = now_ms
        if full or state.orphans >= ORPHANS_PER_PEER_MAX:
            return
        state.orphans += 1
        self._orphans.size_bytes += size_bytes
        self._orphans.by_id[event.id] = _Orphan(event, size_bytes, peer, now_ms)

    def added(self, event: Event, arrival: int, *, own: bool) -> list[Effect]:
        """An event is in the journal and the index; an own one is pushed to every peer."""
        self.discard(event.id)
        if not own:
            return []
        hinted = self._index.forkers
        return [SendEvents(peer, (arrival,), last=False, hinted=hinted) for peer in self._peers]

    def discard(self, event_id: EventId) -> None:
        """Forget an orphan that turned out to be invalid; others are left alone."""
        if event_id in self._orphans.by_id:
            self._forget_orphan(event_id)

    @property
    def orphans(self) -> int:
        """How many events wait for their parents."""
        return len(self._orphans.by_id)

    def adoptable(self) -> list[tuple[CellId, UnresolvedEvent, Event]]:
        """Return the orphans that have all their parents now, with who sent them."""
        return [
            (orphan.peer, orphan.event, resolved)
            for orphan in self._orphans.by_id.values()
            if (resolved := self._index.resolve(orphan.event)) is not None
        ]

    def take_blamed(self) -> list[tuple[CellId, Misbehaviour]]:
        """Return what peers did wrong since the last call."""
        blamed, self._blamed = self._blamed, []
        return blamed

    def tick(self, now_ms: int) -> list[Effect]:
        """Time passed: tell what is new, ask for what does not come by itself."""
        effects: list[Effect] = []
        version = len(self._index)
        for peer, state in self._peers.items():
            due = now_ms - state.have_sent_ms >= HAVE_INTERVAL_MS
            if due and state.have_version != version:
                state.have_sent_ms, state.have_version = now_ms, version
                effects.append(Send(peer, Have(self._epoch, self._index.vector())))
            if state.told is not None and not self._index.lacks(state.told):
                state.lacking_since_ms = None
        return effects + self._ask(now_ms)

    def wait_ms(self, now_ms: int) -> int | None:
        """Return after how long `tick` has something to do at the earliest; None: not by itself."""
        busy = self._asked is not None or bool(self._orphans.by_id)
        if busy or any(state.lacking_since_ms is not None for state in self._peers.values()):
            return _TICK_MS
        version = len(self._index)
        dues = [
            max(0, state.have_sent_ms + HAVE_INTERVAL_MS - now_ms)
            for state in self._peers.values()
            if state.have_version != version
        ]
        return min(dues, default=None)

    def _ask(self, now_ms: int) -> list[Effect]:
        """Want what we lack from one peer, unless another is already answering."""
        if self._asked is not None:
            silent = now_ms - self._asked.progress_ms >= WANT_PATIENCE_MS
            if not silent and now_ms - self._asked.since_ms < WANT_DURATION_MS_MAX:
                return []
            if silent:
                self._blamed.append((self._asked.peer, self._silence(self._asked)))
            self._asked = None
        peer = self._whom_to_ask(now_ms)
        if peer is None:
            return []
        self._tried[peer] = now_ms
        exact = self._peers[peer].doubted
        self._asked = _Asked(peer, now_ms, now_ms, exact)
        return [Send(peer, Want(self._epoch, self._index.vector(exact=exact)))]

    def _silence(self, asked: _Asked) -> Misbehaviour:
        """Tell a link that stands still from a peer that goes on but does not answer."""
        goes_on = self._peers[asked.peer].orphan_ms > asked.since_ms
        return Misbehaviour.UNRESOLVED if goes_on else Misbehaviour.UNANSWERED

    def _judge_answer(self, state: _Peer, asked: _Asked, now_ms: int) -> None:
        """Draw the conclusions from what a peer's whole answer did not bring.

        The peer has the parents of all it sent before we asked. If they are still missing it is
        asked with our tips next, and if that does not help either it never had them.
        """
        by_id = self._orphans.by_id
        stuck = [
            event_id
            for event_id, orphan in by_id.items()
            if orphan.peer == asked.peer and orphan.since_ms < asked.since_ms
        ]
        if asked.exact:
            for event_id in stuck:
                self._forget_orphan(event_id)
            if stuck:
                self._blamed.append((asked.peer, Misbehaviour.UNRESOLVED))
        state.doubted = bool(stuck) and not asked.exact
        if state.lacking_since_ms is not None:
            state.lacking_since_ms = now_ms  # it told of more: that may still come by itself

    def _whom_to_ask(self, now_ms: int) -> CellId | None:
        """The peer that has what we lack, the one asked longest ago first."""
        able = {
            orphan.peer
            for orphan in self._orphans.by_id.values()
            if now_ms - orphan.since_ms >= ORPHAN_GRACE_MS
        }
        for peer, state in self._peers.items():
            since = state.lacking_since_ms
            due = since is not None and now_ms - since >= LACK_GRACE_MS
            if due and state.told is not None and self._index.lacks(state.told):
                able.add(peer)
        # A tuple key: the order of a set must not show.
        return min(able, key=lambda peer: (self._tried.get(peer, -1), peer), default=None)

    def _check_vector(self, vector: Vector) -> None:
        if len(vector) != self._members:
            raise BadFrame(f"a vector of {len(vector)} entries, the roster has {self._members}")

    def _forget_orphan(self, event_id: EventId) -> None:
        orphan = self._orphans.by_id.pop(event_id)
        self._orphans.size_bytes -= orphan.size_bytes
        state = self._peers.get(orphan.peer)
        if state is not None:
            state.orphans -= 1
