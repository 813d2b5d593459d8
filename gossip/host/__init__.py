"""The libp2p host: connections to other cells for the asyncio daemon."""

from gossip.host.config import HostConfig
from gossip.host.errors import (
    AddressInUse,
    CannotListen,
    DhtAlone,
    DhtViolated,
    DialFailed,
    HostDown,
    HostFailed,
    HostMisused,
    NotAMultiaddr,
    NotConnected,
    PeerOverran,
    PingFailed,
    ProtocolRefused,
    ReadTimedOut,
    StreamClosed,
    StreamLost,
    TooManyDials,
    WriteTimedOut,
    WrongPeer,
)
from gossip.host.host import Host, HostFactory, StreamHandler
from gossip.host.introduction import Introduction
from gossip.host.stream import PeerStream

__all__ = [
    "AddressInUse",
    "CannotListen",
    "DhtAlone",
    "DhtViolated",
    "DialFailed",
    "Host",
    "HostConfig",
    "HostDown",
    "HostFactory",
    "HostFailed",
    "HostMisused",
    "Introduction",
    "NotAMultiaddr",
    "NotConnected",
    "PeerOverran",
    "PeerStream",
    "PingFailed",
    "ProtocolRefused",
    "ReadTimedOut",
    "StreamClosed",
    "StreamHandler",
    "StreamLost",
    "TooManyDials",
    "WriteTimedOut",
    "WrongPeer",
]
