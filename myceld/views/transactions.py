"""Answers about transactions. Made by scripts/docs-client: change nothing here."""

from __future__ import annotations

from typing import TypedDict


class RefusalView(TypedDict):
    """Why an ordered transaction did not change the state."""

    code: str
    message: str


class ReceiptView(TypedDict):
    """The life of one transaction as this cell knows it."""

    id: str
    stage: str
    stages_ns: dict[str, int]
    """When each stage was reached on this cell; only stages seen since its last start."""
    outcome: str | None
    """`applied` or `refused` from stage applied on, else null."""
    refusal: RefusalView | None
    kind: str | None
    sender: str | None
    nonce: int | None
    round: int | None
    position: int | None
    """Place in the total order of transactions, from 0."""
    consensus_time_ns: int | None
    event: str | None
    """Id of the event that carried it."""


class TransactionView(TypedDict):
    """One entry of the agreed order."""

    position: int
    id: str
    round: int
    consensus_time_ns: int
    event: str
    creator: str
    """Cell id of the member whose event carried it."""
    kind: str
    sender: str | None
    nonce: int | None
    outcome: str
    refusal: RefusalView | None
    size_bytes: int


class RoundView(TypedDict):
    """One decided round and the state after it."""

    round: int
    header_hash: str
    state_root: str
    receipts_root: str
    transactions: int
    """How many transactions this round added to the order."""
    transactions_total: int
    consensus_time_ns: int
    certified: bool
    """True when this round, or a later one that includes it by hash, has a certificate."""


class VoterView(TypedDict):
    """A member of an epoch's roster; its place in the list is its number in events."""

    cell_id: str
    public_key: str
    name: str
    weight: int


class EpochView(TypedDict):
    """An epoch, and the rules and members by which it votes."""

    epoch: int
    first_round: int
    last_time_ns: int
    """Consensus times of the epoch come after this one."""
    rule_set: int
    coin_period: int
    first_block: int
    """The journal `consensus` holds no event of the epoch before this block."""
    members: list[VoterView]


class AccountView(TypedDict):
    """What the ledger knows of one account (Ed25519 public key)."""

    public_key: str
    next_nonce: int
    """Smallest nonce above all that are used or queued on this cell."""
