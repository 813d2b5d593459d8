"""Accepted transactions that wait for an event of ours: bounded, first in, first out."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable

from core.ids import TransactionId
from node.errors import MempoolFull
from node.limits import MEMPOOL_COUNT_MAX, MEMPOOL_SIZE_BYTES_MAX


class Mempool:
    """Transactions by id, in the order they came."""

    def __init__(self) -> None:
        self._waiting: OrderedDict[TransactionId, bytes] = OrderedDict()
        self._size_bytes = 0

    def __len__(self) -> int:
        return len(self._waiting)

    def __contains__(self, transaction: TransactionId) -> bool:
        return transaction in self._waiting

    def check_room(self, count: int, size_bytes: int) -> None:
        """Raise MempoolFull when so much more does not fit."""
        if (
            len(self._waiting) + count > MEMPOOL_COUNT_MAX
            or self._size_bytes + size_bytes > MEMPOOL_SIZE_BYTES_MAX
        ):
            raise MempoolFull(f"{len(self._waiting)} transactions wait already")

    def add(self, transaction: TransactionId, raw: bytes) -> None:
        """Queue a transaction; one that waits already stays where it is."""
        if transaction not in self._waiting:
            self._waiting[transaction] = raw
            self._size_bytes += len(raw)

    def put_back(self, items: Iterable[tuple[TransactionId, bytes]]) -> None:
        """Queue transactions that had been taken before all others, in their order.

        There is always room: they were let in once.
        """
        for transaction, raw in reversed(list(items)):
            if transaction not in self._waiting:
                self._waiting[transaction] = raw
                self._size_bytes += len(raw)
                self._waiting.move_to_end(transaction, last=False)

    def all(self) -> list[bytes]:
        """Return all transactions, oldest first."""
        return list(self._waiting.values())

    def take_all(self) -> list[tuple[TransactionId, bytes]]:
        """Remove and return all transactions."""
        taken = list(self._waiting.items())
        self._waiting.clear()
        self._size_bytes = 0
        return taken

    def take(self, *, count_max: int, size_bytes_max: int) -> list[tuple[TransactionId, bytes]]:
        """Remove and return the oldest transactions that fit the bounds together."""
        taken: list[tuple[TransactionId, bytes]] = []
        size = 0
        while self._waiting and len(taken) < count_max:
            transaction, raw = next(iter(self._waiting.items()))
            size += len(raw)
            if taken and size > size_bytes_max:
                break
            del self._waiting[transaction]
            self._size_bytes -= len(raw)
            taken.append((transaction, raw))
        return taken
