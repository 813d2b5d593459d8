"""The key file of a cell: `key.json`, mode 0600, written once and never overwritten.

Format, version 1: a JSON object with `version`, `kdf` ("none"), `public_key` and `seed` in hex.
The public key is stored beside the seed so that a damaged file is noticed, not used.
It does not encrypt: the file mode is what protects the seed, and it is checked at every load.
"""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path
from typing import Any, Final

from core.json_text import NotJson, parse_json
from identity.errors import (
    KeyFileNotWritten,
    KeyFileTooOpen,
    NoKeyFile,
    NotAKey,
    UnreadableKeyFile,
)
from identity.keys import KeyPair
from identity.private_file import write_private

_VERSION: Final = 1
_FILE_SIZE_BYTES_MAX: Final = 4096


def create(path: Path, seed: bytes) -> KeyPair:
    """Write a new key file for `seed` durably and return its pair.

    The file appears whole or not at all. Raises KeyFileNotWritten, also when `path` exists.
    """
    pair = KeyPair(seed)
    content = {
        "version": _VERSION,
        "kdf": "none",
        "public_key": pair.public_key.hex(),
        "seed": seed.hex(),
    }
    try:
        write_private(path, json.dumps(content, indent=2) + "\n", replace=False)
    except OSError as error:
        raise KeyFileNotWritten(f"{path}: {error.strerror}") from error
    return pair


def load(path: Path) -> KeyPair:
    """Return the pair in the key file at `path`.

    Raises NoKeyFile, KeyFileTooOpen (any access for group or others) or UnreadableKeyFile.
    """
    try:
        with path.open("rb") as file:
            mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
            data = file.read(_FILE_SIZE_BYTES_MAX + 1)
    except FileNotFoundError as error:
        raise NoKeyFile(f"{path} does not exist") from error
    except OSError as error:
        raise UnreadableKeyFile(f"{path}: {error.strerror}") from error
    if mode & 0o077:
        raise KeyFileTooOpen(f"{path} has mode {mode:04o}, it must be 0600")
    return _parse(path, data)


def _parse(path: Path, data: bytes) -> KeyPair:
    try:
        content: Any = parse_json(data)
        version, kdf = content["version"], content["kdf"]
        public_key, seed = bytes.fromhex(content["public_key"]), bytes.fromhex(content["seed"])
    except (NotJson, ValueError, KeyError, TypeError) as error:
        raise UnreadableKeyFile(f"{path} is damaged or not a key file") from error
    if version != _VERSION or kdf != "none":
        raise UnreadableKeyFile(f"{path} has version {version!r}, kdf {kdf!r}: not known here")
    try:
        pair = KeyPair(seed)
    except NotAKey as error:
        raise UnreadableKeyFile(f"{path}: {error.detail}") from error
    if pair.public_key != public_key:
        raise UnreadableKeyFile(
            f"{path} is damaged: its public key and seed do not belong together"
        )
    return pair
