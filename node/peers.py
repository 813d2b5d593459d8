"""All peers of a cell: who is connected, who is dialled when, where everybody listens.

Two cells keep one stream between them. When both dialled at once, the one that the smaller cell id
opened is kept, so both ends choose the same.

Wanted cells, the members and the bootstrap cells, come before all others: strangers have seats of
their own, smaller budgets, and wait longer. Who misbehaves is disconnected and left alone for a
while (`node/standing.py`).
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import structlog

from core.errors import MyceldError, RemoteViolation
from core.failpoint import hit
from core.ids import CellId, Epoch, NetworkId, short
from gossip.budget import PeerBudget
from gossip.discovery.book import AddressBook
from gossip.host import Host, HostConfig, HostFactory, PeerStream
from gossip.limits import (
    PAYLOAD_COUNT_MAX,
    PAYLOAD_SIZE_BYTES_MAX,
    REASON_LENGTH_MAX,
)
from gossip.score import Misbehaviour
from gossip.wire import (
    WIRE_VERSION,
    Announced,
    CertificateFrame,
    Denied,
    Events,
    Forward,
    Frame,
    Have,
    Hello,
    SignatureFrame,
    SporeFrame,
    Want,
    encode_frame,
)
from ledger.roster import Roster
from node.clock import wall_ns
from node.conduct import Conduct
from node.errors import AccessDenied, PeerNotAdmitted, PeerReplaced, PeerTooSlow
from node.faults import Faults, FaultyStream
from node.inbox import (
    MEMBER_LANE,
    STRANGER_LANE,
    CheckpointFrom,
    Connected,
    ConsensusInbox,
    ExecutionInbox,
    FrameFrom,
    Gone,
)
from node.limits import (
    ACCESS_CHECK_S,
    DIAL_BACKOFF_MS_MAX,
    DIAL_BACKOFF_MS_MIN,
    DIAL_TIMEOUT_MS,
    OUTBOUND_SIZE_BYTES_MAX,
    PEER_INFOS_MAX,
    PEER_SESSIONS_MAX,
    READ_PAUSE_MS_MAX,
    STRANGER_SESSIONS_MAX,
)
from node.session import Counters, Session, now_ms
from node.standing import Standings

_LOG = structlog.get_logger("peers")


@dataclass(slots=True)
class _Target:
    """A cell to be connected to."""

    backoff_ms: int = DIAL_BACKOFF_MS_MIN
    due: float = 0.0
    task: asyncio.Task[None] | None = None


@dataclass(frozen=True, slots=True)
class PeersConfig:
    """What `Peers` needs to know at its making."""

    host: HostConfig
    network_id: NetworkId
    rule_set: int
    roster: Roster
    """Of the epoch that the cell is in at its start."""
    faults: Faults | None = None
    """Of the cell's surroundings, on purpose, in tests."""


class Introducer(Protocol):
    """Tells a peer of other cells, and takes what it tells (`node.discovery.task`)."""

    def introduce(self, cell_id: CellId, remote_address: str | None) -> Iterable[Frame]:
        """Return what a cell that just connected is told first."""
        ...

    async def take(self, cell_id: CellId, frame: SporeFrame | Announced) -> None:
        """Take what a connected cell tells of others; raises RemoteViolation."""
        ...


@dataclass(frozen=True, slots=True)
class PeersLinks:
    """Where frames go, and what a new peer is told first."""

    consensus: ConsensusInbox
    execution: ExecutionInbox
    greeting: Callable[[], Iterable[Frame]]
    save_cells: Callable[[Mapping[CellId, bytes | None]], Awaitable[None]]
    forwarded: Callable[[CellId, Forward], Awaitable[None]]
    introducer: Introducer
    admit: Callable[[CellId], None] = lambda _: None
    """Raises AccessDenied for a cell without a vote that may not follow the network here."""


@dataclass(slots=True)
class PeerInfo:
    """What is known of a peer beside its session."""

    counters: Counters = field(default_factory=Counters)
    last_error: str | None = None


