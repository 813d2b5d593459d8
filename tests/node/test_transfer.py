"""Fetching and serving a checkpoint over streams: who lies or is silent, what is told meanwhile.

On virtual time and disks: nobody is silent but who means to be.
"""

from __future__ import annotations

import asyncio
import functools
import io
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random
from types import SimpleNamespace
from typing import Any, Self, cast

from core.errors import MyceldError
from core.ids import CellId, Epoch
from gossip.host import PeerStream, ReadTimedOut
from journal import Store
from ledger.machine import Ledger
from ledger.transfer.fetcher import Progress
from ledger.transfer.wire import (
    AskLinks,
    AskPiece,
    FrameBodies,
    Links,
    decode_ask,
    encode_answer,
    encode_ask,
)
from node.errors import PeerLeft
from node.limits import GOSSIP_PATIENCE_MS, TRANSFER_ANSWER_MS
from node.progress import ProgressTeller, progress_words
from node.transfer_fetching import CatchingUp, TransferFetching
from node.transfer_serving import StoreSource, TransferServing
from sim.clock import installed
from sim.disk import SimDisk
from sim.loop import SimLoop
from tests.ledger.transfer.world import SHORT, History, piece_of
from tests.node.history_store import opened, source_of, write

Handler = Callable[[PeerStream], Awaitable[None]]


def _on_virtual_time(test: Callable[[], Coroutine[Any, Any, None]]) -> Callable[[], None]:
    @functools.wraps(test)
    def run() -> None:
        loop = SimLoop()
        with installed(loop, 1):
            loop.run_until_complete(test())
        loop.close()

    return run


def _disk() -> Any:  # noqa: ANN401 - a simulated disk
    return SimDisk(Random(1)).mount()  # noqa: S311 - chance of a test


class FakeStream:
    """One end of a stream in memory."""

    def __init__(self, cell_id: str) -> None:
        self.cell_id = CellId(cell_id)
        self.inbox: asyncio.Queue[bytes] = asyncio.Queue(1000)
        self.other: FakeStream | None = None
        self.aborted = False

    async def read(self, _: int, *, timeout_s: float) -> bytes:
        try:
            async with asyncio.timeout(timeout_s):
                return await self.inbox.get()
        except TimeoutError as error:
            raise ReadTimedOut("nothing came") from error

    async def write(self, data: bytes, *, timeout_s: float) -> None:
        assert timeout_s > 0
        if self.other is not None:
            self.other.inbox.put_nowait(data)

    async def close(self) -> None:
        other, self.other = self.other, None
        if other is not None:
            other.inbox.put_nowait(b"")

    async def abort(self) -> None:
        self.aborted = True
        await self.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()


class FakePeers:
    """Cells to be asked, by name, each with the handler of the transfer protocol."""

    def __init__(self, handlers: dict[str, Handler]) -> None:
        self.handlers = handlers
        self.dropped: dict[str, MyceldError] = {}
        self.tasks: list[asyncio.Task[None]] = []
        self.host = self
        self.book = self

    def connected(self) -> list[CellId]:
        return [CellId(name) for name in sorted(self.handlers) if name not in self.dropped]

    def addresses(self, cell_id: CellId) -> tuple[str, ...]:
        return (str(cell_id),)

    def drop(self, cell_id: CellId, error: MyceldError) -> None:
        self.dropped[cell_id] = error

    async def dial(self, address: str, *, timeout_s: float, protocol: str) -> FakeStream:
        assert timeout_s > 0
        assert protocol.endswith("/transfer/2")
        ours, theirs = FakeStream(address), FakeStream("newcomer")
        ours.other, theirs.other = theirs, ours
        handler = self.handlers[address]

        async def serve() -> None:
            try:
                await handler(cast("PeerStream", theirs))
            except (MyceldError, asyncio.CancelledError):
                pass
            finally:
                await theirs.close()

        self.tasks.append(asyncio.ensure_future(serve()))
        return ours


