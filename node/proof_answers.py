"""What a running cell answers with proof files."""

from __future__ import annotations

from core.ids import Round, TransactionId
from gateway.proof_views import ProofFileView
from ledger.kinds import VALUE_PREFIX, check_key
from ledger.proof import Proof, encode_proof, to_text
from node.journal_answers import JournalAnswers


class ProofAnswers(JournalAnswers):
    """The part of `gateway.cell.Cell` that is about proof files."""

    async def receipt_proof(self, transaction_id: bytes) -> ProofFileView:
        """See `gateway.proof_routes.ProofCell.receipt_proof`."""
        proof = await self._parts.proofs.of_receipt(TransactionId(transaction_id))
        return _view("receipt", proof)

    async def value_proof(self, key: str, round_number: int | None) -> ProofFileView:
        """See `gateway.proof_routes.ProofCell.value_proof`."""
        number = None if round_number is None else Round(round_number)
        proof = await self._parts.proofs.of_value(VALUE_PREFIX + check_key(key), number)
        return _view("state", proof)

    async def range_proof(self, prefix: str, limit: int) -> ProofFileView:
        """See `gateway.proof_routes.ProofCell.range_proof`."""
        start = VALUE_PREFIX + prefix.encode()
        # No key has this byte, as keys are UTF-8: all with the prefix come before it.
        proof = await self._parts.proofs.of_range(start, start + b"\xff", limit)
        return _view("range", proof)

    async def round_proof(self, round_number: int | None, *, roster: bool) -> ProofFileView:
        """See `gateway.proof_routes.ProofCell.round_proof`."""
        number = None if round_number is None else Round(round_number)
        proof = await self._parts.proofs.of_round(number, roster=roster)
        return _view("roster" if roster else "header", proof)


def _view(about: str, proof: Proof) -> ProofFileView:
    return ProofFileView(
        about=about,
        round=proof.headers[0].round,
        certified_round=proof.headers[-1].round,
        steps=len(proof.steps),
        proof=to_text(encode_proof(proof)),
    )
