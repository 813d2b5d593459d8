"""What the gateway shows of governance, and what it asks of the cell for that.

The values become the JSON of docs/api.md; see `gateway.views` for what all of them have in common.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from gateway.views import ReceiptView, Stage


@dataclass(frozen=True, slots=True)
class ActionWish:
    """One action that is to be proposed. `action` says which of the other fields count."""

    action: str
    """`add`, `remove`, `weight`, `set`, `issue`, `burn`, `pay-out`, `upgrade` or `text`."""
    cell: str = ""
    """Of a change of members: a cell id, or a member's name."""
    name: str = ""
    """Of the new member, or of the parameter."""
    weight: int = 0
    value: int = 0
    account: str = ""
    """Of `issue`, `burn` and `pay-out`: a cell id, a member's name, an id in hex, or `treasury`."""
    amount: int = 0
    """Base units of PRANA."""
    memo: str = ""
    epoch: int = 0
    rule_set: int | None = None
    wire_version: int | None = None
    transaction_version: int | None = None
    """None: the one in force."""
    release: str = ""
    hash: bytes = b""
    url: str = ""


@dataclass(frozen=True, slots=True)
class ProposalWish:
    """What is to be proposed."""

    title: str
    actions: Sequence[ActionWish]
    rounds: int


@dataclass(frozen=True, slots=True)
class VoteView:
    """What one member says to a proposal."""

    cell_id: str
    name: str
    """Empty for who is no member any more."""
    weight: int
    """In the present roster; 0 for who is no member any more."""
    vote: str
    """`yes`, `no` or `abstain`."""


@dataclass(frozen=True, slots=True)
class ProposalsView:
    """Proposals, the newest first."""

    items: Sequence[GovernanceView]
    next: str | None
    """`after` of the next part; null at the end."""


@dataclass(frozen=True, slots=True)
class GovernanceView:
    """A proposal: what it does, who voted what, and what became of it."""

    id: str
    title: str
    """Empty for one that came by `myceld member propose`."""
    actions: list[Mapping[str, object]]
    """Each with `action` and the fields that it has when it is proposed."""
    proposer: str
    """Cell id."""
    round: int
    expires_round: int
    """The last round in which it can be voted on."""
    votes: list[VoteView]
    weight_yes: int
    weight_no: int
    weight_abstain: int
    weight_total: int
    """Of the present roster."""
    state: str
    """`open`, `accepted`, `refused` or `expired`."""
    closed_round: int | None
    """In which it was accepted or refused."""


@dataclass(frozen=True, slots=True)
class ParameterView:
    """A parameter of the network that members can set."""

    name: str
    value: int
    """What holds now."""
    default: int
    low: int
    high: int
    holds: str
    """From when on a new value holds: `at once` or `next epoch`."""
    what: str


@dataclass(frozen=True, slots=True)
class SupportView:
    """What a member announced that its build knows."""

    cell_id: str
    name: str
    rule_sets: list[int]
    wire_versions: list[int]
    transaction_versions: list[int]
    """All empty for a member that announced nothing yet."""
    release: str


@dataclass(frozen=True, slots=True)
class RulesView:
    """By which rules the network runs, what members can set, and what their builds know."""

    epoch: int
    rule_set: int
    wire_version: int
    transaction_version: int
    parameters: list[ParameterView]
    supports: list[SupportView]


class GovernanceCell(Protocol):
    """What the gateway's routes of governance need of a running cell."""

    async def propose(self, wish: ProposalWish, *, wait: Stage, timeout_s: float) -> ReceiptView:
        """Sign a proposal with the cell's key and submit it; its id is the transaction's.

        Raises NoSuchCell, TransactionRefused or what `submit` raises.
        """
        ...

    async def vote(
        self, proposal: bytes, vote: str, *, wait: Stage, timeout_s: float
    ) -> ReceiptView:
        """Sign a vote with the cell's key and submit it; raises as `propose`."""
        ...

    async def announce(self, *, wait: Stage, timeout_s: float) -> ReceiptView:
        """Say what this build knows, signed with the cell's key; raises as `propose`."""
        ...

    async def proposals(self, state: str | None, after: bytes | None, limit: int) -> ProposalsView:
        """Return the newest proposals, or those that come after one, of one state if given.

        Raises NoProposal if there is none to come after.
        """
        ...

    async def proposal(self, proposal: bytes) -> GovernanceView:
        """Return a proposal; raises NoProposal."""
        ...

    async def rules(self) -> RulesView:
        """Return the rules that hold, and what members announced."""
        ...
