"""The state while a round is applied: what its transactions wrote so far, over what is durable.

Everything a transaction writes goes through here, and can be undone at once, which is how a batch
applies whole or not at all: the values that were there before are noted, nothing is copied.
Accounts are kept decoded and encoded once, at the end of the round. `close` checks that no PRANA
and no token was made or lost.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, TypeAlias

from core.errors import check
from core.ids import AccountId
from ledger.accounts import ACCOUNT_PREFIX, Account, decode_account
from ledger.conservation import check_conserved

Read: TypeAlias = Callable[[bytes], bytes | None]
"""State key -> its value, None for none."""

_PREFIX_LENGTH: Final = len(ACCOUNT_PREFIX)
_NOTHING: Final = object()


class Overlay:
    """The writes of one round. The only place that knows the state in the middle of it."""

    def __init__(self, read: Read, account: Callable[[AccountId], Account]) -> None:
        """`read` and `account` are the state before the round."""
        self._read = read
        self._load = account
        self._changes: dict[bytes, bytes | None] = {}
        self._accounts: dict[AccountId, Account] = {}
        self._loaded: dict[AccountId, Account] = {}
        self._undo: list[tuple[dict[Any, Any], bytes, object]] = []

    def read(self, key: bytes) -> bytes | None:
        """Return the value of a state key as the transactions before left it, None for none."""
        if key in self._changes:
            return self._changes[key]
        if key.startswith(ACCOUNT_PREFIX):
            account = self._accounts.get(AccountId(key[_PREFIX_LENGTH:]))
            if account is not None:
                return account.encode()
        return self._read(key)

    def write(self, changes: Iterable[tuple[bytes, bytes | None]]) -> None:
        """Set values of state keys. Accounts are set with `set_account`."""
        kept, undo = self._changes, self._undo
        for key, value in changes:
            check(not key.startswith(ACCOUNT_PREFIX), "an account is written past the balances")
            undo.append((kept, key, kept.get(key, _NOTHING)))
            kept[key] = value

    def account(self, owner: AccountId) -> Account:
        """Return an account as the transactions before left it."""
        account = self._accounts.get(owner)
        if account is None:
            account = self._loaded.get(owner)
            if account is None:
                account = self._loaded[owner] = self._load(owner)
        return account

    def set_account(self, owner: AccountId, account: Account) -> None:
        """Set an account that was read before."""
        self._undo.append((self._accounts, owner, self._accounts.get(owner, _NOTHING)))
        self._accounts[owner] = account

    def keep(self) -> None:
        """Begin a transaction: what was written so far stays."""
        self._undo.clear()

    def undo(self) -> None:
        """Take back everything since `keep`."""
        for table, key, before in reversed(self._undo):
            if before is _NOTHING:
                del table[key]
            else:
                table[key] = before
        self._undo.clear()

    @property
    def accounts(self) -> Mapping[AccountId, Account]:
        """The accounts that changed."""
        return self._accounts

    def close(self) -> dict[bytes, bytes | None]:
        """Return all changes of the round, each key once; raises NotConserved."""
        moved = sum(
            account.balance - self._loaded[owner].balance
            for owner, account in self._accounts.items()
        )
        check_conserved(moved, self._changes, self._read)
        for owner, account in self._accounts.items():
            self._changes[ACCOUNT_PREFIX + owner] = account.encode()
        return self._changes


def account_in(read: Read, owner: AccountId) -> Account:
    """Return an account from a state."""
    value = read(ACCOUNT_PREFIX + owner)
    return Account() if value is None else decode_account(value)
