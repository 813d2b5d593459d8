"""What is asked about amounts: request models."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from core.limits import INT_MAX
from gateway.asks import LimitAsk, WaitAsk
from gateway.kinds import Digits, Object, Text
from gateway.limits import ACCOUNT_NAME_LENGTH_MAX
from gateway.reading import Ask
from ledger.limits import KIND_LENGTH_MAX


class ActAsk(WaitAsk):
    """A transaction that the cell is to sign with its key."""

    kind: Annotated[str, Text(1, KIND_LENGTH_MAX)]
    """Which one, such as `transfer`."""
    arguments: Annotated[dict[str, object], Object()] = Field(default_factory=dict)
    """By the names in docs/transactions.md."""


class AccountAsk(Ask):
    """An account."""

    account: Annotated[str, Text(1, ACCOUNT_NAME_LENGTH_MAX)] = ""
    """A cell id, a member's name, a public key in hex, or `treasury`; the cell's own unless given.
    """


class MovesAsk(AccountAsk, LimitAsk):
    """What became of an account, the newest first."""

    before: Annotated[int, Digits(1)] = INT_MAX
    """Only what rounds before this one made of it."""


class MultisigsAsk(AccountAsk, LimitAsk):
    """Accounts of which a key is one."""


class TokenAsk(AccountAsk):
    """A token, and whose share of it is asked about."""

    symbol: Annotated[str, Text(1, ACCOUNT_NAME_LENGTH_MAX)]
    """Its symbol."""
