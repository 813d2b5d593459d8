"""The owner of execution over the end of an epoch, on a real store: what is dropped and kept."""

from __future__ import annotations

import asyncio
import dataclasses
import functools
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, cast
from unittest.mock import AsyncMock

from core.errors import MyceldError
from core.ids import CellId, Epoch, MemberIndex, Round
from gossip.wire import SignatureFrame
from hashgraph.outcome import DecidedRound, OrderedEvent
from identity.keys import KeyPair
from journal import Store
from ledger.certificate import Certificate, CheckpointSignature, checkpoint_message
from ledger.header import RoundHeader, decode_header
from ledger.machine import Applied
from ledger.roster import Roster
from node.execution_task import ExecutionTask
from node.inbox import CheckpointFrom, ExecutionInbox
from node.limits import CHECKPOINTS_EARLY_MAX
from node.peers import Peers
from node.receipts import Receipts
from node.stages.consensus import Decided, Identity
from node.stages.execution import Execution
from node.stages.intake import Intake
from node.tables import (
    EVENTS_JOURNAL,
    HEADERS_JOURNAL,
    SCHEMA,
    certificate_statement,
    newest_certificates,
    newest_epochs,
    roster_of_epoch,
    state_value,
)
from node.verifier import Verifier
from tests.ledger.world import GENESIS as LONG
from tests.ledger.world import KEYS, START_NS, certified, opaque
from tests.node.stages.world import made, peer
from tests.waiting import PATIENCE_S

GENESIS = dataclasses.replace(LONG, epoch_rounds=16)


class FakePeers:
    """Remembers what is sent to all, and who is dropped."""

    def __init__(self) -> None:
        self.sent: list[bytes] = []
        self.dropped: list[CellId] = []

    def broadcast(self, data: bytes) -> None:
        self.sent.append(data)

    def drop(self, cell_id: CellId, error: MyceldError) -> None:
        assert str(error)
        self.dropped.append(cell_id)


class Bench:
    """A task with its store."""

    def __init__(self, store: Store, verifier: Verifier, key: KeyPair) -> None:
        self.store = store
        self.stage = Execution(
            GENESIS, Identity(key.public_key, key.sign), lambda name: state_value(store, name)
        )
        self.inbox: ExecutionInbox = asyncio.Queue(100_000)
        self.peers = FakePeers()
        self.sealed: list[Roster] = []
        self.applied: list[Applied] = []
        self.verifier = verifier

    async def begin(self) -> None:
        self.task = ExecutionTask(
            self.stage,
            self.store.pen(HEADERS_JOURNAL),
            self.verifier,
            await self.store.journal(EVENTS_JOURNAL),
            inbox=self.inbox,
            receipts=Receipts(),
            intake=Intake(GENESIS.network_id, self.stage.ledger.account),
            watchers=(self.applied.append,),
        )
        peers = cast("Peers", self.peers)
        self._running = asyncio.ensure_future(self.task.run(peers, self.sealed.append))

    async def feed(self, *items: Decided | CheckpointFrom) -> None:
        """Put items into the inbox and wait until they are done."""
        for item in items:
            await self.inbox.put(item)
        self.task.idle.clear()
        await asyncio.wait_for(self.task.idle.wait(), PATIENCE_S)

    async def end(self) -> None:
        self._running.cancel()
        await asyncio.wait([self._running])

    async def headers(self) -> list[RoundHeader]:
        journal = await self.store.journal(HEADERS_JOURNAL)
        return [decode_header(block) async for block in journal.read(0, journal.length)]


@asynccontextmanager
async def _bench(path: Path) -> AsyncIterator[Bench]:
    key = KEYS[0]
    store = await Store.open(path / "cell.db", signer=key.sign, cell_id=key.cell_id)
    verifier = Verifier()
    await store.create_tables(SCHEMA)
    bench = Bench(store, verifier, key)
    await bench.begin()
    try:
        yield bench
    finally:
        await bench.end()
        verifier.close()
        await store.close()


