"""Payments: PRANA goes from one account to another, whole base units, nothing is made or lost.

    transfer        [to, amount, memo]

A payment to a key that was given up reaches the one that followed. What an account never had before
must be at least the network's `account_minimum`: small accounts cost every cell as much as large
ones. The memo stays in the transaction; the state has no copy.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from core.codec import Value, as_array, as_bytes, as_int, as_text
from core.ids import AccountId, Amount, PublicKey
from core.limits import INT_MAX
from ledger.accounts import NO_ACCOUNT, Account, is_account_id
from ledger.context import Context
from ledger.cost import cost_of, text_size_bytes
from ledger.errors import (
    BadTransfer,
    BelowAccountMinimum,
    InsufficientFunds,
    SelfTransfer,
    ZeroAmount,
)
from ledger.limits import MEMO_SIZE_BYTES_MAX
from ledger.names import is_line
from ledger.parameters import ACCOUNT_MINIMUM, read_parameter
from ledger.succession import current_key

TRANSFER_WRITES = 2


@dataclass(frozen=True, slots=True)
class Transfer:
    """Pay somebody from the sender's account."""

    to: AccountId
    amount: Amount
    memo: str = ""


def parse_transfer(items: list[Value]) -> Transfer:
    """Return the checked arguments of `transfer`; raises BadTransfer, ZeroAmount or WrongShape."""
    to, amount, memo = as_array(items, length=3)
    return Transfer(account_id(to), positive_amount(amount), memo_line(memo))


def build_transfer(transfer: Transfer) -> Sequence[Value]:
    """Return the encodable arguments of `transfer`."""
    return transfer.to, transfer.amount, transfer.memo


def transfer_cost(transfer: Transfer) -> int:
    """Return what a transfer costs."""
    return cost_of(writes=TRANSFER_WRITES, size_bytes=text_size_bytes(transfer.memo))


def transfer_changes(transfer: Transfer, context: Context) -> list[tuple[bytes, bytes]]:
    """Pay; raises InsufficientFunds, SelfTransfer or BelowAccountMinimum."""
    pay(AccountId(context.sender), transfer.to, transfer.amount, context)
    return []


def pay(source: AccountId, to: AccountId, amount: int, context: Context) -> None:
    """Move an amount from one account to another, or to that of the key which followed.

    Raises InsufficientFunds, SelfTransfer or BelowAccountMinimum.
    """
    accounts = context.accounts
    paying = accounts.account(source)
    if paying.balance < amount:
        raise InsufficientFunds(
            f"the account has {paying.balance} base units, not the {amount} that are to be paid"
        )
    payee, paid = reached(to, context)
    if payee == source:
        raise SelfTransfer("payer and payee are the same account")
    if paid == NO_ACCOUNT:
        least = read_parameter(context.read, ACCOUNT_MINIMUM)
        if amount < least:
            raise BelowAccountMinimum(f"{amount} base units open no account, but {least} do")
    accounts.set_account(source, paying.with_balance(paying.balance - amount))
    accounts.set_account(payee, paid.with_balance(paid.balance + amount))


def reached(to: AccountId, context: Context) -> tuple[AccountId, Account]:
    """Return whom a payment reaches, and the account: of the key that followed a given-up one."""
    account = context.accounts.account(to)
    if not account.is_given_up:
        return to, account
    payee = AccountId(current_key(context.read, PublicKey(to)))
    return payee, context.accounts.account(payee)


def account_id(value: Value) -> AccountId:
    """Return an account's id; raises BadTransfer or WrongShape."""
    raw = as_bytes(value)
    if not is_account_id(raw):
        raise BadTransfer(f"{len(raw)} bytes name no account")
    return AccountId(raw)


def positive_amount(value: Value) -> Amount:
    """Return an amount; raises ZeroAmount or WrongShape."""
    amount = as_int(value, low=-INT_MAX - 1)
    if amount < 1:
        raise ZeroAmount(f"{amount} is no amount to pay")
    return Amount(amount)


def memo_line(value: Value) -> str:
    """Return a memo; raises BadTransfer or WrongShape."""
    memo = as_text(value, length_max=INT_MAX)
    if not is_line(memo, MEMO_SIZE_BYTES_MAX):
        raise BadTransfer(
            f"a memo is one line of at most {MEMO_SIZE_BYTES_MAX} bytes, without controls"
        )
    return memo
