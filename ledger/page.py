"""Pages of the authenticated map: a subtree of few leaves, as it is stored and as it is worked on.

    body   number of leaves, 2 bytes; length of each key, 2 bytes each; branching positions between
           neighbours, 2 bytes each; digests of leaves; digests of inner nodes; keys; CRC-32, the
           lowest byte first

Inner nodes are numbered by the gap between neighbouring leaves that they branch at: the one with
the lowest position is the root of its range, so no pointers are kept. Where a subtree is cut into
pages is every cell's own business: it changes no digest.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from itertools import accumulate, pairwise
from struct import Struct, pack, unpack_from
from typing import Final, NamedTuple, TypeAlias
from zlib import crc32

from core.ids import Epoch
from core.limits import HASH_SIZE_BYTES
from ledger.errors import StatePageLost
from ledger.trie import INNER_HEAD, digests_above, first_difference

_WAYS_MAX: Final = 2
"""Changed leaves of one page up to which hashing their ways up is quicker than all of it."""
_CHECKSUM_BYTES: Final = 4
_CHECKED: Final = 0x2144DF1C
"""CRC-32 of whatever ends with its own CRC-32, the lowest byte first."""
_COUNT_MAX: Final = 1024
"""More leaves than any page is made of."""
_LEAST_BYTES: Final = 2 + 2 + HASH_SIZE_BYTES
_PATCHED: Final = Struct(f">H{HASH_SIZE_BYTES}s")
"""One digest in a patch, and its number: leaves first, then inner nodes."""
PATCHED_BYTES: Final = _PATCHED.size
_NUMBERS: Final = tuple(number.to_bytes(2, "big") for number in range(2 * _COUNT_MAX))


@dataclass(frozen=True, slots=True)
class PageHead:
    """What is known of a page without its body."""

    id: int
    born: Epoch
    """The epoch that wrote it."""
    died: Epoch | None
    """The epoch that wrote what is there instead; None for a page of the present state."""
    first: bytes
    """Its lowest key."""
    count: int
    digest: bytes
    patch: bytes = b""
    """What was logged of it since its row was saved (`ledger.patches`); `digest` is with it."""


class PageRow(NamedTuple):
    """A page to be written; a tuple, as it goes into a table."""

    id: int
    born: int
    first: bytes
    leaves: int
    digest: bytes
    body: bytes
    saved: int
    """By which update."""


class PageFold(NamedTuple):
    """A page to be written whole, of which patches were logged before."""

    digest: bytes
    body: bytes
    saved: int
    id: int


@dataclass(frozen=True, slots=True)
class PageWrites:
    """What a batch changes on the disk: written together with what it is of."""

    put: tuple[PageRow, ...] = ()
    died: tuple[tuple[int, Epoch], ...] = ()
    """(id, epoch): no part of the present state any more, but of the ends of epochs before."""
    gone: tuple[int, ...] = ()
    """Part of no end of an epoch either."""
    folded: tuple[PageFold, ...] = ()
    number: int = 0
    """Of the update that this is of."""
    log: bytes = b""
    """What it changed of pages that are not written now; nothing if there is none."""
    log_done: int = 0
    """What was logged by updates up to this one may go."""


_Shape: TypeAlias = "tuple[tuple[int, ...], tuple[int, ...]]"
"""Lengths of keys, and positions of the branchings between neighbours."""


class Page:
    """The leaves of a page, in the order of their keys, and what is above them. Never changed.

    Works on the body as it is stored: most pages are read for one of their leaves.
    """

    __slots__ = ("_inner_at", "_keys_at", "_leaves_at", "_lengths", "_root", "body", "positions")

    def __init__(self, body: bytes, shape: _Shape | None = None, root: bytes = b"") -> None:
        """Take a body that is whole, see `decode_page`, and its numbers and digest if known."""
        if shape is None:
            count = body[0] << 8 | body[1]
            numbers = unpack_from(f">{2 * count - 1}H", body, 2)
            shape = numbers[:count], numbers[count:]
        self.body = body
        self._lengths, self.positions = shape
        self._root = root
        count = len(self._lengths)
        self._leaves_at = 4 * count
        self._inner_at = (4 + HASH_SIZE_BYTES) * count
        self._keys_at = (4 + 2 * HASH_SIZE_BYTES) * count - HASH_SIZE_BYTES

    def __len__(self) -> int:
        return len(self._lengths)

    @property
    def size_bytes(self) -> int:
        """Of the body, as its head says."""
        return self._keys_at + sum(self._lengths) + _CHECKSUM_BYTES

    @property
    def first(self) -> bytes:
        """The lowest key."""
        return self.body[self._keys_at : self._keys_at + self._lengths[0]]

    @property
    def keys(self) -> list[bytes]:
        """The keys, in order."""
        bounds = accumulate(self._lengths, initial=self._keys_at)
        return [self.body[low:high] for low, high in pairwise(bounds)]

    def digest(self, low: int = 0, high: int | None = None) -> bytes:
        """Return the digest of the subtree of leaves [low, high)."""
        if low == 0 and high is None:
            if not self._root:
                self._root = self.digest(0, len(self._lengths))
            return self._root
        end = len(self._lengths) if high is None else high
        if end - low == 1:
            at = self._leaves_at + HASH_SIZE_BYTES * low
        else:
            at = self._inner_at + HASH_SIZE_BYTES * self.branch(low, end)
        return self.body[at : at + HASH_SIZE_BYTES]

    def find(self, key: bytes) -> int:
        """Return the number of the first leaf that is not below a key."""
        return bisect_left(self.keys, key)

    def branch(self, low: int, high: int) -> int:
        """Return the number of the node that is the root of leaves [low, high), two at least."""
        positions = self.positions
        return positions.index(min(positions[low : high - 1]), low)

    def entries(self) -> list[tuple[bytes, bytes]]:
        """Return all (key, leaf's digest)s."""
        digests = _slices(self.body, self._leaves_at, self._inner_at)
        return list(zip(self.keys, digests, strict=True))

    def sealed(self) -> bytes:
        """Return the body with its checksum, as it is stored."""
        body = memoryview(self.body)[:-_CHECKSUM_BYTES]
        return b"".join((body, crc32(body).to_bytes(_CHECKSUM_BYTES, "little")))

    def patched(self, patch: bytes) -> Page:
        """Return the page with other digests; raises StatePageLost for those of another page."""
        body, leaves_at, count = bytearray(self.body), self._leaves_at, 2 * len(self._lengths) - 1
        for number, digest in _PATCHED.iter_unpack(patch):
            if number >= count:
                raise StatePageLost("a page of the state has fewer digests than were changed")
            where = leaves_at + HASH_SIZE_BYTES * number
            body[where : where + HASH_SIZE_BYTES] = digest
        return Page(bytes(body), (self._lengths, self.positions), patch[-HASH_SIZE_BYTES:])

    def changed(
        self, changes: Sequence[tuple[bytes, bytes | None]], leaves_max: int
    ) -> tuple[list[Page], bytes]:
        """Return the pages with entries (key, digest) set or, with None, left out.

        Subtrees of at most so many leaves, in order. This one alone if nothing is changed. With
        them a patch that makes the only one of this one; nothing if that is not all.
        """
        if len(changes) <= _WAYS_MAX:
            stepwise = self._stepwise(changes, leaves_max)
            if stepwise is not None:
                return [stepwise[0]], stepwise[1]
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

    def _number_of(self, key: bytes) -> int:
        """Return the number of the leaf with a key, -1 if there is none."""
        at = self.body.find(key, self._keys_at)
        if at < 0:
            return -1
        size, lengths = len(key), self._lengths
        if lengths.count(size) == len(lengths):
            number, rest = divmod(at - self._keys_at, size) if size else (0, 0)
            if rest == 0 and number < len(lengths):
                return number
        bounds = list(accumulate(lengths, initial=self._keys_at))
        number = bisect_left(bounds, at)
        if bounds[number : number + 1] == [at] and lengths[number : number + 1] == (size,):
            return number
        keys = self.keys  # the key's bytes lie inside of others
        number = bisect_left(keys, key)
        return number if keys[number : number + 1] == [key] else -1

    def _stepwise(
        self, changes: Sequence[tuple[bytes, bytes | None]], leaves_max: int
    ) -> tuple[Page, bytes] | None:
        """Return the page with few changes, hashing their ways up, and the patch to it if one is.

        None if that is not enough.
        """
        page = self
        patches: list[bytes] = []
        is_patch = True
        for key, digest in changes:
            number = page._number_of(key)
            if digest is None or (number < 0 and len(page) >= leaves_max):
                return None
            if number < 0:
                page, is_patch = page._with_entry(key, digest), False
            else:
                page = page._with(number, digest, patches)  # noqa: SLF001 - its own class
        return page, b"".join(patches) if is_patch else b""

    def _with(self, number: int, digest: bytes, patches: list[bytes]) -> Page:
        """Return the page with another digest of a leaf, and add what that changes to patches."""
        at = self._leaves_at + HASH_SIZE_BYTES * number
        if self.body[at : at + HASH_SIZE_BYTES] == digest:
            return self
        body = bytearray(self.body)
        body[at : at + HASH_SIZE_BYTES] = digest
        patches += (_NUMBERS[number], digest)
        self._rehash(number, digest, body, patches)
        return Page(bytes(body), (self._lengths, self.positions), patches[-1])

    def _with_entry(self, key: bytes, digest: bytes) -> Page:
        """Return the page with one leaf more."""
        keys = self.keys
        number = bisect_left(keys, key)
        lengths, positions = list(self._lengths), list(self.positions)
        lengths.insert(number, len(key))
        # Of the two new branchings one is where the one between the neighbours was.
        gap = max(number - 1, 0)
        if number > 0:
            before = first_difference(keys[number - 1], key)
            positions[number - 1 : number] = [before]
        if number < len(keys):
            behind = first_difference(key, keys[number])
            positions.insert(number, behind)
            if number > 0 and behind > positions[number - 1]:
                gap = number
        count = len(keys)
        leaf = self._leaves_at + HASH_SIZE_BYTES * number
        inner = self._inner_at + HASH_SIZE_BYTES * gap
        key_at = self._keys_at + sum(self._lengths[:number])
        body = bytearray(
            b"".join(
                (
                    pack(f">{2 * count + 2}H", count + 1, *lengths, *positions),
                    self.body[self._leaves_at : leaf],
                    digest,
                    self.body[leaf:inner],
                    bytes(HASH_SIZE_BYTES),
                    self.body[inner:key_at],
                    key,
                    self.body[key_at:],
                )
            )
        )
        page = Page(bytes(body), (tuple(lengths), tuple(positions)))
        page._rehash(number, digest, body, [])
        page.body = bytes(body)
        return page

    def _rehash(self, leaf: int, digest: bytes, body: bytearray, patches: list[bytes]) -> None:
        """Compute anew what lies between a leaf and the root, from below.

        Of the branchings beside a subtree the lower one, the one with the higher position, is the
        node above it; beyond that lies its other side, as far as positions are higher still.
        """
        positions, leaves_at, inner_at = self.positions, self._leaves_at, self._inner_at
        size, heads, names, new = HASH_SIZE_BYTES, INNER_HEAD, _NUMBERS, sha256
        count, low, high = len(positions), leaf - 1, leaf
        while low >= 0 or high < count:
            is_left = low < 0 or (high < count and positions[high] > positions[low])
            node = high if is_left else low
            position = positions[node]
            step = 1 if is_left else -1
            at, root, least = node + step, -1, 0
            while 0 <= at < count and (found := positions[at]) > position:
                if root < 0 or found < least:
                    root, least = at, found
                at += step
            if root >= 0:
                other = inner_at + size * root
            else:
                other = leaves_at + size * (node + 1 if is_left else node)
            beside = body[other : other + size]
            pair = digest + beside if is_left else beside + digest
            digest = new(heads[position] + pair).digest()
            where = inner_at + size * node
            body[where : where + size] = digest
            patches += (names[count + 1 + node], digest)
            if is_left:
                high = at
            else:
                low = at


def pages_of(entries: Sequence[tuple[bytes, bytes]], leaves_max: int) -> list[Page]:
    """Return pages of at most so many leaves, subtrees all, with sorted (key, leaf's digest)s."""
    if not entries:
        return []
    keys = [key for key, _ in entries]
    digests = [digest for _, digest in entries]
    positions = [first_difference(one, other) for one, other in pairwise(keys)]
    inner = digests_above(digests, positions)
    pages: list[Page] = []
    todo = [(0, len(keys))]
    while todo:
        low, high = todo.pop()
        if high - low <= leaves_max:
            parts = (digests[low:high], inner[low : high - 1], keys[low:high])
            pages.append(_encoded(positions[low : high - 1], *parts))
        else:
            middle = positions.index(min(positions[low : high - 1]), low) + 1
            todo += [(middle, high), (low, middle)]
    return pages


def decode_page(body: bytes) -> Page:
    """Return the page in a body; raises StatePageLost if it is not as it was written."""
    if crc32(body) == _CHECKED and len(body) > _LEAST_BYTES:
        count = body[0] << 8 | body[1]
        if 0 < count <= _COUNT_MAX and 4 * count <= len(body):
            page = Page(body)
            if page.size_bytes == len(body):
                return page
    raise StatePageLost("a page of the state is not as it was written")


def _encoded(
    positions: Sequence[int],
    digests: Sequence[bytes],
    inner: Sequence[bytes],
    keys: Sequence[bytes],
) -> Page:
    count = len(keys)
    head = pack(f">{2 * count}H", count, *map(len, keys), *positions)
    body = b"".join((head, *digests, *inner, *keys))
    return Page(body + crc32(body).to_bytes(_CHECKSUM_BYTES, "little"))


def _slices(body: bytes, low: int, high: int) -> list[bytes]:
    return [body[at : at + HASH_SIZE_BYTES] for at in range(low, high, HASH_SIZE_BYTES)]
