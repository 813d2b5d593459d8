"""Encryption of a journal's blocks: ChaCha20-Poly1305 (RFC 8439) under a key of the journal.

    block as stored, hashed and replicated = salt (16 bytes) || ciphertext || tag (16 bytes)
    key = BLAKE2b(salt, keyed by the journal's key);  nonce = 4 zero bytes || index (8, big-endian)
    associated data = cell id/journal

Salt and nonce together are what XChaCha20 calls the nonce; a key per salt costs nothing a block.
The tree is over ciphertext: anybody can keep, check and pass on an encrypted journal without its
key, and a proof shows nothing of the content. Lengths are visible.

Invariant: no salt and index are used twice. A salt is drawn at random at every open, and again
whenever an index may get another block: after a failed transaction and after an edit. What a crash
or an old copy of the file forgot can so never be encrypted again under the same key and nonce.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from journal.errors import StoreCorrupt, WrongEncryptionKey
from journal.limits import ENCRYPTION_KEY_SIZE_BYTES, SALTS_CACHED_MAX, SEAL_SIZE_BYTES

_SALT_SIZE_BYTES: Final = 16
_NONCE_SIZE_BYTES: Final = 12
_PERSON: Final = b"myceld-journal/1"
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
        self._ciphers: dict[bytes, ChaCha20Poly1305] = {}
        self._salt = b""
        self.renew()

    def renew(self) -> None:
        """Draw another salt: indexes from here on may be encrypted again."""
        self._salt = os.urandom(_SALT_SIZE_BYTES)

    def seal_all(self, index: int, blocks: Sequence[bytes]) -> list[bytes]:
        """Return the blocks encrypted as those at `index` and after."""
        salt, data, encrypt = self._salt, self._data, self._cipher(self._salt).encrypt
        return [
            salt + encrypt(at.to_bytes(_NONCE_SIZE_BYTES, "big"), block, data)
            for at, block in enumerate(blocks, start=index)
        ]

    def open(self, index: int, block: bytes) -> bytes:
        """Return the content of block `index`; raises StoreCorrupt."""
        try:
            return self._open(index, block)
        except InvalidTag as error:
            # The key passed its check and the block its leaf hash: another program sealed it.
            raise StoreCorrupt(f"journal {self._name}: block {index} does not decrypt") from error

    def key_check(self) -> bytes:
        """Return bytes that tell this key from any other, to be stored with the journal."""
        return self.seal_all(_CHECK_INDEX, [b""])[0]

    def check_key(self, key_check: bytes) -> None:
        """Raise WrongEncryptionKey unless `key_check` was made under this key."""
        try:
            self._open(_CHECK_INDEX, key_check)
        except InvalidTag as error:
            raise WrongEncryptionKey(
                f"journal {self._name} is encrypted under another key"
            ) from error

    def _open(self, index: int, block: bytes) -> bytes:
        if len(block) < SEAL_SIZE_BYTES:
            raise InvalidTag
        nonce = index.to_bytes(_NONCE_SIZE_BYTES, "big")
        cipher = self._cipher(block[:_SALT_SIZE_BYTES])
        return cipher.decrypt(nonce, block[_SALT_SIZE_BYTES:], self._data)

    def _cipher(self, salt: bytes) -> ChaCha20Poly1305:
        cipher = self._ciphers.get(salt)
        if cipher is None:
            if len(self._ciphers) >= SALTS_CACHED_MAX:
                self._ciphers.clear()
            subkey = hashlib.blake2b(
                salt, key=self._key, person=_PERSON, digest_size=ENCRYPTION_KEY_SIZE_BYTES
            )
            cipher = self._ciphers[salt] = ChaCha20Poly1305(subkey.digest())
        return cipher
