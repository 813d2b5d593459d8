"""The serving side: one request in, one answer out, of bounded size. Holds no state.

Who asks checks everything against a certificate, so a server has nothing to prove; it only must
not be made to do much for little. How much of its time it gives is up to the adapter.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, TypeVar

from core.ids import Epoch, Round
from ledger.chain import RosterLink
from ledger.errors import NoStateProof
from ledger.prover import prove_piece
from ledger.transfer.limits import (
    ANSWER_SIZE_BYTES,
    HEADERS_PER_ANSWER_MAX,
    LINKS_PER_ANSWER_MAX,
    RECEIPTS_PER_ANSWER_MAX,
)
from ledger.transfer.wire import (
    Answer,
    Ask,
    AskHeaders,
    AskLinks,
    AskPiece,
    AskReceipts,
    Gone,
    Headers,
    Links,
    Piece,
    ReceiptRow,
    Receipts,
)
from ledger.tree import Snapshot

_T = TypeVar("_T")


class Source(Protocol):
    """What a cell has of the ends of epochs."""

    def newest(self) -> Epoch | None:
        """Return the newest epoch whose end is durable and certified here."""
        ...

    async def links(self, epoch: Epoch, count_max: int) -> list[RosterLink]:
        """Return the ends of epochs from this one on, up to the first that is missing here."""
        ...

    def snapshot(self, epoch: Epoch) -> Snapshot | None:
        """Return the map of the state at the end of an epoch, if that is served."""
        ...

    def values(self, epoch: Epoch, keys: Sequence[bytes]) -> dict[bytes, bytes]:
        """Return the values that keys had at the end of an epoch."""
        ...

    async def headers(self, epoch: Epoch, last: Round, count_max: int) -> list[bytes]:
        """Return encoded headers of an epoch that is served, from round `last` down."""
        ...

    def receipts(self, epoch: Epoch, position: int, count_max: int) -> list[ReceiptRow]:
        """Return receipts of an epoch that is served, in order, from a position on."""
        ...


async def answer_of(ask: Ask, source: Source) -> Answer:
    """Return the answer to a request; raises what the source raises."""
    match ask:
        case AskLinks(epoch):
            links = await source.links(epoch, LINKS_PER_ANSWER_MAX)
            sizes = [_size_of_link(link) for link in links]
            return Links(source.newest(), tuple(_bounded(links, sizes)))
        case AskHeaders(epoch, last):
            if source.snapshot(epoch) is None:
                return Gone()
            headers = await source.headers(epoch, last, HEADERS_PER_ANSWER_MAX)
            return Headers(tuple(_bounded(headers, [len(header) for header in headers])))
        case AskReceipts(epoch, position):
            if source.snapshot(epoch) is None:
                return Gone()
            return Receipts(tuple(source.receipts(epoch, position, RECEIPTS_PER_ANSWER_MAX)))
        case AskPiece():
            return _piece(ask, source)


def _piece(ask: AskPiece, source: Source) -> Answer:
    snapshot = source.snapshot(ask.epoch)
    if snapshot is None:
        return Gone()
    try:
        proof = prove_piece(
            snapshot,
            ask.place,
            lambda keys: source.values(ask.epoch, keys),
            size_bytes_max=ANSWER_SIZE_BYTES,
        )
    except NoStateProof:
        return Gone()  # that end of an epoch is kept no more since the snapshot was taken
    return Piece(proof)


def _bounded(items: Sequence[_T], sizes: Sequence[int]) -> list[_T]:
    """Return as many items as fit into an answer, at least one."""
    taken: list[_T] = []
    size_bytes = 0
    for item, size in zip(items, sizes, strict=True):
        size_bytes += size
        if taken and size_bytes > ANSWER_SIZE_BYTES:
            break
        taken.append(item)
    return taken


def _size_of_link(link: RosterLink) -> int:
    return (
        len(link.header.encode())
        + 80 * len(link.certificate.signatures)
        + len(link.roster.encode())
    )
