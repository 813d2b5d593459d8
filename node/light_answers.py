"""What a running cell answers hyphae."""

from __future__ import annotations

from core.ids import Epoch, Round, TransactionId
from gateway.light_views import KnownHead, LightProofView
from ledger.proof import Proof, encode_proof, to_text
from node.limits import LIGHT_HEADS_KEPT_MAX
from node.proof_answers import ProofAnswers
from node.proofs import Proofs


class LightAnswers(ProofAnswers):
    """The part of `gateway.cell.Cell` that is for hyphae."""

    _kept: tuple[Proofs, Round, dict[Epoch, LightProofView]] | None = None
    """Proofs of the newest certified header, by where they begin: most hyphae ask for the same."""

    async def light_head(self, known: KnownHead) -> LightProofView:
        """See `gateway.light_routes.LightCell.light_head`."""
        proofs, start = self._parts.proofs, Epoch(known.epoch)
        certified = proofs.certified_round
        if known.round:
            own = await proofs.header_of(Round(known.round))
            if own is not None and own.hash != known.hash:
                other = await proofs.of_round(own.round, roster=False)
                return _view(proofs, Epoch(0), other)
        if certified <= known.round:
            return LightProofView(certified, known.epoch, None)
        if self._kept is None or self._kept[:2] != (proofs, certified):
            self._kept = (proofs, certified, {})
        kept = self._kept[2]
        if start not in kept:
            view = _view(proofs, start, await proofs.of_round(None, roster=False, start=start))
            if len(kept) >= LIGHT_HEADS_KEPT_MAX:
                return view
            kept[start] = view
        return kept[start]

    async def light_state(self, key: bytes, epoch: int) -> LightProofView:
        """See `gateway.light_routes.LightCell.light_state`."""
        proofs, start = self._parts.proofs, Epoch(epoch)
        return _view(proofs, start, await proofs.of_value(key, start=start))

    async def light_range(
        self, start: bytes, end: bytes | None, limit: int, epoch: int
    ) -> LightProofView:
        """See `gateway.light_routes.LightCell.light_range`."""
        proofs, begin = self._parts.proofs, Epoch(epoch)
        return _view(proofs, begin, await proofs.of_range(start, end, limit, start=begin))

    async def light_receipt(self, transaction_id: bytes, epoch: int) -> LightProofView:
        """See `gateway.light_routes.LightCell.light_receipt`."""
        proofs, start = self._parts.proofs, Epoch(epoch)
        proof = await proofs.of_receipt(TransactionId(transaction_id), start)
        return _view(proofs, start, proof)

    async def light_round(self, round_number: int, epoch: int) -> LightProofView:
        """See `gateway.light_routes.LightCell.light_round`."""
        proofs, start = self._parts.proofs, Epoch(epoch)
        proof = await proofs.of_round(Round(round_number), roster=False, start=start)
        return _view(proofs, start, proof)


def _view(proofs: Proofs, start: Epoch, proof: Proof) -> LightProofView:
    text = to_text(encode_proof(proof))
    return LightProofView(proofs.certified_round, proofs.begins_at(start, proof), text)
