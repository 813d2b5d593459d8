"""Makes proof files from this cell's own records: of receipts, values, headers and the roster.

A round that has no certificate of its own is proven by the next one that has: headers lead from
one to the other. What an old event carried is read from the consensus journal; events of the
present epoch and the one before are found at once, older ones by going through their epoch.
For whoever knows the roster of an epoch already, and only for them, a proof may begin there.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from core.ids import Epoch, EventId, Round, TransactionId
from gateway.errors import NoSuchReceipt
from hashgraph.event import decode_any_event
from journal import Store
from ledger.certificate import Certificate
from ledger.errors import NoProof
from ledger.genesis import Genesis
from ledger.header import Receipt, RoundHeader, receipt_path
from ledger.limits import PROOF_HEADERS_MAX, STATE_ANSWER_SIZE_BYTES_MAX
from ledger.machine import Ledger
from ledger.map_proof import Opened
from ledger.proof import (
    HeaderClaim,
    Proof,
    RangeClaim,
    ReceiptClaim,
    RosterClaim,
    StateClaim,
    Subject,
    steps_of,
)
from ledger.prover import prove_keys, prove_range
from ledger.roster import Roster
from ledger.state_proof import StateAnswer, StateQuestion, decode_message, encode_message
from ledger.transaction import transaction_id
from ledger.tree import Snapshot
from node.discovery.roster_proofs import RosterProofs
from node.errors import NotInHistory
from node.headers import Headers
from node.limits import STATE_PROOF_TRIES_MAX, STATE_PROOF_WAIT_S
from node.services.message_state import States
from node.snapshots import map_at
from node.state_tables import state_values, values_at
from node.tables import (
    EVENTS_JOURNAL,
    UNKNOWN_KIND,
    OrderedRow,
    epochs_from,
    next_certificate,
    ordered_by_id,
    ordered_from,
    roster_of_epoch,
)


class Proofs:
    """Reads only. Every method raises NoProof for what can not be proven here, or not yet."""

    def __init__(
        self,
        store: Store,
        genesis: Genesis,
        headers: Headers,
        states: States,
        ledger: Ledger,
        *,
        certified_round: Callable[[], Round],
        block_of: Callable[[EventId], int | None],
    ) -> None:
        """`block_of` tells where the journal has an event of the newest two epochs."""
        self._store = store
        self._genesis = genesis
        self._headers = headers
        self.states = states
        self._ledger = ledger
        self._rosters = RosterProofs(store, headers, genesis)
        self._certified_round = certified_round
        self._block_of = block_of

    async def of_receipt(self, transaction: TransactionId, start: Epoch = Epoch(0)) -> Proof:
        """Prove a transaction's place and outcome; raises NoSuchReceipt before it has any."""
        row = ordered_by_id(self._store, transaction)
        if row is None:
            raise NoSuchReceipt(f"no transaction {transaction.hex()} is in the order here")
        headers, certificate = await self._certified(row.round)
        header = headers[0]
        first = header.transactions_total - header.transactions
        rows = ordered_from(self._store, first, header.transactions)
        index = row.position - first
        path = receipt_path([receipt_of(one) for one in rows], index)
        raw = None if row.kind == UNKNOWN_KIND else await self._transaction(row, header.epoch)
        claim = ReceiptClaim(receipt_of(row), raw, index, tuple(path))
        return await self._proof(headers, certificate, claim, start)

    async def of_value(
        self, key: bytes, round_number: Round | None = None, *, start: Epoch = Epoch(0)
    ) -> Proof:
        """Prove the value of a state key, or that there is none, after a round whose state is kept.

        After the newest round that it can be proven at, unless told.
        """
        if round_number is not None:
            return await self._of_value_at(key, round_number, start)
        answer = decode_message(
            await self.states.answer(encode_message(StateQuestion(key)), number=1)
        )
        if not isinstance(answer, StateAnswer):
            raise NoProof("the state runs ahead of the certificates, or nothing is certified yet")
        claim = StateClaim(key, answer.value, answer.proof)
        return await self._proof([answer.header], answer.certificate, claim, start)

    async def _of_value_at(self, key: bytes, round_number: Round, start: Epoch) -> Proof:
        headers, certificate = await self._certified(round_number)
        proof = prove_keys(
            self.map_after(headers[0]),
            [key],
            lambda keys: values_at(self._store, round_number, keys),
        )
        claim = StateClaim(key, Opened(proof).get(key), proof)
        return await self._proof(headers, certificate, claim, start)

    async def of_range(
        self, first: bytes, end: bytes | None, count_max: int, *, start: Epoch = Epoch(0)
    ) -> Proof:
        """Prove what the state has from a key on, the first entries if they are many, now."""
        for _ in range(STATE_PROOF_TRIES_MAX):
            number = self._certified_round()
            headers, certificate = await self._certified(number)
            snapshot = self._ledger.state
            if snapshot.root == headers[0].state_root:
                proof = prove_range(
                    snapshot,
                    first,
                    end,
                    lambda keys: state_values(self._store, keys),
                    count_max=count_max,
                    size_bytes_max=STATE_ANSWER_SIZE_BYTES_MAX,
                )
                claim = RangeClaim(first, end, proof)
                return await self._proof(headers, certificate, claim, start)
            await asyncio.sleep(STATE_PROOF_WAIT_S)
        raise NoProof("the state runs ahead of the certificates")

    async def of_round(
        self, round_number: Round | None, *, roster: bool, start: Epoch = Epoch(0)
    ) -> Proof:
        """Prove the header of a round, the newest certified one unless told; or who votes next."""
        number = self._certified_round() if round_number is None else round_number
        headers, certificate = await self._certified(number)
        claim: Subject = HeaderClaim()
        if roster:
            claim = RosterClaim(self._roster_after(headers[0]))
        return await self._proof(headers, certificate, claim, start)

    async def header_of(self, round_number: Round) -> RoundHeader | None:
        """Return the header of a certified round, None if it is not held here, or is not yet."""
        try:
            if round_number > self._certified_round() or not self._headers.has(round_number):
                return None
            return await self._headers.get(round_number)
        except NotInHistory:
            return None

    def map_after(self, header: RoundHeader) -> Snapshot:
        """Return this cell's own map after a round; raises StateNotKept, NoStateProof."""
        return map_at(self._store, self._ledger, header)

    @property
    def certified_round(self) -> Round:
        """The newest round that can be proven."""
        return self._certified_round()

    async def transaction_of(self, row: OrderedRow) -> bytes | None:
        """Return the bytes of an ordered transaction, None if their event is not here any more."""
        if row.kind == UNKNOWN_KIND:
            return None
        return await self._transaction(row, (await self._headers.get(row.round)).epoch)

    async def _certified(self, round_number: Round) -> tuple[list[RoundHeader], Certificate]:
        """Return the headers from a round to the next that has a certificate, and that."""
        certificate = next_certificate(self._store, round_number)
        if certificate is None or certificate.round > self._certified_round():
            raise NoProof(f"round {round_number} is not certified yet")
        if certificate.round - round_number >= PROOF_HEADERS_MAX:
            raise NoProof(f"round {round_number} is too far from one that has a certificate here")
        count = certificate.round - round_number + 1
        headers = await self._headers.page(round_number, count)
        if len(headers) != count or headers[-1].hash != certificate.header_hash:
            raise NoProof(f"the headers from round {round_number} on are not all held here")
        return headers, certificate

    async def _proof(
        self,
        headers: Sequence[RoundHeader],
        certificate: Certificate,
        subject: Subject,
        start: Epoch,
    ) -> Proof:
        trusted = self._trusted(start, certificate.epoch)
        steps = await self._rosters.steps_to(certificate.epoch, trusted)
        if steps is None:
            raise NoProof(
                f"no way from epoch {trusted.epoch} to epoch {certificate.epoch} is held here"
            )
        return Proof(
            self._genesis,
            steps_of(trusted, steps),
            tuple(headers),
            certificate.signatures,
            subject,
        )

    def begins_at(self, start: Epoch, proof: Proof) -> Epoch:
        """Return the epoch whose roster a proof begins with that was asked for from `start` on."""
        return self._trusted(start, proof.headers[-1].epoch).epoch

    def _trusted(self, start: Epoch, epoch: Epoch) -> Roster:
        roster = roster_of_epoch(self._store, self._genesis, start) if start <= epoch else None
        return self._genesis.roster if roster is None else roster

    def _roster_after(self, header: RoundHeader) -> Roster:
        for epoch in (header.epoch, Epoch(header.epoch + 1)):
            roster = roster_of_epoch(self._store, self._genesis, epoch)
            if roster is not None and roster.hash == header.roster:
                return roster
        raise NoProof(f"the roster after round {header.round} is not held here")

    async def _transaction(self, row: OrderedRow, epoch: Epoch) -> bytes | None:
        """Return the bytes of an ordered transaction, None if their event is not here any more."""
        journal = await self._store.journal(EVENTS_JOURNAL)
        at = self._block_of(EventId(row.event))
        if at is not None:
            return self._carried(await journal.get(at), row)
        starts = epochs_from(self._store, self._genesis, epoch, 1)
        async for block in journal.read(starts[0][1] if starts else 0):
            raw = self._carried(block, row)
            if raw is not None:
                return raw
        return None

    def _carried(self, block: bytes, row: OrderedRow) -> bytes | None:
        event, _ = decode_any_event(block, self._genesis.network_id)
        return next((raw for raw in event.payload if transaction_id(raw) == row.id), None)


async def rows_of_round(
    store: Store, headers: Headers, round_number: Round, first: int, limit: int
) -> list[OrderedRow]:
    """Return lines of the order that a round added, from an index on; raises NotInHistory."""
    header = await headers.get(round_number)
    count = min(limit, header.transactions - first)
    start = header.transactions_total - header.transactions + first
    return ordered_from(store, start, count) if count > 0 else []


def receipt_of(row: OrderedRow) -> Receipt:
    """Return the receipt that a line of the order stands for."""
    return Receipt(
        TransactionId(row.id), row.position, EventId(row.event), row.time_ns, row.outcome
    )
