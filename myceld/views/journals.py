"""Answers about journals. Made by scripts/docs-client: change nothing here."""

from __future__ import annotations

from typing import TypedDict


class EvidenceView(TypedDict):
    """Two heads that one cell signed, of which neither continues the other."""

    found_ns: int
    known: str
    other: str
    proof: str
    """Hashes in hex: which root the smaller size has under the larger head; may be empty."""


class FollowView(TypedDict):
    """A journal of another cell that this one follows, or has a copy of."""

    cell_id: str
    copy: str | None
    """The journal of this cell that holds the blocks."""
    evidence: list[EvidenceView]
    """Kept if the other cell contradicted itself."""
    fork: int
    head: str | None
    """The newest head, signed by the other cell."""
    journal: str
    last_error: str | None
    length: int
    """Blocks that are here, all checked."""
    size: int
    """Blocks of the newest head that was checked."""
    state: str
    """`following`, `waiting` (for a connection), `stopped`, or `conflict`."""
    whole: int
    """Blocks of the newest head of which every block is here."""


class JournalView(TypedDict):
    """One Merkle journal of this cell."""

    checkpoint: str
    """Signed head, C2SP checkpoint text."""
    length: int
    name: str
    root: str


class AuditView(TypedDict):
    """How far the check of a whole journal against its signed head has come."""

    cleared: int
    """Blocks whose bytes were deleted; their hashes were checked."""
    done: int
    """Blocks that were checked."""
    error: str | None
    """What is wrong, with its code."""
    length: int
    name: str
    size_bytes: int
    state: str
    """`running`, `ok` or `failed`."""


class BlockView(TypedDict):
    """One block of a journal with what it holds, decoded as far as it is known."""

    data_hex: str
    index: int
    leaf_hash: str
    size_bytes: int
    summary: str


class ProofView(TypedDict):
    """The proof of one block as a file that `myceld journal verify` checks offline."""

    file: str
    """C2SP tlog-proof text with the block in it."""
    index: int
    name: str
    origin: str
    """`<cell id>/<journal>/<fork>` of the signed head."""
    size: int
