"""Replay protection: which nonces of a sender are used.

A sliding window in the manner of RFC 6479: the highest nonce used, and one bit for each of the
NONCE_WINDOW nonces up to it. A nonce is free when it is above the highest, or inside the window
with its bit clear. So a lost transaction never blocks later ones, parallel ones may arrive out of
order, and a refusal is for ever.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from core.codec import as_array, as_bytes, as_int, decode, encode
from core.ids import PublicKey
from ledger.limits import NONCE_WINDOW

ACCOUNT_PREFIX: Final = b"account/"
"""State keys of accounts: this prefix, then the public key."""

_MASK: Final = (1 << NONCE_WINDOW) - 1
_WINDOW_BYTES: Final = NONCE_WINDOW // 8


@dataclass(frozen=True, slots=True)
class NonceWindow:
    """The used nonces of one sender: bit i of `used` stands for nonce `highest` - i."""

    highest: int = -1
    used: int = 0

    def is_free(self, nonce: int) -> bool:
        """Return whether `nonce` may still be used."""
        age = self.highest - nonce
        if age < 0:
            return True
        return age < NONCE_WINDOW and not self.used >> age & 1

    def with_used(self, nonce: int) -> NonceWindow:
        """Return the window after `nonce` (which must be free) was used."""
        age = self.highest - nonce
        if age < 0:
            return NonceWindow(nonce, (self.used << min(-age, NONCE_WINDOW) | 1) & _MASK)
        return NonceWindow(self.highest, self.used | 1 << age)


def account_key(sender: PublicKey) -> bytes:
    """Return the state key of a sender's account."""
    return ACCOUNT_PREFIX + sender


def encode_account(window: NonceWindow) -> bytes:
    """Return the state value of an account."""
    return encode([window.highest, window.used.to_bytes(_WINDOW_BYTES, "big")])


def decode_account(value: bytes) -> NonceWindow:
    """Return the window in a state value; raises NotCanonical or WrongShape."""
    highest, used = as_array(decode(value), length=2)
    window = int.from_bytes(as_bytes(used, size=_WINDOW_BYTES), "big")
    return NonceWindow(as_int(highest), window)
