"""Answers about public. Made by scripts/docs-client: change nothing here."""

from __future__ import annotations

from typing import TypedDict


class EndpointView(TypedDict):
    """One operation."""

    method: str
    path: str
    scope: str
    """What a token must be good for: `read`, `submit`, `message`, `admin` or `light`; `public`:
    needs none.
    """
    summary: str


class EndpointsView(TypedDict):
    """All that can be asked; the document has the rest."""

    document: str
    """Path of the OpenAPI document."""
    items: list[EndpointView]


class ServiceHealth(TypedDict):
    """How one service is."""

    status: str
    """`healthy`, `degraded` or `unhealthy`."""
    why: str
    """One line; empty for a healthy one."""


class HealthView(TypedDict):
    """How the cell is: as its worst service is."""

    response_time_ms: float
    """What it took the cell to look."""
    services: dict[str, ServiceHealth]
    status: str
    """`healthy`, `degraded` or `unhealthy`."""
    timestamp_ns: int
    uptime_s: float
    version: str


class InfoView(TypedDict):
    """Which cell this is."""

    cell_id: str
    network_id: str
    network_name: str
    role: str
    """`sclerotium` (member) or `rhizomorph` (full copy, no vote)."""
    version: str


class PublicStatusView(TypedDict):
    """How far the network is, without names, addresses or amounts of work."""

    epoch: int
    members_needed: int
    """How many have to be reachable for anything to be ordered."""
    members_reachable: int
    """Counts this cell itself when it is a member."""
    members_total: int
    network_name: str
    phase: str
    """`starting`, `observing`, `forked`, `waiting`, `ordering` or `idle`."""
    role: str
    round_applied: int
    round_certified: int
    uptime_s: float
    version: str
