"""The owner of the consensus stage: carries out its effects in the order they demand.

Persist before send: events go to the journal first, fsynced when one of them is our own; only then
frames leave and rounds are handed on. While one commit is under way inputs gather, and the next
commit takes them together.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable

import structlog

from core.errors import check
from core.failpoint import hit
from core.ids import CellId, Epoch, MemberIndex, Round, short
from gateway.views import Stage
from gossip.sync import Send
from gossip.wire import Events, Have, Want, encode_frame
from journal import Pen
from ledger.errors import NonceUsed
from ledger.genesis import Genesis
from ledger.roster import Roster
from node.archive import Archive, read_epoch
from node.clock import wall_ns
from node.inbox import (
    Connected,
    ConsensusInbox,
    ConsensusInput,
    ExecutionInbox,
    FrameFrom,
    Gone,
    Wake,
)
from node.limits import (
    CONSENSUS_BATCH_MAX,
    EVENT_CACHE_SIZE_BYTES_MAX,
    LOAD_BUSY,
    LOAD_EASY,
    LOAD_INTERVAL_S,
    PEER_STREAMING_SIZE_BYTES,
)
from node.metrics import ConsensusMetrics
from node.peers import Peers
from node.receipts import Receipts
from node.session import Session, now_ms
from node.stages.accuser import ForkSeen
from node.stages.consensus import Consensus, Effects, SendBlocks
from node.stages.intake import Intake
from node.tables import EVENTS_JOURNAL, no_longer_unplaced, unplaced_statements
from node.verifier import Verifier

_LOG = structlog.get_logger("consensus")
_STREAMING_WAIT_MS = 10


class LoadMeter:
    """How busy this process keeps a processor core, over the last moments."""

    def __init__(self) -> None:
        self._wall_s = time.monotonic()
        self._cpu_s = time.process_time()
        self._busy = 0.0

    def busy(self) -> float:
        """Return 0 for a process with time to spare, up to 1 for one that should do less."""
        passed_s = time.monotonic() - self._wall_s
        if passed_s >= LOAD_INTERVAL_S:
            cpu_s = time.process_time()
            used = (cpu_s - self._cpu_s) / passed_s
            self._busy = min(1.0, max(0.0, (used - LOAD_EASY) / (LOAD_BUSY - LOAD_EASY)))
            self._wall_s += passed_s
            self._cpu_s = cpu_s
        return self._busy


class ConsensusTask:
    """Runs the stage. `inbox` is its only input."""

    def __init__(
        self,
        stage: Consensus,
        pen: Pen,
        verifier: Verifier,
        genesis: Genesis,
        *,
        inbox: ConsensusInbox,
        execution: ExecutionInbox,
        receipts: Receipts,
        intake: Intake,
        applied_round: Callable[[], Round],
    ) -> None:
        """`pen` is that of EVENTS_JOURNAL."""
        self._stage = stage
        self._pen = pen
        self._intake = intake
        self._applied_round = applied_round
        self._spent_round = Round(0)
        """Up to which round it was looked whether homeless transactions can still have a place."""
        self._store = pen.store
        self._verifier = verifier
        self._genesis = genesis
        self._inbox = inbox
        self._execution = execution
        self._receipts = receipts
        self._cache: OrderedDict[int, bytes] = OrderedDict()
        self._cache_size_bytes = 0
        self._streaming: set[CellId] = set()
        self._next_block = stage.blocks
        self._load = LoadMeter()
        self.metrics = ConsensusMetrics(wall_ns())
        self._sealed: Roster | None = None
        self._archives: list[Archive] = []
        self.observed = asyncio.Event()
        """Set once this cell knows all its own events, and may make new ones."""

    def sealed(self, roster: Roster) -> None:
        """Note that a round sealed the epoch, durably: the next one begins with this roster.

        Never waits: consensus may be waiting for room in the queue of execution, which tells this.
        """
        check(self._sealed is None, "the end of an epoch is told once")
        self._sealed = roster
        self._inbox.put_nowait(Wake())

    async def run(self, peers: Peers, seen_fork: Callable[[ForkSeen], Awaitable[None]]) -> None:
        """Serve the inbox until cancelled; tell each fork whose events are in the journal.

        Raises what stops a cell: disk faults, invariants.
        """
        self._journal = await self._store.journal(EVENTS_JOURNAL)
        self._seen_fork = seen_fork
        async with asyncio.TaskGroup() as group:
            await self._serve(peers, group)

    async def _serve(self, peers: Peers, group: asyncio.TaskGroup) -> None:
        while True:
            self._begin_epoch(peers)
            archives, self._archives = self._archives, []
            for archive in archives:
                self._stage.archived(archive.epoch, archive.index, archive.first_block)
            self._stage.pace(self._load.busy())
            self._stage.applied(self._applied_round())
            # First of all: what the replay left to do needs no input from outside.
            effects = self._stage.finish(now_ms(), wall_ns())
            await self._carry_out(effects, peers)
            for epoch in effects.loads:
                group.create_task(self._read_epoch(epoch), name=f"read-epoch-{epoch}")
            for item in await self._next_inputs():
                await self._handle(item, peers)
            for peer in sorted(self._streaming):
                self._go_on_streaming(peer, peers)

    async def _read_epoch(self, epoch: Epoch) -> None:
        """Read an old epoch for peers that are far behind, in half of the time at most."""
        began = time.monotonic()
        archive = await read_epoch(self._store, self._genesis, epoch)
        await asyncio.sleep(time.monotonic() - began)
        self._archives.append(archive)
        self._inbox.put_nowait(Wake())

    def _begin_epoch(self, peers: Peers) -> None:
        """Enter the next epoch if a round sealed this one."""
        roster, self._sealed = self._sealed, None
        if roster is not None:
            hit("consensus.epoch.before")
            self._stage.seal(roster, now_ms())
            peers.enter(roster)
            self.metrics.epoch_began()
            hit("consensus.epoch.after")
            _LOG.info("epoch begins", epoch=roster.epoch, members=len(roster.members))

    async def _next_inputs(self) -> list[ConsensusInput]:
        """Return what waits, at least one input unless time runs out for the stage."""
        wait_ms = self._stage.wait_ms(now_ms())
        if self._streaming:
            wait_ms = _STREAMING_WAIT_MS if wait_ms is None else min(wait_ms, _STREAMING_WAIT_MS)
        items: list[ConsensusInput] = []
        if self._inbox.empty():
            try:
                async with asyncio.timeout(None if wait_ms is None else wait_ms / 1000):
                    items.append(await self._inbox.get())
            except TimeoutError:
                return []
        while len(items) < CONSENSUS_BATCH_MAX and not self._inbox.empty():
            items.append(self._inbox.get_nowait())
        return items

    async def _handle(self, item: ConsensusInput, peers: Peers) -> None:
        match item:
            case Connected():
                self._stage.connected(item.peer, now_ms())
            case Gone():
                self._stage.disconnected(item.peer)
                self._streaming.discard(item.peer)
            case FrameFrom():
                await self._handle_frame(item.peer, item.frame, peers)
            case Wake():
                pass  # its work is done: the task is awake

    async def _handle_frame(self, peer: CellId, frame: Have | Want | Events, peers: Peers) -> None:
        match frame:
            case Have():
                self._stage.told(peer, frame, now_ms())
            case Want():
                if peers.conduct.may_want(peer, self._stage.blocks):
                    self._stage.wanted(peer, frame, now_ms())
            case Events():
                session = peers.session(peer)
                is_pushed = session is not None and not session.is_asked
                unpacked = self._stage.unpack(peer, frame)
                if unpacked is not None:
                    known = len(frame.events) - len(unpacked.events)
                    peers.conduct.judge_events(peer, frame, known)
                    self.metrics.repeats += known
                    self.metrics.arrived(unpacked.events, now_ms())
                    if is_pushed:  # what was asked for may be old
                        self.metrics.clocks.arrived(unpacked.events, wall_ns())
                    verdicts = await self._verifier.verify(unpacked.checks)
                    self._stage.received(peer, unpacked, verdicts, now_ms(), last=frame.last)

    def _go_on_streaming(self, peer: CellId, peers: Peers) -> None:
        session = peers.session(peer)
        if session is None or not self._stage.is_streaming(peer):
            self._streaming.discard(peer)
        elif session.outbound_bytes < PEER_STREAMING_SIZE_BYTES and self._may_stream(session):
            self._stage.drained(peer)

    def _may_stream(self, session: Session) -> bool:
        """Return whether a peer gets more of its answer now: others wait while we are busy."""
        favoured = session.budget.member or self._load.busy() == 0
        return favoured or session.budget.bulk.has(now_ms())

    async def _carry_out(self, effects: Effects, peers: Peers) -> None:
        if effects.blocks or effects.unplaced:
            for block in effects.blocks:
                self._remember(block)
            kept = unplaced_statements(effects.unplaced) if effects.unplaced else ()
            began_ns = time.perf_counter_ns()
            hit("consensus.own.before" if effects.durable else "consensus.persist.before")
            await self._pen.write(effects.blocks, kept, effects.durable)
            hit("consensus.own.after" if effects.durable else "consensus.persist.after")
            if effects.durable:
                self.metrics.commit.note((time.perf_counter_ns() - began_ns) / 1e6)
        self._intake.note_stored(effects.recovered)
        self._receipts.reached(effects.stored, Stage.STORED)
        if not self._stage.is_observing:
            self.observed.set()
        if effects.sends:
            hit("consensus.send.before")
            await self._send(effects, peers)
            hit("consensus.send.after")
        self._intake.settle(effects.given_up)
        await self._give_up_spent()
        if effects.homeless:
            peers.forward(effects.homeless)
        for fork in effects.forks:
            await self._seen_fork(fork)
        for peer, error in effects.drops:
            _LOG.warning("peer dropped", peer=short(peer), reason=str(error))
            peers.drop(peer, error)
        for peer, what in effects.blames:
            peers.conduct.misbehaved(peer, what)
        for decided in effects.rounds:
            self.metrics.decided(decided.round, self._stage.me, now_ms(), wall_ns())
            hit("consensus.deliver.before")
            await self._execution.put(decided)
            hit("consensus.deliver.after")

    async def _send(self, effects: Effects, peers: Peers) -> None:
        encoded: dict[tuple[Epoch, tuple[int, ...], bool, frozenset[MemberIndex]], bytes] = {}
        for effect in effects.sends:
            match effect:
                case Send():
                    if isinstance(effect.frame, Want):
                        self._note_asked(effect.peer, peers)
                    peers.send(effect.peer, encode_frame(effect.frame))
                case SendBlocks():
                    key = (effect.epoch, effect.blocks, effect.last, effect.hinted)
                    if key not in encoded:
                        events = tuple(
                            [
                                self._stage.with_hints(effect, await self._block(at))
                                for at in effect.blocks
                            ]
                        )
                        encoded[key] = encode_frame(Events(effect.epoch, events, effect.last))
                    peers.send(effect.peer, encoded[key])
                    self._note_sent(effect, len(encoded[key]), peers)

    async def _give_up_spent(self) -> None:
        """Tell clients of a cell without a vote when another transaction took their nonce."""
        applied = self._applied_round()
        if applied == self._spent_round or not len(self._stage.homeless):
            return
        self._spent_round = applied
        spent = self._stage.homeless.take_spent(self._intake.is_spent)
        if spent:
            await self._store.transaction({}, no_longer_unplaced(spent), durable=False)
        self._intake.settle(spent)
        self._receipts.fail(spent, NonceUsed("another transaction of this sender has the nonce"))

    def _note_asked(self, peer: CellId, peers: Peers) -> None:
        session = peers.session(peer)
        if session is not None:
            session.note_asked()

    def _note_sent(self, effect: SendBlocks, size_bytes: int, peers: Peers) -> None:
        session = peers.session(effect.peer)
        if session is not None:
            session.counters.events_out += len(effect.blocks)
            if effect.last or len(effect.blocks) > 1:  # an answer, no push of one of our own
                session.answered_events += len(effect.blocks)
                session.budget.bulk.spend(size_bytes, now_ms())
        if self._stage.is_streaming(effect.peer):
            self._streaming.add(effect.peer)

    async def _block(self, at: int) -> bytes:
        """Return the bytes of an event that is in the journal."""
        block = self._cache.get(at)
        return await self._journal.get(at) if block is None else block

    def _remember(self, block: bytes) -> None:
        self._cache[self._next_block] = block
        self._cache_size_bytes += len(block)
        self._next_block += 1
        while self._cache_size_bytes > EVENT_CACHE_SIZE_BYTES_MAX:
            self._cache_size_bytes -= len(self._cache.popitem(last=False)[1])
