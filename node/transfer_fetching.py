"""Fetching a checkpoint when the cell is far behind: the owner of `ledger.transfer.fetcher`.

Looks a few times a second whether to. Then it asks several connected cells over streams of their
own, persists what is verified, and when all is there makes it ready to be put in place; the daemon
does that between two lives of its parts. Until then the cell goes on as it was.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

import structlog

from core.errors import MyceldError, RemoteViolation
from core.failpoint import hit
from core.ids import CellId, Epoch, Round, short
from gossip.host import PeerStream, ReadTimedOut
from identity.keys import verify
from journal import Store
from ledger.genesis import Genesis
from ledger.roster import Roster
from ledger.transfer.errors import TransferDenied
from ledger.transfer.fetcher import Fetcher, Progress
from ledger.transfer.limits import LINKS_PER_ANSWER_MAX
from ledger.transfer.staging import Kept
from ledger.transfer.wire import Ask, Denied, FrameBodies, decode_answer, encode_ask
from node.errors import PeerLeft
from node.installation import Checkpoint, prepare
from node.limits import (
    DIAL_TIMEOUT_MS,
    GOSSIP_PATIENCE_MS,
    TRANSFER_ANSWER_MS,
    TRANSFER_CHECK_MS,
    TRANSFER_PAUSE_MS,
    TRANSFER_PAUSE_MS_MAX,
    TRANSFER_PEERS_MAX,
    TRANSFER_READ_SIZE_BYTES,
    TRANSFER_STUCK_MS,
    TRANSFER_WATCH_MS,
    WRITE_TIMEOUT_MS,
)
from node.peers import Peers
from node.session import now_ms
from node.stages.consensus import Consensus
from node.stages.execution import Execution
from node.tables import old_staged_statement, roster_of_epoch, staged_body, staged_statement
from node.transfer_serving import StoreSource, transfer_protocol

_LOG = structlog.get_logger("transfer")


@dataclass(slots=True)
class _Line:
    """A stream to a cell that is asked."""

    asks: deque[Ask] = field(default_factory=deque)
    """To be sent."""
    waiting: int = 0
    """Requests that were handed out and are not answered."""
    since_s: float = 0.0
    """When the last answer came, or the first request after a pause was handed out."""
    writable: asyncio.Event = field(default_factory=asyncio.Event)
    ended: asyncio.Event = field(default_factory=asyncio.Event)


@dataclass(frozen=True, slots=True)
class CatchingUp:
    """What is told of a transfer while it runs."""

    progress: Progress | None
    epoch_ahead: Epoch
    peers: int
    elapsed_s: float
    size_bytes: int
    """Received so far in this run."""


class TransferFetching:
    """Runs beside the other tasks; `ready` is set when a checkpoint waits to be put in place."""

    def __init__(
        self,
        store: Store,
        genesis: Genesis,
        consensus: Consensus,
        execution: Execution,
        peers: Peers,
        source: StoreSource,
        tell: Callable[[CatchingUp], None],
    ) -> None:
        """`tell` is called with each step of a transfer."""
        self._store = store
        self._genesis = genesis
        self._consensus = consensus
        self._execution = execution
        self._peers = peers
        self._source = source
        self._tell = tell
        self._protocol = transfer_protocol(genesis.network_id)
        self._busy = asyncio.Lock()
        self._lines: dict[CellId, _Line] = {}
        self._fetcher: Fetcher | None = None
        self._began_s = 0.0
        self._size_bytes = 0
        self._staged_epoch = Epoch(0)
        self._fault: MyceldError | None = None
        self._seen: tuple[Epoch, int] | None = None
        self._seen_ms = 0
        self.checkpoint: Checkpoint | None = None
        self.is_repair = False
        """Whether what is fetched replaces a state of our own that is not the network's."""
        self.ready = asyncio.Event()

    @property
    def state(self) -> CatchingUp | None:
        """The transfer that is under way, None without one."""
        ahead = self._consensus.epoch_ahead
        if self._fetcher is None:
            return None
        return CatchingUp(
            self._fetcher.progress,
            Epoch(0) if ahead is None else ahead,
            len(self._lines),
            time.monotonic() - self._began_s,
            self._size_bytes,
        )

    def repair(self) -> None:
        """Take over the certified state: what the newest sealed epoch left, and replay the rest.

        In the first epoch there is no other state than the empty one to begin with.
        """
        self.is_repair = True
        if self._consensus.epoch == 0 and not self._consensus.epoch_ahead:
            self.ready.set()

    async def run(self) -> None:
        """Watch, and fetch when the cell is far behind, until cancelled."""
        pause_ms = TRANSFER_PAUSE_MS
        while not self.ready.is_set():
            await asyncio.sleep(TRANSFER_WATCH_MS / 1000)
            if not self._is_wanted():
                pause_ms = TRANSFER_PAUSE_MS
                continue
            _LOG.info("catching up", epoch=self._consensus.epoch, to=self._consensus.epoch_ahead)
            try:
                await self._fetch()
            finally:
                self._fetcher = None
                self._consensus.is_jumping = self.checkpoint is not None
            if self.checkpoint is not None:
                self.ready.set()
                return
            # A peer may claim any epoch: who believes it must not be kept busy with it.
            await asyncio.sleep(pause_ms / 1000)
            pause_ms = min(2 * pause_ms, TRANSFER_PAUSE_MS_MAX)

    def _is_wanted(self) -> bool:
        """Return whether to jump: the cell is more than one epoch behind, or new.

        One epoch is caught up by gossip. So is any in which the cell has own events: then it is
        known which of their transactions got a place. Unless nobody gives us any more of it.
        """
        consensus = self._consensus
        ahead = consensus.epoch_ahead
        if self._execution.divergence is not None:
            return self.is_repair  # by command only: somebody should know
        if ahead is None:
            self._seen = None
            return False
        here = (consensus.epoch, len(consensus.index))
        if here != self._seen:
            self._seen, self._seen_ms = here, now_ms()
        if now_ms() - self._seen_ms > GOSSIP_PATIENCE_MS:
            return True
        is_new = self._execution.ledger.applied_round == 0
        return consensus.own_count() == 0 and (is_new or ahead > consensus.epoch + 1)

    async def _fetch(self) -> None:
        """Run one transfer until it is whole and made ready, or stuck."""
        fetcher = Fetcher(
            self._genesis.network_id,
            self._genesis.roster if self.is_repair else await self._trusted_roster(),
            self._above(),
            lambda identity: staged_body(self._store, identity),
            verify,
        )
        self._fetcher, self._began_s, self._size_bytes = fetcher, time.monotonic(), 0
        tried: set[CellId] = set()
        active_s = time.monotonic()
        async with asyncio.TaskGroup() as group:
            lines: set[asyncio.Task[None]] = set()
            while fetcher.whole is None:
                if self._lines and not fetcher.is_stuck:
                    active_s = time.monotonic()
                if time.monotonic() - active_s > TRANSFER_STUCK_MS / 1000:
                    break
                for peer in self._peers.connected():
                    if len(lines) < TRANSFER_PEERS_MAX and peer not in tried:
                        tried.add(peer)
                        task = group.create_task(self._ask(fetcher, peer), name="transfer")
                        lines.add(task)
                        task.add_done_callback(lines.discard)
                self._note()
                await asyncio.sleep(TRANSFER_CHECK_MS / 1000)
                self._end_slow()
                # Only a certified end of an epoch, not a peer's word, stops gossip meanwhile.
                self._consensus.is_jumping = fetcher.progress is not None
                if self._fault is not None:
                    raise self._fault
            for task in lines:
                task.cancel()
        whole = fetcher.whole
        if whole is not None:
            self._note()
            checkpoint = await self._made_ready(fetcher)
            if whole.header.round > self._above():
                self.checkpoint = checkpoint  # gossip was not there sooner

    def _above(self) -> Round:
        """Return the round after which a checkpoint is wanted."""
        return Round(0) if self.is_repair else self._execution.ledger.applied_round

    async def _made_ready(self, fetcher: Fetcher) -> Checkpoint:
        checkpoint = await prepare(self._store, fetcher.whole_links, fetcher.first_round)
        _LOG.info(
            "checkpoint fetched",
            epoch=checkpoint.link.header.epoch,
            round=checkpoint.link.header.round,
            size_bytes=self._size_bytes,
            seconds=round(time.monotonic() - self._began_s, 3),
        )
        return checkpoint

    async def _trusted_roster(self) -> Roster:
        """Return the roster from which on links are needed: this cell's own, if it has all before.

        Rosters that it sealed itself need no proof, but who serves others must have all links.
        """
        epoch = Epoch(0)
        while have := await self._source.links(epoch, LINKS_PER_ANSWER_MAX):
            epoch = Epoch(epoch + len(have))
        roster = roster_of_epoch(self._store, self._genesis, epoch)
        return self._genesis.roster if roster is None else roster

    async def _ask(self, fetcher: Fetcher, peer: CellId) -> None:
        """Fetch from one cell until the stream ends, whoever ends it."""
        addresses = self._peers.book.addresses(peer)
        if not addresses:
            return
        try:
            stream = await self._peers.dial(
                addresses[0], timeout_s=DIAL_TIMEOUT_MS / 1000, protocol=self._protocol
            )
        except MyceldError as error:
            _LOG.info("no transfer from a peer", peer=short(peer), reason=str(error))
            return
        line = self._lines[peer] = _Line()
        try:
            async with stream:
                await self._advance(lambda: fetcher.joined(peer))
                await self._converse(fetcher, peer, line, stream)
        except MyceldError as error:
            _LOG.info("transfer from a peer ended", peer=short(peer), reason=str(error))
            if isinstance(error, RemoteViolation):
                _LOG.warning("peer dropped", peer=short(peer), reason=str(error))
                self._peers.drop(peer, error)
        finally:
            del self._lines[peer]
            if fetcher.whole is None:
                await self._advance(lambda: fetcher.left(peer))

    async def _converse(
        self, fetcher: Fetcher, peer: CellId, line: _Line, stream: PeerStream
    ) -> None:
        writing = asyncio.create_task(_send_all(line, stream), name="transfer-write")
        reading = asyncio.create_task(
            self._read_all(fetcher, peer, line, stream), name="transfer-read"
        )
        ending = asyncio.create_task(line.ended.wait(), name="transfer-end")
        parts = (writing, reading, ending)
        try:
            await asyncio.wait(parts, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for part in parts:
                part.cancel()
            results = await asyncio.gather(*parts, return_exceptions=True)
        for result in results:
            if isinstance(result, Exception):
                raise result

    async def _read_all(
        self, fetcher: Fetcher, peer: CellId, line: _Line, stream: PeerStream
    ) -> None:
        bodies = FrameBodies()
        while True:
            try:
                data = await stream.read(
                    TRANSFER_READ_SIZE_BYTES, timeout_s=TRANSFER_ANSWER_MS / 1000
                )
            except ReadTimedOut:
                continue  # `_end_slow` judges: nothing may have been asked
            if not data:
                raise PeerLeft(f"{peer} ended the stream")
            self._size_bytes += len(data)
            for body in bodies.feed(data):
                line.waiting, line.since_s = max(0, line.waiting - 1), time.monotonic()
                answer = decode_answer(body)
                if isinstance(answer, Denied):
                    raise TransferDenied(answer.code)
                await self._advance(lambda answer=answer: fetcher.answered(peer, answer))  # type: ignore[misc]  # a bound default

    async def _advance(self, step: Callable[[], None]) -> None:
        """Feed the machine and carry out its effects, one input after the other."""
        fetcher = self._fetcher
        if fetcher is None:
            return
        async with self._busy:
            step()
            while True:
                effects = fetcher.take()
                if effects.keep and fetcher.progress is not None:
                    await self._keep(fetcher.progress.epoch, effects.keep)
                for peer, error in effects.drops:
                    _LOG.warning("peer dropped", peer=short(peer), reason=str(error))
                    self._peers.drop(peer, error)
                    self._lines[peer].ended.set()
                for peer, ask in effects.asks:
                    line = self._lines[peer]
                    line.asks.append(ask)
                    if line.waiting == 0:
                        line.since_s = time.monotonic()
                    line.waiting += 1
                    line.writable.set()
                if not effects.more:
                    return
                await asyncio.sleep(0)
                fetcher.advance()

    async def _keep(self, epoch: Epoch, kept: list[Kept]) -> None:
        """Persist verified pieces; a fault of the disk ends the transfer and stops the cell."""
        statements = [staged_statement(epoch, kept)]
        if epoch != self._staged_epoch:
            self._staged_epoch = epoch
            statements.append(old_staged_statement(epoch))
        try:
            hit("transfer.keep.before")
            await self._store.transaction({}, statements, durable=False)
            hit("transfer.keep.after")
        except MyceldError as error:
            self._fault = error
            raise

    def _end_slow(self) -> None:
        """End the streams of those who owe an answer for too long."""
        now_s = time.monotonic()
        for peer, line in self._lines.items():
            if line.waiting and now_s - line.since_s > TRANSFER_ANSWER_MS / 1000:
                _LOG.info("no answer from a peer", peer=short(peer), waiting=line.waiting)
                line.ended.set()

    def _note(self) -> None:
        state = self.state
        if state is not None:
            self._tell(state)


async def _send_all(line: _Line, stream: PeerStream) -> None:
    while True:
        await line.writable.wait()
        line.writable.clear()
        while line.asks:
            frame = encode_ask(line.asks.popleft())
            hit("transfer.ask.before")
            await stream.write(frame, timeout_s=WRITE_TIMEOUT_MS / 1000)
            hit("transfer.ask.after")
