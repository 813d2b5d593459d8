"""Transactions of a cell without a vote: handed to members until they have a place in the order.

Two kinds. What the cell had promised to keep while it had a vote is handed out until it has its
place, or can have none because another transaction of its sender took its nonce: members would not
take it then. What a client gave it later is only accepted, not stored: it is bounded as the mempool
is, and given up after HOMELESS_TRIES_MAX. A member may die with what it was handed, so once is
never enough.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from core.ids import TransactionId
from node.errors import MempoolFull
from node.limits import (
    HOMELESS_INTERVAL_MS,
    HOMELESS_SIZE_BYTES_MAX,
    HOMELESS_TRIES_MAX,
    MEMPOOL_COUNT_MAX,
    MEMPOOL_SIZE_BYTES_MAX,
)


@dataclass(slots=True)
class _Waiting:
    raw: bytes
    tries_left: int | None
    """None: for ever."""


class Homeless:
    """Such transactions by id, oldest first."""

    def __init__(self) -> None:
        self._waiting: dict[TransactionId, _Waiting] = {}
        self._size_bytes = 0
        self._due_ms = 0

    def __len__(self) -> int:
        return len(self._waiting)

    def check_room(self, count: int, size_bytes: int) -> None:
        """Raise MempoolFull when so much more of clients does not fit."""
        if (
            len(self._waiting) + count > MEMPOOL_COUNT_MAX
            or self._size_bytes + size_bytes > MEMPOOL_SIZE_BYTES_MAX
        ):
            raise MempoolFull(f"{len(self._waiting)} transactions wait for a member already")

    def keep(self, items: Iterable[tuple[TransactionId, bytes]]) -> None:
        """Take transactions that this cell promised to keep; they are handed out at once."""
        for identity, raw in items:
            self.pop(identity)
            self._add(identity, _Waiting(raw, None))
        self._due_ms = 0

    def hand_on(self, items: Iterable[tuple[TransactionId, bytes]], now_ms: int) -> None:
        """Take transactions of clients that were just handed to a member for the first time."""
        if not self._waiting:
            self._due_ms = now_ms + HOMELESS_INTERVAL_MS
        for identity, raw in items:
            if identity not in self._waiting:
                self._add(identity, _Waiting(raw, HOMELESS_TRIES_MAX))

    def pop(self, identity: TransactionId) -> None:
        """Forget a transaction, if it is here: it has its place."""
        found = self._waiting.pop(identity, None)
        if found is not None:
            self._size_bytes -= len(found.raw)

    def take_spent(self, is_spent: Callable[[TransactionId], bool]) -> list[TransactionId]:
        """Remove and return the transactions that can never have an effect any more."""
        spent = [identity for identity in self._waiting if is_spent(identity)]
        for identity in spent:
            self.pop(identity)
        return spent

    def due(self, now_ms: int) -> tuple[list[bytes], list[TransactionId]]:
        """Return what a member is to be handed now, and what is given up.

        It is the oldest first, as many as a member's link can take at once.
        """
        if not self._waiting or now_ms < self._due_ms:
            return [], []
        self._due_ms = now_ms + HOMELESS_INTERVAL_MS
        handed: list[bytes] = []
        given_up: list[TransactionId] = []
        size_bytes = 0
        for identity, waiting in self._waiting.items():
            size_bytes += len(waiting.raw)
            if size_bytes > HOMELESS_SIZE_BYTES_MAX:
                break
            if waiting.tries_left == 0:
                given_up.append(identity)
                continue
            if waiting.tries_left is not None:
                waiting.tries_left -= 1
            handed.append(waiting.raw)
        for identity in given_up:
            self.pop(identity)
        return handed, given_up

    def wait_ms(self, now_ms: int) -> int | None:
        """Return after how long `due` has something; None if never."""
        return max(0, self._due_ms - now_ms) if self._waiting else None

    def all(self) -> list[bytes]:
        """Return everything, oldest first."""
        return [waiting.raw for waiting in self._waiting.values()]

    def take_all(self) -> list[bytes]:
        """Remove and return everything: the cell has a vote again."""
        taken = self.all()
        self._waiting.clear()
        self._size_bytes = 0
        return taken

    def _add(self, identity: TransactionId, waiting: _Waiting) -> None:
        self._waiting[identity] = waiting
        self._size_bytes += len(waiting.raw)
