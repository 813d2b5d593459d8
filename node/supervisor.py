"""Runs the parts of one cell on its open store: supervises, stops, jumps to checkpoints.

A part that fails stops the cell with its coded error: a cell never limps on without one of its
parts. A jump ends all parts, puts the checkpoint in place and starts them again on the same store;
clients are kept meanwhile.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from enum import Enum
from typing import Final, Protocol

import structlog

from core.errors import MyceldError
from core.ids import CellId
from gossip.wire import Forward
from journal import Store
from ledger.errors import PageLogLost, StatePageLost
from ledger.roster import Roster
from myceld import VERSION
from node.accuse_task import AccuseTask
from node.assembly import Assembly, Setup, Tasks
from node.cell import RunningCell
from node.conversation_tables import CONVERSATION_SCHEMA
from node.errors import DirectoryUnusable, NotStoredYet
from node.home import Home, write_file
from node.installation import install
from node.invite_tables import INVITE_SCHEMA
from node.keyring import reader_of
from node.layout import check_layout
from node.limits import STOP_TIMEOUT_MS
from node.map_rebuild import rebuild_map
from node.message_tables import MESSAGE_SCHEMA
from node.parts import Parts
from node.repairing import install_repair, keep_evidence
from node.services.audit import AuditTrail
from node.services.content_shelf import CONTENT_SCHEMA
from node.services.nucleus import Nucleus
from node.services.table import start_order
from node.successors import keep_reachable
from node.surroundings import Surroundings
from node.tables import SCHEMA
from node.verifier import Verifier
from settings import metadata_of

_LOG = structlog.get_logger("supervisor")
_TABLES: Final = SCHEMA + INVITE_SCHEMA + MESSAGE_SCHEMA + CONVERSATION_SCHEMA + CONTENT_SCHEMA


class Front(Protocol):
    """What stands between the clients and the cell, such as the HTTP gateway."""

    async def open(self, cell: RunningCell, parts: Parts) -> None:
        """Let clients in. Called again after each jump, when they are in already."""

    async def close(self) -> None:
        """Let nobody in any more; safe to repeat."""


class _End(Enum):
    """Why the parts ended."""

    STOPPED = 0
    JUMPED = 1
    """A checkpoint was put in place."""
    ROTATED = 2
    """The cell's key was given up for another one that it has."""


