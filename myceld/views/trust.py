"""Answers about trust. Made by scripts/docs-client: change nothing here."""

from __future__ import annotations

from typing import TypedDict


class AttestationView(TypedDict):
    """What one cell says of another."""

    expires_round: int
    """The last round in which it counts; 0 for no end."""
    issuer: str
    round: int
    scope: str
    score: float
    subject: str
    """Cell ids."""
    time_ns: int
    """Consensus time of when it was made."""


class ScoreView(TypedDict):
    """One cell as this one sees it."""

    cell_id: str
    is_self: bool
    level: str
    """The access that the score gives: `none`, `read-only`, `limited`, `standard` or `full`."""
    name: str
    """The member's name, empty for others."""
    network_score: float | None
    """What the network agreed on; null for a cell that was never a member."""
    public_key: str
    score: float


class TrustPathView(TypedDict):
    """One way in which trust comes to a cell."""

    cells: list[str]
    """Cell ids, from this cell to that one."""
    names: list[str]
    """Of the members among them, empty for others."""
    strength: float
    """What it brings to the score."""
    weights: list[float]
    """What each says of the next one."""


class TrustWhyView(TypedDict):
    """A score with what makes it."""

    attestations: list[AttestationView]
    """What this cell itself says of that one, in every scope."""
    by_others: float
    """These three add up to the score."""
    cell: ScoreView
    own_interactions: float
    own_word: float
    paths: list[TrustPathView]
    """Strongest first."""


class TrustEdgeView(TypedDict):
    """What one cell says of another, by attestations and interactions, as it counts now."""

    issuer: str
    subject: str
    weight: float


class TrustGraphView(TypedDict):
    """A page of cells: this one, then by score; and what those of the page say of each other."""

    cells: list[ScoreView]
    cells_known: int
    """How many cells the whole graph has."""
    edges: list[TrustEdgeView]


class InteractionView(TypedDict):
    """What two cells signed together, as a block of the journal of one of them."""

    cells: list[str]
    """Cell ids of both."""
    digest: str
    """Of what went between them."""
    index: int
    """Of the block in the journal `interactions`."""
    proof: str | None
    """What another cell showed: a proof file, checked here. Null for our own: export the block."""
    shown_by: str
    """Cell id of the one in whose journal it is."""
    time_ns: int


class InteractionsView(TypedDict):
    """A page of interactions, the newest first."""

    items: list[InteractionView]
    next: int | None
    """`before` of the page after this one; null if this was the last."""
