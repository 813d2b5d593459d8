"""Counts of who holds what, bounded. Trio side, but without libp2p."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Callable, Iterator

import trio


class Slots:
    """Counts of holders, bounded in all and per key."""

    def __init__(self, *, total_max: int, each_max: int) -> None:
        self._total_max = total_max
        self._each_max = each_max
        self._held: Counter[str] = Counter()

    def __len__(self) -> int:
        return self._held.total()

    def take(self, key: str) -> bool:
        """Take one slot for `key`; False when none is left for it."""
        if self._held.total() >= self._total_max or self._held[key] >= self._each_max:
            return False
        self._held[key] += 1
        return True

    def free(self, key: str) -> None:
        """Give one slot of `key` back."""
        self._held[key] -= 1
        if self._held[key] <= 0:
            del self._held[key]


class NoPlace(Exception):
    """No place is left for the address; ends one connection, never leaves the host."""


class Places:
    """Places of inbound connections, bounded in all and per address.

    When all are taken, the oldest holder that may yield is given up, of the address that has most
    of these. So who takes places for nothing pushes out their own, and hardly ever anybody else.
    """

    def __init__(self, *, total_max: int, each_max: int) -> None:
        self._total_max = total_max
        self._each_max = each_max
        self._holders: dict[str, dict[trio.CancelScope, Callable[[], bool]]] = {}

    def __len__(self) -> int:
        return sum(map(len, self._holders.values()))

    @contextlib.contextmanager
    def place(self, address: str, may_yield: Callable[[], bool]) -> Iterator[trio.CancelScope]:
        """Hold a place; its scope is cancelled when it is given up. Raises NoPlace."""
        if len(self._holders.get(address, ())) >= self._each_max:
            raise NoPlace(address)
        if len(self) >= self._total_max and not self._give_up_one():
            raise NoPlace(address)
        scope = trio.CancelScope()
        self._holders.setdefault(address, {})[scope] = may_yield
        try:
            with scope:
                yield scope
        finally:
            self._forget(address, scope)

    def _give_up_one(self) -> bool:
        yielding = {
            address: [scope for scope, may_yield in holders.items() if may_yield()]
            for address, holders in self._holders.items()
        }
        crowded = max(yielding, key=lambda address: len(yielding[address]))
        if not yielding[crowded]:
            return False
        oldest = yielding[crowded][0]
        oldest.cancel()
        self._forget(crowded, oldest)
        return True

    def _forget(self, address: str, scope: trio.CancelScope) -> None:
        holders = self._holders.get(address)
        if holders is not None:
            holders.pop(scope, None)
            if not holders:
                del self._holders[address]
