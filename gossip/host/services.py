"""libp2p's own small protocols, identify and ping, both sides. Trio side.

libp2p's modules for them need its BasicHost (20 MB); the protocols are two fixed messages, so we
speak them ourselves over raw streams. Every read is of a known size, every exchange has a deadline,
and a ping is answered at most PING_ANSWERS_PER_S times a second.
"""

from __future__ import annotations

import logging
import os
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Final, TypeAlias, TypeVar

import trio
from libp2p.protocol_muxer.multiselect_client import MultiselectClient
from libp2p.protocol_muxer.multiselect_communicator import MultiselectCommunicator

from core.ids import CellId
from gossip.host.addresses import tcp_address_of
from gossip.host.identify import BadIdentify, Ourselves, decode_identify, encode_identify
from gossip.host.introduction import Introduction
from gossip.host.limits import (
    CLOSE_LINGER_S,
    IDENTIFY_MESSAGE_BYTES_MAX,
    INTRODUCTION_FRESH_S,
    INTRODUCTIONS_AT_ONCE_MAX,
    INTRODUCTIONS_MAX,
    NEGOTIATION_MESSAGE_BYTES_MAX,
    NEGOTIATION_TIMEOUT_S,
    PING_ANSWERS_PER_S,
    PING_IDLE_S,
    SERVICE_TIMEOUT_S,
)
from gossip.host.loading import Libp2pObject
from gossip.host.muxer import NegotiationPipe, finish_shielded
from gossip.host.varint import encode_varint

IDENTIFY: Final = "/ipfs/id/1.0.0"
PING: Final = "/ipfs/ping/1.0.0"
Service: TypeAlias = Callable[["ServiceStream", Libp2pObject], Awaitable[None]]
"""Answers one stream of a connection; may raise anything, which resets the stream."""

_Answer = TypeVar("_Answer")
_PING_SIZE_BYTES: Final = 32
_LOG = logging.getLogger(__name__)


class ServiceStream:
    """A stream of short messages: whole reads, credit for what was read, and an end for sure."""

    def __init__(self, stream: Libp2pObject) -> None:
        self._stream = stream
        self._pipe = NegotiationPipe(stream)
        self._buffer = bytearray()

    async def read(self, size: int) -> bytes:
        """Return `size` bytes; raises ConnectionClosedError at the end of the stream."""
        while len(self._buffer) < size:
            data = await self._pipe.read(NEGOTIATION_MESSAGE_BYTES_MAX)
            self._buffer += data
            self._stream.recv_window += len(data)
            await self._stream.send_window_update(len(data))
        taken = bytes(self._buffer[:size])
        del self._buffer[:size]
        return taken

    async def read_message(self, size_max: int) -> bytes:
        """Return one message after its varint length; raises BadIdentify past `size_max`."""
        size = 0
        for shift in range(0, 21, 7):
            (byte,) = await self.read(1)
            size |= (byte & 0x7F) << shift
            if byte < 0x80:
                break
        if size > size_max:
            raise BadIdentify(f"message of {size} bytes or more")
        return await self.read(size)

    async def write(self, data: bytes) -> None:
        """Send `data`; raises ConnectionClosedError when the stream is gone."""
        await self._pipe.write(data)

    async def write_message(self, data: bytes) -> None:
        """Send `data` after its varint length."""
        await self.write(encode_varint(len(data)) + data)

    async def finish(self) -> bool:
        """Close our side, wait a little for the peer's, then reset; False if even that hangs.

        A stream half closed for ever would keep its entry in Yamux.
        """
        with trio.move_on_after(CLOSE_LINGER_S):
            try:
                await self._stream.close()
                await self._pipe.read(NEGOTIATION_MESSAGE_BYTES_MAX)
            except Exception as error:  # noqa: BLE001 - libp2p raises what it likes; the end is what we want
                _LOG.debug("stream ended: %r", error)
        return self._stream.closed or await finish_shielded(self._stream.reset)


