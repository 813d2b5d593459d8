"""Pages of the authenticated map: a subtree of few leaves, as it is stored and as it is worked on.

    body   number of leaves, 2 bytes; length of each key, 2 bytes each; branching positions between
           neighbours, 2 bytes each; digest of all; digests of leaves; keys; CRC-32, the lowest
           byte first
    patch  digest of all; (number of a leaf, 2 bytes ‖ its digest) of each one that changed

Inner nodes are numbered by the gap between neighbouring leaves that they branch at: the one with
the lowest position is the root of its range. Their digests are not stored: computing all of a page
takes as long as reading them would. Where a subtree is cut into pages is every cell's own business:
it changes no digest.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from struct import Struct, pack, unpack_from
from typing import Final, NamedTuple
from zlib import crc32

from core.ids import Epoch
from core.limits import HASH_SIZE_BYTES
from ledger.errors import StatePageLost
from ledger.trie import POSITIONS, digest_above, digests_above, first_difference

_CHECKSUM_BYTES: Final = 4
_CHECKED: Final = 0x2144DF1C
"""CRC-32 of whatever ends with its own CRC-32, the lowest byte first."""
_COUNT_MAX: Final = 1024
"""More leaves than any page is made of."""
_UNKNOWN: Final = -2
_UNEVEN: Final = -1
_LEAST_BYTES: Final = 2 + 2 + 2 * HASH_SIZE_BYTES
_PATCHED: Final = Struct(f">H{HASH_SIZE_BYTES}s")
"""One leaf in a patch."""
PATCHED_BYTES: Final = _PATCHED.size
_NUMBERS: Final = tuple(number.to_bytes(2, "big") for number in range(_COUNT_MAX))


class PageHead(NamedTuple):
    """What is known of a page without its body."""

    id: int
    born: Epoch
    """The epoch that wrote it."""
    died: Epoch | None
    """The epoch that wrote what is there instead; None for a page of the present state."""
    first: bytes
    """Its lowest key."""
    leaves: int
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


class Page:
    """The leaves of a page, in the order of their keys, and what is above them. Never changed.

    Works on the body as it is stored: most pages are read for one of their leaves.
    """

    __slots__ = ("_inner", "_keys_at", "_leaves_at", "_size", "body", "count", "positions")

    def __init__(
        self, body: bytes, positions: tuple[int, ...] | None = None, size: int = _UNKNOWN
    ) -> None:
        """Take a body that is whole, see `decode_page`, and its numbers if they are known."""
        self.body = body
        count = self.count = body[0] << 8 | body[1]
        if positions is None:
            positions = unpack_from(f">{count - 1}H", body, 2 + 2 * count)
        if size == _UNKNOWN:
            is_even = body[2 : 2 + 2 * count] == body[2:4] * count
            size = body[2] << 8 | body[3] if is_even else _UNEVEN
        self.positions = positions
        self._size = size
        """Of each key, if all have one."""
        self._leaves_at = leaves_at = 4 * count + HASH_SIZE_BYTES
        self._keys_at = leaves_at + HASH_SIZE_BYTES * count
        self._inner: list[bytes] | None = None

    @property
    def size_bytes(self) -> int:
        """Of the body, as its head says."""
        keys = self._size * self.count if self._size >= 0 else sum(self._lengths())
        return self._keys_at + keys + _CHECKSUM_BYTES

    @property
    def first(self) -> bytes:
        """The lowest key."""
        size = self.body[2] << 8 | self.body[3]
        return self.body[self._keys_at : self._keys_at + size]

    @property
    def root(self) -> bytes:
        """The digest of all, as it is stored."""
        return self.body[self._leaves_at - HASH_SIZE_BYTES : self._leaves_at]

    @property
    def keys(self) -> list[bytes]:
        """The keys, in order."""
        return [self.body[low:high] for low, high in pairwise(self._bounds())]

    def digest(self, low: int, high: int) -> bytes:
        """Return the digest of the subtree of leaves [low, high).

        Raises StatePageLost if those of all leaves do not lead to the digest that is stored.
        """
        if high - low == 1:
            at = self._leaves_at + HASH_SIZE_BYTES * low
            return self.body[at : at + HASH_SIZE_BYTES]
        if self._inner is None:
            inner = digests_above(self._digests(), self.positions)
            if inner[self.branch(0, self.count)] != self.root:
                raise StatePageLost("a page of the state has another digest than its leaves")
            self._inner = inner
        return self._inner[self.branch(low, high)]

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
        """Return the body with its checksum, as it is stored."""
        return _sealed(self.body)

    def changed(
        self, changes: Sequence[tuple[bytes, bytes | None]], leaves_max: int
    ) -> tuple[list[Page], bytes]:
        """Return the pages with entries (key, digest) set or, with None, left out.

        Subtrees of at most so many leaves, in order. This one alone if nothing is changed. With
        them a patch that makes the only one of this one; nothing if that is not all.
        """
        if len(changes) == 1:
            ((key, digest),) = changes
            number = self._number_of(key)
            if number >= 0 and digest is not None:
                page, patch = self._with_digest(number, digest)
                return [page], patch
            if number < 0 and digest is None:
                return [self], b""
            if digest is not None and self.count < leaves_max:
                return [self._with_entry(key, digest)], b""
        else:
            numbers = [self._number_of(key) for key, _ in changes]
            digests = [digest for _, digest in changes if digest is not None]
            if min(numbers) >= 0 and len(digests) == len(numbers):
                page, patch = self._with(numbers, digests)
                return [page], patch
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

    def _lengths(self) -> tuple[int, ...]:
        return unpack_from(f">{self.count}H", self.body, 2)

    def _bounds(self) -> Sequence[int]:
        """Return where each key begins, and where the last one ends."""
        if self._size > 0:
            end = self._keys_at + self._size * self.count
            return range(self._keys_at, end + 1, self._size)
        return list(accumulate(self._lengths(), initial=self._keys_at))

    def _digests(self) -> list[bytes]:
        body, size = self.body, HASH_SIZE_BYTES
        return [body[at : at + size] for at in range(self._leaves_at, self._keys_at, size)]

    def _number_of(self, key: bytes) -> int:
        """Return the number of the leaf with a key, -1 if there is none."""
        at = self.body.find(key, self._keys_at)
        if at < 0:
            return -1
        size = len(key)
        if size == self._size > 0:
            number, rest = divmod(at - self._keys_at, size)
            if rest == 0 and number < self.count:
                return number
        keys = self.keys  # perhaps the key's bytes lie inside of others
        number = bisect_left(keys, key)
        return number if keys[number : number + 1] == [key] else -1

    def _with_digest(self, number: int, digest: bytes) -> tuple[Page, bytes]:
        """Return what `_with` does for one leaf: most pages of a large map get no more at once."""
        leaves = self._digests()
        if leaves[number] == digest:
            return self, b""
        leaves[number] = digest
        body, leaves_at = self.body, self._leaves_at
        root = digest_above(leaves, self.positions)
        at = leaves_at + HASH_SIZE_BYTES * number
        head, behind = body[: leaves_at - HASH_SIZE_BYTES], body[at + HASH_SIZE_BYTES :]
        new = b"".join((head, root, body[leaves_at:at], digest, behind))
        return Page(new, self.positions, self._size), root + _NUMBERS[number] + digest

    def _with(self, numbers: Sequence[int], digests: Sequence[bytes]) -> tuple[Page, bytes]:
        """Return the page with other digests of leaves, and the patch; nothing if all are these."""
        leaves = self._digests()
        parts = [b""]
        for number, digest in zip(numbers, digests, strict=True):
            if leaves[number] != digest:
                leaves[number] = digest
                parts += (_NUMBERS[number], digest)
        if len(parts) == 1:
            return self, b""
        body = self.body
        parts[0] = root = digest_above(leaves, self.positions)
        head, keys = body[: self._leaves_at - HASH_SIZE_BYTES], body[self._keys_at :]
        page = Page(b"".join((head, root, *leaves, keys)), self.positions, self._size)
        return page, b"".join(parts)

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
        return _encoded(keys, digests, positions, digest_above(digests, positions))


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
        some = positions[low : high - 1]
        root = positions.index(min(some), low) if some else -1
        if high - low <= leaves_max:
            digest = inner[root] if some else digests[low]
            pages.append(_encoded(keys[low:high], digests[low:high], some, digest))
        else:
            todo += [(root + 1, high), (low, root + 1)]
    return pages


def decode_page(body: bytes, patch: bytes | None = None) -> Page:
    """Return the page in a body, with a patch put over it.

    Raises StatePageLost if it is not as it was written.
    """
    _check_sum(body)
    count = body[0] << 8 | body[1]
    if 0 < count <= _COUNT_MAX and (4 + HASH_SIZE_BYTES) * count <= len(body):
        page = Page(body if patch is None else patched(body, patch))
        if page.size_bytes == len(body) and max(page.positions, default=0) < POSITIONS:
            return page
    raise StatePageLost("a page of the state is not as it was written")


def patched(body: bytes, patch: bytes) -> bytes:
    """Return a body with a patch put over it; raises StatePageLost for that of another page.

    Its checksum is that of before.
    """
    count = body[0] << 8 | body[1]
    new, leaves_at = bytearray(body), 4 * count + HASH_SIZE_BYTES
    new[4 * count : leaves_at] = patch[:HASH_SIZE_BYTES]
    for number, digest in _PATCHED.iter_unpack(memoryview(patch)[HASH_SIZE_BYTES:]):
        if number >= count:
            raise StatePageLost("a page of the state has fewer leaves than were changed")
        where = leaves_at + HASH_SIZE_BYTES * number
        new[where : where + HASH_SIZE_BYTES] = digest
    return bytes(new)


def folded(body: bytes, patch: bytes) -> bytes:
    """Return a stored body with a patch put over it, to be stored; raises StatePageLost."""
    _check_sum(body)
    return _sealed(patched(body, patch))


def _encoded(
    keys: Sequence[bytes], digests: Sequence[bytes], positions: Sequence[int], root: bytes
) -> Page:
    head = pack(f">{2 * len(keys)}H", len(keys), *map(len, keys), *positions)
    body = b"".join((head, root, *digests, *keys, bytes(_CHECKSUM_BYTES)))
    return Page(body, tuple(positions))


def _sealed(body: bytes) -> bytes:
    content = memoryview(body)[:-_CHECKSUM_BYTES]
    return b"".join((content, crc32(content).to_bytes(_CHECKSUM_BYTES, "little")))


def _check_sum(body: bytes) -> None:
    if crc32(body) != _CHECKED or len(body) <= _LEAST_BYTES:
        raise StatePageLost("a page of the state is not as it was written")
