"""Proofs about the authenticated map: a pruned trie that leads to a root, and what it shows.

One format for a key's value, its absence, several keys, and all keys in a range. Version 1, then
the trie in pre-order, each node with one byte before it:

    0  nothing: only as the whole map
    1  inner   position, 2 bytes; then its left side, then its right side
    2  hidden  digest, 32 bytes, of a subtree in which nothing is shown
    3  entry   length of key, 2 bytes; key; length of value, 4 bytes; value
    4  bare    length of key, 2 bytes; key; SHA-256(value): an entry that is there, and no more

Numbers are big endian. `Opened` refuses whatever no honest prover makes: positions that do not
grow downwards, keys that do not branch where it says, two hidden sides that should be one, bytes
left over, too many nodes. What is shown is true of the map that has `Opened.root`; who checks
compares that with a root it trusts. Pure: verifiers elsewhere take this and `ledger.trie`.
"""

from __future__ import annotations

import hashlib
from array import array
from bisect import bisect_left
from dataclasses import dataclass
from typing import Final

from core.ids import Hash
from core.limits import HASH_SIZE_BYTES
from ledger.errors import BadMapProof
from ledger.trie import (
    EMPTY_ROOT,
    KEY_SIZE_BYTES_MAX,
    POSITIONS,
    bit,
    entry_digest,
    first_difference,
    inner_digest,
    leaf_digest,
    low_of,
)

PROOF_VERSION: Final = 1
PROOF_SIZE_BYTES_MAX: Final = 1 << 20
"""Of one proof: four times what a cell gives away at once."""
PROOF_NODES_MAX: Final = 12_288
"""Of one proof, which takes 40 ms to read. The largest that a cell makes has 11,300: the 1,024
entries of a piece, and 4,608 branchings beside them with what they hide. 60 KiB of the shortest
entries that there can be have 10,300."""

EMPTY: Final = 0
INNER: Final = 1
HIDDEN: Final = 2
ENTRY: Final = 3
BARE: Final = 4


@dataclass(frozen=True, slots=True)
class Place:
    """Where a subtree lies: all keys whose first `depth` bits are those of `low`."""

    depth: int
    low: bytes
    """The lowest of these keys."""


TOP: Final = Place(0, b"")
"""Of the whole map."""


@dataclass(frozen=True, slots=True)
class Scan:
    """What a proof shows of a range: all that lies there, or all up to the last key given."""

    entries: tuple[tuple[bytes, bytes], ...]
    is_complete: bool

    @property
    def cursor(self) -> bytes | None:
        """Return where to go on, None when there is no more: the first key that can follow."""
        return None if self.is_complete else self.entries[-1][0] + b"\x00"


