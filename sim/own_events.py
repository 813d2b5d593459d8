"""Which of its own events a machine has on its disk: all that anybody else has, whenever it starts.

An own event is fsynced before it is sent, so no crash takes one that another machine has. An old
copy of the disk, or bit rot, may: then nothing is known until the cell has got them back.
"""

from __future__ import annotations

from typing import TypeAlias

from core.ids import Epoch

Place: TypeAlias = tuple[Epoch, int]
"""Epoch and sequence number."""


class OwnEvents:
    """The own events in one machine's journal, as it was shown."""

    def __init__(self) -> None:
        self._places: list[tuple[int, Place]] = []
        self.may_lack = False
        """Whether the disk is an old or damaged one, and others may have what it lacks."""

    def shown(self, index: int, place: Place) -> None:
        """Note an own event in the journal."""
        self._places.append((index, place))

    def cut(self, length: int) -> None:
        """Note that the journal has so many events only."""
        while self._places and self._places[-1][0] >= length:
            self._places.pop()

    def forget(self) -> None:
        """Note that another disk is in place, or that this one is damaged."""
        self._places.clear()
        self.may_lack = True

    def lacks(self, elsewhere: Place | None) -> Place | None:
        """Return the newest own event that another machine has, if it is not here and should be."""
        newest = max((place for _, place in self._places), default=None)
        if elsewhere is None or (newest is not None and newest >= elsewhere):
            self.may_lack = False
            return None
        return None if self.may_lack else elsewhere
