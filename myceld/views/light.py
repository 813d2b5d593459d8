"""Answers about light. Made by scripts/docs-client: change nothing here."""

from __future__ import annotations

from typing import TypedDict


class LightProofView(TypedDict):
    """What a hypha is told."""

    certified_round: int
    """The newest round that this cell can prove."""
    begins_at: int
    """The epoch whose roster the proof's steps begin with: the one that was told, or 0."""
    proof: str | None
    """The text of a proof, as `ledger.verify` checks it if it begins with the genesis; null if
    there is nothing that the hypha does not know.
    """
