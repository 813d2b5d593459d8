"""The client's calls for proof files, and about a state that is not the certified one."""

from __future__ import annotations

from myceld.calls import Calls, JsonObject


class ProofCalls(Calls):
    """The part of `Client` that is about proof files. Check them with `ledger.verify`."""

    def divergence(self) -> JsonObject:
        """Return the DivergenceView: whether and where the state is not the certified one."""
        return self._get("/api/v1/divergence")

    def repair(self) -> JsonObject:
        """Begin to take over the certified state; return the DivergenceView."""
        return self._send("/api/v1/repair", {})

    def receipt_proof(self, transaction_id: str) -> JsonObject:
        """Return the ProofFileView of a transaction's place and outcome."""
        return self._get(f"/api/v1/receipts/{transaction_id}/proof")

    def state_proof(self, key: str, *, round_number: int | None = None) -> JsonObject:
        """Return the ProofFileView of a value after a round, or that there is none."""
        query: dict[str, object] = {"key": key}
        if round_number is not None:
            query["round"] = round_number
        return self._get("/api/v1/state/proof", query)

    def range_proof(self, prefix: str, *, limit: int = 100) -> JsonObject:
        """Return the ProofFileView of the keys that begin with a prefix, and their values."""
        return self._get("/api/v1/state/proof", {"prefix": prefix, "limit": limit})

    def round_proof(self, round_number: int | None = None, *, roster: bool = False) -> JsonObject:
        """Return the ProofFileView of a round's header (the newest certified), or the roster."""
        query: dict[str, object] = {"roster": int(roster)}
        if round_number is not None:
            query["round"] = round_number
        return self._get("/api/v1/rounds/proof", query)
