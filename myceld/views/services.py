"""Answers about services. Made by scripts/docs-client: change nothing here."""

from __future__ import annotations

from typing import TypedDict


class DescriptionView(TypedDict):
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


class ServiceView(TypedDict):
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


class ServicesView(TypedDict):
    """A cell and its services, in the order of their start."""

    cell: DescriptionView
    items: list[ServiceView]


class ActView(TypedDict):
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


class ActsView(TypedDict):
    """A page of the audit journal, the newest row first."""

    items: list[ActView]
    next: int | None
    """`before` of the page that follows; null if there is none."""


class ProvenView(TypedDict):
    """A cell that has proven its key to this one."""

    cell_id: str
    public_key: str
    proven_ms: int
    until_ms: int