class Opened:
    """A proof that was read: the root to which it leads, and what it shows of the map with it."""

    def __init__(self, data: bytes, *, size_bytes_max: int = PROOF_SIZE_BYTES_MAX) -> None:
        """Read a proof; raises BadMapProof."""
        if not 1 < len(data) <= size_bytes_max or data[0] != PROOF_VERSION:
            raise BadMapProof("not a proof of this version and size")
        # By the number of a node, in arrays: a stranger's proof may have ten thousand nodes.
        self._data = data
        self._kinds = bytearray()
        self._positions = array("H")
        self._rights = array("I")
        """Of an inner node, the number of its right side."""
        self._starts = array("I")
        """Of an entry, where its key begins in the data."""
        self._hidden: list[tuple[Place, bytes]] = []
        self.root = Hash(self._read(data))

    def get(self, key: bytes) -> bytes | None:
        """Return the value of a key, None if it is not in the map.

        Raises BadMapProof when the proof does not tell.
        """
        at = 0
        while self._kinds[at] == INNER:
            at = self._rights[at] if bit(key, self._positions[at]) else at + 1
        kind = self._kinds[at]
        is_it = kind in (ENTRY, BARE) and self._key(at) == key
        if kind == HIDDEN or (kind == BARE and is_it):
            raise BadMapProof("the proof does not show that key")
        return self._value(at) if is_it else None

    def scan(self, start: bytes, end: bytes | None) -> Scan:
        """Return the entries with start ≤ key < end (None: to the end of the map), in order.

        Those up to the last key that is given are complete. Raises BadMapProof when the proof
        shows none of them and does not show that there are none.
        """
        order = [at for at, kind in enumerate(self._kinds) if kind not in (INNER, EMPTY)]
        shown = [at for at in order if self._kinds[at] != HIDDEN]
        after = bisect_left(shown, start, key=self._key)
        # What is shown lies side by side exactly as in the map, but for what is hidden between.
        begin = order.index(shown[after - 1]) + 1 if after > 0 else 0
        entries: list[tuple[bytes, bytes]] = []
        for at in order[begin:]:
            if self._kinds[at] == HIDDEN:
                break
            key = self._key(at)
            if end is not None and key >= end:
                return Scan(tuple(entries), is_complete=True)
            if self._kinds[at] == BARE:
                raise BadMapProof("an entry of the range is shown without its value")
            entries.append((key, self._value(at)))
        else:
            return Scan(tuple(entries), is_complete=True)
        if not entries:
            raise BadMapProof("the proof shows nothing of the range")
        return Scan(tuple(entries), is_complete=False)

    def entries(self) -> list[tuple[bytes, bytes]]:
        """Return all entries that are shown with their values, in order."""
        return [
            (self._key(at), self._value(at)) for at, kind in enumerate(self._kinds) if kind == ENTRY
        ]

    def hidden(self) -> list[tuple[Place, bytes]]:
        """Return place and digest of each subtree that is hidden beside what is shown, in order."""
        return list(self._hidden)

    def leaves(self) -> list[tuple[bytes, bytes]]:
        """Return key and hash of the value of each entry that is shown, bare or not, in order."""
        found: list[tuple[bytes, bytes]] = []
        for at, kind in enumerate(self._kinds):
            if kind == ENTRY:
                found.append((self._key(at), value_hash_of(self._value(at))))
            elif kind == BARE:
                key = self._key(at)
                behind = self._starts[at] + len(key)
                found.append((key, self._data[behind : behind + HASH_SIZE_BYTES]))
        return found

    @property
    def has_bare(self) -> bool:
        """Whether some entry is shown without its value."""
        return BARE in self._kinds

    def _key(self, at: int) -> bytes:
        """Return the key of an entry, bare or not."""
        start = self._starts[at]
        return self._data[start : start + int.from_bytes(self._data[start - 2 : start], "big")]

    def _value(self, at: int) -> bytes:
        """Return the value of an entry that is not bare."""
        start = self._starts[at]
        start += int.from_bytes(self._data[start - 2 : start], "big") + 4
        return self._data[start : start + int.from_bytes(self._data[start - 4 : start], "big")]

    def _read(self, data: bytes) -> bytes:
        """Read all nodes; return the root's digest. No recursion: the depth is the prover's."""
        offset = 1
        # The inner nodes whose sides are being read: their numbers, and left sides once known.
        above, lefts = array("I"), list[_Side | None]()
        last: bytes | None = None
        while True:
            kind, number = _part(data, offset, 1)[0], len(self._kinds)
            if number >= PROOF_NODES_MAX:
                raise BadMapProof("more nodes than a proof has")
            self._kinds.append(kind)
            self._rights.append(0)
            self._positions.append(0)
            self._starts.append(0)
            if kind == INNER:
                position = int.from_bytes(_part(data, offset + 1, 2), "big")
                if position >= POSITIONS or (above and position <= self._positions[above[-1]]):
                    raise BadMapProof("positions must grow downwards")
                self._positions[number] = position
                above.append(number)
                lefts.append(None)
                offset += 3
                continue
            offset, digest = self._leaf(data, offset, number)
            side = _Side(digest)
            if kind in (ENTRY, BARE):
                side, key = _Side(digest, number), self._key(number)
                # The joins below find this too, but only after all of a deep chain was kept.
                is_short = bool(above) and self._positions[above[-1]] > 9 * len(key)
                if is_short or (last is not None and key <= last):
                    raise BadMapProof("keys that do not branch where the proof says")
                last = key
            while above:
                left = lefts[-1]
                if left is None:
                    lefts[-1] = side
                    self._rights[above[-1]] = len(self._kinds)
                    break
                lefts.pop()
                side = self._joined(self._positions[above.pop()], left, side)
            else:
                if offset != len(data):
                    raise BadMapProof("bytes behind the proof")
                self._hidden.sort(key=lambda found: found[0].low)
                return side.digest

    def _leaf(self, data: bytes, offset: int, number: int) -> tuple[int, bytes]:
        """Read a node without sides; return where the next one begins, and the digest."""
        kind = data[offset]
        if kind == EMPTY and number == 0:
            return offset + 1, EMPTY_ROOT
        if kind == HIDDEN and number > 0:
            return offset + 1 + HASH_SIZE_BYTES, _part(data, offset + 1, HASH_SIZE_BYTES)
        if kind not in (ENTRY, BARE):
            raise BadMapProof("no node of a proof")
        length = int.from_bytes(_part(data, offset + 1, 2), "big")
        if length > KEY_SIZE_BYTES_MAX:
            raise BadMapProof("a key that is longer than any")
        key = _part(data, offset + 3, length)
        self._starts[number] = offset + 3
        offset += 3 + length
        if kind == BARE:
            value_hash = _part(data, offset, HASH_SIZE_BYTES)
            return offset + HASH_SIZE_BYTES, leaf_digest(key, value_hash)
        size = int.from_bytes(_part(data, offset, 4), "big")
        value = _part(data, offset + 4, size)
        return offset + 4 + size, entry_digest(key, value)

    def _joined(self, position: int, left: _Side, right: _Side) -> _Side:
        """Return what two sides come to; they must branch at that position."""
        first, last = left.first, right.last
        if left.first is not None and right.first is not None and left.last is not None:
            one, other = self._key(left.last), self._key(right.first)
            if one >= other or first_difference(one, other) != position:
                raise BadMapProof("keys that do not branch where the proof says")
        elif left.first is None and right.first is None:
            raise BadMapProof("two hidden sides that should be one")
        else:
            is_right = left.first is None
            shown = right.first if is_right else left.last
            witness = self._key(0 if shown is None else shown)
            if bit(witness, position) != is_right or position > 9 * len(witness):
                raise BadMapProof("a key on the wrong side")
            place = Place(position + 1, low_of(witness, position, 1 - is_right))
            self._hidden.append((place, (left if is_right else right).digest))
            first = right.first if is_right else left.first
            last = right.last if is_right else left.last
        return _Side(inner_digest(position, left.digest, right.digest), first, last)


class _Side:
    """A side of an inner node: its digest, and the first and last entry that are shown in it."""

    __slots__ = ("digest", "first", "last")

    def __init__(self, digest: bytes, first: int | None = None, last: int | None = None) -> None:
        self.digest = digest
        self.first = first
        self.last = first if last is None else last


def end_of_prefix(prefix: bytes) -> bytes | None:
    """Return the first key behind all that begin with a prefix, None if there is none."""
    bare = prefix.rstrip(b"\xff")
    return bare[:-1] + bytes((bare[-1] + 1,)) if bare else None


def is_at(key: bytes, place: Place) -> bool:
    """Return whether a key lies at a place."""
    return key == place.low or first_difference(key, place.low) >= place.depth


def value_hash_of(value: bytes) -> bytes:
    """Return the hash of a value, as a bare entry has it."""
    return hashlib.sha256(value).digest()


def _part(data: bytes, offset: int, size: int) -> bytes:
    """Return a part of the data; raises BadMapProof if it ends before."""
    if size > len(data) - offset:
        raise BadMapProof("the proof ends too early")
    return data[offset : offset + size]
