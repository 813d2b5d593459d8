"""Parts of the state that are asked for often, decoded, a bounded number of them.

What the last round wrote may not be on the disk yet, so it is held until the next one is applied;
everything else can be read again.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

_K = TypeVar("_K")
_V = TypeVar("_V")


class Remembered(Generic[_K, _V]):
    """Values by key. The oldest are forgotten, but never those of the last round."""

    def __init__(self, read: Callable[[_K], _V], count_max: int) -> None:
        """`read` returns the durable value."""
        self._read = read
        self._count_max = count_max
        self._kept: dict[_K, _V] = {}
        self._written: dict[_K, _V] = {}

    def get(self, key: _K) -> _V:
        """Return the value after all that was put; raises what `read` raises."""
        if key in self._written:
            return self._written[key]
        if key not in self._kept:
            self._keep(key, self._read(key))
        return self._kept[key]

    def put(self, key: _K, value: _V) -> None:
        """Note what the round that is applied wrote."""
        self._written[key] = value

    def settle(self) -> None:
        """Note that all that was put is durable."""
        for key, value in self._written.items():
            self._keep(key, value)
        self._written = {}

    def _keep(self, key: _K, value: _V) -> None:
        self._kept.pop(key, None)
        self._kept[key] = value
        if len(self._kept) > self._count_max:
            del self._kept[next(iter(self._kept))]