class Introductions:
    """Asks new connections who they are, and answers the same."""

    def __init__(
        self,
        ourselves: Callable[[], Ourselves],
        report: Callable[[CellId, Introduction], None],
    ) -> None:
        self._ourselves = ourselves
        self._report = report
        self._asked: OrderedDict[CellId, float] = OrderedDict()
        self._running = 0

    def services(self) -> dict[str, Service]:
        """Return the protocols answered here."""
        return {IDENTIFY: self._answer_identify, PING: _answer_ping}

    async def introduce(self, connection: Libp2pObject) -> None:
        """Ask the peer of a new connection, unless it was asked a moment ago. Never raises."""
        cell_id = CellId(str(connection.muxed_conn.peer_id))
        now = trio.current_time()
        fresh = now - self._asked.get(cell_id, -INTRODUCTION_FRESH_S) < INTRODUCTION_FRESH_S
        if fresh or self._running >= INTRODUCTIONS_AT_ONCE_MAX:
            return
        self._asked[cell_id] = now
        self._asked.move_to_end(cell_id)
        if len(self._asked) > INTRODUCTIONS_MAX:
            self._asked.popitem(last=False)
        self._running += 1
        try:
            introduction = await ask_identify(connection)
            self._report(cell_id, introduction)
            self._report(cell_id, replace(introduction, rtt_ms=await ping(connection)))
        except Exception as error:  # noqa: BLE001 - supervisor of one introduction
            _LOG.debug("%s did not introduce itself: %r", cell_id, error)
        finally:
            self._running -= 1

    async def _answer_identify(self, stream: ServiceStream, connection: Libp2pObject) -> None:
        remote = connection.muxed_conn.get_remote_address()
        observed = None if remote is None else str(tcp_address_of(*remote))
        with trio.fail_after(SERVICE_TIMEOUT_S):
            await stream.write_message(encode_identify(self._ourselves(), observed))


async def ask_identify(connection: Libp2pObject) -> Introduction:
    """Return what the peer says of itself; raises what libp2p does, TooSlowError, BadIdentify."""

    async def exchange(stream: ServiceStream) -> Introduction:
        with trio.fail_after(SERVICE_TIMEOUT_S):
            data = await stream.read_message(IDENTIFY_MESSAGE_BYTES_MAX)
        return decode_identify(data, CellId(str(connection.muxed_conn.peer_id)))

    return await _with_stream(connection, IDENTIFY, exchange)


async def ping(connection: Libp2pObject) -> float:
    """Return the round trip in ms of one libp2p ping; raises what libp2p does, or TooSlowError."""

    async def exchange(stream: ServiceStream) -> float:
        sent, began = os.urandom(_PING_SIZE_BYTES), trio.current_time()
        with trio.fail_after(SERVICE_TIMEOUT_S):
            await stream.write(sent)
            echoed = await stream.read(_PING_SIZE_BYTES)
        if echoed != sent:
            raise BadIdentify("the ping came back changed")
        return (trio.current_time() - began) * 1000

    return await _with_stream(connection, PING, exchange)


async def _with_stream(
    connection: Libp2pObject,
    protocol: str,
    exchange: Callable[[ServiceStream], Awaitable[_Answer]],
) -> _Answer:
    with trio.fail_after(NEGOTIATION_TIMEOUT_S):
        raw = await connection.muxed_conn.open_stream()
    stream = ServiceStream(raw)
    try:
        communicator, client = MultiselectCommunicator(NegotiationPipe(raw)), MultiselectClient()
        with trio.fail_after(NEGOTIATION_TIMEOUT_S):
            await client.handshake(communicator)
            await client.try_select(communicator, protocol)
        return await exchange(stream)
    finally:
        with trio.CancelScope(shield=True):
            await stream.finish()


async def _answer_ping(stream: ServiceStream, _connection: Libp2pObject) -> None:
    answered_at_s = -1 / PING_ANSWERS_PER_S
    while True:
        with trio.fail_after(PING_IDLE_S):
            data = await stream.read(_PING_SIZE_BYTES)
        await trio.sleep_until(answered_at_s + 1 / PING_ANSWERS_PER_S)
        with trio.fail_after(SERVICE_TIMEOUT_S):
            await stream.write(data)
        answered_at_s = trio.current_time()
