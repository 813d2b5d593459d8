"""What the gateway shows to everybody: that the cell runs, which one it is, what can be asked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ServiceHealth:
    """How one service is."""

    status: str
    """`healthy`, `degraded` or `unhealthy`."""
    why: str
    """One line; empty for a healthy one."""


@dataclass(frozen=True, slots=True)
class HealthView:
    """How the cell is: as its worst service is."""

    status: str
    """`healthy`, `degraded` or `unhealthy`."""
    timestamp_ns: int
    uptime_s: float
    response_time_ms: float
    """What it took the cell to look."""
    version: str
    services: dict[str, ServiceHealth]


@dataclass(frozen=True, slots=True)
class InfoView:
    """Which cell this is."""

    version: str
    cell_id: str
    network_id: str
    network_name: str
    role: str
    """`sclerotium` (member) or `rhizomorph` (full copy, no vote)."""


@dataclass(frozen=True, slots=True)
class PublicStatusView:
    """How far the network is, without names, addresses or amounts of work."""

    version: str
    role: str
    network_name: str
    phase: str
    """`starting`, `observing`, `forked`, `waiting`, `ordering` or `idle`."""
    uptime_s: float
    members_total: int
    members_reachable: int
    """Counts this cell itself when it is a member."""
    members_needed: int
    """How many have to be reachable for anything to be ordered."""
    epoch: int
    round_applied: int
    round_certified: int


@dataclass(frozen=True, slots=True)
class EndpointView:
    """One operation."""

    method: str
    path: str
    scope: str
    """What a token must be good for: `read`, `submit`, `message`, `admin` or `light`; `public`:
    needs none."""
    summary: str


@dataclass(frozen=True, slots=True)
class EndpointsView:
    """All that can be asked; the document has the rest."""

    document: str
    """Path of the OpenAPI document."""
    items: Sequence[EndpointView]
