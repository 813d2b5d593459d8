"""A wire that keeps its frames but not their order: delayed, overtaken, and some twice.

No connection does that; it stands for what happens to events between connections that break and
come again, and shows that nothing rests on the order of a stream. The handshake is left alone.
"""

from __future__ import annotations

from collections.abc import Iterable
from random import Random
from typing import Final

from gossip.wire import Events, Have, decode_frame
from sim.taps import Tap, TappedFrame

_DELAY_S_MAX: Final = 0.4
_TWICE: Final = 0.3
"""Of the frames that are struck, so many come twice: a peer that repeats more is dropped."""


def shuffling_tap(chance: Random, share: float) -> Tap:
    """Return a tap that strikes this share of the frames of events."""

    def tap(frame: TappedFrame) -> Iterable[tuple[float, bytes]]:
        if not frame.outgoing or chance.random() >= share:
            return [(0.0, frame.data)]
        if not isinstance(decode_frame(frame.data), Events | Have):
            return [(0.0, frame.data)]
        late = (chance.uniform(0.0, _DELAY_S_MAX), frame.data)
        return [(0.0, frame.data), late] if chance.random() < _TWICE else [late]

    return tap
