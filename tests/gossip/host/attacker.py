"""A peer that speaks libp2p up to where it attacks: raw sockets, and Yamux frames over Noise.

The Noise part runs in trio with libp2p's own classes, in a process's main thread, as an attacker
would; it bounds nothing and obeys nothing.
"""

from __future__ import annotations

import struct
from collections.abc import Awaitable, Callable

import trio

from gossip.host.loading import Libp2pObject, load_libp2p

load_libp2p()

from libp2p.crypto.ed25519 import create_new_key_pair  # noqa: E402 - needs libp2p loaded lean
from libp2p.crypto.x25519 import (  # noqa: E402 - the same
    create_new_key_pair as create_new_x25519_key_pair,
)
from libp2p.network.connection.raw_connection import RawConnection  # noqa: E402 - the same
from libp2p.peer.id import ID  # noqa: E402 - the same
from libp2p.protocol_muxer.multiselect_client import MultiselectClient  # noqa: E402 - the same
from libp2p.protocol_muxer.multiselect_communicator import (  # noqa: E402 - the same
    MultiselectCommunicator,
)
from libp2p.security.noise.transport import (  # noqa: E402 - the same
    PROTOCOL_ID as NOISE,
)
from libp2p.security.noise.transport import Transport as Noise  # noqa: E402 - the same

from gossip.host.muxer import ExactTcpStream  # noqa: E402 - the same

MULTISTREAM = b"\x13/multistream/1.0.0\n"
DATA, WINDOW, PING, GO_AWAY = range(4)
SYN, ACK, FIN, RST = 1, 2, 4, 8
_SOCKETS: list[trio.SocketStream] = []


def yamux(kind: int, flags: int, stream: int, length: int, body: bytes = b"") -> bytes:
    """A Yamux frame."""
    return struct.pack(">BBHII", 0, kind, flags, stream, length) + body


def opening(stream: int, protocol: bytes = b"") -> bytes:
    """Frames that open a stream and ask for a protocol, in one go."""
    body = MULTISTREAM + (bytes([len(protocol) + 1]) + protocol + b"\n" if protocol else b"")
    return yamux(DATA, SYN, stream, len(body), body)


async def secured(address: str, *, seed: bytes, muxer: bool = True) -> Libp2pObject:
    """Return a Noise channel to a host, with Yamux negotiated unless told otherwise."""
    _, _, host, _, port, _, cell_id = address.split("/")
    socket = await trio.open_tcp_stream(host, int(port))
    _SOCKETS.append(socket)
    raw = RawConnection(ExactTcpStream(socket), True)  # noqa: FBT003 - positional in libp2p
    await _select(raw, str(NOISE))
    noise = Noise(
        create_new_key_pair(seed.ljust(32, b".")),
        noise_privkey=create_new_x25519_key_pair().private_key,
    )
    channel = await noise.secure_outbound(raw, ID.from_string(cell_id))
    if muxer:
        await _select(channel, "/yamux/1.0.0")
    return channel


async def _select(channel: Libp2pObject, protocol: str) -> None:
    communicator, client = MultiselectCommunicator(channel), MultiselectClient()
    await client.handshake(communicator)
    await client.try_select(communicator, protocol)


async def drain(channel: Libp2pObject) -> None:
    """Take whatever comes until the other side ends it."""
    try:
        while await channel.read():
            pass
    except Exception:  # noqa: BLE001, S110 - the end is what we wait for
        pass


def attack(
    work: Callable[[], Awaitable[None]],
    *,
    timeout_s: float,
    enough: Callable[[], bool] = lambda: False,
) -> bool:
    """Run one attack in this thread to its end, or until it is `enough`.

    False when it was still going then, or at the deadline.
    """

    async def main() -> bool:
        with trio.move_on_after(timeout_s) as scope:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(_cancel_when, enough, scope)
                await work()
                nursery.cancel_scope.cancel()
        while _SOCKETS:
            await trio.aclose_forcefully(_SOCKETS.pop())
        return not scope.cancelled_caught

    return trio.run(main)


async def _cancel_when(enough: Callable[[], bool], scope: trio.CancelScope) -> None:
    while not enough():  # noqa: ASYNC110 - another thread brings it about
        await trio.sleep(0.02)
    scope.cancel()
