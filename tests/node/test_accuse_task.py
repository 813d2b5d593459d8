"""The accuser's owner makes evidence of what is in the journal, and submits it until proven."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from core.ids import Epoch, MemberIndex, TransactionId
from hashgraph.event import encode_event
from hashgraph.evidence import verify_fork
from journal import Store
from ledger.forks import ForkProof, ProvenFork, fork_key
from node.accuse_task import AccuseTask
from node.errors import MempoolFull
from node.stages.accuser import ForkSeen
from node.tables import EVENTS_JOURNAL, SCHEMA
from tests.ledger.world import GENESIS, KEYS
from tests.node.stages.world import made
from tests.waiting import run

FORKER = 2
SEEN = ForkSeen(GENESIS.roster, MemberIndex(FORKER), (1, 2))
TX = TransactionId(bytes(32))


@asynccontextmanager
async def _task(path: Path, me: int) -> AsyncIterator[tuple[AccuseTask, Store]]:
    key = KEYS[me]
    store = await Store.open(path / "cell.db", signer=key.sign, cell_id=key.cell_id)
    try:
        await store.create_tables(SCHEMA)
        events = [made(0), made(FORKER), made(FORKER, payload=[b"other"])]
        await store.transaction({EVENTS_JOURNAL: [encode_event(event) for event in events]})
        yield AccuseTask(store, GENESIS, key.public_key), store
    finally:
        await store.close()


class Submits:
    """Takes proofs, the first of them in vain if `full`."""

    def __init__(self, *, full: bool = False) -> None:
        self.full = full
        self.proofs: list[ForkProof] = []
        self.asked = asyncio.Event()

    async def submit(self, proof: ForkProof) -> TransactionId:
        self.proofs.append(proof)
        self.asked.set()
        if self.full:
            raise MempoolFull("20000 transactions wait already")
        return TX


async def _run(task: AccuseTask, submits: Submits, epoch: int = 0) -> None:
    await task.run(epoch=lambda: Epoch(epoch), is_under_way=lambda _: True, submit=submits.submit)


def test_a_fork_in_the_journal_is_submitted_as_evidence_that_proves_it(tmp_path: Path) -> None:
    async def main() -> None:
        async with _task(tmp_path, FORKER + 1) as (task, _):
            submits = Submits(full=True)
            running = asyncio.ensure_future(_run(task, submits))
            await asyncio.sleep(0)
            assert not submits.proofs, "it sleeps while nobody forked"
            await task.seen(SEEN)
            await submits.asked.wait()
            (proof,) = submits.proofs
            assert proof.epoch == 0
            verify_fork(
                proof.evidence,
                network_id=GENESIS.network_id,
                epoch=Epoch(0),
                public_key=KEYS[FORKER].public_key,
            )
            assert not running.done(), "a full mempool does not end it"
            running.cancel()

    run(main())


def test_what_the_state_proves_already_is_not_submitted(tmp_path: Path) -> None:
    async def main() -> None:
        async with _task(tmp_path, FORKER + 1) as (task, store):
            key = fork_key(Epoch(0), KEYS[FORKER].public_key)
            value = ProvenFork(GENESIS.roster.hash, GENESIS.roster.first_round, KEYS[0].public_key)
            put = ("INSERT INTO state VALUES (?, ?)", [(key, value.encode())])
            await store.transaction({}, [put])
            submits = Submits()
            await task.seen(SEEN)
            running = asyncio.ensure_future(_run(task, submits))
            for _ in range(5):
                await asyncio.sleep(0)
            assert not submits.proofs
            running.cancel()

    run(main())


def test_a_cell_does_not_accuse_its_own_key_and_the_last_chance_is_taken_at_once(
    tmp_path: Path,
) -> None:
    async def main(me: int, *, accuses: bool) -> None:
        async with _task(tmp_path / str(me), me) as (task, _):
            submits = Submits()
            running = asyncio.ensure_future(_run(task, submits, epoch=1))
            await task.seen(SEEN)
            task.epoch_began()
            if accuses:
                await submits.asked.wait()
            for _ in range(5):
                await asyncio.sleep(0)
            assert bool(submits.proofs) == accuses
            running.cancel()

    for me in (FORKER, FORKER - 1):
        (tmp_path / str(me)).mkdir()
        run(main(me, accuses=me != FORKER))
