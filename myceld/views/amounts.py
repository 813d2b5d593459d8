"""Answers about amounts. Made by scripts/docs-client: change nothing here."""

from __future__ import annotations

from typing import TypedDict


class AllowanceView(TypedDict):
    """What somebody may still pay from an account."""

    amount: int
    expires_round: int
    """The last round in which it holds; 0 for no end."""
    spender: str


class PurseView(TypedDict):
    """One account and what it has."""

    account: str
    """In hex, or `treasury`."""
    allowances: list[AllowanceView]
    amount: str
    """The balance in PRANA."""
    balance: int
    cell_id: str
    """Of the key; empty for the treasury and for a multi-signature account."""
    is_given_up: bool
    """Whether the key was given up: then what is paid to it reaches `successor`."""
    successor: str


class MoveView(TypedDict):
    """What a round made of an account."""

    balance: int
    """After it."""
    change: int | None
    """By which it grew or shrank; None where the balance before is not kept here."""
    round: int


class MovesView(TypedDict):
    """What rounds made of an account, the newest first; fees are in it."""

    account: str
    items: list[MoveView]
    next: int | None
    """Ask for what was before this round; None at the end of what is kept."""


class SpendView(TypedDict):
    """A payment that waits for approvals."""

    amount: int
    approvals: list[str]
    """Cell ids."""
    expires_round: int
    id: str
    memo: str
    proposer: str
    symbol: str
    """Of the token, empty for PRANA."""
    to: str


class MultisigView(TypedDict):
    """A multi-signature account."""

    account: str
    balance: int
    keys: list[str]
    """Cell ids, as the account was made with."""
    name: str
    spends: list[SpendView]
    threshold: int


class SupplyView(TypedDict):
    """How much PRANA there is."""

    account_minimum: int
    amount: str
    """The total in PRANA."""
    burned: int
    fee_per_cost: int
    issued: int
    total: int
    treasury: int


class TokenView(TypedDict):
    """A token of a market."""

    cap: int
    """0 for none."""
    decimals: int
    held: int
    """By the account that was asked about."""
    is_burnable: bool
    is_fixed: bool
    """Whether only the issuer passes it on."""
    is_mintable: bool
    issuer: str
    name: str
    round: int
    supply: int
    symbol: str
