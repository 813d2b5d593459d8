"""Transactions that a hypha hands on to gateways, and follows to a proof.

A gateway may swallow what it is given, or say that it refused. So a transaction goes to the next
one when the first refuses or when no proof comes; the ledger takes it once, whoever brings it.
Below the stage `ordered` a receipt is what a gateway said; from there on it is proven.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from core.errors import MyceldError
from core.ids import NetworkId, Round, TransactionId
from gateway.errors import NoSuchReceipt, NotReachedInTime
from gateway.views import ReceiptView, RefusalView, Stage
from hypha.errors import (
    AnswerBesides,
    AnswerGarbled,
    GatewayRefuses,
    GatewaySilent,
    NoGatewayAnswers,
    NotHandedOn,
)
from hypha.home import HyphaHome
from hypha.limits import (
    EXPIRES_ROUNDS,
    HAND_ON_AGAIN_S,
    HANDED_ON_MAX,
    HANDED_ON_SIZE_BYTES_MAX,
    RECEIPT_POLL_S,
    SUBMIT_TIMEOUT_S,
)
from hypha.network import Gateway, Network
from hypha.questions import (
    ReceiptQuestion,
    account_of,
    of_account,
    of_parameter,
    parameter_of,
)
from identity.keys import KeyPair, verify
from ledger.errors import WrongSignature
from ledger.header import APPLIED
from ledger.kinds import cost_of_arguments
from ledger.parameters import FEE_PER_COST
from ledger.proof import ReceiptClaim
from ledger.transaction import SignedTransaction, parse, sign_transaction
from ledger.values import Put
from ledger.verify import Verified

_ROUTE: Final = "/api/light/transactions"


@dataclass(slots=True)
class _Handed:
    """A transaction under way."""

    raw: bytes
    stage: Stage
    stages_ns: dict[str, int]
    again_s: float
    urls: set[str] = field(default_factory=set)
    """Gateways that have it."""


class HandingOn:
    """One client's call at a time may wait for each transaction; all state is in memory."""

    def __init__(self, network: Network, home: HyphaHome, key: KeyPair) -> None:
        self._network = network
        self._home = home
        self._key = key
        self._handed: OrderedDict[TransactionId, _Handed] = OrderedDict()
        self._size_bytes = 0
        self._signing = asyncio.Lock()

    async def put(
        self, key: str, value: bytes, *, nonce: int | None, wait: Stage, timeout_s: float
    ) -> ReceiptView:
        """Sign a put with the hypha's own key and hand it on."""
        async with self._signing:
            used = self._home.read_nonce()
            number = await self.next_nonce() if nonce is None else nonce
            # Durable first: two transactions with one nonce would be one too many.
            self._home.write_nonce(max(used, number))
        newest, arguments = self._network.heads.round, Put(key, value)
        raw = sign_transaction(
            network_id=self._network.heads.genesis.network_id,
            sender=self._key.public_key,
            nonce=number,
            arguments=arguments,
            sign=self._key.sign,
            fee=await self._price() * cost_of_arguments(arguments),
            expires_round=Round(newest + EXPIRES_ROUNDS if newest else 0),
        )
        (receipt,) = await self.submit([raw], wait=wait, timeout_s=timeout_s)
        return receipt

    async def next_nonce(self) -> int:
        """Return the smallest nonce above all that are used, by proof, or were signed with here."""
        try:
            answer = await self._network.ask(of_account(self._key.public_key))
            known = account_of(answer.verified).highest
        except MyceldError:
            # Before anything is certified nothing can be proven, and nothing is used.
            if self._network.heads.newest is not None:
                raise
            known = -1
        return max(known, self._home.read_nonce()) + 1

    async def _price(self) -> int:
        """Return what a unit of cost comes to, by proof; before there is any, by the genesis."""
        heads = self._network.heads
        if heads.newest is None:
            return dict(heads.genesis.parameters).get(FEE_PER_COST, 0)
        answer = await self._network.ask(of_parameter(FEE_PER_COST))
        return parameter_of(answer.verified, FEE_PER_COST)

    async def submit(
        self, transactions: Sequence[bytes], *, wait: Stage, timeout_s: float
    ) -> list[ReceiptView]:
        """Hand transactions on, all or none, and answer when all have reached `wait`."""
        network_id = self._network.heads.genesis.network_id
        parsed = [parse(raw, network_id) for raw in transactions]
        for one in parsed:
            checks = one.signature_checks if isinstance(one, SignedTransaction) else ()
            if not all(verify(*check) for check in checks):
                raise WrongSignature("the signature is not the sender's signature of these bytes")
        stage = min(wait, Stage.STORED)
        gateway = await self._hand_on(list(transactions), stage, set())
        now_ns, again_s = time.time_ns(), self._network.now_s() + HAND_ON_AGAIN_S
        for one, raw in zip(parsed, transactions, strict=True):
            told = {stage.word: now_ns}
            handed = _Handed(raw, stage, told, again_s, {gateway.standing.url})
            self._remember(one.id, handed)
        until_s = self._network.now_s() + timeout_s
        return [
            await self.receipt(
                one.id, wait=wait, timeout_s=max(0.0, until_s - self._network.now_s())
            )
            for one in parsed
        ]

    async def receipt(
        self, transaction: TransactionId, *, wait: Stage | None, timeout_s: float
    ) -> ReceiptView:
        """Return what is proven of a transaction, else what is known; raises NoSuchReceipt.

        Waits until it has reached a stage; raises NotReachedInTime.
        """
        until_s = self._network.now_s() + timeout_s
        while True:
            handed = self._handed.get(transaction)
            if wait is not None and handed is not None and handed.stage >= wait:
                return _unproven(transaction, handed)
            try:
                found = await self._network.ask(ReceiptQuestion(transaction), 0)
            except (GatewayRefuses, NoGatewayAnswers) as error:
                if wait is None:
                    return self._as_known(transaction, handed, error)
            else:
                self._forget(transaction)
                return proven(found.verified)
            left_s = until_s - self._network.now_s()
            if left_s <= 0:
                raise NotReachedInTime(f"stage {wait.word} was not proven in {timeout_s:g} s")
            await asyncio.sleep(min(RECEIPT_POLL_S, left_s))
            if handed is not None and self._network.now_s() >= handed.again_s:
                await self._hand_on_again(handed)

    def _as_known(
        self, transaction: TransactionId, handed: _Handed | None, error: MyceldError
    ) -> ReceiptView:
        if handed is not None:
            return _unproven(transaction, handed)
        if isinstance(error, GatewayRefuses) and error.told == NoSuchReceipt.code:
            raise NoSuchReceipt(f"no gateway knows a transaction {transaction.hex()}")
        raise error

    async def _hand_on(self, raws: list[bytes], stage: Stage, but: set[str]) -> Gateway:
        """Give transactions to the first gateway that takes them; raises NotHandedOn.

        What all gateways refuse alike is raised as the refusal.
        """
        body = {
            "transactions": [raw.hex() for raw in raws],
            "wait": stage.word,
            "timeout_s": SUBMIT_TIMEOUT_S / 2,
        }
        errors: list[MyceldError] = []
        for gateway in [one for one in self._network.ranked() if one.standing.url not in but]:
            try:
                async with asyncio.timeout(SUBMIT_TIMEOUT_S):
                    answer = await gateway.line.post(_ROUTE, body)
            except (GatewayRefuses, GatewaySilent, AnswerGarbled) as error:
                errors.append(error)
                continue
            except TimeoutError:
                errors.append(GatewaySilent(f"{gateway.standing.url}: no answer in time"))
                continue
            if isinstance(answer.get("items"), list):
                return gateway
            errors.append(AnswerGarbled("an answer without receipts"))
        refusals = [error for error in errors if isinstance(error, GatewayRefuses)]
        if refusals and len(refusals) == len(errors) and len({one.told for one in refusals}) == 1:
            raise refusals[0]
        said = "; ".join(sorted({str(error) for error in errors})) or "none is asked now"
        raise NotHandedOn(said[:800])

    async def _hand_on_again(self, handed: _Handed) -> None:
        """Give one without a proof to another gateway, if one takes it."""
        handed.again_s = self._network.now_s() + HAND_ON_AGAIN_S
        try:
            gateway = await self._hand_on([handed.raw], Stage.ACCEPTED, handed.urls)
        except (NotHandedOn, GatewayRefuses):
            return  # those that have it may yet bring it into the order
        handed.urls.add(gateway.standing.url)

    def _remember(self, transaction: TransactionId, handed: _Handed) -> None:
        self._forget(transaction)
        self._handed[transaction] = handed
        self._size_bytes += len(handed.raw)
        while len(self._handed) > HANDED_ON_MAX or self._size_bytes > HANDED_ON_SIZE_BYTES_MAX:
            self._forget(next(iter(self._handed)))

    def _forget(self, transaction: TransactionId) -> None:
        handed = self._handed.pop(transaction, None)
        if handed is not None:
            self._size_bytes -= len(handed.raw)


