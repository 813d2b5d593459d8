"""A seed under a passphrase: Argon2id makes the key, XChaCha20-Poly1305 seals (both libsodium's).

Everything beside the sealed seed is its associated data: the version, the cost and salt of the
derivation, and the public key. What was changed is noticed, whatever it is. The cost is checked
before anything is allocated. Salt and nonce are passed in and must be fresh for each sealing.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Final

import nacl.bindings
import nacl.exceptions
import nacl.pwhash

from core.codec import encode
from core.ids import PublicKey
from identity.errors import CostTooHigh, CostTooLow, WrongPassphrase
from identity.limits import (
    KDF_MEMORY_KIB_DEFAULT,
    KDF_MEMORY_KIB_MAX,
    KDF_MEMORY_KIB_MIN,
    KDF_OPS_DEFAULT,
    KDF_OPS_MAX,
    KDF_OPS_MIN,
)
from identity.passphrase import Passphrase

SALT_SIZE_BYTES: Final = nacl.pwhash.argon2id.SALTBYTES
NONCE_SIZE_BYTES: Final = nacl.bindings.crypto_aead_xchacha20poly1305_ietf_NPUBBYTES
SEALED_SIZE_BYTES: Final = 32 + nacl.bindings.crypto_aead_xchacha20poly1305_ietf_ABYTES
_KEY_SIZE_BYTES: Final = nacl.bindings.crypto_aead_xchacha20poly1305_ietf_KEYBYTES
_DOMAIN: Final = "myceld/keystore/2"
_KDF: Final = "argon2id"


@dataclass(frozen=True, slots=True)
class Cost:
    """What one guess of a passphrase costs: passes over so much memory."""

    ops: int = KDF_OPS_DEFAULT
    memory_kib: int = KDF_MEMORY_KIB_DEFAULT

    def check_readable(self) -> None:
        """Raise CostTooHigh for what is not worth a start."""
        if self.ops > KDF_OPS_MAX or self.memory_kib > KDF_MEMORY_KIB_MAX:
            raise CostTooHigh(
                f"{self.ops} passes over {self.memory_kib} KiB are asked for, at most "
                f"{KDF_OPS_MAX} over {KDF_MEMORY_KIB_MAX} are done"
            )

    def check_new(self) -> None:
        """Raise CostTooLow or CostTooHigh for what no new file should have."""
        self.check_readable()
        if self.ops < KDF_OPS_MIN or self.memory_kib < KDF_MEMORY_KIB_MIN:
            raise CostTooLow(
                f"{self.ops} passes over {self.memory_kib} KiB, at least "
                f"{KDF_OPS_MIN} over {KDF_MEMORY_KIB_MIN} are taken"
            )


@dataclass(frozen=True, slots=True)
class SealedSeed:
    """A sealed seed with everything but the passphrase that opening it takes."""

    cost: Cost
    salt: bytes
    public_key: PublicKey
    nonce: bytes
    sealed: bytes

    @property
    def header(self) -> bytes:
        """The canonical bytes that the sealing authenticates."""
        cost = self.cost
        return encode([_DOMAIN, _KDF, cost.ops, cost.memory_kib, self.salt, self.public_key])

    @property
    def checksum(self) -> bytes:
        """SHA-256 over all of it: tells a damaged file from a wrong passphrase. It keeps no secret
        and proves nothing against somebody who means ill."""
        return hashlib.sha256(encode([self.header, self.nonce, self.sealed])).digest()

    def open(self, passphrase: Passphrase) -> bytes:
        """Return the seed; raises CostTooHigh, before anything is allocated, or WrongPassphrase."""
        self.cost.check_readable()
        key = _derive(passphrase, self.salt, self.cost)
        try:
            return nacl.bindings.crypto_aead_xchacha20poly1305_ietf_decrypt(
                self.sealed, self.header, self.nonce, key
            )
        except nacl.exceptions.CryptoError:
            raise WrongPassphrase("the passphrase does not open the key") from None


def seal(
    seed: bytes,
    public_key: PublicKey,
    passphrase: Passphrase,
    cost: Cost,
    *,
    salt: bytes,
    nonce: bytes,
) -> SealedSeed:
    """Return the seed under the passphrase; raises CostTooLow, CostTooHigh, BadPassphrase."""
    cost.check_new()
    passphrase.check_new()
    empty = SealedSeed(cost, salt, public_key, nonce, b"")
    key = _derive(passphrase, salt, cost)
    sealed = nacl.bindings.crypto_aead_xchacha20poly1305_ietf_encrypt(
        seed, empty.header, nonce, key
    )
    return SealedSeed(cost, salt, public_key, nonce, sealed)


def _derive(passphrase: Passphrase, salt: bytes, cost: Cost) -> bytes:
    return nacl.pwhash.argon2id.kdf(
        _KEY_SIZE_BYTES,
        passphrase.secret,
        salt,
        opslimit=cost.ops,
        memlimit=cost.memory_kib * 1024,
    )
