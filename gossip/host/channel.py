"""What names one secured connection, and the process at its other end. Trio side.

Noise hashes the whole handshake, with the ephemeral keys of both ends (chapter 11.2 of its
specification, *channel binding*): each connection has another hash, and both ends the same one.
Whoever sits in the middle has two connections, so two hashes. A host draws its static Noise key
whenever its network side starts: the peer's, which the handshake has proven, names its process.
"""

from __future__ import annotations

from dataclasses import dataclass

from core.errors import check
from core.limits import HASH_SIZE_BYTES
from gossip.host.loading import Libp2pObject


@dataclass(frozen=True, slots=True)
class Channel:
    """Both are 32 bytes."""

    binding: bytes
    """The hash of the handshake."""
    peer_key: bytes
    """The static Noise key of the other end."""


def channel_of(muxed: Libp2pObject) -> Channel:
    """Return what names a muxed connection over Noise, the only security we speak."""
    secured = muxed.secured_conn
    binding = bytes(secured.conn.noise_state.get_handshake_hash())
    peer_key = bytes(secured.remote_permanent_pubkey.to_bytes())
    sizes = {len(binding), len(peer_key)}
    check(sizes == {HASH_SIZE_BYTES}, f"a connection is named by 32 bytes twice, not {sizes}")
    return Channel(binding, peer_key)
