"""The network half of one stream on the simulated wire, under the real `PeerStream`.

One stream is one connection. Bytes keep their order; a peer that does not read makes the writer
wait by its window. How streams end is as in the real host: closing sends what was written and waits
a little for the other side, all else breaks the connection.

Methods named `arrive_…` are called by the peer's channel, in this side's life.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, TypeAlias

from core.errors import MyceldError
from gossip.host import DialFailed, PingFailed, StreamLost
from gossip.host.limits import CLOSE_LINGER_S, UPGRADE_TIMEOUT_S
from gossip.host.seam import PortInfo, StreamSink
from sim.errors import TooMuchInFlight
from sim.limits import PIECE_BYTES, SMALL_BYTES, TAP_BYTES_MAX, WINDOW_BYTES
from sim.link import Channel
from sim.taps import FrameCutter, TappedFrame, framed

if TYPE_CHECKING:
    import asyncio

    from sim.host import SimSide
    from sim.loop import SimLoop
    from sim.machine import Machine

Answer: TypeAlias = Callable[[MyceldError | None], None]


@dataclass(slots=True)
class _Write:
    """Bytes that wait for the peer's window."""

    data: bytes
    answer: Answer | None
    sent: int = 0


class SimPort:
    """One end of a connection, from the first packet on."""

    def __init__(
        self,
        loop: SimLoop,
        side: SimSide,
        channel: Channel,
        *,
        info: PortInfo,
        there: Machine | None,
    ) -> None:
        self.info = info
        self.sink: StreamSink | None = None
        self.peer: SimPort | None = None
        """The other end, once its machine answered."""
        self.there = there
        self.channel = channel
        """What we send."""
        self.side = side
        self.on_refused: Callable[[MyceldError], None] | None = None
        """Takes why the dial failed; None once the stream is open."""
        self.gone = False
        self._loop = loop
        self._life = side.life
        self._room_bytes = WINDOW_BYTES
        self._queue: deque[_Write] = deque()
        self._waiting_bytes = 0
        self._closing = self._peer_finished = False
        self._linger: asyncio.TimerHandle | None = None
        self._cutters: tuple[FrameCutter, FrameCutter] | None = None

    def __repr__(self) -> str:
        way = "to" if self.info.initiator else "from"
        return f"<SimPort of {self.side.machine.index} {way} {self.there}>"

    def open(self) -> None:
        """Begin to be a stream: both sides have proven who they are."""
        self.on_refused = None
        if self._linger is not None:
            self._linger.cancel()
        if self.side.machine.tap is not None and self.info.protocol == self.side.protocol:
            self._cutters = FrameCutter(), FrameCutter()

    def await_opening(self) -> None:
        """Be a connection that a peer began, and end if the peer does not go on."""
        self.on_refused = _ignore
        context = self._life.context
        self._linger = self._loop.call_later(UPGRADE_TIMEOUT_S, self._expire, context=context)

    def submit(self, data: bytes, answer: Answer) -> None:
        """Write `data`, then call `answer`: when the last byte is in the window."""
        if not self._life.alive:
            return
        if self._closing or self.gone:
            self._loop.call_soon(answer, StreamLost("the stream is gone"))
            return
        if self._cutters is None:
            self._put(data, answer)
        else:
            for frame in self._cutters[0].feed(data):
                self._tap(frame, outgoing=True)
            self._put(b"", answer)

    def inject(self, frame: bytes) -> None:
        """Send a further frame (without its length) on the stream; for taps.

        Raises TooMuchInFlight when the peer takes them too slowly.
        """
        if self._waiting_bytes > TAP_BYTES_MAX:
            raise TooMuchInFlight(f"{self._waiting_bytes} bytes wait on {self}")
        if not self._closing and not self.gone:
            self._put(framed(frame), None)

    def consumed(self, size: int) -> None:
        """Give the peer credit for `size` bytes that were read."""
        if self.peer is not None and not self.gone:
            self._send(SMALL_BYTES, self.peer.arrive_credit, size)

    def finish(self) -> None:
        """Close gracefully: our side now, all of it once the peer closed its own."""
        if self._closing or self.gone or not self._life.alive:
            return
        self._closing = True
        self._fail_writes("the connection was closed during the write")
        if self.peer is not None:
            self._send(SMALL_BYTES, self.peer.arrive_finish)
        if self._peer_finished:
            self._end(clean=True)
        else:
            self._linger = self._loop.call_later(CLOSE_LINGER_S, self._end)

    def drop(self) -> None:
        """Break the connection."""
        if self._life.alive:
            self._end()

    def ping(self, answer: Callable[[float | MyceldError], None]) -> None:
        """Send something there and back, and tell how many ms that took."""
        if self.peer is None:
            answer(PingFailed(f"{self.info.cell_id} is not connected yet"))
            return
        began_s = self._loop.time()

        def arrive() -> None:
            answer((self._loop.time() - began_s) * 1000)

        self._send(SMALL_BYTES, partial(self.peer.channel.send, SMALL_BYTES, arrive))

    def arrive_data(self, data: bytes) -> None:
        """Take bytes of the peer."""
        if self.gone or self._closing or self.sink is None:
            return
        if self._cutters is None:
            self.sink.on_data(data)
            return
        self.consumed(len(data))  # the tap's frames pay for themselves
        for frame in self._cutters[1].feed(data):
            self._tap(frame, outgoing=False)

    def arrive_credit(self, size: int) -> None:
        """The peer has read something."""
        self._room_bytes += size
        self._pump()

    def arrive_finish(self) -> None:
        """The peer closed its side."""
        if self.gone:
            return
        self._peer_finished = True
        if self.sink is not None:
            self.sink.on_end(None)
        if self._closing:
            self._end(clean=True)

    def arrive_lost(self) -> None:
        """The connection broke, or the peer's machine knows nothing of it any more."""
        if not self.gone:
            self._leave("the peer reset the stream, or the connection broke")

    def arrive_refusal(self, error: MyceldError) -> None:
        """The dial ended with an error."""
        refused, self.on_refused = self.on_refused, None
        if refused is not None and not self.gone:
            self.gone = True
            self.side.forget(self)
            refused(error)

    def die(self) -> None:
        """End with the process: the kernel tells the peer, if the machine has power."""
        self.gone = True
        if self.side.machine.up:
            self._tell_lost()
        else:
            self.side.machine.orphans.append(self)

    def after_power_cut(self) -> None:
        """Tell the peer of a stream that this machine, which is back, knows nothing of it."""
        self._tell_lost()

    def _put(self, data: bytes, answer: Answer | None) -> None:
        self._waiting_bytes += len(data)
        self._queue.append(_Write(data, answer))
        self._pump()

    def _pump(self) -> None:
        """Send what the peer's window has room for."""
        peer = self.peer
        while self._queue and peer is not None and not self.gone:
            write = self._queue[0]
            size_max = min(self._room_bytes, PIECE_BYTES)
            piece = write.data[write.sent : write.sent + max(0, size_max)]
            if piece:
                self._room_bytes -= len(piece)
                self._waiting_bytes -= len(piece)
                write.sent += len(piece)
                if not self._send(len(piece), peer.arrive_data, piece):
                    return  # the link took no more, and all writes have their answer
            if write.sent == len(write.data):
                self._queue.popleft()
                if write.answer is not None:
                    self._loop.call_soon(write.answer, None, context=self._life.context)
            elif not piece:
                return

    def _send(self, size_bytes: int, function: Callable[..., None], *args: object) -> bool:
        """Give something to the kernel; False if the process is dead, or the connection now is."""
        if not self._life.alive:
            return False
        if self.channel.full:
            self._leave("too much waits for a link that is down")
            return False
        self.channel.send(size_bytes, function, *args)
        return True

    def _tap(self, frame: bytes, *, outgoing: bool) -> None:
        """Let the machine's tap decide what becomes of a frame."""
        here, there = self.side.machine, self.there
        tap = here.tap or _unchanged
        seen = TappedFrame(outgoing, here.index, -1 if there is None else there.index, frame, self)
        give = self.inject if outgoing else self._give
        for delay_s, data in tap(seen):
            if delay_s > 0:
                self._loop.call_later(delay_s, give, data, context=self._life.context)
            else:
                give(data)

    def _give(self, frame: bytes) -> None:
        """Hand a frame to the cell, at the cost of its peer's window."""
        if self.sink is not None and not self.gone and not self._closing:
            data = framed(frame)
            self.consumed(-len(data))
            self.sink.on_data(data)

    def _end(self, *, clean: bool = False) -> None:
        """End this side; one that ends orderly and did not open the connection leaves it open."""
        if self.gone:
            return
        if self.info.initiator or not clean:
            self._tell_lost()
        self._leave("the stream is gone")

    def _expire(self) -> None:
        if not self.gone:
            self._leave("the peer did not go on with its handshake")

    def _tell_lost(self) -> None:
        if self.peer is not None:
            self.channel.send(SMALL_BYTES, self.peer.arrive_lost)
        else:
            self.channel.forget()

    def _leave(self, why: str) -> None:
        self.gone = True
        self.side.forget(self)
        if self._linger is not None:
            self._linger.cancel()
        refused, self.on_refused = self.on_refused, None
        if refused is not None:
            refused(DialFailed(why))
        self._fail_writes(why)
        if self.sink is not None:
            self.sink.on_end(StreamLost(why))
            self.sink.on_closed()

    def _fail_writes(self, why: str) -> None:
        for write in self._queue:
            if write.answer is not None:
                self._loop.call_soon(write.answer, StreamLost(why), context=self._life.context)
        self._queue.clear()
        self._waiting_bytes = 0


def _unchanged(frame: TappedFrame) -> list[tuple[float, bytes]]:
    """Be the tap of a machine that has lost its own."""
    return [(0.0, frame.data)]


def _ignore(_error: MyceldError) -> None:
    """Nobody waits for a connection that a peer began."""
