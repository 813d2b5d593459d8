"""Which place in the order each event of an epoch has, and when this cell came to know it.

The hashgraph lets go of an event when it is ordered, and keeps neither its time nor its place;
here they stay until the epoch ends, as 16 bytes an event and 8 a round. Events are named by their
arrival (`gossip.index`), so how many had arrived when a round was decided tells what this cell knew
then: whoever plays the epoch back can show it as it was.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from core.errors import check
from core.ids import Round

_NOWHERE: Final = 0xFFFF_FFFF


@dataclass(frozen=True, slots=True)
class Place:
    """Where an event is in the order of its epoch."""

    arrival: int
    position: int
    consensus_time_ns: int


class Placed:
    """The order of an epoch as far as it is decided, by arrivals."""

    def __init__(self, first_round: Round) -> None:
        self._first_round = first_round
        self._arrivals = array("I")
        self._times_ns = array("Q")
        self._positions = array("I")
        """By arrival."""
        self._known = array("I")
        """By round: how many events had arrived when it was decided."""
        self._counts = array("I")
        """By round: how many events had a place after it."""

    def __len__(self) -> int:
        """Return how many events have a place."""
        return len(self._arrivals)

    def note(self, number: Round, ordered: Sequence[tuple[int, int]], known: int) -> None:
        """Note the next round: arrivals and consensus times, in order; `known` events are here."""
        check(number == self._first_round + len(self._known), "a round was skipped")
        self._known.append(known)
        positions = self._positions
        positions.extend([_NOWHERE] * (known - len(positions)))
        for arrival, time_ns in ordered:
            positions[arrival] = len(self._arrivals)
            self._arrivals.append(arrival)
            self._times_ns.append(time_ns)
        self._counts.append(len(self._arrivals))

    def of(self, arrival: int) -> Place | None:
        """Return the place of an event, None if it has none yet."""
        if arrival >= len(self._positions) or self._positions[arrival] == _NOWHERE:
            return None
        return self.at(self._positions[arrival])

    def at(self, position: int) -> Place:
        """Return what is at a position below the length."""
        return Place(self._arrivals[position], position, self._times_ns[position])

    def known_at(self, number: Round) -> int | None:
        """Return how many events had arrived when a round was decided; None if it is not."""
        at = number - self._first_round
        return self._known[at] if 0 <= at < len(self._known) else None

    def count_at(self, number: Round) -> int:
        """Return how many events had a place after a decided round, 0 before the first one."""
        at = number - self._first_round
        return self._counts[min(at, len(self._counts) - 1)] if at >= 0 and self._counts else 0
