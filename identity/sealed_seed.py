"""A seed under a passphrase: Argon2id makes the key, XChaCha20-Poly1305 seals (both libsodium's).

Everything beside the sealed seed is its associated data: the version, the cost and salt of the
derivation, and the public key. What was changed is noticed, whatever it is. The cost is checked
before anything is allocated. Salt and nonce are passed in and must be fresh for each sealing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import nacl.bindings
import nacl.exceptions
import nacl.pwhash

from core.codec import Value, encode
from core.ids import PublicKey
from identity.errors import CostOutOfBounds, CostTooHigh, WrongPassphrase
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
                f"{self} are asked for, at most {Cost(KDF_OPS_MAX, KDF_MEMORY_KIB_MAX)} are done"
            )

    def check_new(self) -> None:
        """Raise CostOutOfBounds for what no new file should have."""
        if not (
            KDF_OPS_MIN <= self.ops <= KDF_OPS_MAX
            and KDF_MEMORY_KIB_MIN <= self.memory_kib <= KDF_MEMORY_KIB_MAX
        ):
            raise CostOutOfBounds(f"{self} would be too little or too much")

    def __str__(self) -> str:
        whole = self.memory_kib % 1024 == 0
        memory = f"{self.memory_kib >> 10} MiB" if whole else f"{self.memory_kib} KiB"
        return f"{self.ops} passes over {memory}"


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


@dataclass(frozen=True, slots=True)
class DerivedKey:
    """What a passphrase opens a file with. It is of no use for any other file."""

    cost: Cost
    salt: bytes
    key: bytes = field(repr=False)

    def open(self, sealed: SealedSeed) -> bytes:
        """Return the seed; raises WrongPassphrase."""
        try:
            return nacl.bindings.crypto_aead_xchacha20poly1305_ietf_decrypt(
                sealed.sealed, sealed.header, sealed.nonce, self.key
            )
        except nacl.exceptions.CryptoError:
            raise WrongPassphrase("the passphrase does not open the key") from None

    def seal(self, seed: bytes, public_key: PublicKey, nonce: bytes) -> SealedSeed:
        """Return the sealed seed; `nonce` is fresh for each."""
        empty = SealedSeed(self.cost, self.salt, public_key, nonce, b"")
        sealed = nacl.bindings.crypto_aead_xchacha20poly1305_ietf_encrypt(
            seed, empty.header, nonce, self.key
        )
        return SealedSeed(self.cost, self.salt, public_key, nonce, sealed)


def derive(passphrase: Passphrase, cost: Cost, salt: bytes) -> DerivedKey:
    """Return the key of a passphrase; raises CostTooHigh before anything is allocated."""
    cost.check_readable()
    key = nacl.pwhash.argon2id.kdf(
        _KEY_SIZE_BYTES,
        passphrase.secret,
        salt,
        opslimit=cost.ops,
        memlimit=cost.memory_kib * 1024,
    )
    return DerivedKey(cost, salt, key)


def checksum(seeds: Sequence[SealedSeed]) -> bytes:
    """Return the SHA-256 over all of a file: tells a damaged one from a wrong passphrase.

    It keeps no secret and proves nothing against somebody who means ill.
    """
    first, *others = seeds
    rest: list[Value] = [[one.public_key, one.nonce, one.sealed] for one in others]
    return hashlib.sha256(encode([first.header, first.nonce, first.sealed, *rest])).digest()
