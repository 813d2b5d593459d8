"""How much PRANA there is: issued and burned by governance only, never by a sender's transaction.

The record "supply" holds what was ever issued and ever burned; what the genesis gave counts as
issued. `issue_changes` and `burn_changes` are for governance, which decides when they are called:
no kind of transaction does by itself.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from core.codec import WrongShape, as_array, as_int, decode, encode
from core.ids import AccountId
from ledger.context import Accounts
from ledger.errors import InsufficientFunds, SupplyExceeded, ZeroAmount
from ledger.limits import SUPPLY_MAX

SUPPLY_KEY: Final = b"supply"
"""State key of the supply of PRANA; absent where none was ever issued."""

Read = Callable[[bytes], bytes | None]
"""State key -> its value, None for none."""


@dataclass(frozen=True, slots=True)
class Supply:
    """Base units that were ever issued, and ever burned."""

    issued: int = 0
    burned: int = 0

    @property
    def total(self) -> int:
        """What all accounts have together."""
        return self.issued - self.burned

    def encode(self) -> bytes:
        """Return the state value: [issued, burned]."""
        return encode([self.issued, self.burned])


def decode_supply(value: bytes | None) -> Supply:
    """Return the supply in a state value; raises NotCanonical or WrongShape."""
    if value is None:
        return Supply()
    issued, burned = (as_int(item, high=SUPPLY_MAX) for item in as_array(decode(value), length=2))
    if burned > issued:
        raise WrongShape("expected less to be burned than was issued")
    return Supply(issued, burned)


def issue_changes(
    owner: AccountId, amount: int, accounts: Accounts, read: Read
) -> list[tuple[bytes, bytes]]:
    """Give new PRANA to an account; return what else that writes.

    Raises ZeroAmount, or SupplyExceeded when more was ever issued than numbers can say.
    """
    supply = decode_supply(read(SUPPLY_KEY))
    if amount < 1:
        raise ZeroAmount("nothing to issue")
    if supply.issued + amount > SUPPLY_MAX:
        raise SupplyExceeded(f"{supply.issued} base units were issued, at most {SUPPLY_MAX} can be")
    account = accounts.account(owner)
    accounts.set_account(owner, account.with_balance(account.balance + amount))
    return [(SUPPLY_KEY, Supply(supply.issued + amount, supply.burned).encode())]


def burn_changes(
    owner: AccountId, amount: int, accounts: Accounts, read: Read
) -> list[tuple[bytes, bytes]]:
    """Take PRANA out of the world, from an account; return what else that writes.

    Raises ZeroAmount or InsufficientFunds.
    """
    supply = decode_supply(read(SUPPLY_KEY))
    account = accounts.account(owner)
    if amount < 1:
        raise ZeroAmount("nothing to burn")
    if account.balance < amount:
        raise InsufficientFunds(f"the account has {account.balance} base units, not {amount}")
    accounts.set_account(owner, account.with_balance(account.balance - amount))
    return [(SUPPLY_KEY, Supply(supply.issued, supply.burned + amount).encode())]
