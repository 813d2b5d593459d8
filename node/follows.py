"""Journals of other cells that this cell follows, and its own that others follow.

One task a followed journal: dial its cell, run a session, and dial again after a pause. If a cell
contradicted itself, the copy and the evidence stay; it is shown its own head and asked again, and
what it has at the next fork becomes another copy.
What is followed is remembered in the store, so it goes on after a restart.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

import structlog

from core.errors import InvariantBroken, MyceldError
from core.ids import CellId, NetworkId, short
from gateway.views import EvidenceView, FollowView
from gossip.host import PeerStream, ReadTimedOut
from journal import Store
from journal.replication import Copies, Copy, FollowSession, Servers, Shelf
from journal.replication.errors import FollowsItself, HeadsConflict, NotFollowed, PeerRefused
from journal.replication.limits import REDIAL_MS_MAX, REDIAL_MS_MIN
from node.access import Access
from node.errors import ProofNeeded
from node.limits import ACCESS_CHECK_S, DIAL_TIMEOUT_MS, PROOF_PAUSE_MS
from node.peers import Peers
from node.session import now_ms

_LOG = structlog.get_logger("follows")
_NO_ADDRESS: Final = "no address of this cell is known; it has to connect to us, or be a bootstrap"


def journal_protocol(network_id: NetworkId) -> str:
    """Return the libp2p protocol of replication in a network."""
    return f"/myceld/{network_id.hex()}/journal/1"


class PeerBytes:
    """A libp2p stream as replication wants it: a deadline that passes is a TimeoutError."""

    def __init__(self, stream: PeerStream) -> None:
        self._stream = stream

    async def read(self, size_max: int, *, timeout_s: float | None) -> bytes:
        """Return 1 to `size_max` bytes, b"" at the end; raises TimeoutError and the host's."""
        try:
            return await self._stream.read(size_max, timeout_s=timeout_s)
        except ReadTimedOut as error:
            raise TimeoutError(error.detail) from error

    async def write(self, data: bytes, *, timeout_s: float) -> None:
        """Send all of `data`; raises the host's errors."""
        await self._stream.write(data, timeout_s=timeout_s)


@dataclass(slots=True)
class _Followed:
    """One journal that is to be followed."""

    cell_id: CellId
    journal: str
    task: asyncio.Task[None] | None = None
    connected: bool = False
    backoff_ms: int = REDIAL_MS_MIN
    last_error: str | None = None
    attempts: int = 0


