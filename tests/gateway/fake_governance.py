"""The part of the fake cell that is about governance."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeAlias

from gateway.errors import NoProposal
from gateway.governance_views import (
    GovernanceView,
    ParameterView,
    ProposalsView,
    ProposalWish,
    RulesView,
    SupportView,
    VoteView,
)
from gateway.views import ReceiptView, Stage

Taken: TypeAlias = Callable[[str, object, Stage, float], Awaitable[ReceiptView]]
"""Notes a call and makes its receipt."""

PROPOSAL = GovernanceView(
    id="ab" * 32,
    title="a mo\x1b[31mtion",
    actions=[
        {"action": "add", "cell": "12D3KooWNew", "name": "do\x1b[31mra", "weight": 2},
        {"action": "remove", "cell": "12D3KooWOther"},
        {"action": "weight", "cell": "12D3KooWOther", "weight": 3},
        {"action": "set", "name": "epoch_rounds", "value": 4096},
        {
            "action": "upgrade",
            "epoch": 9,
            "rule_set": 3,
            "wire_version": 2,
            "transaction_version": 1,
            "release": "myceld 2",
        },
        {"action": "text", "hash": "cd" * 32, "url": "https://example.org"},
        {"action": "issue", "account": "treasury", "amount": "12.5"},
        {"action": "burn", "account": "aa", "amount": "1"},
        {"action": "pay-out", "account": "bb", "amount": "2", "memo": "a disk"},
        {"action": "later", "field": 1},
    ],
    proposer="12D3KooWFakeCell",
    round=7,
    expires_round=107,
    votes=[
        VoteView("12D3KooWFakeCell", "alpha", 1, "yes"),
        VoteView("12D3KooWGone", "", 0, "no"),
    ],
    weight_yes=1,
    weight_no=0,
    weight_abstain=0,
    weight_total=2,
    state="open",
    closed_round=None,
)


class FakeGovernance:
    """Has one open proposal."""

    def __init__(self, taken: Taken) -> None:
        self._taken_by = taken

    async def propose(self, wish: ProposalWish, *, wait: Stage, timeout_s: float) -> ReceiptView:
        return await self._taken_by("propose", wish, wait, timeout_s)

    async def vote(
        self, proposal: bytes, vote: str, *, wait: Stage, timeout_s: float
    ) -> ReceiptView:
        return await self._taken_by("vote", (proposal, vote), wait, timeout_s)

    async def announce(self, *, wait: Stage, timeout_s: float) -> ReceiptView:
        return await self._taken_by("announce", None, wait, timeout_s)

    async def proposals(self, state: str | None, after: bytes | None, limit: int) -> ProposalsView:
        if after is not None:
            await self.proposal(after)
            return ProposalsView([], None)
        return ProposalsView([PROPOSAL][:limit] if state in (None, "open") else [], PROPOSAL.id)

    async def proposal(self, proposal: bytes) -> GovernanceView:
        if proposal.hex() != PROPOSAL.id:
            raise NoProposal("there is none")
        return PROPOSAL

    async def rules(self) -> RulesView:
        return RulesView(
            epoch=3,
            rule_set=2,
            wire_version=2,
            transaction_version=1,
            parameters=[
                ParameterView("epoch_rounds", 64, 2048, 16, 65_536, "next epoch", "Rounds.")
            ],
            supports=[
                SupportView("12D3KooWFakeCell", "alpha", [1, 2], [2], [1], "myceld 0.1"),
                SupportView("12D3KooWOther", "be\x1b[31mta", [], [], [], ""),
            ],
        )
