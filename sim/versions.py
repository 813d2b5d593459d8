"""A cell of another version, as peers see it: its HELLO says another wire version or rule set."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from gossip.wire import Hello, decode_frame, encode_frame
from sim.taps import LENGTH_BYTES, Tap, TappedFrame


def other_version_tap(what: str) -> Tap:
    """Return a tap that changes the wire version (`what` is "wire") or else the rule set."""

    def tap(frame: TappedFrame) -> Iterable[tuple[float, bytes]]:
        hello = decode_frame(frame.data) if frame.outgoing else None
        if not isinstance(hello, Hello):
            return [(0.0, frame.data)]
        if what == "wire":
            other = replace(hello, version=hello.version + 1)
        else:
            other = replace(hello, rule_set=hello.rule_set + 1)
        return [(0.0, encode_frame(other)[LENGTH_BYTES:])]

    return tap
