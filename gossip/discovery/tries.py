"""How often somebody may try: a bounded count of failures a minute, by where they come from.

A secret of 128 bits can't be guessed; this keeps guessers from using up the inviter's time, and
from hiding in its log.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Final

FAILURES_MAX: Final = 10
"""Failed tries of one source in WINDOW_MS; more than a person mistypes."""

WINDOW_MS: Final = 60_000
"""How long a failure counts."""

SOURCES_MAX: Final = 1024
"""Sources remembered, the newest: 100 bytes each."""


class Tries:
    """Counts failures by source. Times are milliseconds that never go back."""

    def __init__(self) -> None:
        self._failures: OrderedDict[str, list[int]] = OrderedDict()

    def may_try(self, source: str, now_ms: int) -> bool:
        """Return whether `source` has a try left."""
        return len(self._recent(source, now_ms)) < FAILURES_MAX

    def failed(self, source: str, now_ms: int) -> None:
        """Count a failure."""
        recent = self._recent(source, now_ms)
        self._failures[source] = [*recent, now_ms][-FAILURES_MAX:]
        self._failures.move_to_end(source)
        while len(self._failures) > SOURCES_MAX:
            self._failures.popitem(last=False)

    def _recent(self, source: str, now_ms: int) -> list[int]:
        return [at for at in self._failures.get(source, ()) if now_ms - at < WINDOW_MS]
