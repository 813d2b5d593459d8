"""The clients' calls about governance: proposals, votes, and the rules that hold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from myceld.question import JsonObject, Question, at, call, get, submit

if TYPE_CHECKING:
    from myceld.views import GovernanceView, ProposalsView, ReceiptView, RulesView


class GovernanceCalls:
    """The part of both clients that is about governance."""

    @call
    def propose(
        self,
        title: str,
        actions: Sequence[Mapping[str, object]],
        *,
        rounds: int | None = None,
        wait: str = "applied",
        timeout_s: float = 30.0,
    ) -> Question[ReceiptView]:
        """Have the cell propose actions that take effect together; return the ReceiptView.

        Its id is the proposal's. An action is `{"action": "set", "name": "epoch_rounds",
        "value": 4096}`, for instance: docs/api.md has all.
        """
        fields: JsonObject = {"title": title, "actions": list(actions)}
        if rounds is not None:
            fields["rounds"] = rounds
        return submit("/api/v1/governance/proposals", fields, wait, timeout_s)

    @call
    def vote(
        self, proposal: str, vote: str, *, wait: str = "applied", timeout_s: float = 30.0
    ) -> Question[ReceiptView]:
        """Have the cell vote `yes`, `no` or `abstain` on a proposal; return the ReceiptView."""
        fields = {"proposal": proposal, "vote": vote}
        return submit("/api/v1/governance/votes", fields, wait, timeout_s)

    @call
    def announce(self, *, wait: str = "applied", timeout_s: float = 30.0) -> Question[ReceiptView]:
        """Have the cell say which versions its build knows; return the ReceiptView."""
        return submit("/api/v1/governance/announce", {}, wait, timeout_s)

    @call
    def proposals(
        self, *, state: str | None = None, after: str = "", limit: int = 100
    ) -> Question[ProposalsView]:
        """Return GovernanceViews, the newest first; go on with `after`: the `next` of the last."""
        query: dict[str, object] = {"limit": limit, **({"after": after} if after else {})}
        if state is not None:
            query["state"] = state
        return get("/api/v1/governance/proposals", query)

    @call
    def proposal(self, proposal: str) -> Question[GovernanceView]:
        """Return the GovernanceView of a proposal."""
        return get(at("/api/v1/governance/proposals/{id}", id=proposal))

    @call
    def rules(self) -> Question[RulesView]:
        """Return the RulesView."""
        return get("/api/v1/governance/rules")
