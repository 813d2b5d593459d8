"""Seen-through matrices as big integers, and how many bits each of their rows has.

A *half* is about the witnesses of one round. It has one row per member, for the witness that the
member has in the ancestry in question: bit m says that it is an ancestor through an event of member
m, and the row's top bit, *known*, that it is an ancestor at all. Whoever has two witnesses of one
round by one member knows of a fork by it, and reads neither: one row per member is enough.

A *matrix* is two halves in one integer: the node's round above, the round before below. So the
matrix of a node is the OR of its parents' matrices, one shift for a parent one round lower, and
entering the next round is the same shift.

Rows are whole bytes wide, so that all their bits are counted at once: pairs, nibbles and bytes in
parallel (Warren, Hacker's Delight, section 5-1), then one multiplication adds a row's bytes.
"""

from __future__ import annotations

from hashgraph.limits import UNFORKED_MASKS_MAX
from hashgraph.quorum import Quorum, bits


class Matrices:
    """The layout of the matrices of an epoch, and the constants that work on all rows at once."""

    def __init__(self, quorum: Quorum) -> None:
        self._quorum = quorum
        members = quorum.members
        self._row_bytes = members // 8 + 1
        self._stride = 8 * self._row_bytes
        self.half_bits = members * self._stride
        """Shift by this to get from a matrix to the half of the node's own round."""
        self.below_mask = (1 << self.half_bits) - 1
        """What a matrix says about the round before."""
        rows = sum(1 << member * self._stride for member in range(members))
        known = rows << self._stride - 1
        self.known = known << self.half_bits | known
        """The top bit of every row of both halves."""
        self.known_shift = tuple(self._stride - 1 - member for member in range(members))
        """By member: shift the known bits by this to get the member's column."""
        self.entry = tuple(
            (1 << self._stride - 1 | 1 << member) << member * self._stride + self.half_bits
            for member in range(members)
        )
        """By member: what a witness of its adds to its own matrix."""
        self.bits_min = quorum.count_min * (quorum.count_min + 1)
        """A half with fewer bits holds no supermajority of supermajorities."""
        size = members * self._row_bytes
        self._pairs, self._nibbles, self._bytes = (
            int.from_bytes(byte * size, "little") for byte in (b"\x55", b"\x33", b"\x0f")
        )
        self._add_bytes = int.from_bytes(b"\x01" * self._row_bytes, "little")
        self._top_bytes = rows * 255 << self._stride - 8
        # A row's known bit is counted as well. In a row of several bytes the wanted count overflows
        # the top byte; in a row of one byte, that would run into the next count: it sets bit 7.
        bound = 127 if self._row_bytes == 1 else 255
        self._mark_shift = 7 if self._row_bytes == 1 else self._stride
        self._marks = rows << self._mark_shift
        self._sure = rows * (bound - quorum.count_sure) << self._stride - 8
        self._maybe = rows * (bound - quorum.count_min) << self._stride - 8
        self._is_exact = quorum.count_sure == quorum.count_min
        self._unforked_masks: dict[int, int] = {}

    def strong_rows(self, half: int, forked: int) -> int:
        """Return the rows that a node with this half and these known forkers strongly sees.

        A row is a bit in the result, at its own place; `flags` and `is_super` read it.
        """
        if forked:
            half &= self._unforked(forked)
        count = half - (half >> 1 & self._pairs)
        count = (count & self._nibbles) + (count >> 2 & self._nibbles)
        count = (count + (count >> 4)) & self._bytes
        if self._row_bytes > 1:
            count = count * self._add_bytes & self._top_bytes
        rows = count + self._sure & self._marks
        return rows if self._is_exact else self._weigh(rows, count, half)

    def is_super(self, rows: int) -> bool:
        """Return whether the members of these rows, as `strong_rows` gives them, are enough."""
        count = rows.bit_count()
        quorum = self._quorum
        if count < quorum.count_min:
            return False
        return count >= quorum.count_sure or quorum.units_of(self.flags(rows)) >= quorum.needed

    def flags(self, rows: int) -> bytes:
        """Return rows from `strong_rows` as one byte per member, 0 or 1."""
        step = self._row_bytes
        size = self._quorum.members * step
        return (rows >> self._mark_shift).to_bytes(size, "little")[::step]

    def known_below(self, matrix: int, forked: int) -> bytes:
        """Return by member, as 0 or 1, whether a witness of the round before is seen."""
        below = matrix & self.below_mask & self.known
        if forked:
            below &= self._unforked(forked)
        step = self._row_bytes
        size = self._quorum.members * step
        return (below >> self._stride - 1).to_bytes(size, "little")[::step]

    def from_columns(self, own: dict[int, int], below: dict[int, int]) -> int:
        """Return the matrix in which the witness of each member is seen through a mask of members.

        The slow way to a matrix, for a node whose own was let go of.
        """
        matrix = 0
        for half, shift in ((own, self.half_bits), (below, 0)):
            for member, through in half.items():
                row = 1 << self._stride - 1 | through
                matrix |= row << member * self._stride + shift
        return matrix

    def _weigh(self, rows: int, count: int, half: int) -> int:
        """Add the rows that have some supermajority's count of members, if they weigh enough."""
        quorum = self._quorum
        for position in bits((count + self._maybe & self._marks) & ~rows):
            row = half >> position - self._mark_shift & (1 << quorum.members) - 1
            if quorum.is_super_mask(row):
                rows |= 1 << position
        return rows

    def _unforked(self, forked: int) -> int:
        """Return the mask without the rows and columns of these members."""
        mask = self._unforked_masks.get(forked)
        if mask is None:
            honest = ((1 << self._stride) - 1) & ~forked
            mask = sum(
                honest << member * self._stride
                for member in range(self._quorum.members)
                if not forked >> member & 1
            )
            if len(self._unforked_masks) >= UNFORKED_MASKS_MAX:
                self._unforked_masks.clear()
            self._unforked_masks[forked] = mask
        return mask
