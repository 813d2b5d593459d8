"""Whole messages from a stream, for both sides of an invitation."""

from __future__ import annotations

from gossip.discovery.errors import InviteBroken
from gossip.discovery.invitation import LENGTH_SIZE_BYTES, body_size
from gossip.host import PeerStream
from node.limits import HANDSHAKE_TIMEOUT_MS


async def read_message(stream: PeerStream) -> bytes:
    """Return the body of the next message; raises InviteBroken or the stream's errors."""
    size = body_size(await _read_exactly(stream, LENGTH_SIZE_BYTES))
    return await _read_exactly(stream, size)


async def _read_exactly(stream: PeerStream, size: int) -> bytes:
    data = b""
    while len(data) < size:
        part = await stream.read(size - len(data), timeout_s=HANDSHAKE_TIMEOUT_MS / 1000)
        if not part:
            raise InviteBroken("the other side ended the exchange")
        data += part
    return data
