"""The clients' calls for proof files, and about a state that is not the certified one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from myceld.question import Question, at, call, get, send

if TYPE_CHECKING:
    from myceld.views import DivergenceView, ProofFileView


class ProofCalls:
    """The part of both clients that is about proof files. Check them with `ledger.verify`."""

    @call
    def divergence(self) -> Question[DivergenceView]:
        """Return the DivergenceView: whether and where the state is not the certified one."""
        return get("/api/v1/divergence")

    @call
    def repair(self) -> Question[DivergenceView]:
        """Begin to take over the certified state; return the DivergenceView."""
        return send("/api/v1/repair")

    @call
    def receipt_proof(self, transaction_id: str) -> Question[ProofFileView]:
        """Return the ProofFileView of a transaction's place and outcome."""
        return get(at("/api/v1/receipts/{id}/proof", id=transaction_id))

    @call
    def state_proof(self, key: str, *, round_number: int | None = None) -> Question[ProofFileView]:
        """Return the ProofFileView of a value after a round, or that there is none."""
        query: dict[str, object] = {"key": key}
        if round_number is not None:
            query["round"] = round_number
        return get("/api/v1/state/proof", query)

    @call
    def range_proof(self, prefix: str, *, limit: int = 100) -> Question[ProofFileView]:
        """Return the ProofFileView of the keys that begin with a prefix, and their values."""
        return get("/api/v1/state/proof", {"prefix": prefix, "limit": limit})

    @call
    def round_proof(
        self, round_number: int | None = None, *, roster: bool = False
    ) -> Question[ProofFileView]:
        """Return the ProofFileView of a round's header (the newest certified), or the roster."""
        query: dict[str, object] = {"roster": int(roster)}
        if round_number is not None:
            query["round"] = round_number
        return get("/api/v1/rounds/proof", query)
