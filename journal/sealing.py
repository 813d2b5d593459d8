"""Encryption of a journal's blocks: XChaCha20-Poly1305 under a key of the journal.

    block as stored, hashed and replicated = salt (16 bytes) || ciphertext || tag (16 bytes)
    nonce = salt || index of the block (8 bytes, big-endian);  associated data = cell id/journal

The tree is over ciphertext: anybody can keep, check and pass on an encrypted journal without its
key, and a proof shows nothing of the content. Lengths are visible.

Invariant: no nonce is used twice. A salt is drawn at random at every open, and again whenever an
index may get another block: after a failed transaction and after a truncation. What a crash or an
old copy of the file forgot can so never be encrypted again under the same nonce.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Final

from nacl.bindings import (
    crypto_aead_xchacha20poly1305_ietf_decrypt,
    crypto_aead_xchacha20poly1305_ietf_encrypt,
)
from nacl.exceptions import CryptoError

from journal.errors import StoreCorrupt, WrongEncryptionKey
from journal.limits import ENCRYPTION_KEY_SIZE_BYTES, SEAL_SIZE_BYTES

_SALT_SIZE_BYTES: Final = 16
_INDEX_SIZE_BYTES: Final = 8
_CHECK_INDEX: Final = 2**64 - 1
"""No block has it: the key check is sealed under it."""


class Seal:
    """Encrypts and decrypts the blocks of one journal."""

    def __init__(self, key: bytes, cell_id: str, journal: str) -> None:
        if not isinstance(key, bytes) or len(key) != ENCRYPTION_KEY_SIZE_BYTES:
            raise WrongEncryptionKey("an encryption key is 32 bytes")
        self._key = key
        self._name = journal
        self._data = f"{cell_id}/{journal}".encode("ascii")
        self._salt = b""
        self.renew()

    def renew(self) -> None:
        """Draw another salt: indexes from here on may be encrypted again."""
        self._salt = os.urandom(_SALT_SIZE_BYTES)

    def seal_all(self, index: int, blocks: Sequence[bytes]) -> list[bytes]:
        """Return the blocks encrypted as those at `index` and after."""
        salt, data, key = self._salt, self._data, self._key
        encrypt = crypto_aead_xchacha20poly1305_ietf_encrypt
        return [
            salt + encrypt(block, data, salt + at.to_bytes(_INDEX_SIZE_BYTES, "big"), key)
            for at, block in enumerate(blocks, start=index)
        ]

    def open(self, index: int, block: bytes) -> bytes:
        """Return the content of block `index`; raises StoreCorrupt."""
        try:
            return self._open(index, block)
        except CryptoError as error:
            # The key passed its check and the block its leaf hash: another program sealed it.
            raise StoreCorrupt(f"journal {self._name}: block {index} does not decrypt") from error

    def key_check(self) -> bytes:
        """Return bytes that tell this key from any other, to be stored with the journal."""
        return self.seal_all(_CHECK_INDEX, [b""])[0]

    def check_key(self, key_check: bytes) -> None:
        """Raise WrongEncryptionKey unless `key_check` was made under this key."""
        try:
            self._open(_CHECK_INDEX, key_check)
        except CryptoError as error:
            raise WrongEncryptionKey(
                f"journal {self._name} is encrypted under another key"
            ) from error

    def _open(self, index: int, block: bytes) -> bytes:
        if len(block) < SEAL_SIZE_BYTES:
            raise CryptoError("shorter than a salt and a tag")
        salt, ciphertext = block[:_SALT_SIZE_BYTES], block[_SALT_SIZE_BYTES:]
        nonce = salt + index.to_bytes(_INDEX_SIZE_BYTES, "big")
        content: bytes = crypto_aead_xchacha20poly1305_ietf_decrypt(
            ciphertext, self._data, nonce, self._key
        )
        return content