def _in_a_loop(test: Callable[[Path], Coroutine[Any, Any, None]]) -> Callable[[Path], None]:
    @functools.wraps(test)
    def run(tmp_path: Path) -> None:
        asyncio.run(test(tmp_path))

    return run


def _decided(epoch: int, number: int, *payload: bytes) -> Decided:
    ordered = (OrderedEvent(made(0, payload=payload), START_NS + number),) if payload else ()
    return Decided(Epoch(epoch), DecidedRound(Round(number), (), ordered))


def _rounds(epoch: int, first: int, last: int) -> list[Decided]:
    return [_decided(epoch, number) for number in range(first, last + 1)]


def _signature(header: RoundHeader, member: int) -> CheckpointFrom:
    message = checkpoint_message(GENESIS.network_id, header.epoch, header.round, header.hash)
    signature = CheckpointSignature(
        header.epoch, header.round, header.hash, MemberIndex(member), KEYS[member].sign(message)
    )
    return CheckpointFrom(peer(member), SignatureFrame(signature.to_value()))


def _headers_of(items: Sequence[Decided]) -> list[RoundHeader]:
    """What another member computes for these rounds."""
    stage = Execution(GENESIS, Identity(KEYS[1].public_key, KEYS[1].sign), lambda _: None)
    return [
        stage.apply(item.round, stage.candidates(item.round), lambda _: True, ()).applied.header
        for item in items
    ]


@_in_a_loop
async def test_rounds_of_an_epoch_after_its_seal_are_dropped(tmp_path: Path) -> None:
    async with _bench(tmp_path) as bench:
        await bench.feed(*_rounds(0, 1, 16), _decided(0, 17, opaque("void")), *_rounds(0, 18, 30))
        assert bench.stage.ledger.applied_round == 16
        assert [(roster.epoch, roster.first_round) for roster in bench.sealed] == [(1, 17)]
        assert len(await bench.headers()) == 16
        assert bench.store.query("SELECT count(*) FROM ordered") == [(0,)]
        await bench.feed(_decided(1, 17, opaque("counts")), *_rounds(1, 10, 17))
        assert [header.epoch for header in await bench.headers()] == [0] * 16 + [1]
        assert bench.store.query("SELECT count(*) FROM ordered") == [(1,)]
        assert bench.peers.dropped == []


@_in_a_loop
async def test_signatures_of_an_epoch_ahead_are_kept_and_used_when_the_cell_is_there(
    tmp_path: Path,
) -> None:
    rounds = [*_rounds(0, 1, 16), _decided(1, 17, opaque("a"))]
    headers = _headers_of(rounds)
    async with _bench(tmp_path) as bench:
        await bench.feed(*(_signature(headers[16], member) for member in (1, 2)))
        assert len(bench.task._early) == 2
        await bench.feed(*rounds)
        assert not bench.task._early
        assert bench.stage.certified_round == 17
        assert bench.peers.dropped == []


@_in_a_loop
async def test_what_is_kept_of_epochs_ahead_is_bounded_and_the_newest_stays(tmp_path: Path) -> None:
    header = _headers_of(_rounds(0, 1, 1))[0]
    ahead = dataclasses.replace(header, epoch=Epoch(5))
    async with _bench(tmp_path) as bench:
        count = CHECKPOINTS_EARLY_MAX + 10
        items = [
            _signature(dataclasses.replace(ahead, round=Round(at + 1)), 1) for at in range(count)
        ]
        await bench.feed(*items)
        assert list(bench.task._early) == items[10:]


