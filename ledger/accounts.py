"""Accounts: which nonces of a key are used, and how much PRANA it has, in one record.

The nonces are a sliding window in the manner of RFC 6479: the highest nonce used, and one bit for
each of the NONCE_WINDOW nonces up to it. A nonce is free when it is above the highest, or inside
the window with its bit clear. So a lost transaction never blocks later ones, parallel ones may
arrive out of order, and a refusal is for ever.

What has an account: every key that signed something or was paid, every multi-signature account
that was paid, and the treasury, which takes the fees. Only keys have nonces.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from core.codec import WrongShape, as_array, as_bool, as_bytes, as_int, decode, encode
from core.ids import AccountId, PublicKey
from core.limits import PUBLIC_KEY_SIZE_BYTES
from ledger.limits import NONCE_WINDOW, SUPPLY_MAX

ACCOUNT_PREFIX: Final = b"account/"
"""State keys of accounts: this prefix, then the account's id."""

TREASURY: Final = AccountId(b"treasury")
"""The account that takes the fees. No key is so short: only governance can spend from it."""

_VERSION: Final = 2
_MASK: Final = (1 << NONCE_WINDOW) - 1
_WINDOW_BYTES: Final = NONCE_WINDOW // 8


@dataclass(frozen=True, slots=True)
class Account:
    """The used nonces of a key (bit i of `used` stands for nonce `highest` - i), and its PRANA."""

    highest: int = -1
    used: int = 0
    balance: int = 0
    is_given_up: bool = False
    """Whether the key was given up for another one."""

    @property
    def is_new(self) -> bool:
        """Whether nothing was ever signed by it, and it has nothing: as if it were not there."""
        return self.highest < 0 and self.balance == 0

    def is_free(self, nonce: int) -> bool:
        """Return whether `nonce` may still be used."""
        age = self.highest - nonce
        if age < 0:
            return True
        return age < NONCE_WINDOW and not self.used >> age & 1

    def with_used(self, nonce: int) -> Account:
        """Return the account after `nonce` (which must be free) was used."""
        age = self.highest - nonce
        highest, used = self.highest, self.used
        if age < 0:
            highest, used = nonce, (used << min(-age, NONCE_WINDOW) | 1) & _MASK
        else:
            used |= 1 << age
        return Account(highest, used, self.balance, self.is_given_up)

    def with_balance(self, balance: int) -> Account:
        """Return the account with another balance."""
        return Account(self.highest, self.used, balance, self.is_given_up)

    def encode(self) -> bytes:
        """Return the state value: [2, highest nonce, used nonces, balance, whether given up]."""
        used = self.used.to_bytes(_WINDOW_BYTES, "big")
        return encode([_VERSION, self.highest, used, self.balance, self.is_given_up])


NO_ACCOUNT: Final = Account()
"""What a key has that was never heard of."""


def account_key(owner: AccountId | PublicKey) -> bytes:
    """Return the state key of an account."""
    return ACCOUNT_PREFIX + owner


def decode_account(value: bytes) -> Account:
    """Return the account in a state value; raises NotCanonical or WrongShape."""
    version, highest, used, balance, given_up = as_array(decode(value), length=5)
    if version != _VERSION or isinstance(version, bool):
        raise WrongShape("not an account of a version known here")
    return Account(
        as_int(highest, low=-1),
        int.from_bytes(as_bytes(used, size=_WINDOW_BYTES), "big"),
        as_int(balance, high=SUPPLY_MAX),
        as_bool(given_up),
    )


def is_account_id(raw: bytes) -> bool:
    """Return whether bytes can name an account."""
    return len(raw) == PUBLIC_KEY_SIZE_BYTES or raw == TREASURY
