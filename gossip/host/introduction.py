"""What a peer says of itself over libp2p's identify protocol, and our RTT to it.

Display only: agent, versions and addresses are claims of the peer, of bounded length and with
nothing but printable characters. The key alone is proven, by the Noise handshake.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

PROTOCOL_VERSION: Final = "myceld/1"
"""Of the protocols that a cell speaks beside libp2p's; its software's version is the agent's."""


@dataclass(frozen=True, slots=True)
class Introduction:
    """One peer's answer to identify."""

    protocol_version: str
    agent_version: str
    protocols: tuple[str, ...]
    listen_addresses: tuple[str, ...]
    observed_address: str | None
    """Where the peer sees us."""
    rtt_ms: float | None
    """Of one libp2p ping after identify; None when the peer does not answer it."""
