"""Ed25519 keys (RFC 8032, by libsodium): sign, verify, and the cell id of a key.

Pure: keys come in as bytes, nothing is read from disk and no randomness is drawn here.
The seed never shows in `repr`, in errors or in comparisons.
"""

from __future__ import annotations

from collections.abc import Iterable

from nacl.bindings import crypto_sign_open
from nacl.exceptions import BadSignatureError
from nacl.signing import SigningKey

from core.ids import CellId, PublicKey, Signature, cell_id_of
from core.limits import PUBLIC_KEY_SIZE_BYTES, SIGNATURE_SIZE_BYTES
from identity.errors import NotAKey


class KeyPair:
    """One Ed25519 key pair made from its 32-byte seed."""

    __slots__ = ("_key", "cell_id", "public_key")

    def __init__(self, seed: bytes) -> None:
        """Derive the pair; raises NotAKey unless `seed` has 32 bytes."""
        if len(seed) != PUBLIC_KEY_SIZE_BYTES:
            raise NotAKey(f"a seed has 32 bytes, not {len(seed)}")
        self._key = SigningKey(seed)
        self.public_key = PublicKey(bytes(self._key.verify_key))
        self.cell_id: CellId = cell_id_of(self.public_key)

    @property
    def seed(self) -> bytes:
        """The 32 secret bytes, for the transport that needs the key itself."""
        return bytes(self._key)

    def sign(self, message: bytes) -> Signature:
        """Return the 64-byte signature of `message`."""
        return Signature(self._key.sign(message).signature)

    def __repr__(self) -> str:
        return f"KeyPair({self.cell_id})"


def verify(public_key: PublicKey, message: bytes, signature: bytes) -> bool:
    """Return whether `signature` is `public_key`'s signature of `message`.

    Strict as libsodium is: small-order keys and non-canonical signatures are refused.
    """
    if len(signature) != SIGNATURE_SIZE_BYTES or len(public_key) != PUBLIC_KEY_SIZE_BYTES:
        return False
    try:
        crypto_sign_open(signature + message, public_key)
    except (BadSignatureError, ValueError):
        return False
    return True


def verify_all(items: Iterable[tuple[PublicKey, bytes, bytes]]) -> list[bool]:
    """Return `verify` for each (public key, message, signature).

    libsodium runs outside the interpreter lock, so this can run on a thread beside the event loop.
    """
    return [verify(public_key, message, signature) for public_key, message, signature in items]
