"""Answers about services. Made by scripts/docs-client: change nothing here."""

from __future__ import annotations

from typing import TypedDict


class ActView(TypedDict):
    """One row of the audit journal."""

    action: str
    actor: str
    """`local` (the cell itself), `token` (a client), `cell:CELL_ID` or `address:IP`."""
    code: str
    count: int
    """How many acts alike this row stands for; it tells of the last."""
    index: int
    key: str | None
    """The public key that signed or would have signed it."""
    outcome: str
    """`done`, `refused` or `failed`."""
    reason: str
    subject: str
    time_ms: int


class ActsView(TypedDict):
    """A page of the audit journal, the newest row first."""

    items: list[ActView]
    next: int | None
    """`before` of the page that follows; null if there is none."""


class DescriptionView(TypedDict):
    """What a cell says of itself."""

    cell_id: str
    metadata: dict[str, str]
    """From the cell's configuration."""
    name: str
    role: str
    """`sclerotium` (a member with a vote) or `rhizomorph`."""
    services: list[str]
    started_ms: int
    stopped_ms: int
    """End of the last life that ended as asked; 0 if there was none."""
    version: str


class ProvenView(TypedDict):
    """A cell that has proven its key to this one."""

    cell_id: str
    proven_ms: int
    public_key: str
    until_ms: int


class ServiceView(TypedDict):
    """One of the five services."""

    blocks: int
    """Length of its journal."""
    journal: str
    name: str
    needs: list[str]
    """The services that are started before it."""
    since_ms: int
    """Since when it is as it is, by the wall clock; 0: since the cell started."""
    status: str
    """`healthy`, `degraded` or `unhealthy`."""
    why: str
    """One line; empty for a healthy one."""


class ServicesView(TypedDict):
    """A cell and its services, in the order of their start."""

    cell: DescriptionView
    items: list[ServiceView]
