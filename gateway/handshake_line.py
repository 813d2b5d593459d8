"""Whose TLS handshake is next: those who ask take turns by address, within a share of the loop.

A handshake is dear for a server and cheap to ask for. Each address is a line of its own, and the
lines take turns: who comes alone waits for one of each other address at most. What handshakes take
of the loop is measured, and paid for by a pause; a short burst needs no pause. Bounded by those
whom the entrance lets wait.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from typing import Generic, TypeVar

from gateway.limits import (
    HANDSHAKE_BURST_S,
    HANDSHAKES_LOOKED_MAX,
    HANDSHAKES_OF_ADDRESS_MAX,
    HANDSHAKES_PER_ROUND_MAX,
    HANDSHAKES_WAITING_MAX,
)

T = TypeVar("T")


class HandshakeLine(Generic[T]):
    """Lines by address. Owned by the event loop's thread."""

    def __init__(
        self,
        begin: Callable[[T], bool],
        share: float,
        *,
        is_late: Callable[[], None] = lambda: None,
    ) -> None:
        """`begin` does a handshake, charges for it and says whether it was one: who is gone costs
        none. `is_late` is told that there is a pause.
        """
        self._begin = begin
        self._share = share
        self._is_late = is_late
        self._loop = asyncio.get_running_loop()
        self._lines: OrderedDict[str, dict[T, None]] = OrderedDict()
        self._address_of: dict[T, str] = {}
        self._paid_until_s = 0.0
        """Until when what was done uses the share up."""
        self._planned: asyncio.Handle | None = None

    def __len__(self) -> int:
        return len(self._address_of)

    def is_full(self, address: str) -> bool:
        """Tell whether one more of an address is too many."""
        line = self._lines.get(address)
        return line is not None and len(line) >= min(
            HANDSHAKES_OF_ADDRESS_MAX, HANDSHAKES_WAITING_MAX // len(self._lines) + 1
        )

    def join(self, who: T, address: str) -> None:
        """Wait behind those of an address."""
        self._address_of[who] = address
        self._lines.setdefault(address, {})[who] = None
        self._plan()

    def leave(self, who: T) -> None:
        """Wait no more; safe to repeat."""
        address = self._address_of.pop(who, None)
        if address is not None:
            line = self._lines[address]
            del line[who]
            if not line:
                del self._lines[address]

    def charge(self, span_s: float) -> None:
        """Note what a handshake, or a part of one, has taken of the loop."""
        begin_s = max(self._paid_until_s, self._loop.time() - HANDSHAKE_BURST_S)
        self._paid_until_s = begin_s + span_s / self._share

    def close(self) -> None:
        """Begin none any more."""
        if self._planned is not None:
            self._planned.cancel()
            self._planned = None
        self._lines.clear()
        self._address_of.clear()

    def _plan(self) -> None:
        if self._planned is not None or not self._lines:
            return
        if self._paid_until_s > self._loop.time():
            self._is_late()
            self._planned = self._loop.call_at(self._paid_until_s, self._round)
        else:
            self._planned = self._loop.call_soon(self._round)

    def _round(self) -> None:
        begun = 0
        for _ in range(HANDSHAKES_LOOKED_MAX):
            is_due = begun < HANDSHAKES_PER_ROUND_MAX and self._paid_until_s <= self._loop.time()
            if not self._lines or not is_due:
                break
            address, line = next(iter(self._lines.items()))
            self._lines.move_to_end(address)
            who = next(iter(line))
            self.leave(who)
            begun += self._begin(who)
        self._planned = None
        self._plan()
