"""Answers about light. Made by scripts/docs-client: change nothing here."""

from __future__ import annotations

from typing import TypedDict


class LightProofView(TypedDict):
    """What a hypha is told."""

    begins_at: int
    """The epoch whose roster the proof's steps begin with: the one that was told, or 0."""
    certified_round: int
    """The newest round that this cell can prove."""
    proof: str | None
    """The text of a proof, as `ledger.verify` checks it if it begins with the genesis; null if
    there is nothing that the hypha does not know.
    """


class RefusalView(TypedDict):
    """Why an ordered transaction did not change the state."""

    code: str
    message: str


class ReceiptView(TypedDict):
    """The life of one transaction as this cell knows it."""

    consensus_time_ns: int | None
    event: str | None
    """Id of the event that carried it."""
    id: str
    kind: str | None
    nonce: int | None
    outcome: str | None
    """`applied` or `refused` from stage applied on, else null."""
    position: int | None
    """Place in the total order of transactions, from 0."""
    refusal: RefusalView | None
    round: int | None
    sender: str | None
    stage: str
    stages_ns: dict[str, int]
    """When each stage was reached on this cell; only stages seen since its last start."""
