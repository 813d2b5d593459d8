"""How many requests a minute each token and address may still send.

Each has a window of a minute that begins with its first request. Pure: the caller brings the time.
Memory is bounded: who asked least recently is forgotten first. Forgetting gives somebody a new
window; it takes requests from RATE_COUNTED_MAX other addresses.
"""

from __future__ import annotations

import ipaddress
import math
from collections import OrderedDict
from dataclasses import dataclass
from functools import lru_cache

from gateway.limits import (
    BLOCKS_KNOWN_MAX,
    RATE_COUNTED_MAX,
    RATE_PAUSE_S,
    RATE_PAUSE_S_MAX,
    RATE_REFUSALS_PER_S,
    RATE_WINDOW_S,
)


@dataclass(frozen=True, slots=True)
class Allowance:
    """What is left for somebody after a request."""

    limit: int
    remaining: int
    reset_s: int
    """Until the next window, whole seconds, at least 1."""
    over: int = 0
    """By how many requests the limit was passed; 0 if this one was within it."""

    def headers(self) -> list[tuple[bytes, bytes]]:
        """Return the usual headers."""
        values = (("limit", self.limit), ("remaining", self.remaining), ("reset", self.reset_s))
        named = [
            (prefix + name.encode(), str(value).encode())
            for prefix in (b"ratelimit-", b"x-ratelimit-")
            for name, value in values
        ]
        return [*named, (b"retry-after", str(self.reset_s).encode())] if self.over else named


@dataclass(slots=True)
class _Window:
    began_s: float
    count: int = 0
    refused_s: float = 0.0
    """When the last refusal is due that waits."""


class Rates:
    """Counts requests by whom they are from."""

    def __init__(self, counted_max: int = RATE_COUNTED_MAX) -> None:
        self._windows: OrderedDict[str, _Window] = OrderedDict()
        self._counted_max = counted_max

    def __len__(self) -> int:
        return len(self._windows)

    def count(self, whom: str, limit: int, now_s: float) -> Allowance:
        """Count a request; what is over the limit is for the caller to refuse."""
        window = self._windows.get(whom)
        if window is None or now_s - window.began_s >= RATE_WINDOW_S:
            refused_s = 0.0 if window is None else window.refused_s
            window = self._windows[whom] = _Window(now_s, refused_s=refused_s)
        self._windows.move_to_end(whom)
        window.count += 1
        if len(self._windows) > self._counted_max:
            self._windows.popitem(last=False)
        left_s = max(1, math.ceil(window.began_s + RATE_WINDOW_S - now_s))
        over = max(0, window.count - limit)
        return Allowance(limit, max(0, limit - window.count), left_s, over)

    def over(self, whom: str, limit: int, now_s: float) -> int:
        """Return by how many requests somebody has passed a limit."""
        window = self._windows.get(whom)
        if window is None or now_s - window.began_s >= RATE_WINDOW_S:
            return 0
        return max(0, window.count - limit)

    def pause_s(self, whom: str, now_s: float) -> float:
        """Return after how long a refusal is due: only so many a second go to one that asks."""
        window = self._windows.get(whom)
        if window is None:
            return RATE_PAUSE_S
        due_s = max(now_s + RATE_PAUSE_S, window.refused_s + 1 / RATE_REFUSALS_PER_S)
        window.refused_s = min(due_s, now_s + RATE_PAUSE_S_MAX)
        return window.refused_s - now_s


@lru_cache(maxsize=BLOCKS_KNOWN_MAX)
def block_of(address: str) -> str:
    """Return what is counted as one address: of IPv6 the /64, which one subscriber has."""
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address[:64]
    if parsed.version == 4:
        return str(parsed)
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return str(ipaddress.ip_network((parsed, 64), strict=False))
