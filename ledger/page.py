"""Pages of the authenticated map: a subtree of few leaves, as it is stored and as it is worked on.

    body   number of leaves; number of groups; length of all keys, or 2^16 - 1 if they have several;
           branching positions between neighbours; where groups end, but for the last; in that case
           the length of each key; all of these 2 bytes each; digest of all; digests of groups;
           digests of leaves; keys; CRC-32, the lowest byte first
    patch  digest of all; (number, 2 bytes ‖ digest) of each leaf, or 2^15 + number and digest of
           each group, that changed; of two with one number the later one holds

Inner nodes are numbered by the gap between neighbouring leaves that they branch at: the one with
the lowest position is the root of its range. A group is what is below the topmost few of them, a
subtree of some four leaves. A changed leaf takes the hashes of its group and those above groups,
not those of the page, and only digests of groups are stored: all the others take as long to read
as to compute. Where a subtree is cut into pages, and a page into groups, is every cell's own
business: it changes no digest.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from functools import cache
from itertools import accumulate, pairwise
from struct import Struct
from typing import Final
from zlib import crc32

from core.limits import HASH_SIZE_BYTES
from ledger.errors import StatePageLost
from ledger.trie import POSITIONS, digest_above, digests_above, first_difference

_CHECKSUM_BYTES: Final = 4
_CHECKED: Final = 0x2144DF1C
"""CRC-32 of whatever ends with its own CRC-32, the lowest byte first."""
_COUNT_MAX: Final = 1024
"""More leaves than any page is made of."""
_UNEVEN: Final = (1 << 16) - 1
_HEAD: Final = Struct(">HHH")
_LEAST_BYTES: Final = _HEAD.size + 3 * HASH_SIZE_BYTES
_GROUP: Final = 1 << 15
"""Added to the number of a group where it stands beside those of leaves."""
_BRANCHINGS_ABOVE_GROUPS: Final = 3
"""Of a page, at the least: four groups."""
_PATCHED: Final = Struct(f">H{HASH_SIZE_BYTES}s")
"""One leaf, or group, in a patch."""
PATCHED_BYTES: Final = _PATCHED.size
_OTHER_PATCH: Final = "a page of the state has fewer leaves or groups than were changed"
_NUMBERS: Final = tuple(number.to_bytes(2, "big") for number in range(_COUNT_MAX))
_GROUP_NUMBERS: Final = tuple((_GROUP + group).to_bytes(2, "big") for group in range(_COUNT_MAX))


class _Shape:
    """Where what is in the body of a page."""

    __slots__ = (
        "count",
        "cuts",
        "groups_at",
        "keys_at",
        "leaves_at",
        "lengths",
        "positions",
        "size",
    )

    def __init__(self, body: bytes) -> None:
        count, groups, size = _HEAD.unpack_from(body)
        self.count: int = count
        self.size: int = size
        """Of each key, if all have one."""
        numbers = _shorts(count + groups - 2).unpack_from(body, _HEAD.size)
        self.positions: tuple[int, ...] = numbers[: count - 1]
        self.cuts: tuple[int, ...] = numbers[count - 1 :]
        """Gaps between groups."""
        at = _HEAD.size + 2 * (count + groups - 2)
        self.lengths: tuple[int, ...] = ()
        if size == _UNEVEN:
            self.lengths = _shorts(count).unpack_from(body, at)
            at += 2 * count
        self.groups_at: int = at + HASH_SIZE_BYTES
        self.leaves_at: int = self.groups_at + HASH_SIZE_BYTES * groups
        self.keys_at: int = self.leaves_at + HASH_SIZE_BYTES * count

    @property
    def size_bytes(self) -> int:
        """Of a whole body."""
        keys: int = sum(self.lengths) if self.lengths else self.size * self.count
        return self.keys_at + keys + _CHECKSUM_BYTES


class Page:
    """The leaves of a page, in the order of their keys, and what is above them. Never changed.

    Is a body as it was stored, and what is to be put over it: most pages are read for one of their
    leaves, and changed in one.
    """

    __slots__ = ("_inner", "_shape", "body", "count", "patch", "root")

    def __init__(self, body: bytes, patch: bytes = b"", shape: _Shape | None = None) -> None:
        """Take a body that is whole, see `decode_page`, and its shape if that is known."""
        if shape is None:
            shape = _Shape(body)
        self.body = body
        self.patch = patch
        self.count = shape.count
        at = shape.groups_at
        self.root = patch[:HASH_SIZE_BYTES] or body[at - HASH_SIZE_BYTES : at]
        """The digest of all, as it is stored."""
        self._shape = shape
        self._inner: list[bytes] | None = None

    @property
    def positions(self) -> tuple[int, ...]:
        """Where neighbouring leaves branch."""
        return self._shape.positions

    @property
    def first(self) -> bytes:
        """The lowest key."""
        shape, at = self._shape, self._shape.keys_at
        return self.body[at : at + (shape.lengths[0] if shape.lengths else shape.size)]

    @property
    def keys(self) -> list[bytes]:
        """The keys, in order."""
        return [self.body[low:high] for low, high in pairwise(self._bounds())]

    def digest(self, low: int, high: int) -> bytes:
        """Return the digest of the subtree of leaves [low, high).

        Raises StatePageLost if those of all leaves do not lead to the digest that is stored.
        """
        if self._inner is None:
            leaves = self._digests()
            inner = digests_above(leaves, self.positions)
            if (inner[self.branch(0, self.count)] if inner else leaves[0]) != self.root:
                raise StatePageLost("a page of the state has another digest than its leaves")
            self._inner = [*inner, *leaves]
        return self._inner[self.branch(low, high) if high - low > 1 else low - self.count]

    def find(self, key: bytes) -> int:
        """Return the number of the first leaf that is not below a key."""
        return bisect_left(self.keys, key)

    def branch(self, low: int, high: int) -> int:
        """Return the number of the node that is the root of leaves [low, high), two at least."""
        positions = self.positions
        return positions.index(min(positions[low : high - 1]), low)

    def entries(self) -> list[tuple[bytes, bytes]]:
        """Return all (key, leaf's digest)s."""
        return list(zip(self.keys, self._digests(), strict=True))

    def sealed(self) -> bytes:
        """Return the whole body with its checksum, as it is stored."""
        return _sealed(self.whole().body)

    def whole(self) -> Page:
        """Return the page with nothing to be put over it."""
        if not self.patch:
            return self
        return Page(_patched(self.body, self.patch, self._shape), shape=self._shape)

    def changed(
        self, changes: Sequence[tuple[bytes, bytes | None]], leaves_max: int
    ) -> tuple[list[Page], bytes]:
        """Return the pages with entries (key, digest) set or, with None, left out.

        Subtrees of at most so many leaves, in order. This one alone if nothing is changed. With
        them a patch that makes the only one of this one; nothing if that is not all.
        """
        found: list[tuple[int, bytes]] = []
        for key, digest in changes:
            number = self._number_of(key)
            if number < 0 or digest is None:
                break
            found.append((number, digest))
        else:
            page, patch = self._with(found)
            return [page], patch
        if len(changes) == 1:
            if digest is None and number < 0:
                return [self], b""
            if digest is not None and self.count < leaves_max:
                return [self._with_entry(key, digest)], b""
        entries = dict(self.entries())
        before = dict(entries)
        for key, digest in changes:
            if digest is None:
                entries.pop(key, None)
            else:
                entries[key] = digest
        if entries == before:
            return [self], b""
        return pages_of(sorted(entries.items()), leaves_max), b""

    def _bounds(self) -> Sequence[int]:
        """Return where each key begins, and where the last one ends."""
        shape, at, size = self._shape, self._shape.keys_at, self._shape.size
        if shape.lengths or size == 0:
            return list(accumulate(shape.lengths or (0,), initial=at))
        return range(at, at + size * shape.count + 1, size)

    def _digests(self) -> list[bytes]:
        """Return the digests of all leaves."""
        body, shape = self.body, self._shape
        leaves = [*_hashes(shape.count).unpack_from(body, shape.leaves_at)]
        for number, digest in _PATCHED.iter_unpack(self.patch[HASH_SIZE_BYTES:]):
            if number < shape.count:
                leaves[number] = digest
            elif number < _GROUP:
                raise StatePageLost(_OTHER_PATCH)
        return leaves

    def _number_of(self, key: bytes) -> int:
        """Return the number of the leaf with a key, -1 if there is none."""
        keys_at = self._shape.keys_at
        at = self.body.find(key, keys_at)
        if at < 0:
            return -1
        size = len(key)
        if size == self._shape.size and size:
            number, rest = divmod(at - keys_at, size)
            if rest == 0 and number < self.count:
                return number
        keys = self.keys  # perhaps the key's bytes lie inside of others
        number = bisect_left(keys, key)
        return number if keys[number : number + 1] == [key] else -1

    def _with(self, changes: Sequence[tuple[int, bytes]]) -> tuple[Page, bytes]:
        """Return the page with other digests of leaves, and the patch; nothing if all are these."""
        cuts = self._shape.cuts
        if len(changes) == 1:
            return self._with_group(bisect_left(cuts, changes[0][0]), changes)
        groups: dict[int, list[tuple[int, bytes]]] = {}
        for one in changes:
            groups.setdefault(bisect_left(cuts, one[0]), []).append(one)
        page, patch = self, b""
        for group, some in groups.items():
            page, more = page._with_group(group, some)
            if more:
                patch = joined(patch, more)
        return page, patch

    def _with_group(self, group: int, changes: Sequence[tuple[int, bytes]]) -> tuple[Page, bytes]:
        """Do it for leaves of one group."""
        body, shape, size = self.body, self._shape, HASH_SIZE_BYTES
        cuts, positions = shape.cuts, shape.positions
        low = cuts[group - 1] + 1 if group else 0
        high = cuts[group] + 1 if group < len(cuts) else shape.count
        tops = [*_hashes(len(cuts) + 1).unpack_from(body, shape.groups_at)]
        leaves = [*_hashes(high - low).unpack_from(body, shape.leaves_at + size * low)]
        for number, digest in _PATCHED.iter_unpack(self.patch[size:]):
            if low <= number < high:
                leaves[number - low] = digest
            elif _GROUP <= number <= _GROUP + len(cuts):
                tops[number - _GROUP] = digest
            elif number >= shape.count:
                raise StatePageLost(_OTHER_PATCH)
        parts = [b"", _GROUP_NUMBERS[group], b""]
        for number, digest in changes:
            if leaves[number - low] != digest:
                leaves[number - low] = digest
                parts += (_NUMBERS[number], digest)
        if len(parts) == 3:
            return self, b""
        tops[group] = parts[2] = digest_above(leaves, positions[low : high - 1])
        parts[0] = digest_above(tops, [positions[cut] for cut in cuts])
        patch = b"".join(parts)
        return Page(body, joined(self.patch, patch), shape), patch

    def _with_entry(self, key: bytes, digest: bytes) -> Page:
        """Return the page with one leaf more."""
        keys, digests, positions = self.keys, self._digests(), list(self.positions)
        number = bisect_left(keys, key)
        # Of the two new branchings one is where the one between the neighbours was.
        if number > 0:
            positions[number - 1 : number] = [first_difference(keys[number - 1], key)]
        if number < len(keys):
            positions.insert(number, first_difference(key, keys[number]))
        keys.insert(number, key)
        digests.insert(number, digest)
        return _encoded(keys, digests, positions)


def pages_of(entries: Sequence[tuple[bytes, bytes]], leaves_max: int) -> list[Page]:
    """Return pages of at most so many leaves, subtrees all, with sorted (key, leaf's digest)s."""
    if not entries:
        return []
    keys = [key for key, _ in entries]
    digests = [digest for _, digest in entries]
    positions = [first_difference(one, other) for one, other in pairwise(keys)]
    pages: list[Page] = []
    todo = [(0, len(keys))]
    while todo:
        low, high = todo.pop()
        some = positions[low : high - 1]
        if high - low <= leaves_max:
            pages.append(_encoded(keys[low:high], digests[low:high], some))
        else:
            root = positions.index(min(some), low)
            todo += [(root + 1, high), (low, root + 1)]
    return pages


def joined(before: bytes, patch: bytes) -> bytes:
    """Return what two patches of a page are together."""
    if not before:
        return patch
    return patch[:HASH_SIZE_BYTES] + before[HASH_SIZE_BYTES:] + patch[HASH_SIZE_BYTES:]


def decode_page(body: bytes, patch: bytes = b"") -> Page:
    """Return the page in a body, with a patch put over it.

    Raises StatePageLost if it is not as it was written.
    """
    return Page(body, patch, _checked(body))


def folded(body: bytes, patch: bytes) -> bytes:
    """Return a stored body with a patch put over it, to be stored; raises StatePageLost."""
    return _sealed(_patched(body, patch, _checked(body)))


def _encoded(keys: Sequence[bytes], digests: Sequence[bytes], positions: Sequence[int]) -> Page:
    count, cuts, lengths = len(keys), _cuts(positions), [len(key) for key in keys]
    bounds = [0, *(cut + 1 for cut in cuts), count]
    tops = [
        digest_above(digests[low:high], positions[low : high - 1]) for low, high in pairwise(bounds)
    ]
    root = digest_above(tops, [positions[cut] for cut in cuts])
    numbers = [count, len(tops), _UNEVEN, *positions, *cuts]
    if min(lengths) == max(lengths):
        numbers[2] = lengths[0]
    else:
        numbers += lengths
    head = _shorts(len(numbers)).pack(*numbers)
    return Page(b"".join((head, root, *tops, *digests, *keys, bytes(_CHECKSUM_BYTES))))


def _patched(body: bytes, patch: bytes, shape: _Shape) -> bytes:
    """Return a body with a patch put over it; raises StatePageLost for that of another page.

    Its checksum is that of before.
    """
    groups = len(shape.cuts) + 1
    hashes = [*_hashes(groups + shape.count).unpack_from(body, shape.groups_at)]
    for number, digest in _PATCHED.iter_unpack(patch[HASH_SIZE_BYTES:]):
        if number < shape.count:
            hashes[groups + number] = digest
        elif 0 <= number - _GROUP < groups:
            hashes[number - _GROUP] = digest
        else:
            raise StatePageLost(_OTHER_PATCH)
    head = body[: shape.groups_at - HASH_SIZE_BYTES]
    return b"".join((head, patch[:HASH_SIZE_BYTES], *hashes, body[shape.keys_at :]))


@cache
def _shorts(count: int) -> Struct:
    """Return so many numbers of two bytes."""
    return Struct(f">{count}H")


@cache
def _hashes(count: int) -> Struct:
    """Return so many hashes."""
    return Struct(f"{HASH_SIZE_BYTES}s" * count)


def _cuts(positions: Sequence[int]) -> list[int]:
    """Return the gaps between groups."""
    if len(positions) <= _BRANCHINGS_ABOVE_GROUPS:
        return []
    lowest = sorted(positions)[_BRANCHINGS_ABOVE_GROUPS - 1]
    return [at for at, position in enumerate(positions) if position <= lowest]


def _sealed(body: bytes) -> bytes:
    content = memoryview(body)[:-_CHECKSUM_BYTES]
    return b"".join((content, crc32(content).to_bytes(_CHECKSUM_BYTES, "little")))


def _checked(body: bytes) -> _Shape:
    """Return the shape of a body; raises StatePageLost if it is not as it was written."""
    if crc32(body) == _CHECKED and len(body) > _LEAST_BYTES:
        count, groups, _ = _HEAD.unpack_from(body)
        least = (4 + HASH_SIZE_BYTES) * count + (2 + HASH_SIZE_BYTES) * groups
        if 0 < groups <= count <= _COUNT_MAX and least <= len(body):
            shape = _Shape(body)
            if (
                shape.size_bytes == len(body)
                and max(shape.positions, default=0) < POSITIONS
                and max(shape.cuts, default=-1) < count - 1
            ):
                return shape
    raise StatePageLost("a page of the state is not as it was written")
