"""What a relay keeps for cells that are away: the bounds, and what is whose. Bytes are elsewhere.

A relay keeps sealed envelopes with what any of its readers sees: sender, receiver, time, number,
type and padded size. It keeps for whoever asks and may, as much as its bounds let it, and drops an
envelope when the receiver's signed receipt or refusal covers it, its sender's floor passes it, or
its time is over. Pure: the owner makes the changes durable, and tells a sender only after that.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from core.ids import CellId
from identity.messages.errors import RelayFull
from identity.messages.limits import (
    KEPT_COUNT_MAX,
    KEPT_PER_CELL_SIZE_BYTES_MAX,
    KEPT_PER_PAIR_MAX,
    KEPT_SIZE_BYTES_MAX,
)


@dataclass(frozen=True, slots=True)
class Held:
    """One envelope that is kept."""

    sender: CellId
    receiver: CellId
    number: int
    size_bytes: int
    expires_ms: int


class Keeping:
    """All that a relay keeps. Begin with what is stored."""

    def __init__(self, held: Iterable[Held] = ()) -> None:
        self._pairs: dict[tuple[CellId, CellId], dict[int, Held]] = {}
        self._bytes_from: Counter[CellId] = Counter()
        self._bytes_for: Counter[CellId] = Counter()
        self._count = 0
        for one in held:
            self._put(one)

    def __len__(self) -> int:
        return self._count

    @property
    def size_bytes(self) -> int:
        """Return how many bytes are kept."""
        return self._bytes_from.total()

    def has(self, sender: CellId, receiver: CellId, number: int) -> bool:
        """Return whether a message is kept already."""
        return number in self._pairs.get((sender, receiver), ())

    def keep(self, held: Held) -> None:
        """Count a message in; raises RelayFull."""
        kept = self._pairs.get((held.sender, held.receiver), {})
        full = (
            len(kept) >= KEPT_PER_PAIR_MAX
            or self._count >= KEPT_COUNT_MAX
            or self.size_bytes + held.size_bytes > KEPT_SIZE_BYTES_MAX
            or self._bytes_from[held.sender] + held.size_bytes > KEPT_PER_CELL_SIZE_BYTES_MAX
            or self._bytes_for[held.receiver] + held.size_bytes > KEPT_PER_CELL_SIZE_BYTES_MAX
        )
        if full:
            raise RelayFull(f"no room for another message to {held.receiver}")
        self._put(held)

    def receivers(self) -> list[CellId]:
        """Return for whom something is kept, in order."""
        return sorted({receiver for _, receiver in self._pairs})

    def kept_for(self, receiver: CellId) -> list[Held]:
        """Return what is kept for a cell, each sender's in order."""
        pairs = sorted(pair for pair in self._pairs if pair[1] == receiver)
        return [held for pair in pairs for _, held in sorted(self._pairs[pair].items())]

    def drop_through(self, sender: CellId, receiver: CellId, number: int) -> list[Held]:
        """Drop what a receipt or a floor covers; return it."""
        kept = self._pairs.get((sender, receiver), {})
        return self._drop([held for held in kept.values() if held.number <= number])

    def drop(self, sender: CellId, receiver: CellId, number: int) -> list[Held]:
        """Drop one message, which was refused; return it."""
        held = self._pairs.get((sender, receiver), {}).get(number)
        return self._drop([] if held is None else [held])

    def expire(self, wall_ms: int) -> list[Held]:
        """Drop what is too old; return it."""
        return self._drop(
            [
                held
                for pair in sorted(self._pairs)
                for held in self._pairs[pair].values()
                if held.expires_ms <= wall_ms
            ]
        )

    def _put(self, held: Held) -> None:
        self._pairs.setdefault((held.sender, held.receiver), {})[held.number] = held
        self._bytes_from[held.sender] += held.size_bytes
        self._bytes_for[held.receiver] += held.size_bytes
        self._count += 1

    def _drop(self, dropped: list[Held]) -> list[Held]:
        for held in dropped:
            pair = (held.sender, held.receiver)
            del self._pairs[pair][held.number]
            if not self._pairs[pair]:
                del self._pairs[pair]
            for counter, cell in (
                (self._bytes_from, held.sender),
                (self._bytes_for, held.receiver),
            ):
                counter[cell] -= held.size_bytes
                if not counter[cell]:
                    del counter[cell]
            self._count -= 1
        return dropped
