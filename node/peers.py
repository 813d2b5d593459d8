"""All peers of a cell: who is connected, who is dialled when, where everybody listens.

Two cells keep one stream between them. When both dialled at once, the one that the smaller cell id
opened is kept, so both ends choose the same.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import structlog

from core.errors import MyceldError, RemoteViolation
from core.ids import CellId, Epoch, NetworkId, short
from gossip.discovery.book import AddressBook
from gossip.host import Host, HostConfig, PeerStream
from gossip.limits import PAYLOAD_COUNT_MAX, PAYLOAD_SIZE_BYTES_MAX
from gossip.wire import (
    WIRE_VERSION,
    Announced,
    CertificateFrame,
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
from node.errors import PeerReplaced
from node.inbox import CheckpointFrom, Connected, ConsensusInbox, ExecutionInbox, FrameFrom, Gone
from node.limits import (
    DIAL_BACKOFF_MS_MAX,
    DIAL_BACKOFF_MS_MIN,
    DIAL_TIMEOUT_MS,
    PEER_SESSIONS_MAX,
)
from node.session import Counters, Session

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


@dataclass(slots=True)
class PeerInfo:
    """What is known of a peer beside its session."""

    counters: Counters = field(default_factory=Counters)
    last_error: str | None = None


class Peers:
    """Sessions by cell id, over one libp2p host."""

    def __init__(self, config: PeersConfig, links: PeersLinks, book: AddressBook) -> None:
        self._config = config
        self._links = links
        self.book = book
        self.host = Host(config.host, self._accept)
        self._roster = config.roster
        self._sessions: dict[CellId, Session] = {}
        self._targets: dict[CellId, _Target] = {}
        self._sought: frozenset[CellId] = frozenset()
        self._admission = asyncio.Lock()
        self._epochs: dict[CellId, Epoch] = {}
        self.infos: dict[CellId, PeerInfo] = {}
        self.ends: Counter[str] = Counter()
        """Ends of sessions and of handshakes by the code of their reason."""
        self._stopping = False

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
        wanted = members | self.book.bootstrap_cells | self._sought
        for cell_id in sorted(wanted - {self.host.cell_id}):
            self._targets.setdefault(cell_id, _Target())
        for cell_id in set(self._targets) - wanted:
            del self._targets[cell_id]  # a dial that is under way ends by itself

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
            while True:
                for cell_id, target in tuple(self._targets.items()):
                    self._dial_if_due(group, cell_id, target)
                if changes := self.book.take_changes():
                    await self._links.save_cells(changes)
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

    def broadcast(self, data: bytes) -> None:
        """Queue encoded frames for every connected cell."""
        for session in self._sessions.values():
            session.send(data)

    def drop(self, cell_id: CellId, error: MyceldError) -> None:
        """Disconnect a cell for a reason."""
        session = self._sessions.get(cell_id)
        if session is not None:
            session.end(error)

    def _dial_if_due(self, group: asyncio.TaskGroup, cell_id: CellId, target: _Target) -> None:
        busy = target.task is not None and not target.task.done()
        now = asyncio.get_running_loop().time()
        if busy or cell_id in self._sessions or now < target.due:
            return
        addresses = self.book.addresses(cell_id)
        if addresses:
            # The book ranks one that failed behind the others.
            task = self._dial(cell_id, target, addresses[0])
            target.task = group.create_task(task, name="dial")

    async def _dial(self, cell_id: CellId, target: _Target, address: str) -> None:
        """Connect once and serve the session; set when to try next."""
        try:
            stream = await self.host.dial(address, timeout_s=DIAL_TIMEOUT_MS / 1000)
        except MyceldError as error:
            self._info(cell_id).last_error = str(error)
            self.book.failed(cell_id, address, time.time_ns())
            target.backoff_ms = min(2 * target.backoff_ms, DIAL_BACKOFF_MS_MAX)
        else:
            target.backoff_ms = DIAL_BACKOFF_MS_MIN
            self.book.worked(cell_id, address, time.time_ns())
            await self._serve(stream)
        # Chance keeps two cells from dialling each other in step for ever.
        wait_ms = target.backoff_ms * random.uniform(0.5, 1.0)  # noqa: S311 - not a secret
        target.due = asyncio.get_running_loop().time() + wait_ms / 1000

    async def _accept(self, stream: PeerStream) -> None:
        if self._stopping or len(self._sessions) >= PEER_SESSIONS_MAX:
            await stream.abort()
        else:
            await self._serve(stream)

    async def _serve(self, stream: PeerStream) -> None:
        """Run a session from handshake to end."""
        info = self._info(stream.cell_id)
        session = Session(stream, info.counters)
        try:
            hello = await session.handshake(self._hello())
            await self._run_admitted(session, hello)
        except (MyceldError, TimeoutError) as error:
            info.last_error = str(error) or "no HELLO in time"
            self.ends[getattr(error, "code", "timeout")] += 1
            _log_for(error)("peer disconnected", peer=short(stream.cell_id), reason=info.last_error)
        finally:
            session.closed.set()
            await session.close()

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
                self.book.worked(peer, None, time.time_ns())
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
                await self._links.consensus.put(FrameFrom(session.cell_id, frame))
            case SignatureFrame() | CertificateFrame():
                await self._links.execution.put(CheckpointFrom(session.cell_id, frame))
            case SporeFrame() | Announced():
                await self._links.introducer.take(session.cell_id, frame)
            case Forward():
                await self._links.forwarded(session.cell_id, frame)

    def _info(self, cell_id: CellId) -> PeerInfo:
        return self.infos.setdefault(cell_id, PeerInfo())


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
