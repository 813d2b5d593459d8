"""Counts acts that are alike together, so that a flood makes a few rows, not one each. Pure.

Acts are alike when actor, action, outcome and code are the same. The first ones in a window of time
are rows of their own; the others become one row with their number when the window is over.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final, TypeAlias

from identity.audit import Act, Outcome
from node.limits import AUDIT_ALONE_MAX, AUDIT_WINDOW_MS, AUDIT_WINDOWS_MAX

OTHERS: Final = "others"
"""The actor of acts that are counted together because there are too many kinds of them."""
_Key: TypeAlias = tuple[str, str, str, str]


@dataclass(slots=True)
class _Window:
    began_ms: int
    alone: int = 0
    counted: int = 0
    last: Act | None = None


class Windows:
    """All windows of a cell. `now_ms` is a clock that never goes back."""

    def __init__(self) -> None:
        self._windows: dict[_Key, _Window] = {}

    def take(self, act: Act, now_ms: int) -> list[Act]:
        """Return the rows to be written now because of an act."""
        rows: list[Act] = []
        key: _Key = (act.actor, act.action, act.outcome.value, act.code)
        if key not in self._windows and len(self._windows) >= AUDIT_WINDOWS_MAX:
            rows += self.ended(now_ms)
            if len(self._windows) >= AUDIT_WINDOWS_MAX:
                act = replace(act, actor=OTHERS, key=b"", action=OTHERS, code="")
                key = (OTHERS, OTHERS, act.outcome.value, "")
        window = self._windows.get(key)
        if window is not None and now_ms - window.began_ms >= AUDIT_WINDOW_MS:
            rows += _row_of(window)
            window = None
        if window is None:
            window = self._windows[key] = _Window(now_ms)
        if window.alone < (AUDIT_ALONE_MAX if act.outcome is Outcome.DONE else 1):
            window.alone += 1
            rows.append(act)
        else:
            window.counted += act.count
            window.last = act
        return rows

    def ended(self, now_ms: int) -> list[Act]:
        """Return the rows of windows that are over, and forget those."""
        over = [
            key
            for key, window in self._windows.items()
            if now_ms - window.began_ms >= AUDIT_WINDOW_MS
        ]
        return [row for key in over for row in _row_of(self._windows.pop(key))]

    def close(self) -> list[Act]:
        """Return the rows of all windows: the cell stops."""
        windows, self._windows = self._windows, {}
        return [row for window in windows.values() for row in _row_of(window)]

    def wait_ms(self, now_ms: int) -> int | None:
        """Return in how many ms a window with a row is over; None if there is none."""
        ends = [
            window.began_ms + AUDIT_WINDOW_MS - now_ms
            for window in self._windows.values()
            if window.counted
        ]
        return max(0, min(ends)) if ends else None


def _row_of(window: _Window) -> list[Act]:
    return [] if window.last is None else [replace(window.last, count=window.counted)]
