"""Counts of who holds what, bounded. Trio side, but without libp2p."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Iterator

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


class NoUpgradeSlot(Exception):
    """The address has as many connections in negotiation as it may; never leaves the host."""


class UpgradeSlots:
    """Places for connections that are not yet authenticated.

    An honest negotiation takes milliseconds, an attacker's as long as it may. So when all places
    are taken, the oldest negotiation of the address that has most of them is given up: attackers
    who hold everything push out one another, and hardly ever an honest newcomer.
    """

    def __init__(self, *, total_max: int, each_max: int) -> None:
        self._total_max = total_max
        self._each_max = each_max
        self._scopes: dict[str, dict[trio.CancelScope, None]] = {}

    def __len__(self) -> int:
        return sum(map(len, self._scopes.values()))

    @contextlib.contextmanager
    def place(self, address: str) -> Iterator[trio.CancelScope]:
        """Hold a place; its scope is cancelled when another needs it. Raises NoUpgradeSlot."""
        ours = self._scopes.get(address, {})
        if len(ours) >= self._each_max:
            raise NoUpgradeSlot(address)
        if len(self) >= self._total_max:
            self._give_up_one()
        scope = trio.CancelScope()
        self._scopes.setdefault(address, {})[scope] = None
        try:
            with scope:
                yield scope
        finally:
            self._forget(address, scope)

    def _give_up_one(self) -> None:
        crowded = max(self._scopes, key=lambda address: len(self._scopes[address]))
        oldest = next(iter(self._scopes[crowded]))
        oldest.cancel()
        self._forget(crowded, oldest)

    def _forget(self, address: str, scope: trio.CancelScope) -> None:
        scopes = self._scopes.get(address)
        if scopes is not None:
            scopes.pop(scope, None)
            if not scopes:
                del self._scopes[address]
