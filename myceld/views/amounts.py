"""Answers about amounts. Made by scripts/docs-client: change nothing here."""

from __future__ import annotations

from typing import TypedDict


class AllowanceView(TypedDict):
    """What somebody may still pay from an account."""

    spender: str
    amount: int
    expires_round: int
    """The last round in which it holds; 0 for no end."""


class PurseView(TypedDict):
    """One account and what it has."""

    account: str
    """In hex, or `treasury`."""
    cell_id: str
    """Of the key; empty for the treasury and for a multi-signature account."""
    balance: int
    amount: str
    """The balance in PRANA."""
    is_given_up: bool
    """Whether the key was given up: then what is paid to it reaches `successor`."""
    successor: str
    allowances: list[AllowanceView]


class MoveView(TypedDict):
    """What a round made of an account."""

    round: int
    balance: int
    """After it."""
    change: int | None
    """By which it grew or shrank; None where the balance before is not kept here."""


class MovesView(TypedDict):
    """What rounds made of an account, the newest first; fees are in it."""

    account: str
    items: list[MoveView]
    next: int | None
    """Ask for what was before this round; None at the end of what is kept."""


class SupplyView(TypedDict):
    """How much PRANA there is."""

    issued: int
    burned: int
    total: int
    amount: str
    """The total in PRANA."""
    treasury: int
    fee_per_cost: int
    account_minimum: int


class SpendView(TypedDict):
    """A payment that waits for approvals."""

    id: str
    proposer: str
    to: str
    amount: int
    symbol: str
    """Of the token, empty for PRANA."""
    memo: str
    expires_round: int
    approvals: list[str]
    """Cell ids."""


class MultisigView(TypedDict):
    """A multi-signature account."""

    account: str
    name: str
    threshold: int
    keys: list[str]
    """Cell ids, as the account was made with."""
    balance: int
    spends: list[SpendView]


class TokenView(TypedDict):
    """A token of a market."""

    symbol: str
    name: str
    decimals: int
    is_mintable: bool
    is_burnable: bool
    is_fixed: bool
    """Whether only the issuer passes it on."""
    cap: int
    """0 for none."""
    supply: int
    issuer: str
    round: int
    held: int
    """By the account that was asked about."""