class Newcomer:
    """A fetching cell with what it knows of the network."""

    def __init__(self, store: Store, source: StoreSource, peers: FakePeers) -> None:
        self.consensus = SimpleNamespace(
            epoch_ahead=Epoch(3), epoch=Epoch(0), index=(), own_count=lambda: 0, is_jumping=False
        )
        self.peers = peers
        self.told: list[CatchingUp] = []
        self.execution = SimpleNamespace(ledger=SimpleNamespace(applied_round=0), divergence=None)
        self.fetching = TransferFetching(
            store,
            SHORT,
            cast("Any", self.consensus),
            cast("Any", self.execution),
            cast("Any", peers),
            source,
            self.told.append,
        )

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        task = asyncio.ensure_future(self.fetching.run())
        try:
            yield
        finally:
            for one in (task, *self.peers.tasks):
                one.cancel()
            ends = await asyncio.gather(task, *self.peers.tasks, return_exceptions=True)
            # Otherwise a fetching that fell over would look like one that only waits.
            assert [end for end in ends if isinstance(end, Exception)] == []


@asynccontextmanager
async def _newcomer(history: History, **others: Handler) -> AsyncIterator[Newcomer]:
    """A newcomer, an honest cell unless it is replaced, and others."""
    async with opened(_OLD, _disk()) as old, opened(_NEW, _disk()) as new:
        await write(old, history)
        honest = TransferServing(await source_of(old)).serve
        own = StoreSource(new, SHORT, Ledger(SHORT, lambda _: None), cast("Any", None))
        handlers = {"honest": honest, **others}
        cell = Newcomer(new, own, FakePeers(handlers))
        async with cell.running():
            yield cell


async def _lie(stream: PeerStream) -> None:
    """Give the true links, and one's own idea of the state."""
    bodies = FrameBodies()
    while data := await stream.read(65536, timeout_s=20):
        for body in bodies.feed(data):
            match decode_ask(body):
                case AskLinks():
                    answer = encode_answer(Links(Epoch(2), tuple(_HISTORY.links)))
                case AskPiece():
                    answer = encode_answer(piece_of({b"value/mine": b"all"}))
                case _:
                    return
            await stream.write(answer, timeout_s=5)


async def _silent(stream: PeerStream) -> None:
    while await stream.read(65536, timeout_s=20):
        pass


async def _none(stream: PeerStream) -> None:
    bodies = FrameBodies()
    while data := await stream.read(65536, timeout_s=20):
        for _ in bodies.feed(data):
            await stream.write(encode_answer(Links(Epoch(10**6), ())), timeout_s=5)


async def _gone(_: PeerStream) -> None:
    raise PeerLeft("at once")


_HISTORY = History(31, 3, keys=40)
_OLD, _NEW = Path("/old.db"), Path("/new.db")


@_on_virtual_time
async def test_a_checkpoint_is_fetched_made_ready_and_told_of() -> None:
    async with _newcomer(_HISTORY) as cell:
        await asyncio.wait_for(cell.fetching.ready.wait(), 20)
        assert cell.fetching.checkpoint is not None
        assert cell.fetching.checkpoint.link == _HISTORY.links[2]
        assert cell.consensus.is_jumping
        assert cell.told[-1].progress is not None
        assert cell.told[-1].progress.done == 1.0
        assert cell.fetching.state is None


@_on_virtual_time
async def test_a_liar_is_dropped_a_silent_one_left_and_an_honest_one_used() -> None:
    others = {"a-liar": _lie, "a-silent": _silent, "a-gone": _gone}
    async with _newcomer(_HISTORY, **others) as cell:
        await asyncio.wait_for(cell.fetching.ready.wait(), 4 * TRANSFER_ANSWER_MS / 1000)
        assert cell.fetching.checkpoint is not None
        assert cell.fetching.checkpoint.link == _HISTORY.links[2]
        assert set(cell.peers.dropped) <= {"a-liar"}
        for error in cell.peers.dropped.values():
            assert error.code.startswith("MYC-TRANSFER-")


