"""One peer over one stream: handshake, frames in, frames out, pings.

Ends by itself, with the reason, when the peer is silent, slow, gone, or breaks the protocol. What
waits to be sent is bounded: a peer that does not read is disconnected, never waited for. A peer
that sends more than its budget is read more slowly, so its own connection holds it up.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol

from core.errors import MyceldError
from core.failpoint import hit
from core.ids import CellId
from gossip.budget import PeerBudget
from gossip.errors import HandshakeMismatch, HandshakeRefused, UnexpectedFrame
from gossip.host import ReadTimedOut
from gossip.limits import ANSWER_MS_MAX, REASON_LENGTH_MAX
from gossip.score import Misbehaviour
from gossip.wire import (
    Events,
    Frame,
    FrameReader,
    Hello,
    Ping,
    Pong,
    Refuse,
    encode_frame,
)
from node.errors import NoHello, PeerLeft, PeerTooSlow
from node.limits import (
    HANDSHAKE_TIMEOUT_MS,
    PEER_OUTBOUND_SIZE_BYTES_MAX,
    PEER_SILENCE_MS_MAX,
    PING_INTERVAL_MS,
    READ_PAUSE_MS_MAX,
    STRANGER_OUTBOUND_SIZE_BYTES_MAX,
    WRITE_TIMEOUT_MS,
)

_READ_SIZE_BYTES = 65536
_WRITE_SIZE_BYTES = 256 * 1024
_ASKED_MAX = 128
"""WANTs without an answer that are remembered: we send one every two seconds at most."""


def now_ms() -> int:
    """Milliseconds of the monotonic clock."""
    return time.monotonic_ns() // 1_000_000


class SessionStream(Protocol):
    """What a session needs of a stream; `gossip.host.PeerStream` says what the methods do."""

    cell_id: CellId
    initiator: bool
    remote_address: str | None

    async def read(self, size_max: int, *, timeout_s: float) -> bytes:
        """Return bytes, b"" at the end."""

    async def write(self, data: bytes, *, timeout_s: float) -> None:
        """Send all of `data`."""

    async def close(self) -> None:
        """Close the stream."""


@dataclass(slots=True)
class Counters:
    """Traffic of one peer since the cell started."""

    bytes_in: int = 0
    bytes_out: int = 0
    events_in: int = 0
    events_out: int = 0


class Session:
    """A peer after its stream opened. `run` does everything and returns when it is over."""

    def __init__(
        self,
        stream: SessionStream,
        counters: Counters,
        budget: PeerBudget,
        report: Callable[[Misbehaviour], None],
    ) -> None:
        """`report` is told when the peer sends more than `budget` allows."""
        self.cell_id: CellId = stream.cell_id
        self.initiator = stream.initiator
        self.remote_address = stream.remote_address
        self.counters = counters
        self.budget = budget
        self.answered_events = 0
        """Events sent to it because it asked for them."""
        self._report = report
        self._asked: deque[int] = deque(maxlen=_ASKED_MAX)
        self.rtt_ms: float | None = None
        self.closed = asyncio.Event()
        self._stream = stream
        self._reader = FrameReader()
        self._outbound: deque[bytes] = deque()
        self._outbound_bytes = 0
        self._writable = asyncio.Event()
        self._pings: dict[int, int] = {}
        self._ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._early: list[Frame] = []

    @property
    def outbound_bytes(self) -> int:
        """Bytes that wait to be written."""
        return self._outbound_bytes

    @property
    def is_asked(self) -> bool:
        """Whether a WANT of ours may still be answered: then events of others are welcome."""
        while self._asked and now_ms() - self._asked[0] > ANSWER_MS_MAX:
            self._asked.popleft()
        return bool(self._asked)

    def note_asked(self) -> None:
        """A WANT is being sent to the peer."""
        self._asked.append(now_ms())

    def note_answered(self) -> None:
        """The peer says that it answered the oldest WANT whole."""
        if self._asked:
            self._asked.popleft()

    def send(self, data: bytes) -> None:
        """Queue encoded frames; ends the session when the peer is too slow."""
        bound = (
            PEER_OUTBOUND_SIZE_BYTES_MAX if self.budget.member else STRANGER_OUTBOUND_SIZE_BYTES_MAX
        )
        if self._outbound_bytes + len(data) > bound:
            self.end(PeerTooSlow(f"{self._outbound_bytes} bytes wait for {self.cell_id}"))
            return
        self._outbound.append(data)
        self._outbound_bytes += len(data)
        self._writable.set()

    def end(self, error: MyceldError) -> None:
        """Make `run` end with this reason."""
        if not self._ended.done():
            self._ended.set_exception(error)

    async def handshake(self, own: Hello) -> Hello:
        """Exchange HELLOs and return the peer's.

        Raises HandshakeMismatch (after telling the peer why), HandshakeRefused, UnexpectedFrame,
        NoHello, or the stream's errors.
        """
        await self._write(encode_frame(own))
        first = await self._first_frame()
        if isinstance(first, Refuse):
            raise HandshakeRefused(f"{self.cell_id} refused us: {first.code} {first.reason}")
        if not isinstance(first, Hello):
            raise UnexpectedFrame("the first frame was not HELLO")
        problem = _mismatch(own, first)
        if problem is not None:
            error = HandshakeMismatch(problem)
            await self.refuse(error)
            raise HandshakeMismatch(f"{self.cell_id}: {problem}")
        return first

    async def refuse(self, error: MyceldError) -> None:
        """Tell the peer why it gets no session here."""
        await self._write(encode_frame(Refuse(error.code, error.detail[:REASON_LENGTH_MAX])))

    async def run(self, handle: Callable[[Frame], Awaitable[None]]) -> None:
        """Serve the session until it ends; `handle` gets every frame but pings.

        Raises why it ended, always a MyceldError.
        """
        parts = [
            asyncio.create_task(self._read_all(handle), name="session-read"),
            asyncio.create_task(self._write_all(), name="session-write"),
            asyncio.create_task(self._ping_all(), name="session-ping"),
        ]
        try:
            await asyncio.wait([*parts, self._ended], return_when=asyncio.FIRST_COMPLETED)
        finally:
            for part in parts:
                part.cancel()
            results = await asyncio.gather(*parts, return_exceptions=True)
        if self._ended.done():
            self._ended.result()
        for result in results:
            if isinstance(result, Exception):
                raise result
        raise PeerLeft(f"{self.cell_id} ended the stream")

    async def close(self) -> None:
        """Close the stream."""
        if self._ended.done():
            self._ended.exception()  # it was told to whoever ran the session, or nobody cares
        await self._stream.close()

    async def _first_frame(self) -> Frame:
        try:
            async with asyncio.timeout(HANDSHAKE_TIMEOUT_MS / 1000):
                while True:
                    frames = list(self._reader.feed(await self._read()))
                    if frames:
                        self._early = frames[1:]
                        return frames[0]
        except (TimeoutError, ReadTimedOut) as error:
            raise NoHello(f"{self.cell_id} did not say HELLO in time") from error

    async def _read_all(self, handle: Callable[[Frame], Awaitable[None]]) -> None:
        early, self._early = self._early, []
        for frame in early:
            await self._take(frame, handle)
        while True:
            for frame in self._reader.feed(await self._read()):
                await self._take(frame, handle)

    async def _read(self) -> bytes:
        data = await self._stream.read(_READ_SIZE_BYTES, timeout_s=PEER_SILENCE_MS_MAX / 1000)
        if not data:
            raise PeerLeft(f"{self.cell_id} ended the stream")
        self.counters.bytes_in += len(data)
        await self._pause(self.budget.spend_bytes(len(data), now_ms(), asked=self.is_asked))
        return data

    async def _pause(self, wait_ms: int) -> None:
        """Read nothing for a while; the stream's window holds the peer up."""
        if wait_ms > 0:
            await asyncio.sleep(min(wait_ms, READ_PAUSE_MS_MAX) / 1000)

    async def _take(self, frame: Frame, handle: Callable[[Frame], Awaitable[None]]) -> None:
        if self.budget.frames.spend(1, now_ms()):
            self._report(Misbehaviour.FRAME_FLOOD)
            await self._pause(self.budget.frames.wait_ms(now_ms()))
        match frame:
            case Ping():
                self.send(encode_frame(Pong(frame.number)))
            case Pong():
                sent_ns = self._pings.pop(frame.number, None)
                if sent_ns is not None:
                    self.rtt_ms = (time.monotonic_ns() - sent_ns) / 1e6
            case Refuse():
                raise HandshakeRefused(f"{self.cell_id} refused us: {frame.code} {frame.reason}")
            case Hello():
                raise UnexpectedFrame("a second HELLO")
            case _:
                if isinstance(frame, Events):
                    self.counters.events_in += len(frame.events)
                await handle(frame)

    async def _write_all(self) -> None:
        while True:
            await self._writable.wait()
            while self._outbound:
                # Many frames to one write: each write costs a hop between threads.
                parts = [self._outbound.popleft()]
                size = len(parts[0])
                while self._outbound and size + len(self._outbound[0]) <= _WRITE_SIZE_BYTES:
                    parts.append(self._outbound.popleft())
                    size += len(parts[-1])
                await self._write(b"".join(parts))
                self._outbound_bytes -= size
            self._writable.clear()

    async def _write(self, data: bytes) -> None:
        hit("session.write.before")
        await self._stream.write(data, timeout_s=WRITE_TIMEOUT_MS / 1000)
        hit("session.write.after")
        self.counters.bytes_out += len(data)

    async def _ping_all(self) -> None:
        number = 0
        while True:
            await asyncio.sleep(PING_INTERVAL_MS / 1000)
            number += 1
            self._pings = {number: time.monotonic_ns()}
            self.send(encode_frame(Ping(number)))


def _mismatch(own: Hello, other: Hello) -> str | None:
    """Return why two cells can not talk, None when they can."""
    if other.version != own.version:
        return f"wire version {other.version}, ours is {own.version}"
    if other.network_id != own.network_id:
        return "another network"
    if other.rule_set != own.rule_set:
        return f"rule set {other.rule_set}, ours is {own.rule_set}"
    return None
