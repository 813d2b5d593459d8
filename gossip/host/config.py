"""What a host is made of: identity, where to listen, which protocol, and its bounds."""

from __future__ import annotations

from dataclasses import dataclass, field

from gossip.host import limits


@dataclass(frozen=True, slots=True)
class HostConfig:
    """Settings of one host.

    `seed` is the cell's 32-byte Ed25519 seed and never shown. `listen_addresses` are multiaddrs
    such as /ip4/127.0.0.1/tcp/0. `protocol` is the libp2p protocol name that inbound streams are
    accepted on and that `dial` asks for. `agent_version` is what stock libp2p nodes see of us.
    `dht` makes the host a node of the cells' DHT, which it enters by connected peers that are in
    it, and by the addresses of `dht_bootstrap`.
    """

    seed: bytes = field(repr=False)
    listen_addresses: tuple[str, ...]
    protocol: str
    agent_version: str = "myceld"
    dht: bool = False
    dht_bootstrap: tuple[str, ...] = ()
    inbound_connections_max: int = limits.INBOUND_CONNECTIONS_MAX
    inbound_per_address_max: int = limits.INBOUND_PER_ADDRESS_MAX
    inbound_per_peer_max: int = limits.INBOUND_PER_PEER_MAX
    purpose_grace_s: float = limits.PURPOSE_GRACE_S
    outbound_connections_max: int = limits.OUTBOUND_CONNECTIONS_MAX
    dialling_max: int = limits.DIALLING_MAX
    upgrading_max: int = limits.UPGRADING_MAX
    upgrading_per_address_max: int = limits.UPGRADING_PER_ADDRESS_MAX
    upgrade_timeout_s: float = limits.UPGRADE_TIMEOUT_S
    streams_per_peer_max: int = limits.STREAMS_PER_PEER_MAX
    streams_max: int = limits.STREAMS_MAX
