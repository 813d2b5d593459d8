"""The owner of the execution stage: applies decided rounds durably, signs and certifies them."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence

import structlog

from core.codec import WrongShape
from core.errors import RemoteViolation
from core.ids import short
from gateway.views import Stage
from gossip.wire import CertificateFrame, Frame, SignatureFrame, encode_frame
from hashgraph.outcome import DecidedRound
from journal import Store
from ledger.certificate import Certificate, CheckpointSignature
from node.inbox import CheckpointFrom, ExecutionInbox
from node.peers import Peers
from node.receipts import Receipts
from node.stages.execution import Execution, Unverified
from node.stages.intake import Intake
from node.tables import (
    HEADERS_JOURNAL,
    applied_statements,
    certificate_statement,
    known_ids,
)
from node.verifier import Verifier

_LOG = structlog.get_logger("execution")


class ExecutionTask:
    """Runs the stage. `inbox` is its only input."""

    def __init__(
        self,
        stage: Execution,
        store: Store,
        verifier: Verifier,
        *,
        inbox: ExecutionInbox,
        receipts: Receipts,
        intake: Intake,
    ) -> None:
        self._stage = stage
        self._store = store
        self._verifier = verifier
        self._inbox = inbox
        self._receipts = receipts
        self._intake = intake
        self._own: CheckpointSignature | None = None
        self.idle = asyncio.Event()
        """Set while everything that came in is done."""

    def greeting(self) -> Iterable[Frame]:
        """What a newly connected peer may have missed: the newest certificate and our signature."""
        newest = self._stage.certifier.newest
        if newest is not None:
            yield CertificateFrame(newest.to_value())
        if self._own is not None and (newest is None or newest.round < self._own.round):
            yield SignatureFrame(self._own.to_value())

    async def resume(self, own: CheckpointSignature | None) -> None:
        """Take our signature of the last header with transactions, made again at start."""
        self._own = own
        if own is not None:
            await self._note_certificate(self._stage.add_signature(own))

    async def run(self, peers: Peers) -> None:
        """Serve the inbox until cancelled. Raises what stops a cell: disk faults, divergence."""
        while True:
            if self._inbox.empty():
                self.idle.set()
            item = await self._inbox.get()
            self.idle.clear()
            if isinstance(item, DecidedRound):
                await self.execute(item, peers)
            else:
                await self._take_checkpoint(item, peers)

    async def execute(self, decided: DecidedRound, peers: Peers | None) -> None:
        """Apply one round durably, then tell: receipts, our signature."""
        if decided.round <= self._stage.ledger.applied_round:
            return  # replayed from the journal, its effects are on disk
        unverified = self._stage.candidates(decided, self._intake.checked)
        ids = [item.id for item in unverified]
        self._receipts.reached(ids, Stage.ORDERED)
        invalid = await self._invalid(unverified)
        executed = self._stage.apply(
            decided,
            unverified,
            lambda item: id(item) not in invalid,
            known_ids(self._store, ids),
        )
        applied = executed.applied
        await self._store.transaction(
            {HEADERS_JOURNAL: [applied.header.encode()]},
            applied_statements(applied),
            durable=False,
        )
        self._intake.settle(ids)
        self._receipts.applied(
            applied.header.round, [entry.receipt.id for entry in applied.entries]
        )
        if executed.signature is not None:
            self._own = executed.signature
            if peers is not None:
                peers.broadcast(encode_frame(SignatureFrame(executed.signature.to_value())))
            await self._note_certificate(self._stage.add_signature(executed.signature))
        else:
            self._receipts.certified(self._stage.certified_round)

    async def _invalid(self, unverified: Sequence[Unverified]) -> set[int]:
        """Return the `id()`s of those whose signature is wrong."""
        checks = [(item, item.signature_check) for item in unverified]
        wanted = [(item, check) for item, check in checks if check is not None]
        verdicts = await self._verifier.verify([check for _, check in wanted])
        return {id(item) for (item, _), valid in zip(wanted, verdicts, strict=True) if not valid}

    async def _take_checkpoint(self, item: CheckpointFrom, peers: Peers) -> None:
        try:
            if isinstance(item.frame, SignatureFrame):
                signature = self._stage.signature_from(item.frame.value)
                await self._note_certificate(self._stage.add_signature(signature))
            else:
                await self._note_certificate(self._stage.certificate_from(item.frame.value))
        except (RemoteViolation, WrongShape) as error:
            _LOG.warning("peer dropped", peer=short(item.peer), reason=str(error))
            peers.drop(item.peer, error)

    async def _note_certificate(self, certificate: Certificate | None) -> None:
        if certificate is not None:
            statement = certificate_statement(certificate)
            await self._store.transaction({}, [statement], durable=False)
        self._receipts.certified(self._stage.certified_round)
