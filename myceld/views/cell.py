"""Answers about cell. Made by scripts/docs-client: change nothing here."""

from __future__ import annotations

from typing import NotRequired, TypedDict


class MemberView(TypedDict):
    """A member of the roster as seen from this cell."""

    cell_id: str
    name: str
    weight: int
    is_self: bool
    reachable: bool


class LatencyView(TypedDict):
    """How long something took, over the newest 1,024 times."""

    count: int
    """How often it was measured since the cell started."""
    p50_ms: float | None
    p99_ms: float | None


class MetricsView(TypedDict):
    """What a cell measures of itself since it started; `GET /api/v1/metrics` has more."""

    created_to_ordered: LatencyView
    """From making an own event to its place in the order, as seen here."""
    received_to_ordered: LatencyView
    """The same from the arrival of another's event."""
    commit: LatencyView
    """Commits with an fsync."""
    verify: LatencyView
    """Batches of signatures."""
    signatures: int
    peers: int
    """Connected now."""
    bytes_in: int
    bytes_out: int
    events_in: int
    events_out: int
    events_repeated: int
    """Of those that came in, how many were here already."""
    orphans: int
    """Events that wait for their parents now."""
    mempool: int
    consensus_queue: int
    execution_queue: int
    outbound_bytes: int
    """Waiting for all peers together, now."""
    ends: dict[str, int]
    """Ends of sessions by the code of their reason."""
    silent_because: str | None
    """Why no event was made when it was last considered, `no-work` for instance; else null."""
    refusals: dict[str, int]
    """How often none was made in this epoch, by the same reasons."""


class UpgradeView(TypedDict):
    """An upgrade that was decided and has not begun."""

    epoch: int
    """From the first one on, at or after this, for which enough members know the versions."""
    rule_set: int
    wire_version: int
    transaction_version: int
    release: str
    """What to install."""
    is_known: bool
    """Whether this build knows the versions: else it stops before that epoch."""
    weight_knowing: int
    weight_total: int
    missing: list[str]
    """Names of members who have not announced that they know the versions."""


class StatusView(TypedDict):
    """One screen of what the cell is doing and what it waits for."""

    version: str
    cell_id: str
    name: str
    role: str
    """`sclerotium` (member) or `rhizomorph` (full copy, no vote)."""
    network_id: str
    network_name: str
    uptime_s: float
    phase: str
    """`starting`, `observing`, `forked`, `waiting`, `ordering` or `idle`."""
    summary: str
    """The phase in plain words, with what is waited for."""
    members_total: int
    members_reachable: int
    """Counts this cell itself when it is a member."""
    members_needed: int
    silent: list[str]
    """Names (or cell ids) of members not reachable."""
    members: list[MemberView]
    epoch: int
    round_decided: int
    round_applied: int
    round_certified: int
    state_root: str
    events_total: int
    events_own: int
    transactions_ordered: int
    transactions_pending: int
    addresses: list[str]
    gateway_url: str
    metrics: MetricsView
    upgrade: NotRequired[UpgradeView | None]
    fault_budget: NotRequired[str]
    """How many members may fail or lie, in words."""
    faults_left: int
    """So many more members may fail or lie, whichever they are."""
    round_time_ns: NotRequired[int | None]
    """Consensus time of the last applied round; null before the first."""
    database_bytes: NotRequired[int | None]
    """What the store and its log take on the disk."""
    disk_free_bytes: NotRequired[int | None]


class PeerView(TypedDict):
    """Another cell that this one is connected to, or knows how to reach."""

    cell_id: str
    name: str
    member: bool
    connected: bool
    direction: str | None
    """`inbound` or `outbound` while connected."""
    addresses: list[str]
    rtt_ms: float | None
    bytes_in: int
    bytes_out: int
    events_in: int
    events_out: int
    last_error: str | None
    agent: NotRequired[str]
    """Software and version, as the peer names itself over libp2p's identify; empty if unknown."""
    protocol_version: NotRequired[str]


class SporeView(TypedDict):
    """A signed record from which other cells find this one and those that it knows."""

    spore_type: str
    """`primary`, `seed` or `latent`."""
    file: str
    """The record as a file: JSON that `myceld spore check` checks offline."""
