"""What sync wants done: frames to send, by value, and events to send, by their place here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from core.ids import CellId, MemberIndex
from gossip.wire import Frame


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
