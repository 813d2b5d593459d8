"""What the consensus and execution tasks are told, through their bounded queues.

In front of consensus every peer has a lane of its own (`gossip/fair_queue.py`): one that floods the
cell fills its own lane, its stream is read more slowly, and it takes nothing from the others.
"""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass
from typing import Final, TypeAlias

from core.ids import CellId
from gossip.fair_queue import FairQueue, LaneBounds
from gossip.wire import CertificateFrame, Events, Have, SignatureFrame, Want
from node.limits import (
    CONSENSUS_QUEUE_SIZE_BYTES_MAX,
    MEMBER_LANE_COUNT_MAX,
    MEMBER_LANE_SIZE_BYTES_MAX,
    MEMBER_SHARES,
    STRANGER_LANE_COUNT_MAX,
    STRANGER_LANE_SIZE_BYTES_MAX,
)
from node.stages.consensus import Decided


@dataclass(frozen=True, slots=True)
class Connected:
    """A peer finished its handshake."""

    peer: CellId


@dataclass(frozen=True, slots=True)
class Gone:
    """A peer's session ended."""

    peer: CellId


@dataclass(frozen=True, slots=True)
class FrameFrom:
    """A sync frame from a connected peer."""

    peer: CellId
    frame: Have | Want | Events


@dataclass(frozen=True, slots=True)
class Wake:
    """Something came on another way: transactions into the mempool, or the end of the epoch."""


@dataclass(frozen=True, slots=True)
class CheckpointFrom:
    """A checkpoint signature or certificate from a connected peer."""

    peer: CellId
    frame: SignatureFrame | CertificateFrame


ConsensusInput: TypeAlias = Connected | Gone | FrameFrom | Wake
ExecutionInput: TypeAlias = Decided | CheckpointFrom
ExecutionInbox: TypeAlias = "asyncio.Queue[ExecutionInput]"

MEMBER_LANE: Final = LaneBounds(MEMBER_LANE_COUNT_MAX, MEMBER_LANE_SIZE_BYTES_MAX, MEMBER_SHARES)
STRANGER_LANE: Final = LaneBounds(STRANGER_LANE_COUNT_MAX, STRANGER_LANE_SIZE_BYTES_MAX)

_OWN_LANE: Final = ""
"""For what comes from this cell itself; it costs nothing, so it is always next."""

_COST_FRAME: Final = 50.0
"""Of any frame, in microseconds: to decode it and to look at it."""

_COST_WANT: Final = 500.0
"""Of a WANT: the index is walked, and events are read and sent."""

_COST_EVENT: Final = 100.0
"""Of one event: decoding, its signature, the hashgraph, the journal."""

_COST_KIB: Final = 4.0
"""Of 1024 bytes of events."""


class ConsensusInbox:
    """A queue for one reader. What a peer sends waits in its lane; see `FairQueue`."""

    def __init__(self) -> None:
        self._queue: FairQueue[ConsensusInput] = FairQueue(CONSENSUS_QUEUE_SIZE_BYTES_MAX)
        self._reader: asyncio.Future[None] | None = None
        self._writers: dict[str, deque[asyncio.Future[None]]] = {}

    async def put(self, item: ConsensusInput, bounds: LaneBounds = STRANGER_LANE) -> None:
        """Add an item to its peer's lane; waits while the lane is full.

        That a peer came or went never waits: each of its sessions says so once.
        """
        if isinstance(item, FrameFrom):
            size_bytes = _size_bytes(item)
            while not self._queue.fits(item.peer, size_bytes, bounds):
                await self._room(item.peer)
            self._push(item, _cost(item, size_bytes), size_bytes, bounds.shares)
        else:
            self.put_nowait(item)

    def put_nowait(self, item: Connected | Gone | Wake) -> None:
        """Add what always has room: a second `Wake` adds nothing to the first."""
        if not (isinstance(item, Wake) and self._queue.count(_OWN_LANE)):
            self._push(item, 0.0, 0, 1)

    async def get(self) -> ConsensusInput:
        """Return the next item, waiting for one."""
        while not len(self._queue):
            self._reader = asyncio.get_running_loop().create_future()
            try:
                await self._reader
            finally:
                self._reader = None
        return self.get_nowait()

    def get_nowait(self) -> ConsensusInput:
        """Return the next item; raises asyncio.QueueEmpty."""
        try:
            lane, item = self._queue.pop()
        except IndexError as error:
            raise asyncio.QueueEmpty from error
        if isinstance(item, Gone):
            self._queue.forget(lane)
        waiting = self._writers.get(lane)
        while waiting:
            writer = waiting.popleft()
            if not writer.done():
                writer.set_result(None)
                break
        if waiting is not None and not waiting:
            del self._writers[lane]
        return item

    def empty(self) -> bool:
        """Return whether nothing waits."""
        return not len(self._queue)

    def qsize(self) -> int:
        """Return how many items wait."""
        return len(self._queue)

    @property
    def size_bytes(self) -> int:
        """Bytes of the events that wait."""
        return self._queue.size_bytes

    def _push(self, item: ConsensusInput, cost: float, size_bytes: int, shares: int) -> None:
        lane = _OWN_LANE if isinstance(item, Wake) else item.peer
        self._queue.push(lane, item, cost=cost, size_bytes=size_bytes, shares=shares)
        if self._reader is not None and not self._reader.done():
            self._reader.set_result(None)

    async def _room(self, lane: str) -> None:
        """Wait until something was taken from a lane, which is not empty."""
        waiter = asyncio.get_running_loop().create_future()
        self._writers.setdefault(lane, deque()).append(waiter)
        await waiter


def _size_bytes(item: FrameFrom) -> int:
    return sum(map(len, item.frame.events)) if isinstance(item.frame, Events) else 0


def _cost(item: FrameFrom, size_bytes: int) -> float:
    """Return about how many microseconds of work a frame asks for."""
    match item.frame:
        case Events():
            return (
                _COST_FRAME + _COST_EVENT * len(item.frame.events) + _COST_KIB * size_bytes / 1024
            )
        case Want():
            return _COST_WANT
        case Have():
            return _COST_FRAME
