"""What the gateway shows of a state that is not the certified one, and how it has it repaired."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class DivergenceView:
    """Whether and where this cell's state is not the network's. What is not known is null."""

    diverged: bool
    repairing: bool
    words: str
    certified_round: int | None
    """The round of which the network certified another header."""
    first_round: int | None
    """The first round whose header differs."""
    transaction: str | None
    """The first one in it whose receipt differs."""
    own_outcome: str | None
    their_outcome: str | None
    key: str | None
    """A state key whose value is not the certified one."""
    report: str | None
    """Path of the report, which holds both headers, both values, and the proofs of theirs."""


class RepairCell(Protocol):
    """What the routes of repair need of a running cell."""

    def divergence(self) -> DivergenceView:
        """Return whether and where the state differs."""
        ...

    async def repair(self) -> DivergenceView:
        """Begin to take over the certified state; raises NotDiverged."""
        ...
