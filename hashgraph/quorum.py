"""Weights of sets of members, and the supermajority: 3·w > 2·total, strict. Integers only.

Weights are divided by their greatest common divisor, which changes no comparison: equal weights
become ones, and sets of members can be counted instead of weighed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import compress
from math import gcd

from hashgraph.errors import UnfitRules
from hashgraph.limits import MEMBERS_MAX, MEMO_ENTRIES_MAX, WEIGHT_TOTAL_MAX


class Quorum:
    """The weights of an epoch's members; masks have bit i for member i."""

    def __init__(self, weights: Sequence[int]) -> None:
        self.weights = tuple(weights)
        """As given."""
        self.members = len(self.weights)
        if not 1 <= self.members <= MEMBERS_MAX:
            raise UnfitRules(f"{self.members} members, 1 to {MEMBERS_MAX} are possible")
        if min(self.weights) < 0 or not 1 <= sum(self.weights) <= WEIGHT_TOTAL_MAX:
            raise UnfitRules("weights are not from 0, with a sum of 1 to 2^60")
        divisor = gcd(*self.weights)
        self.units = tuple(weight // divisor for weight in self.weights)
        """The weights in the largest unit that measures all of them."""
        self.total = sum(self.units)
        self.needed = 2 * self.total // 3 + 1
        """The least units that are a supermajority."""
        self.count_min = _count_to_reach(sorted(self.units, reverse=True), self.needed)
        """No supermajority has fewer members than this."""
        self.count_sure = _count_to_reach(sorted(self.units), self.needed)
        """Every set of this many members is a supermajority; `count_min` if weights are equal."""
        self._is_super: dict[int, bool] = {}

    def units_of(self, flags: bytes) -> int:
        """Return the units of the members whose byte is 1."""
        return sum(compress(self.units, flags))

    def is_super_mask(self, mask: int) -> bool:
        """Return whether a set of members holds a supermajority."""
        known = self._is_super.get(mask)
        if known is None:
            known = sum(self.units[member] for member in bits(mask)) >= self.needed
            if len(self._is_super) >= MEMO_ENTRIES_MAX:
                self._is_super.clear()
            self._is_super[mask] = known
        return known


def bits(mask: int) -> Iterator[int]:
    """Yield the positions of the bits of `mask`, from the lowest."""
    while mask:
        lowest = mask & -mask
        yield lowest.bit_length() - 1
        mask ^= lowest


def _count_to_reach(units: Sequence[int], needed: int) -> int:
    """Return how many of `units`, from the first, add up to at least `needed`."""
    held = 0
    for count, unit in enumerate(units, start=1):
        held += unit
        if held >= needed:
            return count
    return len(units)
