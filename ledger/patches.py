"""Changes of pages that are logged, and not written into the rows of the pages yet.

A changed value changes one leaf of a page, its group and the digest of all. Only these are logged,
those of a whole batch in one row, and kept here until the page is written whole: when its patch is
long, or when the sweep through all patched pages comes by. The sweep goes in the order of numbers,
so pages side by side are written together; after a round of it, all that was logged before it may
go.

    patch   as `ledger.page` has it; a later one takes the place of the digest of all
    log     (number of a page, 8 bytes ‖ length, 2 bytes ‖ patch), …, CRC-32

A page's row says which update saved it: what was logged up to that one is in it already.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from struct import Struct
from typing import Final, NamedTuple
from zlib import crc32

from core.ids import Epoch
from core.limits import HASH_SIZE_BYTES
from ledger.errors import PageLogLost
from ledger.limits import PATCHES_SIZE_BYTES_MAX
from ledger.page import PATCHED_BYTES, joined
from ledger.page_rows import PageHead

_HEAD: Final = Struct(">QH")
_CHECKSUM_BYTES: Final = 4


class HeadRow(NamedTuple):
    """What a page's row says beside its body, as of the update that saved it."""

    id: int
    born: int
    first: bytes
    leaves: int
    digest: bytes
    saved: int


@dataclass(frozen=True, slots=True)
class StoredMap:
    """All that a start needs of a map on the disk."""

    heads: tuple[PageHead, ...] = ()
    number: int = 0
    """Of the newest update that is there."""


class Patches:
    """Patches by page, and how far the sweep is."""

    def __init__(self) -> None:
        self.room_bytes = PATCHES_SIZE_BYTES_MAX
        """Of all patches, before the sweep goes on; how much there is changes no digest."""
        self._of: dict[int, bytes] = {}
        self._size_bytes = 0
        self._sweep: list[int] = []
        self._began = 0
        self.done = 0
        """What updates up to this one logged is of no use any more."""

    @property
    def size_bytes(self) -> int:
        """Of all patches."""
        return self._size_bytes

    def of(self, number: int) -> bytes:
        """Return what is to be put over a page as its row has it."""
        return self._of.get(number, b"")

    def put(self, patches: Iterable[tuple[int, bytes]]) -> None:
        """Put these over pages, (number, patch) each: all that is to be put over them."""
        known, grown = self._of, 0
        for number, patch in patches:
            grown += len(patch) - len(known.get(number, b""))
            known[number] = patch
        self._size_bytes += grown

    def drop(self, number: int) -> None:
        """Forget what was put over a page: it is written whole, or gone."""
        self._size_bytes -= len(self._of.pop(number, b""))

    def due(self, update: int) -> dict[int, bytes]:
        """Take out patches, until the rest fits: their pages are to be written whole now.

        `update` is the newest that logged something.
        """
        found: dict[int, bytes] = {}
        while self._size_bytes > self.room_bytes:
            if not self._sweep:
                self._sweep, self._began = sorted(self._of, reverse=True), update
            number = self._sweep.pop()
            patch = self._of.get(number)
            if patch is not None:
                found[number] = patch
                self.drop(number)
            if not self._sweep:
                self.done = self._began
        return found


def encode_log(patches: Mapping[int, bytes]) -> bytes:
    """Return what is logged of an update; nothing for no patches."""
    if not patches:
        return b""
    parts: list[bytes] = []
    for number, patch in patches.items():
        parts += (_HEAD.pack(number, len(patch)), patch)
    body = b"".join(parts)
    return body + crc32(body).to_bytes(_CHECKSUM_BYTES, "big")


def decode_log(log: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield (number of a page, patch); raises PageLogLost if it is not as it was written."""
    end = len(log) - _CHECKSUM_BYTES
    if end <= 0 or crc32(memoryview(log)[:end]) != int.from_bytes(log[end:], "big"):
        raise PageLogLost("what was logged of the state's pages is not as it was written")
    at = 0
    while at < end:
        if at + _HEAD.size > end:
            raise PageLogLost("what was logged of the state's pages ends too soon")
        number, size = _HEAD.unpack_from(log, at)
        at += _HEAD.size
        if size <= HASH_SIZE_BYTES or (size - HASH_SIZE_BYTES) % PATCHED_BYTES or at + size > end:
            raise PageLogLost("a patch of a page of the state has no digests")
        yield number, log[at : at + size]
        at += size


def stored_map(
    rows: Iterable[HeadRow], died: Mapping[int, Epoch], log: Iterable[tuple[int, bytes]]
) -> StoredMap:
    """Return a map as it is on the disk: its pages, and what was logged of them since.

    `log` are (number of an update, what it logged) in their order. Raises PageLogLost.
    """
    found = list(rows)
    saved = {row.id: row.saved for row in found}
    newest = max(saved.values(), default=0)
    logged: dict[int, bytes] = {}
    for update, body in log:
        newest = max(newest, update)
        for number, patch in decode_log(body):
            # Of a page that is gone, or written whole since, nothing is to be known any more.
            if update > saved.get(number, update):
                logged[number] = joined(logged.get(number, b""), patch)
    heads: list[PageHead] = []
    for row in found:
        patch = logged.get(row.id, b"")
        digest = patch[:HASH_SIZE_BYTES] or row.digest
        born, end = Epoch(row.born), died.get(row.id)
        heads.append(PageHead(row.id, born, end, row.first, row.leaves, digest, patch))
    return StoredMap(tuple(heads), newest)
