"""What is kept of a checkpoint while it is fetched: verified pieces by their hash.

A piece of the state is kept under its digest in the tree, a header under its hash, the receipts of
a round in chunks under the hash of their root and the chunk's number. So a piece fits every
checkpoint that contains it: an interrupted transfer goes on, and one that has to turn to a newer
checkpoint keeps what did not change. What is read back is verified again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from typing import Final, TypeAlias

from core.codec import NotCanonical, WrongShape, as_array, decode, encode
from core.ids import Hash, Round
from ledger.errors import BadMapProof
from ledger.header import Receipt, RoundHeader, decode_header, receipts_root
from ledger.limits import PIECE_ENTRIES_MIN
from ledger.map_proof import TOP, Opened, Place, is_at
from ledger.transfer.errors import StagedLost
from ledger.transfer.limits import RECEIPTS_PER_CHUNK, STAGED_SIZE_BYTES_MAX, STAGED_VALUES_MAX
from ledger.transfer.wire import ReceiptRow, receipts_at, row_of
from ledger.trie import EMPTY_ROOT

Staged: TypeAlias = Callable[[bytes], bytes | None]
"""Id -> the body that was persisted under it, None for none."""
Kept: TypeAlias = "tuple[bytes, bytes]"
"""(id, body) to be persisted."""

_DOMAIN: Final = b"myceld/receipts/1"


def open_piece(proof: bytes, place: Place) -> Opened:
    """Return what a piece shows of the state at a place, and the digest it leads to.

    Raises BadMapProof for what no honest cell makes.
    """
    opened = Opened(proof)
    entries = opened.entries()
    if opened.has_bare or not all(is_at(key, place) for key, _ in (*entries[:1], *entries[-1:])):
        raise BadMapProof("a piece shows entries of its place, with their values")
    if len(entries) < PIECE_ENTRIES_MIN and opened.hidden():
        raise BadMapProof("a piece shows more than that, or all there is")
    return opened


def keep_piece(digest: bytes, proof: bytes) -> Kept:
    """Return what keeps a verified piece."""
    return digest, proof


def staged_piece(digest: bytes, place: Place, staged: Staged) -> tuple[Opened, int] | None:
    """Return the piece with a digest and its size, if it is kept and fits the place."""
    body = staged(digest)
    if body is None:
        return None
    try:
        opened = open_piece(body, place)
    except BadMapProof:
        return None
    return (opened, len(body)) if opened.root == digest else None


def keep_receipts(root: Hash, rows: Sequence[ReceiptRow]) -> list[Kept]:
    """Return what keeps the verified receipts of a round."""
    return [
        (_chunk_id(root, at), encode([list(row) for row in rows[at : at + RECEIPTS_PER_CHUNK]]))
        for at in range(0, len(rows), RECEIPTS_PER_CHUNK)
    ]


def staged_receipts(header: RoundHeader, staged: Staged) -> list[Receipt] | None:
    """Return the receipts of a round, if they are all kept."""
    rows: list[ReceiptRow] = []
    for at in range(0, header.transactions, RECEIPTS_PER_CHUNK):
        body = staged(_chunk_id(header.receipts_root, at))
        if body is None:
            return None
        try:
            items = as_array(
                decode(body, size_bytes_max=STAGED_SIZE_BYTES_MAX, values_max=STAGED_VALUES_MAX)
            )
            rows += [row_of(item) for item in items]
        except (NotCanonical, WrongShape):
            return None
    return verified_receipts(header, rows)


def verified_receipts(header: RoundHeader, rows: Sequence[ReceiptRow]) -> list[Receipt] | None:
    """Return the receipts of a round, None if these rows are not they."""
    receipts = receipts_at(rows, header.transactions_total - header.transactions)
    if len(rows) != header.transactions or receipts_root(receipts) != header.receipts_root:
        return None
    return receipts


def keep_header(header: RoundHeader) -> Kept:
    """Return what keeps a verified header."""
    return header.hash, header.encode()


def staged_header(header_hash: bytes, staged: Staged) -> RoundHeader | None:
    """Return the header with a hash, if it is kept."""
    body = staged(header_hash)
    if body is None or hashlib.sha256(body).digest() != header_hash:
        return None
    try:
        return decode_header(body)
    except (NotCanonical, WrongShape):
        return None


def state_of(root: bytes, staged: Staged) -> Iterator[list[tuple[bytes, bytes]]]:
    """Yield all entries of the state with this root in order, piece by piece; raises StagedLost."""
    todo = [] if root == EMPTY_ROOT else [(TOP, root)]
    while todo:
        place, digest = todo.pop()
        found = staged_piece(digest, place, staged)
        if found is None:
            raise StagedLost(f"the piece {digest.hex()[:16]}… of the state is not there")
        opened, _ = found
        yield opened.entries()
        todo += reversed(opened.hidden())


def headers_of(last: RoundHeader, first_round: Round, staged: Staged) -> list[RoundHeader]:
    """Return the headers of rounds from `first_round` to `last`, in order; raises StagedLost."""
    headers = [last]
    while headers[-1].round > first_round:
        header = staged_header(headers[-1].previous, staged)
        if header is None:
            raise StagedLost(f"the header before round {headers[-1].round} is not there")
        headers.append(header)
    return headers[::-1]


def receipts_of(header: RoundHeader, staged: Staged) -> list[Receipt]:
    """Return the receipts of a round; raises StagedLost."""
    receipts = staged_receipts(header, staged)
    if receipts is None:
        raise StagedLost(f"the receipts of round {header.round} are not there")
    return receipts


def _chunk_id(root: Hash, at: int) -> bytes:
    return hashlib.sha256(_DOMAIN + root + at.to_bytes(8, "big")).digest()
