"""What the gateway shows of trust, and what it asks of the cell for that.

The values become the JSON of docs/api.md; see `gateway.views` for what all of them have in common.
Scores are 0 to 1, as this cell sees them, unless a name says that the network agreed on them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from gateway.views import ReceiptView, Stage


@dataclass(frozen=True, slots=True)
class ScoreView:
    """One cell as this one sees it."""

    cell_id: str
    public_key: str
    name: str
    """The member's name, empty for others."""
    score: float
    level: str
    """The access that the score gives: `none`, `read-only`, `limited`, `standard` or `full`."""
    network_score: float | None
    """What the network agreed on; null for a cell that was never a member."""
    is_self: bool


@dataclass(frozen=True, slots=True)
class AttestationView:
    """What one cell says of another."""

    issuer: str
    subject: str
    """Cell ids."""
    scope: str
    score: float
    round: int
    time_ns: int
    """Consensus time of when it was made."""
    expires_round: int
    """The last round in which it counts; 0 for no end."""


@dataclass(frozen=True, slots=True)
class TrustPathView:
    """One way in which trust comes to a cell."""

    cells: list[str]
    """Cell ids, from this cell to that one."""
    names: list[str]
    """Of the members among them, empty for others."""
    weights: list[float]
    """What each says of the next one."""
    strength: float
    """What it brings to the score."""


@dataclass(frozen=True, slots=True)
class TrustWhyView:
    """A score with what makes it."""

    cell: ScoreView
    own_word: float
    own_interactions: float
    by_others: float
    """These three add up to the score."""
    attestations: list[AttestationView]
    """What this cell itself says of that one, in every scope."""
    paths: list[TrustPathView]
    """Strongest first."""


@dataclass(frozen=True, slots=True)
class TrustEdgeView:
    """What one cell says of another, by attestations and interactions, as it counts now."""

    issuer: str
    subject: str
    weight: float


@dataclass(frozen=True, slots=True)
class TrustGraphView:
    """A page of cells: this one, then by score; and what those of the page say of each other."""

    cells: list[ScoreView]
    edges: list[TrustEdgeView]
    cells_known: int
    """How many cells the whole graph has."""


@dataclass(frozen=True, slots=True)
class InteractionView:
    """What two cells signed together, as a block of the journal of one of them."""

    index: int
    """Of the block in the journal `interactions`."""
    cells: list[str]
    """Cell ids of both."""
    time_ns: int
    digest: str
    """Of what went between them."""
    shown_by: str
    """Cell id of the one in whose journal it is."""
    proof: str | None
    """What another cell showed: a proof file, checked here. Null for our own: export the block."""


@dataclass(frozen=True, slots=True)
class InteractionsQuery:
    """Which interactions are asked for."""

    cell: str
    """The other end, by its id or a member's name; empty for any, of our own only."""
    of: str
    """Who is to show them; empty for this cell."""
    before: int
    """Blocks from this index on are left out."""
    limit: int


@dataclass(frozen=True, slots=True)
class InteractionsView:
    """A page of interactions, the newest first."""

    items: list[InteractionView]
    next: int | None
    """`before` of the page after this one; null if this was the last."""


@dataclass(frozen=True, slots=True)
class AttestWish:
    """What the cell is to say of another one."""

    cell: str
    """Its id, or a member's name."""
    scope: str
    score_millionths: int | None
    """None: take back what was said."""
    expires_round: int = 0


class TrustCell(Protocol):
    """What the gateway's routes of trust need of a running cell."""

    async def attest(self, wish: AttestWish, *, wait: Stage, timeout_s: float) -> ReceiptView:
        """Sign an attestation, or its revocation, with the cell's key and submit it.

        Raises NoSuchCell, TransactionRefused or what `submit` raises.
        """
        ...

    async def trust_of(self, cell: str, paths_max: int, scope: str) -> TrustWhyView:
        """Return the score of a cell (its id, or a member's name) in a scope, and why.

        Raises NoSuchCell.
        """
        ...

    async def trust_graph(self, limit: int, scope: str, start: int = 0) -> TrustGraphView:
        """Return the `limit` cells with the highest scores, and what they say of each other.

        `start` as many are left out before.
        """
        ...

    async def interactions(self, query: InteractionsQuery) -> InteractionsView:
        """Return what was signed together with a cell: by this one, or by one that is asked.

        What another cell shows is checked, and no score is made of it. Raises NoSuchCell,
        InteractionsNotShown, or what is wrong with a proof.
        """
        ...
