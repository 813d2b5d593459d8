"""Proof files as a fake cell has them: real ones; and a state that can be repaired once."""

from __future__ import annotations

from gateway.errors import NoSuchReceipt
from gateway.proof_views import ProofFileView
from gateway.repair_views import DivergenceView
from ledger.errors import NoProof
from ledger.proof import encode_proof, to_text
from node.errors import NotDiverged
from tests.ledger.proof_world import sample_proofs

SOUND = DivergenceView(
    diverged=False,
    repairing=False,
    words="",
    certified_round=None,
    first_round=None,
    transaction=None,
    own_outcome=None,
    their_outcome=None,
    key=None,
    report=None,
)


class FakeProofs:
    """The part of FakeCell that is about proof files and repair."""

    def __init__(self) -> None:
        self.found = SOUND

    def divergence(self) -> DivergenceView:
        return self.found

    async def repair(self) -> DivergenceView:
        if not self.found.diverged:
            raise NotDiverged("all is well")
        before, self.found = self.found, SOUND
        return before

    async def receipt_proof(self, transaction_id: bytes) -> ProofFileView:
        if transaction_id == bytes(32):
            raise NoSuchReceipt("no such transaction")
        return _view("receipt", "receipt")

    async def range_proof(self, prefix: str, limit: int) -> ProofFileView:
        assert (prefix, limit) == ("k", 7)
        return _view("range", "range")

    async def value_proof(self, key: str, round_number: int | None) -> ProofFileView:
        assert round_number in (None, 5)
        return _view("state", "value" if key == "hello" else "absence")

    async def round_proof(self, round_number: int | None, *, roster: bool) -> ProofFileView:
        if round_number == 99:
            raise NoProof("round 99 is not certified yet")
        name = "roster" if roster else "header"
        return _view(name, name)


def _view(about: str, name: str) -> ProofFileView:
    proof = sample_proofs()[name]
    return ProofFileView(
        about=about,
        round=proof.headers[0].round,
        certified_round=proof.headers[-1].round,
        steps=len(proof.steps),
        proof=to_text(encode_proof(proof)),
    )