@_on_virtual_time
async def test_a_claim_without_a_certificate_never_stops_gossip() -> None:
    async with _newcomer(_HISTORY, honest=_none) as cell:
        for _ in range(2000):
            await asyncio.sleep(0.01)
            assert not cell.consensus.is_jumping
        assert not cell.fetching.ready.is_set()
        assert cell.told
        assert all(state.progress is None for state in cell.told)


@_on_virtual_time
async def test_an_epoch_with_own_events_is_finished_by_gossip_first() -> None:
    async with _newcomer(_HISTORY) as cell:
        cell.consensus.own_count = lambda: 1
        await asyncio.sleep(0.5)
        assert cell.told == []
        cell.consensus.own_count = lambda: 0  # the next epoch began
        await asyncio.wait_for(cell.fetching.ready.wait(), 20)


@_on_virtual_time
async def test_a_cell_one_epoch_behind_jumps_only_when_gossip_brings_nothing() -> None:
    async with _newcomer(_HISTORY) as cell:
        cell.execution.ledger.applied_round = 5
        cell.consensus.epoch_ahead = Epoch(1)
        await asyncio.sleep(0.5)
        assert cell.told == []
        # Nobody has its epoch any more, such as those who jumped over it.
        await asyncio.sleep(GOSSIP_PATIENCE_MS / 1000 - 1)
        assert cell.told == []
        await asyncio.wait_for(cell.fetching.ready.wait(), 20)


@_on_virtual_time
async def test_one_stream_a_peer_and_few_in_all_are_served() -> None:
    async with opened(_OLD, _disk()) as old:
        await write(old, _HISTORY)
        serving = TransferServing(await source_of(old))
        streams = [FakeStream(f"cell-{at}") for at in (0, 0, 1, 2, 3, 4)]
        tasks = [asyncio.ensure_future(serving.serve(cast("Any", one))) for one in streams]
        await asyncio.sleep(0.05)
        assert [stream.aborted for stream in streams] == [False, True, False, False, False, True]
        answers = FakeStream("asker")
        streams[0].other = answers
        for byte in encode_ask(AskLinks(Epoch(0))):
            streams[0].inbox.put_nowait(bytes([byte]))
        assert await answers.read(1, timeout_s=5)
        for stream in streams:
            stream.inbox.put_nowait(b"")
        await asyncio.gather(*tasks)


def _state(done: float | None, elapsed_s: float = 2.0) -> CatchingUp:
    progress = None if done is None else Progress(Epoch(7), 12, 3_000_000, done)
    return CatchingUp(progress, Epoch(9), 3, elapsed_s, 4_000_000)


def test_the_words_say_how_much_how_fast_and_how_long() -> None:
    assert "epoch 9" in progress_words(_state(None))
    words = progress_words(_state(0.25))
    for part in ("epoch 7", "25 %", "12 pieces", "3.0 MB", "3 cells", "2.0 MB/s", "6 s left"):
        assert part in words


def test_lines_every_tenth_without_a_terminal_and_a_bar_on_one() -> None:
    stream = io.StringIO()
    teller = ProgressTeller(stream)
    for percent in range(101):
        teller.tell(_state(percent / 100))
    assert len(stream.getvalue().splitlines()) == 11
    teller.tell(_state(0.0))  # another transfer begins
    assert len(stream.getvalue().splitlines()) == 12

    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    terminal = Terminal()
    teller = ProgressTeller(terminal)
    for percent in (0, 50, 100):
        teller.tell(_state(percent / 100))
    assert terminal.getvalue().count("\r") == 3
    assert terminal.getvalue().endswith("\n")
    assert "#" * 15 + "-" * 15 in terminal.getvalue()
