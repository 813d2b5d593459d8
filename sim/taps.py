"""Taps: functions that see the gossip frames of one machine and decide what becomes of them.

So adversaries lie and faults reorder, without touching the daemon. A tap sees streams that open
after it was set; break those that are open to make it see them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeAlias

from gossip.limits import FRAME_SIZE_BYTES_MAX

if TYPE_CHECKING:
    from sim.port import SimPort

LENGTH_BYTES: Final = 4


@dataclass(frozen=True, slots=True)
class TappedFrame:
    """A frame on its way."""

    outgoing: bool
    here: int
    """Index of the tap's machine."""
    there: int
    data: bytes
    """The frame, without the length in front (`gossip.wire.decode_frame` reads it)."""
    port: SimPort
    """The stream; `port.inject` sends a further frame on it."""


Tap: TypeAlias = Callable[[TappedFrame], Iterable[tuple[float, bytes]]]
"""Returns what goes on instead: delays in seconds and frames; `[(0, frame.data)]` changes nothing,
`[]` drops it. A delayed frame is overtaken by those after it."""


class FrameCutter:
    """Cuts bytes into frames, as they come."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Take bytes and yield the frames that are complete, without their lengths.

        A length that no frame has ends it: what comes then is one shapeless frame a call.
        """
        self._buffer += data
        while len(self._buffer) >= LENGTH_BYTES:
            end = LENGTH_BYTES + int.from_bytes(self._buffer[:LENGTH_BYTES], "big")
            if end > LENGTH_BYTES + FRAME_SIZE_BYTES_MAX:
                end = len(self._buffer)
            if len(self._buffer) < end:
                return
            frame = bytes(self._buffer[LENGTH_BYTES:end])
            del self._buffer[:end]
            yield frame


def framed(data: bytes) -> bytes:
    """Return a frame with its length in front."""
    return len(data).to_bytes(LENGTH_BYTES, "big") + data
