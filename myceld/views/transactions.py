"""Answers about transactions. Made by scripts/docs-client: change nothing here."""

from __future__ import annotations

from typing import TypedDict

from myceld.views.light import RefusalView


class AccountView(TypedDict):
    """What the ledger knows of one account (Ed25519 public key)."""

    next_nonce: int
    """Smallest nonce above all that are used or queued on this cell."""
    public_key: str


class VoterView(TypedDict):
    """A member of an epoch's roster; its place in the list is its number in events."""

    cell_id: str
    name: str
    public_key: str
    weight: int


class EpochView(TypedDict):
    """An epoch, and the rules and members by which it votes."""

    coin_period: int
    epoch: int
    first_block: int
    """The journal `consensus` holds no event of the epoch before this block."""
    first_round: int
    last_time_ns: int
    """Consensus times of the epoch come after this one."""
    members: list[VoterView]
    rule_set: int


class RoundView(TypedDict):
    """One decided round and the state after it."""

    certified: bool
    """True when this round, or a later one that includes it by hash, has a certificate."""
    consensus_time_ns: int
    header_hash: str
    receipts_root: str
    round: int
    state_root: str
    transactions: int
    """How many transactions this round added to the order."""
    transactions_total: int


class TransactionView(TypedDict):
    """One entry of the agreed order."""

    consensus_time_ns: int
    creator: str
    """Cell id of the member whose event carried it."""
    event: str
    id: str
    kind: str
    nonce: int | None
    outcome: str
    position: int
    refusal: RefusalView | None
    round: int
    sender: str | None
    size_bytes: int
