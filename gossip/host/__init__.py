"""The libp2p host: connections to other cells for the asyncio daemon."""

from gossip.host.config import HostConfig
from gossip.host.errors import (
    AddressInUse,
    CannotListen,
    DialFailed,
    HostDown,
    HostFailed,
    HostMisused,
    NotAMultiaddr,
    PeerOverran,
    ProtocolRefused,
    ReadTimedOut,
    StreamClosed,
    StreamLost,
    WriteTimedOut,
    WrongPeer,
)
from gossip.host.host import Host, StreamHandler
from gossip.host.stream import PeerStream

__all__ = [
    "AddressInUse",
    "CannotListen",
    "DialFailed",
    "Host",
    "HostConfig",
    "HostDown",
    "HostFailed",
    "HostMisused",
    "NotAMultiaddr",
    "PeerOverran",
    "PeerStream",
    "ProtocolRefused",
    "ReadTimedOut",
    "StreamClosed",
    "StreamHandler",
    "StreamLost",
    "WriteTimedOut",
    "WrongPeer",
]
