"""The owner of the accuser: turns forks that came to light into evidence, and submits it."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable

import structlog

from core.errors import LocalMisuse, OperationalFault
from core.ids import Epoch, PublicKey, TransactionId, cell_id_of, short
from hashgraph.event import decode_event
from hashgraph.evidence import encode_evidence, fork_evidence
from journal import Store
from ledger.forks import ForkProof, fork_key
from ledger.genesis import Genesis
from node.errors import KeyInUseElsewhere
from node.stages.accuser import Accusation, Accuser, ForkSeen
from node.tables import EVENTS_JOURNAL, state_value

_LOG = structlog.get_logger("accuse")


class AccuseTask:
    """Runs the stage. `seen` and `epoch_began` are its only inputs."""

    def __init__(self, store: Store, genesis: Genesis, public_key: PublicKey) -> None:
        self._store = store
        self._genesis = genesis
        self._public_key = public_key
        self._accuser = Accuser(public_key)
        self._woken = asyncio.Event()

    async def seen(self, fork: ForkSeen) -> None:
        """Take a fork whose two events are in the journal."""
        roster = fork.roster
        accused = roster.members[fork.creator].public_key
        if accused == self._public_key:
            error = KeyInUseElsewhere("two events with one sequence are signed with this key")
            _LOG.error("this cell's key forked", epoch=roster.epoch, reason=str(error))
            return
        _LOG.warning("a member forked", cell=short(cell_id_of(accused)), epoch=roster.epoch)
        journal = await self._store.journal(EVENTS_JOURNAL)
        network_id = self._genesis.network_id
        one, other = [
            decode_event(await journal.get(at), network_id=network_id, epoch=roster.epoch)
            for at in fork.blocks
        ]
        evidence = fork_evidence(one, other, network_id=network_id, epoch=roster.epoch)
        self._accuser.note(fork, encode_evidence(evidence), _now_ms())
        self._woken.set()

    def epoch_began(self) -> None:
        """Look at once whether evidence of the epoch before is still to be submitted."""
        self._woken.set()

    async def run(
        self,
        *,
        epoch: Callable[[], Epoch],
        is_under_way: Callable[[TransactionId], bool],
        submit: Callable[[ForkProof], Awaitable[TransactionId]],
    ) -> None:
        """Submit what is due, until cancelled. Sleeps while nobody forked."""
        while True:
            due = self._accuser.due(
                _now_ms(), epoch(), is_proven=self._is_proven, is_under_way=is_under_way
            )
            for accusation in due:
                await self._submit(accusation, submit)
            wait_ms = self._accuser.wait_ms(_now_ms())
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(None if wait_ms is None else wait_ms / 1000):
                    await self._woken.wait()
            self._woken.clear()

    async def _submit(
        self, accusation: Accusation, submit: Callable[[ForkProof], Awaitable[TransactionId]]
    ) -> None:
        """Submit one proof; what fails now is tried again when it is due the next time."""
        accused = short(cell_id_of(accusation.accused))
        try:
            transaction = await submit(accusation.proof)
        except (LocalMisuse, OperationalFault) as error:
            _LOG.warning("fork evidence not submitted", cell=accused, reason=str(error))
            return
        self._accuser.made(accusation, transaction)
        _LOG.info("fork evidence submitted", cell=accused, transaction=transaction.hex())

    def _is_proven(self, epoch: Epoch, member: PublicKey) -> bool:
        return state_value(self._store, fork_key(epoch, member)) is not None


def _now_ms() -> int:
    return time.monotonic_ns() // 1_000_000