@_in_a_loop
async def test_a_false_signature_kept_for_later_drops_its_peer_then(tmp_path: Path) -> None:
    rounds = [*_rounds(0, 1, 16), _decided(1, 17, opaque("a"))]
    header = _headers_of(rounds)[16]
    good = _signature(header, 1)
    value = CheckpointSignature(
        Epoch(1), Round(17), header.hash, MemberIndex(3), KEYS[1].sign(b"x")
    )
    forged = CheckpointFrom(peer(2), SignatureFrame(value.to_value()))
    async with _bench(tmp_path) as bench:
        await bench.feed(forged, good)
        assert bench.peers.dropped == []
        await bench.feed(*rounds)
        assert bench.peers.dropped == [peer(2)]


@_in_a_loop
async def test_the_certificate_of_the_sealing_round_is_kept_though_it_comes_after_it(
    tmp_path: Path,
) -> None:
    rounds = [*_rounds(0, 1, 16), _decided(1, 17)]
    sealing = _headers_of(rounds)[15]
    async with _bench(tmp_path) as bench:
        await bench.feed(*rounds)
        await bench.feed(_signature(sealing, 1), _signature(sealing, 2))
        assert bench.stage.certified_round == 16
        rosters = [GENESIS.roster, *bench.sealed]
        assert newest_certificates(bench.store, rosters) == [certified(sealing, (0, 1, 2))]
        greeting = list(bench.task.greeting())
        assert len(greeting) == 1


@_in_a_loop
async def test_the_end_of_an_epoch_is_fsynced_and_no_other_round(tmp_path: Path) -> None:
    async with _bench(tmp_path) as bench:
        spy = AsyncMock(wraps=bench.store.commit)
        bench.store.commit = spy  # type: ignore[method-assign]  # only listens
        await bench.feed(*_rounds(0, 1, 16), *_rounds(1, 17, 32))
        batches = [call.args[0] for call in spy.await_args_list]
        durable = [batch.durable for batch in batches if batch.appends]
        assert durable == ([False] * 15 + [True]) * 2


@_in_a_loop
async def test_the_newest_epochs_are_read_with_where_their_events_begin(tmp_path: Path) -> None:
    async with _bench(tmp_path) as bench:
        assert newest_epochs(bench.store) == []
        blocks = 0
        for epoch in range(3):
            await bench.store.transaction({EVENTS_JOURNAL: [b"event"] * (epoch + 1)}, durable=False)
            blocks += epoch + 1
            await bench.feed(*_rounds(epoch, 16 * epoch + 1, 16 * epoch + 16))
            read = newest_epochs(bench.store)
            assert len(read) == min(2, epoch + 1)
            assert read[-1] == (bench.sealed[-1], blocks)
        assert [roster for roster, _ in newest_epochs(bench.store)] == bench.sealed[1:]
        for epoch, roster in enumerate([GENESIS.roster, *bench.sealed]):
            assert roster_of_epoch(bench.store, GENESIS, Epoch(epoch)) == roster
        assert roster_of_epoch(bench.store, GENESIS, Epoch(4)) is None


@_in_a_loop
async def test_the_newest_certificate_of_each_epoch_is_read(tmp_path: Path) -> None:
    async with _bench(tmp_path) as bench:
        await bench.feed(*_rounds(0, 1, 16), *_rounds(1, 17, 32), *_rounds(2, 33, 34))
        headers = await bench.headers()
        rosters = [GENESIS.roster, *bench.sealed]
        assert newest_certificates(bench.store, rosters[-2:]) == []
        for at in (2, 15, 16, 20, 33):
            certificate = certified(headers[at], (0, 1, 2))
            await bench.store.transaction({}, [certificate_statement(certificate)], durable=False)
        found = newest_certificates(bench.store, rosters[-2:])
        assert _places(found) == {(2, 34), (1, 21)}
        assert _places(newest_certificates(bench.store, rosters[:2])) >= {(0, 16)}
        assert _places(newest_certificates(bench.store, rosters)) == {(2, 34), (1, 21), (0, 16)}


def _places(certificates: Sequence[Certificate]) -> set[tuple[int, int]]:
    return {(certificate.epoch, certificate.round) for certificate in certificates}
