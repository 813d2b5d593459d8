"""Answers about cell. Made by scripts/docs-client: change nothing here."""

from __future__ import annotations

from typing import NotRequired, TypedDict


class PeerView(TypedDict):
    """Another cell that this one is connected to, or knows how to reach."""

    addresses: list[str]
    agent: NotRequired[str]
    """Software and version, as the peer names itself over libp2p's identify; empty if unknown."""
    bytes_in: int
    bytes_out: int
    cell_id: str
    connected: bool
    direction: str | None
    """`inbound` or `outbound` while connected."""
    events_in: int
    events_out: int
    last_error: str | None
    member: bool
    name: str
    protocol_version: NotRequired[str]
    rtt_ms: float | None


class SporeView(TypedDict):
    """A signed record from which other cells find this one and those that it knows."""

    file: str
    """The record as a file: JSON that `myceld spore check` checks offline."""
    spore_type: str
    """`primary`, `seed` or `latent`."""


class MemberView(TypedDict):
    """A member of the roster as seen from this cell."""

    cell_id: str
    is_self: bool
    name: str
    reachable: bool
    weight: int


class LatencyView(TypedDict):
    """How long something took, over the newest 1,024 times."""

    count: int
    """How often it was measured since the cell started."""
    p50_ms: float | None
    p99_ms: float | None


class MetricsView(TypedDict):
    """What a cell measures of itself since it started; `GET /api/v1/metrics` has more."""

    bytes_in: int
    bytes_out: int
    commit: LatencyView
    """Commits with an fsync."""
    consensus_queue: int
    created_to_ordered: LatencyView
    """From making an own event to its place in the order, as seen here."""
    ends: dict[str, int]
    """Ends of sessions by the code of their reason."""
    events_in: int
    events_out: int
    events_repeated: int
    """Of those that came in, how many were here already."""
    execution_queue: int
    mempool: int
    orphans: int
    """Events that wait for their parents now."""
    outbound_bytes: int
    """Waiting for all peers together, now."""
    peers: int
    """Connected now."""
    received_to_ordered: LatencyView
    """The same from the arrival of another's event."""
    refusals: dict[str, int]
    """How often none was made in this epoch, by the same reasons."""
    signatures: int
    silent_because: str | None
    """Why no event was made when it was last considered, `no-work` for instance; else null."""
    verify: LatencyView
    """Batches of signatures."""


class UpgradeView(TypedDict):
    """An upgrade that was decided and has not begun."""

    epoch: int
    """From the first one on, at or after this, for which enough members know the versions."""
    is_known: bool
    """Whether this build knows the versions: else it stops before that epoch."""
    missing: list[str]
    """Names of members who have not announced that they know the versions."""
    release: str
    """What to install."""
    rule_set: int
    transaction_version: int
    weight_knowing: int
    weight_total: int
    wire_version: int


class StatusView(TypedDict):
    """One screen of what the cell is doing and what it waits for."""

    addresses: list[str]
    cell_id: str
    database_bytes: NotRequired[int | None]
    """What the store and its log take on the disk."""
    disk_free_bytes: NotRequired[int | None]
    epoch: int
    events_own: int
    events_total: int
    fault_budget: NotRequired[str]
    """How many members may fail or lie, in words."""
    faults_left: int
    """So many more members may fail or lie, whichever they are."""
    gateway_url: str
    members: list[MemberView]
    members_needed: int
    members_reachable: int
    """Counts this cell itself when it is a member."""
    members_total: int
    metrics: MetricsView
    name: str
    network_id: str
    network_name: str
    phase: str
    """`starting`, `observing`, `forked`, `waiting`, `ordering` or `idle`."""
    role: str
    """`sclerotium` (member) or `rhizomorph` (full copy, no vote)."""
    round_applied: int
    round_certified: int
    round_decided: int
    round_time_ns: NotRequired[int | None]
    """Consensus time of the last applied round; null before the first."""
    silent: list[str]
    """Names (or cell ids) of members not reachable."""
    state_root: str
    summary: str
    """The phase in plain words, with what is waited for."""
    transactions_ordered: int
    transactions_pending: int
    upgrade: NotRequired[UpgradeView | None]
    uptime_s: float
    version: str
