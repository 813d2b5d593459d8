"""The routes of proof files: of receipts, of values, of headers and rosters."""

from __future__ import annotations

from collections.abc import Sequence

from gateway.asks import HashPath
from gateway.errors import NoSuchReceipt
from gateway.operations import Operation, get
from gateway.proof_asks import RoundProofAsk, ValueProofAsk
from gateway.proof_views import ProofCell, ProofFileView
from gateway.waiting import Waiting


class ProofRoutes:
    """Everything that a client can have proven."""

    tag = "proofs"

    def __init__(self, cell: ProofCell, waits: Waiting) -> None:
        self._cell = cell
        self._waits = waits

    def operations(self) -> Sequence[Operation]:
        """See Family."""
        return [
            get("/api/v1/receipts/{id}/proof", self.receipt, NoSuchReceipt),
            get("/api/v1/state/proof", self.value),
            get("/api/v1/rounds/proof", self.round),
        ]

    async def receipt(self, path: HashPath) -> ProofFileView:
        """Prove a transaction's place and outcome."""
        return await self._waits.read(self._cell.receipt_proof(path.id))

    async def value(self, query: ValueProofAsk) -> ProofFileView:
        """Prove the value of a key, or that there is none, or everything under a prefix."""
        if query.prefix is not None:
            return await self._waits.read(self._cell.range_proof(query.prefix, query.limit))
        return await self._waits.read(self._cell.value_proof(query.key or "", query.round))

    async def round(self, query: RoundProofAsk) -> ProofFileView:
        """Prove the header of a round, or the roster after it."""
        return await self._waits.read(self._cell.round_proof(query.round, roster=query.roster))
