"""A cell proves from its own records what it did, in old epochs too, or says that it can not."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, cast

import pytest

from core.ids import Epoch, Round, TransactionId
from gateway.errors import NoSuchReceipt
from ledger.errors import NoProof
from ledger.machine import Ledger
from ledger.proof import HeaderClaim, ReceiptClaim, RosterClaim, decode_proof, encode_proof
from ledger.verify import Verified, verify_proof
from node.headers import Headers
from node.proofs import Proofs
from node.services.message_state import States
from node.tables import EVENTS_JOURNAL, newest_certificate
from tests.ledger.transfer.world import SHORT, History
from tests.node.history_store import opened, write


def _in_a_loop(test: Callable[[Path], Coroutine[Any, Any, None]]) -> Callable[[Path], None]:
    @functools.wraps(test)
    def run(tmp_path: Path) -> None:
        asyncio.run(test(tmp_path))

    return run


def _verified(proof: Any) -> Verified:  # noqa: ANN401 - a proof
    return verify_proof(decode_proof(encode_proof(proof)), SHORT.network_id)


@_in_a_loop
async def test_every_receipt_and_header_is_proven_by_the_next_certificate(tmp_path: Path) -> None:
    history = History(41, 3, keys=20)
    async with opened(tmp_path / "cell.db") as store:
        await write(store, history)
        await store.journal(EVENTS_JOURNAL)
        seals = {link.header.round for link in history.links}
        last = Round(max(seals))
        proofs = Proofs(
            store,
            SHORT,
            await Headers.open(store),
            cast("States", None),
            Ledger(SHORT, lambda _: None),
            certified_round=lambda: newest_certificate(store, last).round,  # type: ignore[union-attr]  # there is one
            block_of=lambda _: None,
        )
        for epoch in range(3):
            for receipt in history.receipts(epoch):
                verified = _verified(await proofs.of_receipt(TransactionId(receipt.id)))
                assert isinstance(verified.claim, ReceiptClaim)
                assert (verified.claim.receipt, verified.claim.transaction) == (receipt, None)
                assert verified.certified.round in seals
                assert verified.header.epoch == epoch
        for number in range(1, max(seals) + 1):
            verified = _verified(await proofs.of_round(Round(number), roster=False))
            assert isinstance(verified.claim, HeaderClaim)
            assert verified.header == history.applied[number - 1].header
        verified = _verified(await proofs.of_round(None, roster=True))
        assert isinstance(verified.claim, RosterClaim)
        assert verified.claim.roster == history.roster(Epoch(3))
        with pytest.raises(NoProof):
            await proofs.of_round(Round(max(seals) + 1), roster=False)
        with pytest.raises(NoSuchReceipt):
            await proofs.of_receipt(TransactionId(bytes(32)))
