"""What a fake cell tells hyphae: whole proofs of the network of the ledger's tests."""

from __future__ import annotations

from gateway.errors import NoSuchReceipt
from gateway.light_views import KnownHead, LightProofView
from ledger.proof import encode_proof, to_text
from tests.ledger.proof_world import sample_proofs


class FakeLight:
    """The part of FakeCell that is for hyphae."""

    async def light_head(self, known: KnownHead) -> LightProofView:
        newest = sample_proofs()["header"].headers[-1].round
        return _view(None if known.round >= newest else "header")

    async def light_state(self, key: bytes, epoch: int) -> LightProofView:
        del epoch
        return _view("value" if key == b"value/hello" else "absence")

    async def light_range(
        self, start: bytes, end: bytes | None, limit: int, epoch: int
    ) -> LightProofView:
        del start, end, limit, epoch
        return _view("range")

    async def light_receipt(self, transaction_id: bytes, epoch: int) -> LightProofView:
        del epoch
        if transaction_id == bytes(32):
            raise NoSuchReceipt("no such transaction")
        return _view("receipt")

    async def light_round(self, round_number: int, epoch: int) -> LightProofView:
        del epoch, round_number
        return _view("header")


def _view(name: str | None) -> LightProofView:
    newest = sample_proofs()["header"].headers[-1].round
    text = None if name is None else to_text(encode_proof(sample_proofs()[name]))
    return LightProofView(newest, 0, text)
