"""What is asked about trust: request models."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import ConfigDict, model_validator

from core.limits import INT_MAX
from gateway.asks import CellAsk, LimitAsk, PageAsk, WaitAsk
from gateway.kinds import Digits, Millionths, Scope, Text, Whole, Wrong
from gateway.limits import JOURNAL_NAME_LENGTH_MAX
from gateway.trust_views import AttestWish, InteractionsQuery
from identity.trust import GENERAL_SCOPE


class ScopeAsk(CellAsk):
    """A cell, and what about it."""

    scope: Annotated[str, Scope()] = GENERAL_SCOPE
    """What it is trusted with."""


class AttestAsk(ScopeAsk, WaitAsk):
    """What the cell is to say of another one."""

    score: Annotated[int, Millionths()]
    """How far it trusts it, of 0 to 1."""
    expires_round: Annotated[int, Whole()] = 0
    """The last round in which it holds; 0 for no end."""

    def wish(self) -> AttestWish:
        """Return what is to be said."""
        return AttestWish(self.cell, self.scope, self.score, self.expires_round)


class RevokeAsk(ScopeAsk, WaitAsk):
    """What the cell is to take back."""

    def wish(self) -> AttestWish:
        """Return what is to be taken back."""
        return AttestWish(self.cell, self.scope, None)


class TrustAsk(ScopeAsk, LimitAsk):
    """A cell, and how many ways of trust to it are wanted."""


class GraphAsk(PageAsk):
    """Which part of the graph is wanted."""

    scope: Annotated[str, Scope()] = GENERAL_SCOPE
    """What cells are trusted with."""


class InteractionsAsk(LimitAsk):
    """Which interactions are wanted."""

    model_config = ConfigDict(json_schema_extra={"dependentRequired": {"of": ["cell"]}})

    cell: Annotated[str, Text(1, JOURNAL_NAME_LENGTH_MAX)] = ""
    """The other end, by its id or a member's name; any unless given."""
    of: Annotated[str, Text(1, JOURNAL_NAME_LENGTH_MAX)] = ""
    """Who is to show them, this cell unless given; goes with `cell`."""
    before: Annotated[int, Digits()] = INT_MAX
    """Only blocks before this one."""

    @model_validator(mode="after")
    def _together(self) -> Self:
        if self.of and not self.cell:
            raise Wrong("is needed with `of`", "cell")
        return self

    def query(self) -> InteractionsQuery:
        """Return what is wanted."""
        return InteractionsQuery(self.cell, self.of, self.before, self.limit)
