"""A hostile peer's end of a session: it shakes hands as cells do, then does what it likes."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass

from core.ids import Epoch, EventId, MemberIndex
from core.ids import Sequence as SequenceNumber
from gossip.host import PeerStream
from gossip.wire import (
    WIRE_VERSION,
    Events,
    Frame,
    FrameReader,
    Hello,
    Ping,
    Pong,
    Want,
    encode_frame,
)
from hashgraph.event import Event, decode_event, encode_event, make_event
from identity.keys import KeyPair
from ledger.genesis import Genesis

IO_TIMEOUT_S = 20.0


@dataclass(frozen=True, slots=True)
class Target:
    """Whom to attack, and what an insider knows of its network."""

    address: str
    """With /p2p/<cell id>."""
    genesis: Genesis
    epoch: Epoch = Epoch(0)
    source: str | None = None
    """Our IP address: each attack has its own, where the system has many on loopback."""

    @property
    def protocol(self) -> str:
        """The gossip protocol of the network."""
        return f"/myceld/{self.genesis.network_id.hex()}/gossip/1"


class Talk:
    """A session with the target, from its HELLO on."""

    def __init__(self, stream: PeerStream, target: Target) -> None:
        self.stream = stream
        self.target = target
        self.began_s = time.monotonic()
        self._reader = FrameReader()

    async def shake_hands(self) -> None:
        """Exchange HELLOs; raises the stream's errors, or ConnectionError if it does not answer."""
        genesis = self.target.genesis
        own = Hello(WIRE_VERSION, genesis.rule_set, genesis.network_id, self.target.epoch)
        await self.send(own)
        if not any(isinstance(frame, Hello) for frame in await self.read()):
            raise ConnectionError("no HELLO")

    async def send(self, *frames: Frame) -> None:
        """Send frames."""
        await self.send_bytes(b"".join(map(encode_frame, frames)))

    async def send_bytes(self, data: bytes) -> None:
        """Send whatever."""
        await self.stream.write(data, timeout_s=IO_TIMEOUT_S)

    async def read(self) -> list[Frame]:
        """Return the frames in what comes next, at least one; answers pings."""
        while True:
            data = await self.stream.read(timeout_s=IO_TIMEOUT_S)
            if not data:
                raise ConnectionError("the target closed the stream")
            if frames := list(self._reader.feed(data)):
                pongs = [Pong(frame.number) for frame in frames if isinstance(frame, Ping)]
                if pongs:
                    await self.send(*pongs)
                return frames

    async def read_for_ever(self) -> None:
        """Read until the session ends."""
        while True:
            await self.read()

    @contextlib.asynccontextmanager
    async def reading(self) -> AsyncIterator[None]:
        """Read all that comes beside what is done inside."""
        task = asyncio.create_task(self.read_for_ever())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.wait([task])
            if not task.cancelled():
                task.exception()  # whoever writes notices too

    async def fetch(self, count_max: int) -> list[bytes]:
        """Ask for all events of the epoch, as one that lags behind would; return some of them."""
        members = len(self.target.genesis.members)
        await self.send(Want(self.target.epoch, (0,) * members))
        events: list[bytes] = []
        while True:
            for frame in await self.read():
                if isinstance(frame, Events) and (frame.last or len(frame.events) > 1):
                    events += frame.events
                    if frame.last or len(events) >= count_max:
                        return events[:count_max]


class Forger:
    """Makes events with a member's key."""

    def __init__(self, genesis: Genesis, epoch: Epoch, key: KeyPair, creator: MemberIndex) -> None:
        self._genesis = genesis
        self._epoch = epoch
        self._key = key
        self._creator = creator

    def event(self, sequence: int, self_parent: EventId | None, payload: bytes) -> bytes:
        """Return an encoded event without other parents."""
        return encode_event(self._made(sequence, self_parent, payload))

    def chain_after(self, sequence: int, self_parent: EventId | None, length: int) -> list[bytes]:
        """Return a chain of events from a sequence number on."""
        made: list[bytes] = []
        for at in range(length):
            event = self._made(sequence + at, self_parent, b"")
            self_parent = event.id
            made.append(encode_event(event))
        return made

    def newest(self, encoded: list[bytes]) -> tuple[int, EventId | None]:
        """Return the next sequence number of the member, and its newest event among these."""
        sequence, newest = 0, None
        for data in encoded:
            event = decode_event(data, network_id=self._genesis.network_id, epoch=self._epoch)
            if event.creator == self._creator and event.sequence >= sequence:
                sequence, newest = event.sequence + 1, event.id
        return sequence, newest

    def _made(self, sequence: int, self_parent: EventId | None, payload: bytes) -> Event:
        return make_event(
            network_id=self._genesis.network_id,
            epoch=self._epoch,
            creator=self._creator,
            sequence=SequenceNumber(sequence),
            self_parent=self_parent,
            other_parents=(),
            time_ns=time.time_ns(),
            payload=[payload] if payload else [],
            sign=self._key.sign,
        )
