"""What the gateway shows of amounts, and what it asks of the cell for that.

The values become the JSON of docs/api.md; see `gateway.views` for what all of them have in common.
Amounts are whole numbers of base units, of PRANA unless a token is named. An account is shown by
its cell id, where it has one, and by its id in hex.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from gateway.views import ReceiptView, Stage


@dataclass(frozen=True, slots=True)
class ActWish:
    """What the cell is to sign and submit."""

    kind: str
    arguments: Mapping[str, object]
    """By the names in docs/transactions.md."""


@dataclass(frozen=True, slots=True)
class AllowanceView:
    """What somebody may still pay from an account."""

    spender: str
    amount: int
    expires_round: int
    """The last round in which it holds; 0 for no end."""


@dataclass(frozen=True, slots=True)
class PurseView:
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


@dataclass(frozen=True, slots=True)
class MoveView:
    """What a round made of an account."""

    round: int
    balance: int
    """After it."""
    change: int | None
    """By which it grew or shrank; None where the balance before is not kept here."""


@dataclass(frozen=True, slots=True)
class MovesView:
    """What rounds made of an account, the newest first; fees are in it."""

    account: str
    items: list[MoveView]
    next: int | None
    """Ask for what was before this round; None at the end of what is kept."""


@dataclass(frozen=True, slots=True)
class SupplyView:
    """How much PRANA there is."""

    issued: int
    burned: int
    total: int
    amount: str
    """The total in PRANA."""
    treasury: int
    fee_per_cost: int
    account_minimum: int


@dataclass(frozen=True, slots=True)
class SpendView:
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


@dataclass(frozen=True, slots=True)
class MultisigView:
    """A multi-signature account."""

    account: str
    name: str
    threshold: int
    keys: list[str]
    """Cell ids, as the account was made with."""
    balance: int
    spends: list[SpendView]


@dataclass(frozen=True, slots=True)
class TokenView:
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


class PranaCell(Protocol):
    """What the gateway needs of a cell for amounts. An account is named as docs/api.md says."""

    async def act(self, wish: ActWish, *, wait: Stage, timeout_s: float) -> ReceiptView:
        """Sign a transaction with the cell's key and submit it, as `submit` does.

        Raises BadRequest, NoSuchCell, TransactionRefused or what `submit` raises.
        """
        ...

    async def purse(self, account: str) -> PurseView:
        """Return an account, the cell's own if empty; raises NoSuchCell."""
        ...

    async def moves(self, account: str, before: int, limit: int) -> MovesView:
        """Return what rounds before one made of an account; raises NoSuchCell."""
        ...

    async def supply(self) -> SupplyView:
        """Return how much PRANA there is."""
        ...

    async def multisig(self, account: str) -> MultisigView:
        """Return a multi-signature account; raises NoSuchMultisig."""
        ...

    async def multisigs(self, key: str, limit: int) -> list[MultisigView]:
        """Return those of which a key, the cell's own if empty, is one; raises NoSuchCell."""
        ...

    async def token(self, symbol: str, account: str) -> TokenView:
        """Return a token, and what an account has of it; raises NoSuchToken, NoSuchCell."""
        ...

    async def tokens(self, limit: int) -> list[TokenView]:
        """Return tokens in the order of their symbols, and what this cell has of each."""
        ...
