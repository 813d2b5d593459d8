"""Weights of sets of members, as bit masks, and the supermajority: 3·w > 2·total, strict.

Integers only. Two small caches of pure functions, bounded by MEMO_ENTRIES_MAX.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from hashgraph.errors import UnfitRules
from hashgraph.limits import MEMBERS_MAX, MEMO_ENTRIES_MAX, WEIGHT_TOTAL_MAX


class Quorum:
    """The weights of an epoch's members; masks have bit i for member i."""

    def __init__(self, weights: Sequence[int]) -> None:
        self.weights = tuple(weights)
        self.members = len(self.weights)
        self.total = sum(self.weights)
        if not 1 <= self.members <= MEMBERS_MAX:
            raise UnfitRules(f"{self.members} members, 1 to {MEMBERS_MAX} are possible")
        if min(self.weights) < 0 or not 1 <= self.total <= WEIGHT_TOTAL_MAX:
            raise UnfitRules("weights are not from 0, with a sum of 1 to 2^60")
        self.everyone = (1 << self.members) - 1
        self._is_super: dict[int, bool] = {}
        self._spread: dict[int, int] = {}

    def is_supermajority(self, weight: int) -> bool:
        """Return whether a weight is more than two thirds of the total."""
        return 3 * weight > 2 * self.total

    def is_super_mask(self, mask: int) -> bool:
        """Return whether a set of members holds a supermajority."""
        known = self._is_super.get(mask)
        if known is None:
            known = self.is_supermajority(sum(self.weights[member] for member in bits(mask)))
            if len(self._is_super) >= MEMO_ENTRIES_MAX:
                self._is_super.clear()
            self._is_super[mask] = known
        return known

    def spread(self, rows: int) -> int:
        """Return the matrix that has bit 0 of every given row set: bit i goes to bit i·members."""
        known = self._spread.get(rows)
        if known is None:
            known = sum(1 << row * self.members for row in bits(rows))
            if len(self._spread) >= MEMO_ENTRIES_MAX:
                self._spread.clear()
            self._spread[rows] = known
        return known


def bits(mask: int) -> Iterator[int]:
    """Yield the positions of the bits of `mask`, from the lowest."""
    while mask:
        lowest = mask & -mask
        yield lowest.bit_length() - 1
        mask ^= lowest
