"""The owner of the execution stage: applies decided rounds durably, signs and certifies them."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence

import structlog

from core.codec import WrongShape
from core.errors import RemoteViolation
from core.failpoint import hit
from core.ids import Epoch, short
from gateway.views import Stage
from gossip.wire import CertificateFrame, Frame, SignatureFrame, encode_frame
from journal import Journal, Pen
from ledger.certificate import Certificate, CheckpointSignature, epoch_of
from ledger.errors import Diverged
from ledger.machine import Applied
from ledger.roster import Roster
from node.errors import StateDiverged
from node.inbox import CheckpointFrom, ExecutionInbox
from node.limits import CHECKPOINTS_EARLY_MAX
from node.peers import Peers
from node.receipts import Receipts
from node.stages.consensus import Decided
from node.stages.execution import Execution, Unverified
from node.stages.intake import Intake
from node.state_tables import kept_from
from node.tables import (
    applied_statements,
    certificate_statement,
    known_ids,
)
from node.verifier import Verifier
from settings.limits import HISTORY_ROUNDS_MAX

_LOG = structlog.get_logger("execution")


class ExecutionTask:
    """Runs the stage. `inbox` is its only input."""

    def __init__(
        self,
        stage: Execution,
        pen: Pen,
        verifier: Verifier,
        events: Journal,
        *,
        inbox: ExecutionInbox,
        receipts: Receipts,
        intake: Intake,
        watchers: Sequence[Callable[[Applied], None]],
        can_rotate: Callable[[], bool] = lambda: False,
    ) -> None:
        """`pen` is that of HEADERS_JOURNAL. `watchers` hear of each durable round, in their order.

        `can_rotate` tells whether this cell has the key that its own was given up for.
        """
        self.history_rounds: Callable[[], int] = lambda: HISTORY_ROUNDS_MAX
        """Tells of how many rounds the state is kept, at least."""
        self._can_rotate = can_rotate
        self.misjudges: Callable[[], bool] = lambda: False
        """For tests: whether to take good signatures for wrong, and so to diverge."""
        self.rotated = asyncio.Event()
        """Set once the cell is to go on with another key: this one is of no use any more."""
        self._stage = stage
        self._pen = pen
        self._store = pen.store
        self._verifier = verifier
        self._events = events
        self._inbox = inbox
        self._receipts = receipts
        self._intake = intake
        self._watchers = list(watchers)
        self._own: dict[Epoch, CheckpointSignature] = {}
        self._early: deque[CheckpointFrom] = deque(maxlen=CHECKPOINTS_EARLY_MAX)
        self.diverged = asyncio.Event()
        """Set once the network has certified another state: nothing is applied any more."""
        self.idle = asyncio.Event()
        """Set while everything that came in is done."""

    def watch(self, applied: Callable[[Applied], None]) -> None:
        """Have somebody more told of each round after its effects became durable."""
        self._watchers.append(applied)

    def greeting(self) -> Iterable[Frame]:
        """What a newly connected peer may have missed: certificates and our signatures."""
        certified = {found.epoch: found for found in self._stage.certificates()}
        for certificate in certified.values():
            yield CertificateFrame(certificate.to_value())
        for epoch, own in self._own.items():
            newest = certified.get(epoch)
            if newest is None or newest.round < own.round:
                yield SignatureFrame(own.to_value())

    async def resume(self, own: Iterable[CheckpointSignature]) -> None:
        """Take our signatures of the last headers to be certified, made again at start."""
        for signature in own:
            self._own[signature.epoch] = signature
            await self._note_certificate(self._stage.add_signature(signature))
        self._note_rotation()

    async def run(self, peers: Peers, tell_sealed: Callable[[Roster], None]) -> None:
        """Serve the inbox until cancelled; tell the roster after each round that seals an epoch.

        Raises what stops a cell: disk faults, an upgrade that is not installed.
        """
        while True:
            if self._inbox.empty():
                self.idle.set()
            item = await self._inbox.get()
            self.idle.clear()
            if self.diverged.is_set():
                continue  # until a repair; consensus goes on, and others need our events
            try:
                await self._serve(item, peers, tell_sealed)
            except Diverged as error:
                await self.halt(error)

    async def _serve(
        self, item: Decided | CheckpointFrom, peers: Peers, tell_sealed: Callable[[Roster], None]
    ) -> None:
        if not isinstance(item, Decided):
            await self._take_checkpoint(item, peers)
            return
        sealed = await self.execute(item, peers)
        if sealed is not None:
            tell_sealed(sealed)
            early, self._early = self._early, deque(maxlen=CHECKPOINTS_EARLY_MAX)
            for kept in early:
                await self._take_checkpoint(kept, peers)

    async def halt(self, error: Diverged) -> None:
        """Apply and sign nothing any more: the network certified another state than ours."""
        _LOG.error("diverged", code=error.code, reason=error.detail)
        self.diverged.set()
        found = self._stage.divergence
        if found is not None:
            # So that a restart knows it, too.
            statement = certificate_statement(found.certificate)
            await self._store.transaction({}, [statement], durable=True)
        self._receipts.fail_all(StateDiverged(error.detail))

    async def execute(self, item: Decided, peers: Peers | None) -> Roster | None:
        """Apply one round durably, then tell: receipts, our signature.

        Returns the roster of the next epoch if the round sealed its own.
        """
        decided, ledger = item.round, self._stage.ledger
        if self.diverged.is_set():
            return None
        if item.epoch != ledger.roster.epoch or decided.round <= ledger.applied_round:
            return None  # after the seal of its epoch, or replayed: its effects are on disk
        roster = ledger.roster
        unverified = self._stage.candidates(decided, self._intake.checked)
        ids = [item.id for item in unverified]
        self._receipts.reached(ids, Stage.ORDERED)
        invalid = await self._invalid(unverified)
        began_ns = time.perf_counter_ns()
        executed = self._stage.apply(
            decided,
            unverified,
            lambda item: id(item) not in invalid,
            known_ids(self._store, ids, ledger.window_first_round),
        )
        applied, seals = executed.applied, executed.applied.sealed is not None
        kept = kept_from(applied.header.round, ledger.window_first_round, self.history_rounds())
        hit("execution.seal.before" if seals else "execution.apply.before")
        await self._pen.write(
            [applied.header.encode()],
            applied_statements(applied, roster, self._events.length, kept),
            # A cell that is thrown back over the end of an epoch may find nobody to serve it.
            durable=seals,
        )
        self._stage.took.note((time.perf_counter_ns() - began_ns) / 1e6)
        hit("execution.seal.after" if seals else "execution.apply.after")
        self._stage.check_agreed()  # now that what we computed is on disk, to be looked into
        self._intake.settle(ids)
        for tell in self._watchers:
            tell(applied)
        self._receipts.applied(
            applied.header.round, [entry.receipt.id for entry in applied.entries]
        )
        if executed.signature is not None:
            self._own = _newest_two({**self._own, roster.epoch: executed.signature})
            if peers is not None:
                hit("execution.sign.before")
                peers.broadcast(encode_frame(SignatureFrame(executed.signature.to_value())))
                hit("execution.sign.after")
            await self._note_certificate(self._stage.add_signature(executed.signature))
        else:
            self._receipts.certified(self._stage.certified_round)
        self._note_rotation()
        return applied.sealed

    def _note_rotation(self) -> None:
        if self._stage.gave_up_key and self._can_rotate():
            self.rotated.set()

    async def _invalid(self, unverified: Sequence[Unverified]) -> set[int]:
        """Return the `id()`s of those with a wrong signature."""
        wanted = [(item, check) for item in unverified for check in item.signature_checks]
        verdicts = await self._verifier.verify([check for _, check in wanted])
        wrong = self.misjudges()
        return {
            id(item)
            for (item, _), valid in zip(wanted, verdicts, strict=True)
            if wrong or not valid
        }

    async def _take_checkpoint(self, item: CheckpointFrom, peers: Peers) -> None:
        try:
            if epoch_of(item.frame.value) > self._stage.ledger.roster.epoch:
                self._early.append(item)
            elif isinstance(item.frame, SignatureFrame):
                signature = self._stage.signature_from(item.frame.value)
                if signature is not None:
                    await self._note_certificate(self._stage.add_signature(signature))
            else:
                await self._note_certificate(self._stage.certificate_from(item.frame.value))
        except (RemoteViolation, WrongShape) as error:
            _LOG.warning("peer dropped", peer=short(item.peer), reason=str(error))
            peers.drop(item.peer, error)

    async def _note_certificate(self, certificate: Certificate | None) -> None:
        if certificate is not None:
            statement = certificate_statement(certificate)
            hit("execution.certificate.before")
            await self._store.transaction({}, [statement], durable=False)
            hit("execution.certificate.after")
        self._receipts.certified(self._stage.certified_round)


def _newest_two(own: dict[Epoch, CheckpointSignature]) -> dict[Epoch, CheckpointSignature]:
    return dict(sorted(own.items())[-2:])