class Follows:
    """Owner of the copies, of the sessions that fill them, and of those that serve others."""

    def __init__(
        self, store: Store, copies: Copies, cell_id: CellId, peers: Peers, access: Access
    ) -> None:
        self._access = access
        self._copies = copies
        self._cell_id = cell_id
        self._peers = peers
        self._shelf = Shelf(store, copies, cell_id)
        self._servers = Servers(self._shelf)
        self._proofs: dict[CellId, int] = {}
        """When the last proof to a cell was begun."""
        self._followed = {
            (cell, journal): _Followed(cell, journal) for cell, journal in copies.wanted()
        }
        self._group: asyncio.TaskGroup | None = None
        self._protocol = ""
        self._prove: Callable[[CellId], Awaitable[None]] | None = None

    def listen(self, network_id: NetworkId) -> None:
        """Answer followers; before the host starts."""
        self._protocol = journal_protocol(network_id)
        self._peers.host.set_handler(self._protocol, self._peers.guarded(self._serve))

    def prove_by(self, prove: Callable[[CellId], Awaitable[None]]) -> None:
        """Have our key proven by this to cells that want it before they show a journal."""
        self._prove = prove

    async def run(self) -> None:
        """Follow and serve until cancelled."""
        async with asyncio.TaskGroup() as group:
            self._group = group
            for followed in self._followed.values():
                self._start(followed)
            await asyncio.get_running_loop().create_future()

    async def follow(self, cell_id: CellId, journal: str) -> FollowView:
        """Begin to follow a journal; one that is followed already is taken up again.

        Raises FollowsItself, NotACellId, NotAJournalName or TooManyFollowed.
        """
        if cell_id == self._cell_id:
            raise FollowsItself("a cell has its own journals")
        await self._copies.want(cell_id, journal)
        followed = self._followed.setdefault((cell_id, journal), _Followed(cell_id, journal))
        self._start(followed)
        return self._view(followed)

    async def stop_following(self, cell_id: CellId, journal: str) -> FollowView:
        """Follow a journal no longer; its copy stays. Raises NotFollowed."""
        followed = self._followed.pop((cell_id, journal), None)
        if followed is None:
            raise NotFollowed(f"{cell_id}/{journal} is not followed")
        if followed.task is not None:
            followed.task.cancel()
        await self._copies.unwant(cell_id, journal)
        return self._view(followed)

    def views(self) -> list[FollowView]:
        """Return what is followed, and copies of what was."""
        kept = {(copy.cell_id, copy.journal): None for copy in self._copies.all()}
        keys = sorted({*self._followed, *kept})
        return [self._view(self._followed.get(key) or _Followed(*key)) for key in keys]

    def copy_named(self, name: str) -> Copy | None:
        """Return the copy whose blocks are in the store's journal `name`."""
        return next((copy for copy in self._copies.all() if copy.name == name), None)

    def _start(self, followed: _Followed) -> None:
        running = followed.task is not None and not followed.task.done()
        if self._group is not None and not running:
            followed.task = self._group.create_task(self._keep(followed), name="follow-journal")

    async def _keep(self, followed: _Followed) -> None:
        """Follow one journal, over as many connections as it takes."""
        while True:
            try:
                await self._follow_once(followed)
            except HeadsConflict as error:
                followed.last_error = str(error)
                followed.backoff_ms = REDIAL_MS_MAX
                _LOG.error("a cell contradicts itself", cell=followed.cell_id, reason=str(error))
            except InvariantBroken:
                raise
            except MyceldError as error:
                if await self._has_proven(followed.cell_id, error):
                    followed.backoff_ms = REDIAL_MS_MIN
                    continue
                followed.last_error = str(error)
                _LOG.info("not following", cell=short(followed.cell_id), reason=str(error))
            finally:
                followed.connected = False
            await asyncio.sleep(followed.backoff_ms / 1000)
            followed.backoff_ms = min(2 * followed.backoff_ms, REDIAL_MS_MAX)

    async def _has_proven(self, cell_id: CellId, error: MyceldError) -> bool:
        """Prove our key if that is what was missing, once in a while; return whether it is done."""
        is_wanted = isinstance(error, PeerRefused) and error.detail.startswith(ProofNeeded.code)
        if self._prove is None or not is_wanted:
            return False
        now = now_ms()
        self._proofs = {cell: at for cell, at in self._proofs.items() if now - at < PROOF_PAUSE_MS}
        if cell_id in self._proofs:
            return False
        self._proofs[cell_id] = now
        try:
            await self._prove(cell_id)
        except MyceldError as failure:
            _LOG.info("key not proven", cell=short(cell_id), reason=str(failure))
            return False
        return True

    async def _follow_once(self, followed: _Followed) -> None:
        addresses = self._peers.book.addresses(followed.cell_id)
        if not addresses:
            followed.last_error = _NO_ADDRESS
            return
        address = addresses[followed.attempts % len(addresses)]
        followed.attempts += 1
        stream = await self._peers.dial(
            address, timeout_s=DIAL_TIMEOUT_MS / 1000, protocol=self._protocol
        )

        def on_commit(copy: Copy) -> None:
            followed.connected, followed.last_error = True, None
            followed.backoff_ms = REDIAL_MS_MIN
            self._shelf.on_commit(copy)

        async with stream:
            session = FollowSession(
                PeerBytes(stream), self._copies, followed.cell_id, followed.journal, on_commit
            )
            await session.run()

    async def _serve(self, stream: PeerStream) -> None:
        """Serve a journal as long as the other cell may read it."""
        asked: tuple[str, str] | None = None

        def may_read(cell_id: str, journal: str) -> MyceldError | None:
            nonlocal asked
            asked = cell_id, journal
            return self._access.journal_refusal(
                stream.cell_id, cell_id, journal, channel=stream.peer_key
            )

        async def watch() -> None:
            while True:
                await asyncio.sleep(ACCESS_CHECK_S)
                error = None if asked is None else may_read(*asked)
                if error is not None:
                    _LOG.info("no longer shown", cell=short(stream.cell_id), reason=str(error))
                    await stream.close()
                    return

        watching = asyncio.create_task(watch(), name="journal-access")
        try:
            await self._servers.serve(PeerBytes(stream), may_read)
        finally:
            watching.cancel()

    def _view(self, followed: _Followed) -> FollowView:
        copy = self._copies.newest(followed.cell_id, followed.journal)
        wanted = (followed.cell_id, followed.journal) in self._followed
        evidence = [] if copy is None else self._copies.evidence(copy)
        state = "following" if followed.connected else "waiting"
        if evidence:
            state = "conflict"
        elif not wanted:
            state = "stopped"
        return FollowView(
            cell_id=followed.cell_id,
            journal=followed.journal,
            state=state,
            fork=0 if copy is None else copy.fork,
            length=0 if copy is None else self._copies.length(copy),
            size=0 if copy is None else copy.head.size,
            whole=0 if copy is None or copy.whole is None else copy.whole.size,
            head=None if copy is None else copy.head.text,
            copy=None if copy is None else copy.name,
            evidence=[
                EvidenceView(item.known, item.other, item.proof.hex(), item.found_ns)
                for item in evidence
            ],
            last_error=followed.last_error,
        )
