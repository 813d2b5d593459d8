"""What the gateway shows of a cell's services, its audit journal, and identities that were proven.

The values become the JSON of docs/api.md; see `gateway.views` for what all of them have in common.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class ServiceView:
    """One of the five services."""

    name: str
    journal: str
    blocks: int
    """Length of its journal."""
    needs: list[str]
    """The services that are started before it."""
    status: str
    """`healthy`, `degraded` or `unhealthy`."""
    why: str
    """One line; empty for a healthy one."""
    since_ms: int
    """Since when it is as it is, by the wall clock; 0: since the cell started."""


@dataclass(frozen=True, slots=True)
class DescriptionView:
    """What a cell says of itself."""

    cell_id: str
    name: str
    version: str
    role: str
    """`sclerotium` (a member with a vote) or `rhizomorph`."""
    started_ms: int
    stopped_ms: int
    """End of the last life that ended as asked; 0 if there was none."""
    services: list[str]
    metadata: dict[str, str]
    """From the cell's configuration."""


@dataclass(frozen=True, slots=True)
class ServicesView:
    """A cell and its services, in the order of their start."""

    cell: DescriptionView
    items: list[ServiceView]


@dataclass(frozen=True, slots=True)
class ActView:
    """One row of the audit journal."""

    index: int
    time_ms: int
    actor: str
    """`local` (the cell itself), `token` (a client), `cell:CELL_ID` or `address:IP`."""
    key: str | None
    """The public key that signed or would have signed it."""
    action: str
    subject: str
    outcome: str
    """`done`, `refused` or `failed`."""
    code: str
    reason: str
    count: int
    """How many acts alike this row stands for; it tells of the last."""


@dataclass(frozen=True, slots=True)
class ActsView:
    """A page of the audit journal, the newest row first."""

    items: list[ActView]
    next: int | None
    """`before` of the page that follows; null if there is none."""


@dataclass(frozen=True, slots=True)
class ActsQuery:
    """Which rows are asked for."""

    limit: int
    before: int | None
    since_ms: int
    refused: bool


@dataclass(frozen=True, slots=True)
class ProvenView:
    """A cell that has proven its key to this one."""

    cell_id: str
    public_key: str
    proven_ms: int
    until_ms: int


@dataclass(frozen=True, slots=True)
class RequestNote:
    """What became of a request, for the audit journal. Holds nothing of its body but a name."""

    actor: str
    action: str
    subject: str
    code: str = ""
    """Empty if it was done."""
    reason: str = ""
    is_refused: bool = False
    """Whether it was not allowed or asked wrongly, rather than having gone wrong."""


class ServiceCell(Protocol):
    """What the gateway's routes of services need of a running cell."""

    def services(self) -> ServicesView:
        """Return the cell with its services in the order of their start, and how each is."""
        ...

    async def describe(self, cell: str) -> DescriptionView:
        """Return what a cell (its id, or a member's name) says of itself.

        Raises NoSuchCell, DescriptionRefused, or why it is not reached.
        """
        ...

    async def acts(self, query: ActsQuery) -> ActsView:
        """Return a page of the audit journal."""
        ...

    async def verify_identity(self, cell: str) -> ProvenView:
        """Have a cell (its id, or a member's name) prove that it holds its key.

        Raises NoSuchCell, ToItself, or why nothing is proven.
        """
        ...

    def note_request(self, note: RequestNote) -> None:
        """Have what became of a request noted in the audit journal; never waits."""
        ...
