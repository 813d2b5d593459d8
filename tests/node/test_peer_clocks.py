"""Clocks of other members are judged by the event of theirs that came quickest."""

from __future__ import annotations

from typing import cast

from hashgraph.event import Event
from node.limits import CLOCK_EVENTS_REMEMBERED
from node.peer_clocks import PeerClocks


class _Event:
    def __init__(self, creator: int, time_ns: int) -> None:
        self.creator = creator
        self.time_ns = time_ns


def _events(*pairs: tuple[int, int]) -> list[Event]:
    return cast("list[Event]", [_Event(creator, time_ns) for creator, time_ns in pairs])


def test_a_clock_that_is_ahead_shows_and_a_slow_link_does_not() -> None:
    clocks = PeerClocks()
    clocks.arrived(_events((1, 3_600_000_000_000), (2, -40_000_000), (2, -90_000_000_000)), 0)
    assert clocks.offset_ms(1) == 3_600_000.0
    assert clocks.offset_ms(2) == -40.0
    assert clocks.offset_ms(3) is None


def test_the_own_clock_is_told_by_the_median_of_the_others() -> None:
    clocks = PeerClocks()
    assert clocks.usual_offset_ms() is None
    clocks.arrived(_events((1, 50_000_000_000), (2, 50_000_000_000), (3, -9_000_000_000_000)), 0)
    assert clocks.usual_offset_ms() == 50_000.0


def test_what_is_remembered_is_bounded_and_ends_with_the_epoch() -> None:
    clocks = PeerClocks()
    clocks.arrived(_events((1, 7_000_000)), 0)
    clocks.arrived(_events(*[(1, 1_000_000)] * CLOCK_EVENTS_REMEMBERED), 0)
    assert clocks.offset_ms(1) == 1.0
    clocks.epoch_began()
    assert clocks.offset_ms(1) is None
