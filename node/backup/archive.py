"""The file of a backup: a few files of a cell, one after the other, plain or under a passphrase.

    first line   JSON: format, and how it is encrypted (none, or Argon2id's cost and salt and the
                 header of the stream)
    then         chunks: four bytes of length, then so many bytes

Of an encrypted backup each chunk is sealed by XChaCha20-Poly1305 (libsodium's secretstream), bound
to the first line, and the last one is marked: nothing can be changed, left out or cut off. Of a
plain one the last chunk is empty, and followed by a SHA-256 of all. The chunks are one stream: four
bytes of length of the manifest, its JSON, then the files in its order.

The key derivation is that of the key file (`identity.sealed_seed`).
"""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import BinaryIO, Final

from nacl import bindings
from nacl.exceptions import CryptoError

from core.json_text import NotJson, parse_json
from identity.errors import PassphraseNeeded, WrongPassphrase
from identity.passphrase import Passphrase
from identity.sealed_seed import SALT_SIZE_BYTES, Cost, derive
from node.errors import BackupUnreadable

FORMAT: Final = "myceld-backup/1"
CHUNK_SIZE_BYTES: Final = 1 << 20
_LINE_SIZE_BYTES_MAX: Final = 4096
_LENGTH_BYTES: Final = 4
_SEAL_SIZE_BYTES: Final = bindings.crypto_secretstream_xchacha20poly1305_ABYTES
_HEADER_SIZE_BYTES: Final = bindings.crypto_secretstream_xchacha20poly1305_HEADERBYTES
_TAG_MESSAGE: Final = bindings.crypto_secretstream_xchacha20poly1305_TAG_MESSAGE
_TAG_FINAL: Final = bindings.crypto_secretstream_xchacha20poly1305_TAG_FINAL


class BackupWriter:
    """Writes the stream of one backup. Raises OSError."""

    def __init__(
        self, file: BinaryIO, passphrase: Passphrase | None, cost: Cost | None = None
    ) -> None:
        """Derive the key, which takes a second, and write the first line."""
        self._file = file
        self._hash = hashlib.sha256()
        self._buffer = bytearray()
        self._seal: _Sealer | None = None
        content: dict[str, object] = {"format": FORMAT, "kdf": "none"}
        if passphrase is not None:
            cost, salt = cost or Cost(), secrets.token_bytes(SALT_SIZE_BYTES)
            self._seal = _Sealer(derive(passphrase, cost, salt).key)
            content |= {
                "kdf": "argon2id",
                "ops": cost.ops,
                "memory_kib": cost.memory_kib,
                "salt": salt.hex(),
                "stream": self._seal.header.hex(),
            }
        self._line = json.dumps(content).encode() + b"\n"
        self._put(self._line)

    def write(self, data: bytes) -> None:
        """Add to the stream."""
        self._buffer += data
        while len(self._buffer) > CHUNK_SIZE_BYTES:
            chunk = bytes(self._buffer[:CHUNK_SIZE_BYTES])
            del self._buffer[:CHUNK_SIZE_BYTES]
            self._chunk(chunk, is_last=False)

    def end(self) -> None:
        """Write what is left, and the mark that it is all."""
        self._chunk(bytes(self._buffer), is_last=self._seal is not None)
        if self._seal is None:
            self._chunk(b"", is_last=True)
            self._file.write(self._hash.digest())

    def _chunk(self, chunk: bytes, *, is_last: bool) -> None:
        if self._seal is None and not chunk and not is_last:
            return
        sealed = chunk if self._seal is None else self._seal(chunk, self._line, is_last=is_last)
        self._put(len(sealed).to_bytes(_LENGTH_BYTES, "big") + sealed)

    def _put(self, data: bytes) -> None:
        self._hash.update(data)
        self._file.write(data)


class _Sealer:
    def __init__(self, key: bytes) -> None:
        self._state = bindings.crypto_secretstream_xchacha20poly1305_state()
        self.header: bytes = bindings.crypto_secretstream_xchacha20poly1305_init_push(
            self._state, key
        )

    def __call__(self, chunk: bytes, line: bytes, *, is_last: bool) -> bytes:
        sealed: bytes = bindings.crypto_secretstream_xchacha20poly1305_push(
            self._state, chunk, line, _TAG_FINAL if is_last else _TAG_MESSAGE
        )
        return sealed


