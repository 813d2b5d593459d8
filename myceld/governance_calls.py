"""The client's calls about governance: proposals, votes, and the rules that hold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from myceld.calls import Calls, JsonObject


class GovernanceCalls(Calls):
    """The part of `Client` that is about governance."""

    def propose(
        self,
        title: str,
        actions: Sequence[Mapping[str, object]],
        *,
        rounds: int | None = None,
        wait: str = "applied",
        timeout_s: float = 30.0,
    ) -> JsonObject:
        """Have the cell propose actions that take effect together; return the ReceiptView.

        Its id is the proposal's. An action is `{"action": "set", "name": "epoch_rounds",
        "value": 4096}`, for instance: docs/api.md has all.
        """
        fields: JsonObject = {"title": title, "actions": list(actions)}
        if rounds is not None:
            fields["rounds"] = rounds
        return self._post("/api/v1/governance/proposals", fields, wait, timeout_s)

    def vote(
        self, proposal: str, vote: str, *, wait: str = "applied", timeout_s: float = 30.0
    ) -> JsonObject:
        """Have the cell vote `yes`, `no` or `abstain` on a proposal; return the ReceiptView."""
        fields = {"proposal": proposal, "vote": vote}
        return self._post("/api/v1/governance/votes", fields, wait, timeout_s)

    def announce(self, *, wait: str = "applied", timeout_s: float = 30.0) -> JsonObject:
        """Have the cell say which versions its build knows; return the ReceiptView."""
        return self._post("/api/v1/governance/announce", {}, wait, timeout_s)

    def proposals(self, *, state: str | None = None, limit: int = 100) -> JsonObject:
        """Return the list of GovernanceViews, the newest first."""
        query: dict[str, object] = {"limit": limit}
        if state is not None:
            query["state"] = state
        return self._get("/api/v1/governance/proposals", query)

    def proposal(self, proposal: str) -> JsonObject:
        """Return the GovernanceView of a proposal."""
        return self._get(f"/api/v1/governance/proposals/{proposal}")

    def rules(self) -> JsonObject:
        """Return the RulesView."""
        return self._get("/api/v1/governance/rules")
