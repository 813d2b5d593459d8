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
from ledger.header import Receipt, RoundHeader, decode_header, receipts_root
from ledger.transfer.errors import BadTransferFrame, StagedLost
from ledger.transfer.limits import RECEIPTS_PER_CHUNK, STAGED_SIZE_BYTES_MAX, STAGED_VALUES_MAX
from ledger.transfer.wire import (
    Entries,
    Frontier,
    ReceiptRow,
    answer_value,
    decode_answer,
    receipts_at,
    row_of,
)
from ledger.tree import (
    EMPTY_ROOT,
    TOP,
    Place,
    places_of,
    root_of_entries,
    root_of_frontier,
)

Staged: TypeAlias = Callable[[bytes], bytes | None]
"""Id -> the body that was persisted under it, None for none."""
Kept: TypeAlias = "tuple[bytes, bytes]"
"""(id, body) to be persisted."""
Piece: TypeAlias = "Entries | Frontier"

_DOMAIN: Final = b"myceld/receipts/1"


def root_of_piece(piece: Piece, place: Place) -> Hash | None:
    """Return the digest that a piece at a place leads to; None if it has not the right form."""
    if isinstance(piece, Entries):
        return root_of_entries(piece.entries, place)
    return root_of_frontier(piece.subtrees, place)


def below(piece: Frontier, place: Place) -> list[tuple[Place, bytes]]:
    """Return the places below a verified frontier at which something lies, with its digest."""
    digests = [digest for _, digest in piece.subtrees]
    places = places_of(piece.subtrees, place)
    return [item for item in zip(places, digests, strict=True) if item[1] != EMPTY_ROOT]


def keep_piece(digest: bytes, piece: Piece) -> Kept:
    """Return what keeps a verified piece."""
    return digest, encode(answer_value(piece))


def staged_piece(digest: bytes, place: Place, staged: Staged) -> Piece | None:
    """Return the piece with a digest, if it is kept and fits the place."""
    body = staged(digest)
    if body is None:
        return None
    try:
        piece = decode_answer(body)
    except BadTransferFrame:
        return None
    if not isinstance(piece, Entries | Frontier) or root_of_piece(piece, place) != digest:
        return None
    return piece


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


def state_of(root: bytes, staged: Staged) -> Iterator[tuple[tuple[bytes, bytes], ...]]:
    """Yield all entries of the state with this root, piece by piece; raises StagedLost."""
    todo = [] if root == EMPTY_ROOT else [(TOP, root)]
    while todo:
        place, digest = todo.pop()
        piece = staged_piece(digest, place, staged)
        if piece is None:
            raise StagedLost(f"the piece {digest.hex()[:16]}… of the state is not there")
        if isinstance(piece, Entries):
            yield piece.entries
        else:
            todo += below(piece, place)


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
