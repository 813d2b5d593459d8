"""What a hypha shows of itself: frozen values that become the JSON of docs/hypha.md."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class GatewayView:
    """One of its gateways."""

    url: str
    state: str
    """`new`, `good`, `behind`, `silent`, `refuses`, `lies` or `contradicts`."""
    code: str
    detail: str
    """What was wrong, when it last was; else both are empty."""
    round: int
    """The newest certified round that it told of."""
    confirms: bool
    """Whether it said lately that it has the newest head, and nothing newer."""
    latency_ms: float
    asked: int
    answered: int
    failed: int
    lies: int
    next_in_s: float


@dataclass(frozen=True, slots=True)
class HyphaStatusView:
    """One screen of what a hypha believes, and by whom."""

    version: str
    cell_id: str
    name: str
    role: str
    """`hypha`."""
    network_id: str
    network_name: str
    uptime_s: float
    phase: str
    """`starting`, `following`, `stale`, `alone` or `contradicted`."""
    summary: str
    epoch: int
    round_certified: int
    """Of the newest head; 0 before the first."""
    header_hash: str
    state_root: str
    transactions_ordered: int
    head_time_ns: int | None
    """Consensus time of the newest head."""
    head_age_s: float | None
    roster_steps: int
    """Steps that prove who votes, from the genesis on."""
    members_total: int
    confirmed_by: int
    """Gateways that say that nothing is newer."""
    gateways: list[GatewayView]
    contradictions: list[str]
    """Files with proofs that can not both be true."""
    warnings: list[str]
    gateway_url: str


@dataclass(frozen=True, slots=True)
class HyphaServiceView:
    """The one service of a hypha."""

    name: str
    status: str
    why: str
