"""The running cell as its gateway sees it: answers to questions, and the way in for clients."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence

import structlog

from core.ids import CellId, PublicKey, TransactionId, cell_id_of, short
from gateway.doctor_routes import WhyView
from gateway.errors import NoSuchReceipt, NotReachedInTime
from gateway.prana_views import ActWish
from gateway.trust_views import (
    AttestWish,
    InteractionsQuery,
    InteractionsView,
    TrustGraphView,
    TrustWhyView,
)
from gateway.views import (
    AccountView,
    EpochView,
    InviteView,
    InviteWish,
    IssuedView,
    MemberChange,
    MembersView,
    PeerView,
    ReceiptView,
    RefusalView,
    RotationView,
    RoundView,
    SporeView,
    Stage,
    StatusView,
    TransactionView,
)
from gossip.discovery.spore_file import to_json
from gossip.wire import Forward
from identity.errors import NoKeyFile
from ledger.epoch_rules import Support
from ledger.errors import NonceUsed, TransactionRefused, WrongSignature
from ledger.forks import ForkProof
from ledger.header import APPLIED
from ledger.kinds import Arguments, Put
from ledger.transaction import SignedTransaction, Transaction, sign_transaction
from ledger.upgrades import Announce
from node import status, why
from node.act_arguments import wished_arguments
from node.consensus_answers import ConsensusAnswers
from node.doctor_answers import DoctorAnswers
from node.errors import KeyBeingRotated, MempoolFull, NotStoredYet, StateDiverged
from node.exposition import metrics_text
from node.governance_answers import GovernanceAnswers
from node.inbox import Wake
from node.keyring import reader_of, rotation_of
from node.light_answers import LightAnswers
from node.limits import ACCUSE_CHECK_MS, WAIT_S_MAX
from node.member_answers import change_of, epoch_views, members_view
from node.parts import Parts
from node.prana_answers import PranaAnswers
from node.process_answers import ProcessAnswers
from node.receipts import Track
from node.repair_answers import RepairAnswers
from node.service_answers import ServiceAnswers
from node.session import now_ms
from node.stream_answers import StreamAnswers
from node.tables import (
    OrderedRow,
    ordered_by_id,
    ordered_from,
)
from node.trust_answers import arguments_of, graph_view, interactions_view, why_view

_LOG = structlog.get_logger("cell")


class RunningCell(
    StreamAnswers,
    ServiceAnswers,
    GovernanceAnswers,
    PranaAnswers,
    LightAnswers,
    RepairAnswers,
    ProcessAnswers,
    DoctorAnswers,
    ConsensusAnswers,
):
    """Implements `gateway.cell.Cell` on the parts of a daemon."""

    def take_over(self, parts: Parts) -> None:
        """Answer with these parts from now on: the cell jumped to a checkpoint.

        Who still waits for the old ones is told to ask again, or looks anew.
        """
        old, self._parts = self._parts, parts
        old.news.end()
        old.receipts.fail_all(NotStoredYet("the cell went on from a checkpoint meanwhile"))
        old.observed.set()  # it never will: who waits for it goes on to wait for the new one

    async def submit(
        self, transactions: Sequence[bytes], *, wait: Stage, timeout_s: float
    ) -> list[ReceiptView]:
        """See `gateway.cell.Cell.submit`."""
        intake = self._parts.intake
        parsed = [intake.parse(raw) for raw in transactions]
        await self._check_signatures(parsed)
        self._queue(parsed, transactions)
        ids = [transaction.id for transaction in parsed]
        await self._wait_all(ids, wait, timeout_s)
        return [self._receipt(transaction) for transaction in ids]

    async def put(
        self, key: str, value: bytes, *, nonce: int | None, wait: Stage, timeout_s: float
    ) -> ReceiptView:
        """See `gateway.cell.Cell.put`."""
        return await self._submit_own(Put(key, value), nonce, wait, timeout_s)

    async def receipt(
        self, transaction_id: bytes, *, wait: Stage | None, timeout_s: float
    ) -> ReceiptView:
        """See `gateway.cell.Cell.receipt`."""
        transaction = TransactionId(transaction_id)
        if wait is not None:
            await self._wait_all([transaction], wait, timeout_s)
        return self._receipt(transaction)

    def why_transaction(self, transaction_id: bytes) -> WhyView:
        """See `gateway.doctor_routes.DoctorCell.why_transaction`."""
        return why.why_transaction(self._parts, self._receipt(TransactionId(transaction_id)))

    def status(self) -> StatusView:
        """See `gateway.cell.Cell.status`."""
        return status.status_view(self._parts)

    def metrics(self) -> str:
        """See `gateway.cell.Cell.metrics`."""
        return metrics_text(self._parts)

    def peers(self) -> list[PeerView]:
        """See `gateway.cell.Cell.peers`."""
        return status.peer_views(self._parts)

    async def transactions(self, *, start: int, limit: int) -> list[TransactionView]:
        """See `gateway.cell.Cell.transactions`."""
        return [
            TransactionView(
                position=row.position,
                id=row.id.hex(),
                round=row.round,
                consensus_time_ns=row.time_ns,
                event=row.event.hex(),
                creator="" if row.creator is None else cell_id_of(row.creator),
                kind=row.kind,
                sender=None if row.sender is None else row.sender.hex(),
                nonce=row.nonce,
                outcome=_outcome(row),
                refusal=_refusal(row),
                size_bytes=row.size_bytes,
            )
            for row in ordered_from(self._parts.store, start, limit)
        ]

    async def rounds(self, *, start: int, limit: int) -> list[RoundView]:
        """See `gateway.cell.Cell.rounds`."""
        certified = self._parts.execution.certified_round
        return [
            RoundView(
                round=header.round,
                header_hash=header.hash.hex(),
                state_root=header.state_root.hex(),
                receipts_root=header.receipts_root.hex(),
                transactions=header.transactions,
                transactions_total=header.transactions_total,
                consensus_time_ns=header.consensus_time_ns,
                certified=header.round <= certified,
            )
            for header in await self._parts.headers.page(start, limit)
        ]

    async def epochs(self, *, start: int, limit: int) -> list[EpochView]:
        """See `gateway.cell.Cell.epochs`."""
        return epoch_views(self._parts, start, limit)

    async def members(self) -> MembersView:
        """See `gateway.cell.Cell.members`."""
        return members_view(self._parts)

    async def change_members(
        self, change: MemberChange, *, wait: Stage, timeout_s: float
    ) -> ReceiptView:
        """See `gateway.cell.Cell.change_members`."""
        cell_id = self._cell_id(change.cell) if change.cell else self._parts.cell_id
        return await self._submit_own(change_of(change, cell_id), None, wait, timeout_s)

    async def attest(self, wish: AttestWish, *, wait: Stage, timeout_s: float) -> ReceiptView:
        """See `gateway.trust_views.TrustCell.attest`."""
        arguments = arguments_of(wish, self._cell_id(wish.cell))
        return await self._submit_own(arguments, None, wait, timeout_s)

    async def act(self, wish: ActWish, *, wait: Stage, timeout_s: float) -> ReceiptView:
        """See `gateway.prana_views.PranaCell.act`."""
        arguments = wished_arguments(wish.kind, wish.arguments, self._key_of)
        return await self._submit_own(arguments, None, wait, timeout_s)

    async def trust_of(self, cell: str, paths_max: int, scope: str) -> TrustWhyView:
        """See `gateway.trust_views.TrustCell.trust_of`."""
        cell_id = self._cell_id(cell)
        graph = await self._parts.trust.settled_in(scope)
        return why_view(self._parts, graph, cell_id, paths_max)

    async def trust_graph(self, limit: int, scope: str, start: int = 0) -> TrustGraphView:
        """See `gateway.trust_views.TrustCell.trust_graph`."""
        return graph_view(self._parts, await self._parts.trust.settled_in(scope), limit, start)

    async def interactions(self, query: InteractionsQuery) -> InteractionsView:
        """See `gateway.trust_views.TrustCell.interactions`."""
        other, of = (self._cell_id(name) if name else None for name in (query.cell, query.of))
        return await interactions_view(self._parts, query, other, of)

    async def rotate_key(self, *, wait: Stage, timeout_s: float) -> RotationView:
        """See `gateway.cell.Cell.rotate_key`."""
        if self._ring is None:
            raise NoKeyFile("this cell runs without a key file")
        ledger, old = self._parts.execution.ledger, self._key
        ledger.check_sender(old.public_key)
        # On disk before anybody hears of it, and not in a thread: one call makes one key.
        new = self._ring.make_next(old.public_key, reader_of(self._parts.store))
        rotate = rotation_of(self._parts.genesis.network_id, old, new)
        if self._parts.consensus.me is None:
            await self._have_all_applied(old.public_key, timeout_s)
        receipt = await self._submit_own(rotate, None, wait, timeout_s)
        return RotationView(old.cell_id, new.cell_id, receipt)

    async def _have_all_applied(self, key: PublicKey, timeout_s: float) -> None:
        """Wait until all that a key signed here has its place; raises NotReachedInTime.

        What a member signs before its rotation is in an event before it, and so before it in the
        order. What a cell without a vote signs is put by several members, in no such order.
        """
        intake = self._parts.intake
        with intake.nothing_new_of(key):
            for transaction in intake.pending(key):
                with contextlib.suppress(TransactionRefused):
                    await self._wait_all([transaction], Stage.APPLIED, timeout_s)

    async def create_invite(self, wish: InviteWish) -> IssuedView:
        """See `gateway.cell.Cell.create_invite`."""
        return await self._parts.invites.create(wish)

    async def invites(self) -> list[InviteView]:
        """See `gateway.cell.Cell.invites`."""
        return self._parts.invites.shown()

    async def revoke_invite(self, invite_id: bytes) -> InviteView:
        """See `gateway.cell.Cell.revoke_invite`."""
        return await self._parts.invites.revoke(invite_id)

    async def spore(self, *, seed: bool) -> SporeView:
        """See `gateway.cell.Cell.spore`."""
        discovery = self._parts.discovery
        spore = await (discovery.export() if seed else discovery.handed_out())
        return SporeView(spore.variant.word, to_json(spore))

    async def account(self, public_key: bytes) -> AccountView:
        """See `gateway.cell.Cell.account`."""
        sender = PublicKey(public_key)
        return AccountView(public_key.hex(), self._parts.intake.next_nonce(sender))

    async def take_forwarded(self, peer: CellId, forward: Forward) -> None:
        """Queue what a cell without a vote asks us to put into our events, as far as it is valid.

        Raises AccessDenied, or what is wrong with the first that is not: that cell checked them
        before it asked.
        """
        self._parts.access.check("tx-forward", peer)
        intake = self._parts.intake
        parsed = [intake.parse(raw) for raw in forward.transactions]
        await self._check_signatures(parsed)
        for transaction, raw in zip(parsed, forward.transactions, strict=True):
            try:
                self._queue([transaction], [raw])
            except (KeyBeingRotated, MempoolFull, NotStoredYet, TransactionRefused) as error:
                _LOG.info("forwarded transaction left out", peer=short(peer), reason=str(error))

    async def accuse(self, proof: ForkProof) -> TransactionId:
        """Sign fork evidence with the cell's key and queue it; return the transaction's id."""
        return await self._queue_own(proof, None, ACCUSE_CHECK_MS / 1000)

    async def announce_support(self, support: Support) -> TransactionId:
        """Sign what this build knows with the cell's key and queue it; return the transaction."""
        return await self._queue_own(Announce(support), None, ACCUSE_CHECK_MS / 1000)

    async def _submit_own(
        self, arguments: Arguments, nonce: int | None, wait: Stage, timeout_s: float
    ) -> ReceiptView:
        """Sign a transaction with the cell's key, queue it, and wait until it reached a stage."""
        loop = asyncio.get_running_loop()
        until_s = loop.time() + timeout_s
        while True:
            left_s = max(0.0, until_s - loop.time())
            transaction = await self._queue_own(arguments, nonce, left_s)
            try:
                await self._wait_all([transaction], wait, left_s)
            except NonceUsed:
                if nonce is not None:
                    raise
                continue  # we chose it when we were behind; the next one is chosen better
            return self._receipt(transaction)

    async def _queue_own(
        self, arguments: Arguments, nonce: int | None, timeout_s: float
    ) -> TransactionId:
        """Sign a transaction with the cell's key and queue it; return its id."""
        intake = self._parts.intake
        if nonce is None:
            await self._know_own_nonces(timeout_s)
        raw = sign_transaction(
            network_id=self._parts.genesis.network_id,
            sender=self._key.public_key,
            nonce=intake.next_nonce(self._key.public_key) if nonce is None else nonce,
            arguments=arguments,
            sign=self._key.sign,
            fee=self._parts.execution.ledger.fee_of(arguments, self._key.public_key),
        )
        parsed = intake.parse(raw)
        self._queue([parsed], [raw])
        return parsed.id

    async def _know_own_nonces(self, timeout_s: float) -> None:
        """Wait until the nonces in our own events are known, which after a start takes a moment.

        Raises NotReachedInTime.
        """
        try:
            async with asyncio.timeout(min(timeout_s, WAIT_S_MAX)):
                while not self._parts.observed.is_set():
                    await self._parts.observed.wait()
        except TimeoutError as error:
            raise NotReachedInTime(
                f"not accepted after {timeout_s:g} s: {status.summary(self._parts)}"
            ) from error

    async def _check_signatures(self, parsed: Sequence[Transaction]) -> None:
        """Raise WrongSignature unless every signature is its sender's."""
        signed = [tx for tx in parsed if isinstance(tx, SignedTransaction)]
        checks = [check for tx in signed for check in tx.signature_checks]
        if not all(await self._parts.verifier.verify(checks)):
            raise WrongSignature("the signature is not the sender's signature of these bytes")

    def _queue(self, parsed: Sequence[Transaction], raws: Sequence[bytes]) -> None:
        """Hand checked transactions to consensus, all or none; those already known are skipped."""
        parts = self._parts
        if parts.execution.divergence is not None:
            raise StateDiverged("transactions are taken again once the state is repaired")
        known = [not self._is_new(transaction.id) for transaction in parsed]
        fresh = [
            (transaction, raw)
            for transaction, raw, old in zip(parsed, raws, known, strict=True)
            if not old
        ]
        parts.intake.check_nonces(transaction for transaction, _ in fresh)
        waiting = parts.mempool if parts.consensus.me is not None else parts.consensus.homeless
        waiting.check_room(len(fresh), sum(len(raw) for _, raw in fresh))
        if not fresh:
            return
        if parts.consensus.me is None:
            self._forward([raw for _, raw in fresh])
            items = [(transaction.id, raw) for transaction, raw in fresh]
            parts.consensus.homeless.hand_on(items, now_ms())
        for transaction, raw in fresh:
            parts.intake.admit(transaction)
            if parts.consensus.me is not None:
                parts.mempool.add(transaction.id, raw)
        parts.consensus_inbox.put_nowait(Wake())
        parts.receipts.reached((transaction.id for transaction, _ in fresh), Stage.ACCEPTED)

    def _is_new(self, transaction: TransactionId) -> bool:
        track = self._parts.receipts.track(transaction)
        if track is not None and track.stage is not None:
            return False
        return ordered_by_id(self._parts.store, transaction) is None

    def _forward(self, raws: Sequence[bytes]) -> None:
        """Ask a connected member to put transactions into its events: this cell has no vote."""
        if not self._parts.peers.forward(raws):
            raise NotStoredYet("no member is connected, and this cell has no vote of its own")

    async def _wait_all(
        self, transactions: Sequence[TransactionId], stage: Stage, timeout_s: float
    ) -> None:
        """Wait until all have reached the stage; raises NotReachedInTime."""
        waiting = [
            (transaction, self._parts.receipts.wait(transaction, stage))
            for transaction in transactions
            if not self._is_past(transaction, stage)
        ]
        try:
            async with asyncio.timeout(min(timeout_s, WAIT_S_MAX)):
                for _, future in waiting:
                    await future
        except TimeoutError as error:
            raise NotReachedInTime(
                f"not {stage.word} after {timeout_s:g} s: {status.summary(self._parts)}"
            ) from error
        finally:
            for transaction, future in waiting:
                if not future.done() or future.cancelled():
                    self._parts.receipts.stop_waiting(transaction, future)

    def _is_past(self, transaction: TransactionId, stage: Stage) -> bool:
        """Return whether the disk says that the stage was reached before this start."""
        row = ordered_by_id(self._parts.store, transaction)
        return row is not None and self._stage_of(row) >= stage

    def _stage_of(self, row: OrderedRow) -> Stage:
        certified = row.round <= self._parts.execution.certified_round
        return Stage.CERTIFIED if certified else Stage.APPLIED

    def _receipt(self, transaction: TransactionId) -> ReceiptView:
        """Return what is known of a transaction; raises NoSuchReceipt."""
        track = self._parts.receipts.track(transaction) or Track()
        row = ordered_by_id(self._parts.store, transaction)
        stage = track.stage if row is None else self._stage_of(row)
        if stage is None:
            raise NoSuchReceipt(f"no transaction {transaction.hex()} is known here")
        return ReceiptView(
            id=transaction.hex(),
            stage=stage.word,
            stages_ns={at.word: when for at, when in sorted(track.stages_ns.items())},
            outcome=None if row is None else _outcome(row),
            refusal=None if row is None else _refusal(row),
            kind=None if row is None else row.kind,
            sender=None if row is None or row.sender is None else row.sender.hex(),
            nonce=None if row is None else row.nonce,
            round=None if row is None else row.round,
            position=None if row is None else row.position,
            consensus_time_ns=None if row is None else row.time_ns,
            event=None if row is None else row.event.hex(),
        )


def _outcome(row: OrderedRow) -> str:
    return APPLIED if row.outcome == APPLIED else "refused"


def _refusal(row: OrderedRow) -> RefusalView | None:
    if row.outcome == APPLIED:
        return None
    return RefusalView(row.outcome, row.refusal or "refused")


def _as_text(value: bytes) -> str | None:
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError:
        return None