@dataclass(frozen=True, slots=True)
class _Sealing:
    """What the first line says of the encryption."""

    cost: Cost
    salt: bytes
    stream: bytes


class BackupReader:
    """Reads the stream of one backup. Nothing of it is known to be whole before `end` returned."""

    def __init__(self, file: BinaryIO, ask: Callable[[], Passphrase] | None) -> None:
        """Read the first line, and open the encryption; `ask` gives the passphrase.

        Raises BackupUnreadable, PassphraseNeeded, CostTooHigh, OSError.
        """
        self._file = file
        self._hash = hashlib.sha256()
        self._line = self._first_line()
        self._buffer = bytearray()
        self._is_over = False
        sealing = _sealing_of(self._line)
        self._state: bindings.crypto_secretstream_xchacha20poly1305_state | None = None
        self._is_first = True
        if sealing is not None:
            if ask is None:
                raise PassphraseNeeded("the backup is encrypted")
            key = derive(ask(), sealing.cost, sealing.salt).key
            self._state = bindings.crypto_secretstream_xchacha20poly1305_state()
            bindings.crypto_secretstream_xchacha20poly1305_init_pull(
                self._state, sealing.stream, key
            )

    def read(self, size_bytes: int) -> bytes:
        """Return exactly so many bytes; raises BackupUnreadable or WrongPassphrase."""
        while len(self._buffer) < size_bytes:
            if self._is_over:
                raise BackupUnreadable("it ends too early")
            self._buffer += self._chunk()
        data = bytes(self._buffer[:size_bytes])
        del self._buffer[:size_bytes]
        return data

    def end(self) -> None:
        """Check that the backup ends here, and that nothing of it was changed."""
        while not self._is_over:
            self._buffer += self._chunk()
        if self._buffer or self._file.read(1):
            raise BackupUnreadable("there is more in it than its manifest says")

    def _chunk(self) -> bytes:
        size = int.from_bytes(self._take(_LENGTH_BYTES), "big")
        if size > CHUNK_SIZE_BYTES + _SEAL_SIZE_BYTES:
            raise BackupUnreadable("a chunk is longer than any")
        chunk = self._take(size)
        if self._state is not None:
            return self._opened(self._state, chunk)
        if not chunk:
            self._is_over = True
            if self._file.read(self._hash.digest_size) != self._hash.digest():
                raise BackupUnreadable("its checksum is wrong: it was changed or damaged")
        return chunk

    def _opened(
        self, state: bindings.crypto_secretstream_xchacha20poly1305_state, sealed: bytes
    ) -> bytes:
        try:
            chunk, tag = bindings.crypto_secretstream_xchacha20poly1305_pull(
                state, sealed, self._line
            )
        except (CryptoError, ValueError) as error:
            if self._is_first:
                raise WrongPassphrase("the passphrase does not open the backup") from error
            raise BackupUnreadable("a part of it was changed or damaged") from error
        self._is_first = False
        self._is_over = tag == _TAG_FINAL
        return bytes(chunk)

    def _first_line(self) -> bytes:
        line = self._file.readline(_LINE_SIZE_BYTES_MAX)
        self._hash.update(line)
        return line

    def _take(self, size_bytes: int) -> bytes:
        data = self._file.read(size_bytes)
        if len(data) != size_bytes:
            raise BackupUnreadable("it ends too early")
        self._hash.update(data)
        return data


def _sealing_of(line: bytes) -> _Sealing | None:
    """Return what the first line says; None for a plain backup. Raises BackupUnreadable."""
    try:
        content = parse_json(line)
    except NotJson as error:
        raise BackupUnreadable("not a backup") from error
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise BackupUnreadable("not a backup of a version known here")
    if content.get("kdf") == "none":
        return None
    try:
        ops, memory = content["ops"], content["memory_kib"]
        salt, stream = bytes.fromhex(content["salt"]), bytes.fromhex(content["stream"])
    except (KeyError, TypeError, ValueError) as error:
        raise BackupUnreadable("its first line does not say how to open it") from error
    sizes = (len(salt), len(stream)) == (SALT_SIZE_BYTES, _HEADER_SIZE_BYTES)
    if type(ops) is not int or type(memory) is not int or min(ops, memory) < 1 or not sizes:
        raise BackupUnreadable("its first line does not say how to open it")
    return _Sealing(Cost(ops, memory), salt, stream)
