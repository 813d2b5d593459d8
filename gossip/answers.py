"""What peers WANT from this cell: one answer to a peer at a time, at a bounded cost.

An answer is a stream of arrivals, parents first, taken out in frames as the link has room.
Beginning one costs the members and branches, never the history, and every event in it costs the
same. A peer that asks too soon after its last WANT waits. One that asks again for what it was sent,
and tells no more than then, waits longer and is blamed; so is one that asks while it waits.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from core.ids import CellId, MemberIndex
from gossip.effects import SendEvents
from gossip.index import EventIndex
from gossip.limits import WANT_AGAIN_MS_MIN, WANT_INTERVAL_MS_MIN
from gossip.score import Misbehaviour
from gossip.wire import Vector


@dataclass(slots=True)
class _Asker:
    """One peer that asks."""

    vector: Vector | None = None
    """Of its last WANT that was answered, or is being answered."""
    began_ms: int = 0
    stream: Iterator[int] | None = None
    """What is left of the answer."""
    sent: int = 0
    hinted: frozenset[MemberIndex] = frozenset()
    """Creators that its WANT told by their tips: there it may know other events than we."""
    waiting: Vector | None = None
    """Its next WANT, until it is due."""


class Answers:
    """The answers of one epoch. Times are milliseconds of one monotonic clock."""

    def __init__(self, index: EventIndex) -> None:
        self._index = index
        self._askers: dict[CellId, _Asker] = {}
        self._blamed: list[tuple[CellId, Misbehaviour]] = []

    def wanted(self, peer: CellId, vector: Vector, now_ms: int) -> list[SendEvents]:
        """A peer asks for all beyond a vector of our roster: begin, now or when it is due."""
        asker = self._askers.setdefault(peer, _Asker())
        is_early = now_ms < asker.began_ms + WANT_AGAIN_MS_MIN
        if asker.waiting is not None or (is_early and self._asks_again(asker, vector)):
            self._blamed.append((peer, Misbehaviour.WANT_FLOOD))
        asker.waiting = vector
        return self._begin(peer, asker, now_ms)

    def drained(self, peer: CellId) -> list[SendEvents]:
        """A peer's link has room: go on with its answer."""
        asker = self._askers.get(peer)
        if asker is None or asker.stream is None:
            return []
        arrivals, more = self._index.chunk(asker.stream)
        asker.sent += len(arrivals)
        if not more:
            asker.stream = None
        hinted = asker.hinted | self._index.forkers
        return [SendEvents(peer, arrivals, last=not more, hinted=hinted)]

    def is_streaming(self, peer: CellId) -> bool:
        """Return whether `drained` has more to send to the peer."""
        asker = self._askers.get(peer)
        return asker is not None and asker.stream is not None

    def tick(self, now_ms: int) -> list[SendEvents]:
        """Time passed: begin the answers that are due."""
        sends: list[SendEvents] = []
        for peer, asker in self._askers.items():
            if asker.waiting is not None:
                sends += self._begin(peer, asker, now_ms)
        return sends

    def wait_ms(self, now_ms: int) -> int | None:
        """Return after how long `tick` has something to do; None: not by itself."""
        dues = [self._due_ms(a) for a in self._askers.values() if a.waiting is not None]
        return max(0, min(dues) - now_ms) if dues else None

    def take_blamed(self) -> list[tuple[CellId, Misbehaviour]]:
        """Return what askers did wrong since the last call."""
        blamed, self._blamed = self._blamed, []
        return blamed

    def forget(self, peer: CellId) -> None:
        """A peer is gone."""
        self._askers.pop(peer, None)

    def _begin(self, peer: CellId, asker: _Asker, now_ms: int) -> list[SendEvents]:
        vector = asker.waiting
        if vector is None or now_ms < self._due_ms(asker):
            return []
        was_streaming = asker.stream is not None
        asker.vector, asker.waiting, asker.began_ms, asker.sent = vector, None, now_ms, 0
        asker.stream = self._index.beyond(vector)
        asker.hinted = frozenset(
            MemberIndex(at) for at, entry in enumerate(vector) if isinstance(entry, tuple)
        )
        # Frames of the answer before may still be on their way: the link is not to be overfilled.
        return [] if was_streaming else self.drained(peer)

    def _due_ms(self, asker: _Asker) -> int:
        if asker.vector is None or asker.waiting is None:
            return asker.began_ms
        again = self._asks_again(asker, asker.waiting)
        return asker.began_ms + (WANT_AGAIN_MS_MIN if again else WANT_INTERVAL_MS_MIN)

    def _asks_again(self, asker: _Asker, vector: Vector) -> bool:
        """Return whether a WANT asks for what its asker was sent, and tells no more than then."""
        before = asker.vector
        if before is None or asker.sent == 0:
            return False
        more = [self._index.told(at, entry) for at, entry in enumerate(vector)]
        less = [self._index.told(at, entry) for at, entry in enumerate(before)]
        if any(new < old for new, old in zip(more, less, strict=True)):
            return True
        return more == less and _tips_told(vector) <= _tips_told(before)


def _tips_told(vector: Vector) -> int:
    return sum(isinstance(entry, tuple) for entry in vector)