class Peers:
    """Sessions by cell id, over one libp2p host."""

    def __init__(
        self,
        config: PeersConfig,
        links: PeersLinks,
        book: AddressBook,
        make_host: HostFactory = Host,
    ) -> None:
        self._config = config
        self._links = links
        self.book = book
        self._roster = config.roster
        self._sessions: dict[CellId, Session] = {}
        standings = Standings(self._is_wanted)
        self.conduct = Conduct(self._sessions, standings, lambda: self._roster, self._deny)
        self.host = make_host(config.host, self._accept, self.conduct.note_abuse)
        self._targets: dict[CellId, _Target] = {}
        self._wanted: frozenset[CellId] = frozenset()
        self._sought: frozenset[CellId] = frozenset()
        self._admission = asyncio.Lock()
        self._strangers = 0
        self._epochs: dict[CellId, Epoch] = {}
        self.infos: dict[CellId, PeerInfo] = {}
        self.ends: Counter[str] = Counter()
        """Ends of sessions and of handshakes by the code of their reason."""
        self._stopping = False
        self._checks_at_s = 0.0

    @property
    def roster(self) -> Roster:
        """Return the members of the present epoch."""
        return self._roster

    async def start(self) -> tuple[str, ...]:
        """Listen; return the real addresses. Raises the host's errors."""
        addresses = await self.host.start()
        self.enter(self._roster)
        return addresses

    def enter(self, roster: Roster) -> None:
        """Keep connected to the members of this roster, the bootstrap cells and the sought."""
        self._roster = roster
        members = {member.cell_id for member in roster.members}
        self.book.protect(members)
        self._wanted = frozenset(members | self.book.bootstrap_cells)
        wanted = self._wanted | self._sought
        for cell_id in sorted(wanted - {self.host.cell_id}):
            self._targets.setdefault(cell_id, _Target())
        for cell_id in set(self._targets) - wanted:
            del self._targets[cell_id]  # a dial that is under way ends by itself
        for session in self._sessions.values():
            member = self._is_wanted(session.cell_id)
            if session.budget.member != member:
                session.budget = PeerBudget(member=member, now_ms=now_ms())

    def seek(self, cells: Iterable[CellId]) -> None:
        """Keep connected to these too, until this is called again."""
        sought = frozenset(cells)
        if sought != self._sought:
            self._sought = sought
            self.enter(self._roster)

    def forward(self, transactions: Sequence[bytes]) -> bool:
        """Ask a connected member to put transactions into its events; False if none is there."""
        for member in self._roster.members:
            if member.cell_id in self._sessions:
                for part in _in_frames(transactions):
                    self.send(member.cell_id, encode_frame(Forward(part)))
                return True
        return False

    async def run(self) -> None:
        """Keep the targets connected until cancelled."""
        async with asyncio.TaskGroup() as group:
            if self._config.faults is not None:
                group.create_task(self._config.faults.run(), name="faults")
            while True:
                for cell_id, target in tuple(self._targets.items()):
                    self._dial_if_due(group, cell_id, target)
                self.conduct.deny_banned()
                self._check_sessions()
                if changes := self.book.take_changes():
                    hit("discovery.save.before")
                    await self._links.save_cells(changes)
                    hit("discovery.save.after")
                await asyncio.sleep(DIAL_BACKOFF_MS_MIN / 1000)

    def close(self) -> None:
        """Take no new sessions, and tell nobody any more of those that end: the cell stops."""
        self._stopping = True

    async def stop(self) -> None:
        """End all sessions and the host."""
        self.close()
        await self.host.stop()

    def connected(self) -> list[CellId]:
        """Return the connected cells, in order of their ids."""
        return sorted(self._sessions)

    def arrived(self, epoch: Epoch) -> set[CellId]:
        """Return the connected cells that say that they take part in an epoch, or a later one."""
        return {cell_id for cell_id, theirs in self._epochs.items() if theirs >= epoch}

    def session(self, cell_id: CellId) -> Session | None:
        """Return the session of a connected cell."""
        return self._sessions.get(cell_id)

    def send(self, cell_id: CellId, data: bytes) -> None:
        """Queue encoded frames for a cell, if it is connected."""
        session = self._sessions.get(cell_id)
        if session is not None:
            session.send(data)
        self._bound_outbound()

    def broadcast(self, data: bytes) -> None:
        """Queue encoded frames for every connected cell."""
        for session in self._sessions.values():
            session.send(data)
        self._bound_outbound()

    def drop(self, cell_id: CellId, error: MyceldError) -> None:
        """Disconnect a cell for a reason, which counts against it if it is its fault."""
        session = self._sessions.get(cell_id)
        if session is not None:
            session.end(error)

    def guarded(
        self, handler: Callable[[PeerStream], Awaitable[None]]
    ) -> Callable[[PeerStream], Awaitable[None]]:
        """Return a handler of another protocol that refuses cells we want nothing to do with."""

        faults = self._config.faults

        async def serve(stream: PeerStream) -> None:
            if self.conduct.is_banned(stream.cell_id):
                await stream.abort()
            elif faults is None:
                await handler(stream)
            else:
                faulty = FaultyStream(stream, faults)
                try:
                    await handler(faulty)
                finally:
                    await faulty.release()

        return serve

    async def dial(self, address: str, *, timeout_s: float, protocol: str) -> PeerStream:
        """Open a stream of another protocol than gossip's; raises what `Host.dial` does."""
        faults = self._config.faults
        if faults is not None:
            await faults.before_dial(CellId(address.rpartition("/p2p/")[2]), timeout_s)
        stream = await self.host.dial(address, timeout_s=timeout_s, protocol=protocol)
        return stream if faults is None else FaultyStream(stream, faults)

    def _dial_if_due(self, group: asyncio.TaskGroup, cell_id: CellId, target: _Target) -> None:
        busy = target.task is not None and not target.task.done()
        now = asyncio.get_running_loop().time()
        if busy or cell_id in self._sessions or now < target.due:
            return
        if self.conduct.is_banned(cell_id):
            return
        addresses = self.book.addresses(cell_id)
        if addresses:
            # The book ranks one that failed behind the others.
            task = self._dial(cell_id, target, addresses[0])
            target.task = group.create_task(task, name="dial")

    async def _dial(self, cell_id: CellId, target: _Target, address: str) -> None:
        """Connect once and serve the session; set when to try next."""
        faults, timeout_s = self._config.faults, DIAL_TIMEOUT_MS / 1000
        try:
            if faults is not None:
                await faults.before_dial(cell_id, timeout_s)
            stream = await self.host.dial(address, timeout_s=timeout_s)
        except MyceldError as error:
            self._info(cell_id).last_error = str(error)
            self.book.failed(cell_id, address, wall_ns())
            target.backoff_ms = min(2 * target.backoff_ms, DIAL_BACKOFF_MS_MAX)
        else:
            began_ms = now_ms()
            self.book.worked(cell_id, address, wall_ns())
            await self._serve(stream)
            if now_ms() - began_ms >= DIAL_BACKOFF_MS_MAX:
                target.backoff_ms = DIAL_BACKOFF_MS_MIN
            else:  # it was accepted and ended soon: no better than a failed dial
                target.backoff_ms = min(2 * target.backoff_ms, DIAL_BACKOFF_MS_MAX)
        # Chance keeps two cells from dialling each other in step for ever.
        wait_ms = target.backoff_ms * random.uniform(0.5, 1.0)  # noqa: S311 - not a secret
        target.due = asyncio.get_running_loop().time() + wait_ms / 1000

    async def _accept(self, stream: PeerStream) -> None:
        reason = self._refusal(stream)
        if reason is None:
            await self._serve(stream)
        else:
            error = PeerNotAdmitted(reason)
            self._info(stream.cell_id).last_error = str(error)
            _LOG.debug("peer not admitted", peer=short(stream.cell_id), reason=str(error))
            await stream.abort()

    def _refusal(self, stream: PeerStream) -> str | None:
        """Return why a cell that opened a stream gets no session, None when it does."""
        if self._stopping:
            return "this cell stops"
        reason = self.conduct.refusal(stream.cell_id, stream.remote_address)
        if reason is not None:
            return reason
        full = not self._is_wanted(stream.cell_id) and self._strangers >= STRANGER_SESSIONS_MAX
        if full or len(self._sessions) >= PEER_SESSIONS_MAX:
            return "all seats are taken"
        return None

    async def _serve(self, stream: PeerStream) -> None:
        """Run a session from handshake to end."""
        info = self._info(stream.cell_id)
        wanted = self._is_wanted(stream.cell_id)
        budget = PeerBudget(member=wanted, now_ms=now_ms())
        faults = self._config.faults
        bytes_of = stream if faults is None else FaultyStream(stream, faults)
        session = Session(
            bytes_of, info.counters, budget, lambda what: self.conduct.note(session, what)
        )
        self._strangers += not wanted
        try:
            hello = await session.handshake(self._hello())
            await self._check_admitted(session)
            await self._run_admitted(session, hello)
        except MyceldError as error:
            info.last_error = str(error)
            self.ends[error.code] += 1
            self.conduct.note_end(session, error)
            _log_for(error)("peer disconnected", peer=short(stream.cell_id), reason=info.last_error)
        finally:
            self._strangers -= not wanted
            session.closed.set()
            if self.conduct.is_banned(stream.cell_id):
                await stream.abort()  # the connection too, whoever opened it
            await session.close()

    async def _check_admitted(self, session: Session) -> None:
        """Raise AccessDenied, and tell the peer, if it is nobody we want to be connected to."""
        try:
            self._admit(session)
        except AccessDenied as error:
            await session.refuse(error)
            raise

    def _admit(self, session: Session) -> None:
        # Members keep the order together, whatever anybody thinks of them.
        if not self._is_wanted(session.cell_id):
            self._links.admit(session.cell_id)

    def _check_sessions(self) -> None:
        """End sessions of those who may not be here any more, once in a while."""
        now_s = asyncio.get_running_loop().time()
        if now_s < self._checks_at_s:
            return
        self._checks_at_s = now_s + ACCESS_CHECK_S
        for session in tuple(self._sessions.values()):
            try:
                self._admit(session)
            except AccessDenied as error:
                session.end(error)

    def _deny(self, cells: frozenset[str]) -> None:
        """Take no connections of these cells."""
        self.host.denied = cells

    def _is_wanted(self, cell_id: CellId) -> bool:
        """Tell members and bootstrap cells from strangers."""
        return cell_id in self._wanted

    def _bound_outbound(self) -> None:
        """Disconnect the peer with most bytes waiting when all together have too many."""
        sessions = self._sessions.values()
        if sum(session.outbound_bytes for session in sessions) > OUTBOUND_SIZE_BYTES_MAX:
            worst = max(sessions, key=lambda one: (not one.budget.member, one.outbound_bytes))
            worst.end(PeerTooSlow(f"{worst.outbound_bytes} bytes wait for {worst.cell_id}"))

    async def _run_admitted(self, session: Session, hello: Hello) -> None:
        peer = session.cell_id
        async with self._admission:
            await self._replace_existing(session)
            self._sessions[peer] = session
            self._epochs[peer] = hello.epoch
            await self._links.consensus.put(Connected(peer))
        _LOG.info("peer connected", peer=short(peer), dialled=session.initiator)
        try:
            if not session.initiator:
                self.book.worked(peer, None, wall_ns())
            self._greet(session)
            await session.run(lambda frame: self._take(session, frame))
        finally:
            del self._sessions[peer], self._epochs[peer]
            if not self._stopping:
                await self._links.consensus.put(Gone(peer))

    async def _replace_existing(self, session: Session) -> None:
        """End the peer's older session, or raise PeerReplaced when that one is to be kept."""
        existing = self._sessions.get(session.cell_id)
        if existing is None:
            return
        we_are_smaller = self.host.cell_id < session.cell_id
        if existing.initiator != session.initiator and existing.initiator == we_are_smaller:
            raise PeerReplaced(f"{session.cell_id} is connected already")
        existing.end(PeerReplaced(f"{session.cell_id} connected anew"))
        await existing.closed.wait()

    def _hello(self) -> Hello:
        config = self._config
        return Hello(WIRE_VERSION, config.rule_set, config.network_id, self._roster.epoch)

    def _greet(self, session: Session) -> None:
        """Tell a new peer what it may have missed while it was away."""
        introduction = self._links.introducer.introduce(session.cell_id, session.remote_address)
        for frame in (*introduction, *self._links.greeting()):
            session.send(encode_frame(frame))

    async def _take(self, session: Session, frame: Frame) -> None:
        match frame:
            case Have() | Want() | Events():
                if isinstance(frame, Have) and not frame.sealed:
                    self._epochs[session.cell_id] = frame.epoch
                favoured = session.budget.member and not self.conduct.is_throttled(session.cell_id)
                bounds = MEMBER_LANE if favoured else STRANGER_LANE
                await self._links.consensus.put(FrameFrom(session.cell_id, frame), bounds)
            case SignatureFrame() | CertificateFrame():
                if session.budget.checkpoints.spend(1, now_ms()):
                    self.conduct.note(session, Misbehaviour.FRAME_FLOOD)
                else:
                    await self._links.execution.put(CheckpointFrom(session.cell_id, frame))
            case SporeFrame() | Announced():
                if session.budget.announcements.spend(1, now_ms()):
                    self.conduct.note(session, Misbehaviour.FRAME_FLOOD)
                else:
                    await self._links.introducer.take(session.cell_id, frame)
            case Forward():
                session.budget.forwards.spend(len(frame.transactions), now_ms())
                wait_ms = session.budget.forwards.wait_ms(now_ms())
                await asyncio.sleep(min(wait_ms, READ_PAUSE_MS_MAX) / 1000)
                try:
                    await self._links.forwarded(session.cell_id, frame)
                except AccessDenied as error:
                    session.send(encode_frame(Denied(error.code, error.detail[:REASON_LENGTH_MAX])))
            case Denied():
                info = self._info(session.cell_id)
                info.last_error = f"{frame.code}: {frame.reason}"
                _LOG.warning("denied by a peer", peer=short(session.cell_id), reason=frame.reason)

    def _info(self, cell_id: CellId) -> PeerInfo:
        info = self.infos.get(cell_id)
        if info is None:
            if len(self.infos) >= PEER_INFOS_MAX:
                gone = (c for c in self.infos if c not in self._sessions and c not in self._targets)
                del self.infos[next(gone)]
            info = self.infos[cell_id] = PeerInfo()
        return info


def _in_frames(transactions: Sequence[bytes]) -> Iterator[tuple[bytes, ...]]:
    """Cut transactions into what one frame can carry, in order."""
    part: list[bytes] = []
    size = 0
    for raw in transactions:
        if part and (len(part) == PAYLOAD_COUNT_MAX or size + len(raw) > PAYLOAD_SIZE_BYTES_MAX):
            yield tuple(part)
            part, size = [], 0
        part.append(raw)
        size += len(raw)
    if part:
        yield tuple(part)


def _log_for(error: BaseException) -> Callable[..., object]:
    """How loudly the end of a session is told."""
    if isinstance(error, PeerReplaced):
        return _LOG.debug  # type: ignore[no-any-return]  # structlog makes its methods at run time
    if isinstance(error, RemoteViolation):
        return _LOG.warning  # type: ignore[no-any-return]  # as above
    return _LOG.info  # type: ignore[no-any-return]  # as above
