"""The client's calls about what is wrong, and why."""

from __future__ import annotations

from urllib.parse import quote

from myceld.calls import Calls, JsonObject


class DoctorCalls(Calls):
    """The part of `Client` that is about what is wrong."""

    def doctor(self) -> JsonObject:
        """Return the DoctorView: what the running cell finds wrong with itself."""
        return self._get("/api/v1/doctor")

    def why_transaction(self, transaction_id: str) -> JsonObject:
        """Return the WhyView of a transaction: why it is where it is."""
        return self._get(f"/api/v1/why/transaction/{quote(transaction_id, safe='')}")

    def why_cell(self, cell: str) -> JsonObject:
        """Return the WhyView of a cell (its id, or a member's name)."""
        return self._get("/api/v1/why/cell", {"cell": cell})

    def why_stall(self) -> JsonObject:
        """Return the WhyView of the network: why nothing new is ordered, if so."""
        return self._get("/api/v1/why/stall")
