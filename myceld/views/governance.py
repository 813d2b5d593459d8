"""Answers about governance. Made by scripts/docs-client: change nothing here."""

from __future__ import annotations

from typing import Any, TypedDict


class VoteView(TypedDict):
    """What one member says to a proposal."""

    cell_id: str
    name: str
    """Empty for who is no member any more."""
    weight: int
    """In the present roster; 0 for who is no member any more."""
    vote: str
    """`yes`, `no` or `abstain`."""


class GovernanceView(TypedDict):
    """A proposal: what it does, who voted what, and what became of it."""

    id: str
    title: str
    """Empty for one that came by `myceld member propose`."""
    actions: list[dict[str, Any]]
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


class ParameterView(TypedDict):
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


class SupportView(TypedDict):
    """What a member announced that its build knows."""

    cell_id: str
    name: str
    rule_sets: list[int]
    wire_versions: list[int]
    transaction_versions: list[int]
    """All empty for a member that announced nothing yet."""
    release: str


class RulesView(TypedDict):
    """By which rules the network runs, what members can set, and what their builds know."""

    epoch: int
    rule_set: int
    wire_version: int
    transaction_version: int
    parameters: list[ParameterView]
    supports: list[SupportView]
