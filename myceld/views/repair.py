"""Answers about repair. Made by scripts/docs-client: change nothing here."""

from __future__ import annotations

from typing import TypedDict


class DivergenceView(TypedDict):
    """Whether and where this cell's state is not the network's. What is not known is null."""

    certified_round: int | None
    """The round of which the network certified another header."""
    diverged: bool
    first_round: int | None
    """The first round whose header differs."""
    key: str | None
    """A state key whose value is not the certified one."""
    own_outcome: str | None
    repairing: bool
    report: str | None
    """Path of the report, which holds both headers, both values, and the proofs of theirs."""
    their_outcome: str | None
    transaction: str | None
    """The first one in it whose receipt differs."""
    words: str
