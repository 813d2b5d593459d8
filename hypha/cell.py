"""What a hypha answers its own clients: nothing about the state that is not proven."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Final

from core.errors import check
from core.ids import CellId, PublicKey, Round, TransactionId
from gateway.errors import NoSuchKey
from gateway.proof_views import ProofFileView
from gateway.state_views import StateEntryView, StateListView
from gateway.views import AccountView, ReceiptView, Stage, StateValueView
from hypha.handing import HandingOn
from hypha.heads import Taken
from hypha.network import Gateway, Network
from hypha.questions import (
    ReceiptQuestion,
    RoundQuestion,
    account_of,
    of_account,
    of_value,
    of_values,
    user_value,
    user_values,
)
from hypha.views import GatewayView, HyphaServiceView, HyphaStatusView
from ledger.proof import encode_proof, to_text
from myceld import VERSION

_NS_PER_S: Final = 1_000_000_000


class HyphaCell:
    """Answers from what the network's gateways prove."""

    def __init__(
        self,
        network: Network,
        handing: HandingOn,
        *,
        cell_id: CellId,
        name: str,
        stale_after_s: int,
        now_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        self.network = network
        self.url = ""
        """Of its own gateway, once that listens."""
        self._handing = handing
        self._cell_id = cell_id
        self._name = name
        self._stale_after_s = stale_after_s
        self._now_ns = now_ns
        self._started_s = network.now_s()

    async def state_value(self, key: str) -> StateValueView:
        """Return the value of a user's key; raises NoSuchKey if it is proven that there is none."""
        taken = await self.network.ask(of_value(key))
        header, found = taken.verified.header, user_value(taken.verified)
        if found is None:
            raise NoSuchKey(f"proven: no value at {key!r} after round {header.round}")
        return StateValueView(
            key=key,
            value=_as_text(found.value),
            value_hex=found.value.hex(),
            updated_round=found.round,
            updated_by=found.sender.hex(),
            round=header.round,
            state_root=header.state_root.hex(),
            certified_round=taken.verified.certified.round,
        )

    async def state_values(self, prefix: str, after: str, limit: int) -> StateListView:
        """Return the keys with a prefix that come after another one, and their values.

        Proven to be all there are up to `next`, or to the end of the prefix.
        """
        taken = await self.network.ask(of_values(prefix, after, limit))
        page = user_values(taken.verified, limit)
        items = [
            StateEntryView(key, _as_text(one.value), one.value.hex(), one.round, one.sender.hex())
            for key, one in page.items
        ]
        return StateListView(items, page.next, taken.verified.header.round)

    async def range_proof(self, prefix: str, limit: int) -> ProofFileView:
        """Return the proof of the first keys with a prefix, and their values, as a file."""
        return _file("range", await self.network.ask(of_values(prefix, "", limit)))

    async def value_proof(self, key: str) -> ProofFileView:
        """Return the proof of a value, or of none, as a file."""
        return _file("state", await self.network.ask(of_value(key)))

    async def receipt_proof(self, transaction_id: bytes) -> ProofFileView:
        """Return the proof of a transaction's place and outcome as a file."""
        question = ReceiptQuestion(TransactionId(transaction_id))
        return _file("receipt", await self.network.ask(question))

    async def round_proof(self, round_number: int | None) -> ProofFileView:
        """Return the proof of a round's header as a file, of the newest head unless told."""
        number = self.network.heads.round if round_number is None else Round(round_number)
        return _file("header", await self.network.ask(RoundQuestion(Round(max(1, number)))))

    async def receipt(
        self, transaction_id: bytes, *, wait: Stage | None, timeout_s: float
    ) -> ReceiptView:
        """See `HandingOn.receipt`."""
        transaction = TransactionId(transaction_id)
        return await self._handing.receipt(transaction, wait=wait, timeout_s=timeout_s)

    async def submit(
        self, transactions: Sequence[bytes], *, wait: Stage, timeout_s: float
    ) -> list[ReceiptView]:
        """See `HandingOn.submit`."""
        return await self._handing.submit(transactions, wait=wait, timeout_s=timeout_s)

    async def put(
        self, key: str, value: bytes, *, nonce: int | None, wait: Stage, timeout_s: float
    ) -> ReceiptView:
        """See `HandingOn.put`."""
        return await self._handing.put(key, value, nonce=nonce, wait=wait, timeout_s=timeout_s)

    async def account(self, public_key: bytes) -> AccountView:
        """Return the smallest nonce above all that are used, by proof."""
        taken = await self.network.ask(of_account(PublicKey(public_key)))
        return AccountView(public_key.hex(), account_of(taken.verified).highest + 1)

    def status(self) -> HyphaStatusView:
        """Return what the hypha believes, and by whom."""
        heads, now_s = self.network.heads, self.network.now_s()
        newest = heads.newest
        header = None if newest is None else newest.header
        gateways = [_gateway_view(one, heads.round, now_s) for one in self.network.gateways]
        time_ns = None if header is None else header.consensus_time_ns
        age_s = None if time_ns is None else max(0, self._now_ns() - time_ns) / _NS_PER_S
        phase, summary = self._phase(gateways, age_s)
        return HyphaStatusView(
            version=VERSION,
            cell_id=self._cell_id,
            name=self._name,
            role="hypha",
            network_id=heads.genesis.network_id.hex(),
            network_name=heads.genesis.name,
            uptime_s=now_s - self._started_s,
            phase=phase,
            summary=summary,
            epoch=heads.anchor.epoch,
            round_certified=heads.round,
            header_hash="" if header is None else header.hash.hex(),
            state_root="" if header is None else header.state_root.hex(),
            transactions_ordered=0 if header is None else header.transactions_total,
            head_time_ns=time_ns,
            head_age_s=age_s,
            roster_steps=len(heads.anchor.steps),
            members_total=len(heads.anchor.roster.members),
            confirmed_by=sum(one.confirms for one in gateways),
            gateways=gateways,
            contradictions=self.network.contradictions,
            warnings=self._warnings(gateways, age_s),
            gateway_url=self.url,
        )

    def services(self) -> list[HyphaServiceView]:
        """Return how the one service is: following the heads."""
        status = self.status()
        if status.phase in ("contradicted", "alone"):
            return [HyphaServiceView("heads", "unhealthy", status.summary)]
        if status.warnings:
            return [HyphaServiceView("heads", "degraded", status.warnings[0])]
        return [HyphaServiceView("heads", "healthy", "")]

    def _phase(self, gateways: Sequence[GatewayView], age_s: float | None) -> tuple[str, str]:
        confirmed = sum(one.confirms for one in gateways)
        if self.network.contradictions:
            return "contradicted", (
                "certified headers contradict each other: members with a third of the weight lied"
            )
        if age_s is None:
            return "starting", "no certified header is known yet"
        if not confirmed:
            return "alone", "no gateway has confirmed lately that the newest head is the newest"
        if age_s > self._stale_after_s:
            return "stale", f"the newest head is {age_s:.0f} s old"
        return "following", f"{confirmed} of {len(gateways)} gateways say that nothing is newer"

    def _warnings(self, gateways: Sequence[GatewayView], age_s: float | None) -> list[str]:
        found = []
        if self.network.contradictions:
            found.append(
                "certified headers contradict each other: keep the proofs in `evidence`, and trust "
                "neither history"
            )
        if age_s is not None and age_s > self._stale_after_s:
            found.append(
                f"the newest head is {age_s:.0f} s old: the network is quiet, or all gateways hold "
                "back what is newer"
            )
        if age_s is not None and not any(one.confirms for one in gateways):
            found.append("no gateway has confirmed the newest head lately")
        liars = [one for one in gateways if one.state in ("lies", "contradicts")]
        return [*found, *(f"{one.url} {one.state}: {one.code}: {one.detail}" for one in liars)]


def _gateway_view(gateway: Gateway, newest: Round, now_s: float) -> GatewayView:
    one = gateway.standing
    return GatewayView(
        url=one.url,
        state=one.state,
        code=one.code,
        detail=one.detail,
        round=one.round,
        confirms=one.confirms(newest, now_s),
        latency_ms=round(one.latency_s * 1000, 1),
        asked=one.asked,
        answered=one.answered,
        failed=one.failed,
        lies=one.lies,
        next_in_s=round(max(0.0, one.next_s - now_s), 1),
    )


def _file(about: str, taken: Taken) -> ProofFileView:
    headers = taken.proof.headers
    check(bool(headers), "a verified proof has headers")
    return ProofFileView(
        about=about,
        round=headers[0].round,
        certified_round=headers[-1].round,
        steps=len(taken.proof.steps),
        proof=to_text(encode_proof(taken.proof)),
    )


def _as_text(value: bytes) -> str | None:
    try:
        return value.decode()
    except UnicodeDecodeError:
        return None