class Supervisor:
    """One cell on one store. `run` returns after `stop` was called and all parts have ended, or
    once the cell is to go on with another key.
    """

    def __init__(
        self, setup: Setup, front: Front, surroundings: Surroundings, tell: Callable[[str], None]
    ) -> None:
        """`tell` gets the lines for the person who started the cell."""
        self._setup = setup
        self._front = front
        self._surroundings = surroundings
        self._tell = tell
        self._stopping = asyncio.Event()
        self._cell: RunningCell | None = None
        self._map_wish = Home(surroundings.directory).map_wish

    def stop(self) -> None:
        """Ask the cell to stop cleanly."""
        self._stopping.set()

    async def run(self, store: Store) -> bool:
        """Run the cell; return whether it is to run again with the next key.

        Raises MyceldError when it can not start or has to stop by itself. After one that says that
        the state's map is damaged the next start makes it anew.
        """
        try:
            return await self._run(store)
        except (StatePageLost, PageLogLost) as error:
            with contextlib.suppress(DirectoryUnusable):
                write_file(self._map_wish, f"{error}\n")
            raise

    async def _run(self, store: Store) -> bool:
        verifier = Verifier()
        holders: tuple[Callable[[], None], ...] = ()
        try:
            await store.create_tables(_TABLES)
            if not await self._has_map(store):
                return False
            audit = await AuditTrail.open(store, self._setup.key.public_key)
            nucleus = Nucleus(store, audit)
            holders = (nucleus.close, audit.give_back)
            assembly = Assembly(
                self._setup, store, verifier, self._surroundings, self._take_forwarded, nucleus
            )
            while (end := await self._run_once(assembly)) is _End.JUMPED:
                _LOG.info("checkpoint in place")
                nucleus.begin()
            return end is _End.ROTATED
        finally:
            await self._front.close()  # when what follows a jump failed
            verifier.close()
            for holder in holders:
                holder()

    async def _has_map(self, store: Store) -> bool:
        """Make the state's map anew if it must be; return False if the cell is to stop instead."""
        is_others = await check_layout(store)
        if is_others or self._map_wish.exists():
            self._tell("making the map of the state anew")
            if not await rebuild_map(store, self._setup.genesis, self._stopping.is_set):
                return False
            self._map_wish.unlink(missing_ok=True)
        return True

    async def _run_once(self, assembly: Assembly) -> _End:
        """Run the parts until they stop; return why they did."""
        parts, tasks = await assembly.assemble()
        cell = self._shown(parts)  # before a peer can forward something to it
        checkpoint, repairs = None, False
        why = "a part failed"
        try:
            metadata = metadata_of(self._setup.config.cell.metadata)
            await parts.nucleus.started(VERSION, parts.name, metadata)
            await parts.peers.start()
            parts.discovery.use_dht(parts.peers.host.dht)
            await self._front.open(cell, parts)
            await self._supervise(parts, tasks, cell)
            why = "asked to stop"
            if not self._stopping.is_set():
                checkpoint, repairs = parts.fetching.checkpoint, parts.fetching.is_repair
                why = (
                    "a checkpoint is ready"
                    if checkpoint is not None or repairs
                    else "going on with the next key"
                )
        finally:
            parts.receipts.fail_all(NotStoredYet("the cell was stopped"))
            try:
                if checkpoint is None and not repairs:
                    await self._front.close()
            finally:
                await self._hang_up(parts)
                await _note_stop(parts, why)
        if repairs:
            await keep_evidence(self._surroundings.directory, parts.execution.divergence)
            parts.nucleus.begin()
            pen = parts.nucleus.grant("state")
            await install_repair(pen, checkpoint, parts.consensus.owed())
            return _End.JUMPED
        if checkpoint is None:
            return _End.STOPPED if self._stopping.is_set() else _End.ROTATED
        if checkpoint.link.header.round > parts.execution.ledger.applied_round:
            parts.nucleus.begin()
            pen = parts.nucleus.grant("state")
            await install(pen, checkpoint, parts.consensus.owed())
        return _End.JUMPED

    def _shown(self, parts: Parts) -> RunningCell:
        """Return the cell as clients see it; those who are in see the new parts from now on."""
        if self._cell is None:
            self._cell = RunningCell(parts, self._setup.key, self._setup.ring)
        else:
            self._cell.take_over(parts)
        return self._cell

    async def _supervise(self, parts: Parts, tasks: Tasks, cell: RunningCell) -> None:
        """Run the owner tasks until `stop` is called; raise the error of the first that fails."""
        accuse = AccuseTask(parts.store, parts.genesis, self._setup.key.public_key)

        def sealed(roster: Roster) -> None:
            parts.upgrades.check(roster)
            keep_reachable(parts.peers.book, roster, reader_of(parts.store))
            tasks.consensus.sealed(roster)
            accuse.epoch_began()

        try:
            async with asyncio.TaskGroup() as group:
                work = {
                    "nucleus": {
                        "audit": parts.audit.run(),
                        "health": parts.health.run(),
                        "audits": parts.audits.run(),
                        "follows": parts.follows.run(),
                        "peers": parts.peers.run(),
                        "discovery": parts.discovery.run(parts.peers),
                    },
                    "state": {
                        "execution": tasks.execution.run(parts.peers, sealed),
                        "fetching": parts.fetching.run(),
                        "upgrades": _announce(parts, cell),
                        "divergence": self._look_into(parts, tasks),
                    },
                    "identity": {
                        "trust": parts.trust.run(),
                        "invites": parts.invites.run(cell.change_members),
                        "interactions": parts.interactions.run(),
                    },
                    "consensus": {
                        "consensus": tasks.consensus.run(parts.peers, accuse.seen),
                        "accuse": _accuse(parts, accuse, cell),
                    },
                    "message": {
                        "messages": parts.messages.run(),
                        "message-work": parts.work.run(cell.hand_in, cell.post_for),
                        "contents": parts.contents.run(),
                    },
                }
                running = [
                    group.create_task(task, name=name)
                    for service in start_order()
                    for name, task in work[service.name].items()
                ]
                await _first_of(self._stopping, parts.fetching.ready, tasks.execution.rotated)
                if self._stopping.is_set():
                    self._tell("stopping")
                elif parts.fetching.ready.is_set():
                    self._tell("going on from a checkpoint")
                parts.peers.close()
                for task in reversed(running):
                    task.cancel()
        except* MyceldError as failures:
            raise _first(failures) from failures

    async def _hang_up(self, parts: Parts) -> None:
        """Leave the network; raises TimeoutError if that takes too long for a cell that goes on."""
        try:
            async with asyncio.timeout(STOP_TIMEOUT_MS / 1000):
                await parts.peers.stop()
        except TimeoutError:
            if not self._stopping.is_set():
                raise  # its port is needed again; of a cell that ends, the system closes everything
            _LOG.warning("the network was not left in time")

    async def _look_into(self, parts: Parts, tasks: Tasks) -> None:
        """Once the network has certified another state than ours, find out where it differs."""
        await tasks.execution.diverged.wait()
        found = parts.execution.divergence
        if found is not None:
            await parts.divergence.run(found, self._surroundings.directory)

    async def _take_forwarded(self, peer: CellId, forward: Forward) -> None:
        assert self._cell is not None  # noqa: S101 - for the type checker: it was made before
        await self._cell.take_forwarded(peer, forward)


async def _accuse(parts: Parts, task: AccuseTask, cell: RunningCell) -> None:
    await task.run(
        epoch=lambda: parts.execution.ledger.roster.epoch,
        is_under_way=lambda transaction: parts.intake.checked(transaction) is not None,
        submit=cell.accuse,
    )


async def _announce(parts: Parts, cell: RunningCell) -> None:
    await parts.upgrades.run(
        is_under_way=lambda transaction: parts.intake.checked(transaction) is not None,
        announce=cell.announce_support,
    )


async def _note_stop(parts: Parts, why: str) -> None:
    """Write down that the cell stops; a store that can not be written says so elsewhere."""
    try:
        await parts.nucleus.stopped(parts.name, why)
        await parts.audit.close()
    except MyceldError as error:
        _LOG.warning("the stop was not noted", reason=str(error))


async def _first_of(*events: asyncio.Event) -> None:
    """Wait until one of the events is set."""
    waits = [asyncio.create_task(event.wait()) for event in events]
    try:
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()


def _first(failures: BaseExceptionGroup[MyceldError]) -> MyceldError:
    """Return the first error inside a group."""
    inner: BaseException = failures
    while isinstance(inner, BaseExceptionGroup):
        inner = inner.exceptions[0]
    assert isinstance(inner, MyceldError)  # noqa: S101 - for the type checker: `except*` chose it
    return inner
