"""How many requests are at work, and of whom: what says that there is no room for one more.

Nobody but the owner may have more at work than could still begin: of two greedy ones each gets a
third, of nine a tenth, and the last part is always free for who has none (dynamic thresholds:
Choudhury and Hahne, 1998).
"""

from __future__ import annotations

from collections import Counter
from typing import Final

from gateway.limits import (
    LANE_REQUESTS_MAX,
    LIGHT_REQUESTS_MAX,
    OWNER_REQUESTS_MIN,
    REQUESTS_MAX,
)

LIGHT: Final = "light"
"""The line of all that hyphae ask, which is one crowd."""
OWNER_RESERVE: Final = 4
"""What is kept for the owner is at most one part in so many of the whole."""


class Room:
    """Counts requests by lines, each of one token, key or address."""

    def __init__(self, requests_max: int = REQUESTS_MAX) -> None:
        self._free = requests_max
        self._reserve = min(OWNER_REQUESTS_MIN, requests_max // OWNER_RESERVE)
        self._at_work: Counter[str] = Counter()

    def is_full(self, line: str, *, is_owner: bool = False) -> bool:
        """Return whether there is no room for one more in a line."""
        line_max = REQUESTS_MAX if is_owner else LANE_REQUESTS_MAX
        line_max = LIGHT_REQUESTS_MAX if line == LIGHT else line_max
        at_work = self._at_work[line]
        free = self._free if is_owner else self._free - self._reserve - at_work
        return free <= 0 or at_work >= line_max

    def enter(self, line: str) -> bool:
        """Count a request that begins; return whether it is the only one of its line."""
        self._free -= 1
        self._at_work[line] += 1
        return self._at_work[line] == 1

    def leave(self, line: str) -> None:
        """Forget one that ended."""
        self._free += 1
        self._at_work[line] -= 1
        if self._at_work[line] <= 0:
            del self._at_work[line]