def proven(verified: Verified) -> ReceiptView:
    """Return the receipt of a transaction whose place and outcome are proven."""
    claim = verified.claim
    if not isinstance(claim, ReceiptClaim):
        raise AnswerBesides("the proof is not about a transaction")
    receipt, parsed = claim.receipt, _signed(claim.transaction, verified.network_id)
    applied = receipt.outcome == APPLIED
    return ReceiptView(
        id=receipt.id.hex(),
        stage=Stage.CERTIFIED.word,
        stages_ns={},
        outcome=APPLIED if applied else "refused",
        refusal=None if applied else RefusalView(receipt.outcome, "refused by the ledger"),
        kind=None if parsed is None else parsed.kind,
        sender=None if parsed is None else parsed.sender.hex(),
        nonce=None if parsed is None else parsed.nonce,
        round=verified.header.round,
        position=receipt.position,
        consensus_time_ns=receipt.consensus_time_ns,
        event=receipt.event.hex(),
    )


def _signed(raw: bytes | None, network_id: NetworkId) -> SignedTransaction | None:
    """Return what was ordered, None for what means nothing here: it was ordered all the same."""
    try:
        found = None if raw is None else parse(raw, network_id)
    except MyceldError:
        return None
    return found if isinstance(found, SignedTransaction) else None


def _unproven(transaction: TransactionId, handed: _Handed) -> ReceiptView:
    nothing = (None,) * 9
    return ReceiptView(transaction.hex(), handed.stage.word, handed.stages_ns, *nothing)
