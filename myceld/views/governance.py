"""Answers about governance. Made by scripts/docs-client: change nothing here."""

from __future__ import annotations

from typing import Any, TypedDict


class VoteView(TypedDict):
    """What one member says to a proposal."""

    cell_id: str
    name: str
    """Empty for who is no member any more."""
    vote: str
    """`yes`, `no` or `abstain`."""
    weight: int
    """In the present roster; 0 for who is no member any more."""


class GovernanceView(TypedDict):
    """A proposal: what it does, who voted what, and what became of it."""

    actions: list[dict[str, Any]]
    """Each with `action` and the fields that it has when it is proposed."""
    closed_round: int | None
    """In which it was accepted or refused."""
    expires_round: int
    """The last round in which it can be voted on."""
    id: str
    proposer: str
    """Cell id."""
    round: int
    state: str
    """`open`, `accepted`, `refused` or `expired`."""
    title: str
    """Empty for one that came by `myceld member propose`."""
    votes: list[VoteView]
    weight_abstain: int
    weight_no: int
    weight_total: int
    """Of the present roster."""
    weight_yes: int


class ProposalsView(TypedDict):
    """Proposals, the newest first."""

    items: list[GovernanceView]
    next: str | None
    """`after` of the next part; null at the end."""


class ParameterView(TypedDict):
    """A parameter of the network that members can set."""

    default: int
    high: int
    holds: str
    """From when on a new value holds: `at once` or `next epoch`."""
    low: int
    name: str
    value: int
    """What holds now."""
    what: str


class SupportView(TypedDict):
    """What a member announced that its build knows."""

    cell_id: str
    name: str
    release: str
    rule_sets: list[int]
    transaction_versions: list[int]
    """All empty for a member that announced nothing yet."""
    wire_versions: list[int]


class RulesView(TypedDict):
    """By which rules the network runs, what members can set, and what their builds know."""

    epoch: int
    parameters: list[ParameterView]
    rule_set: int
    supports: list[SupportView]
    transaction_version: int
    wire_version: int
