"""Answers about journals. Made by scripts/docs-client: change nothing here."""

from __future__ import annotations

from typing import TypedDict


class JournalView(TypedDict):
    """One Merkle journal of this cell."""

    name: str
    length: int
    root: str
    checkpoint: str
    """Signed head, C2SP checkpoint text."""


class BlockView(TypedDict):
    """One block of a journal with what it holds, decoded as far as it is known."""

    index: int
    size_bytes: int
    leaf_hash: str
    summary: str
    data_hex: str


class ProofView(TypedDict):
    """The proof of one block as a file that `myceld journal verify` checks offline."""

    name: str
    index: int
    origin: str
    """`<cell id>/<journal>/<fork>` of the signed head."""
    size: int
    file: str
    """C2SP tlog-proof text with the block in it."""


class AuditView(TypedDict):
    """How far the check of a whole journal against its signed head has come."""

    name: str
    state: str
    """`running`, `ok` or `failed`."""
    done: int
    """Blocks that were checked."""
    length: int
    cleared: int
    """Blocks whose bytes were deleted; their hashes were checked."""
    size_bytes: int
    error: str | None
    """What is wrong, with its code."""


class EvidenceView(TypedDict):
    """Two heads that one cell signed, of which neither continues the other."""

    known: str
    other: str
    proof: str
    """Hashes in hex: which root the smaller size has under the larger head; may be empty."""
    found_ns: int


class FollowView(TypedDict):
    """A journal of another cell that this one follows, or has a copy of."""

    cell_id: str
    journal: str
    state: str
    """`following`, `waiting` (for a connection), `stopped`, or `conflict`."""
    fork: int
    length: int
    """Blocks that are here, all checked."""
    size: int
    """Blocks of the newest head that was checked."""
    whole: int
    """Blocks of the newest head of which every block is here."""
    head: str | None
    """The newest head, signed by the other cell."""
    copy: str | None
    """The journal of this cell that holds the blocks."""
    evidence: list[EvidenceView]
    """Kept if the other cell contradicted itself."""
    last_error: str | None
