"""The key file of a cell: `key.json`, mode 0600, its owner's, appearing whole or not at all.

JSON, with `version`, `kdf` and `public_key`. Version 1 has kdf "none" and the `seed` in hex: the
file's mode is all that protects it, as cells need that start unattended. Version 2 has "argon2id",
its cost and salt, a nonce and the `sealed` seed (`identity.sealed_seed`), and a checksum, so that a
damaged file and a wrong passphrase are told apart. Around a rotation `others` has the keys before
and after, protected as the first one is: one file, so that no crash separates them. Mode and owner
are checked at every load, and that each seed and public key belong together.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import stat
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from core.codec import WrongShape, as_array, as_bytes, as_int
from core.ids import CellId, PublicKey, cell_id_of
from core.json_text import NotJson, parse_json
from core.limits import PUBLIC_KEY_SIZE_BYTES
from identity.errors import (
    KeyFileChanged,
    KeyFileExists,
    KeyFileNotOwned,
    KeyFileNotWritten,
    KeyFileTooOpen,
    NoKeyFile,
    NotAKey,
    UnknownKeyFileVersion,
    UnreadableKeyFile,
)
from identity.keys import KeyPair
from identity.limits import KEY_FILE_SIZE_BYTES_MAX, OTHER_KEYS_MAX
from identity.passphrase import Passphrase, PassphraseSource
from identity.private_file import sweep_private, write_private
from identity.sealed_seed import (
    NONCE_SIZE_BYTES,
    SALT_SIZE_BYTES,
    SEALED_SIZE_BYTES,
    Cost,
    DerivedKey,
    SealedSeed,
    checksum,
    derive,
)

_KDF_NONE: Final = "none"
_KDF_ARGON2ID: Final = "argon2id"
_VERSIONS: Final = {1: _KDF_NONE, 2: _KDF_ARGON2ID}


@dataclass(frozen=True, slots=True)
class Lock:
    """How a key file that is written is to be protected."""

    passphrase: Passphrase
    cost: Cost = field(default_factory=Cost)


@dataclass(frozen=True, slots=True)
class PlainKey:
    """What a key file without a passphrase holds."""

    pair: KeyPair
    others: tuple[KeyPair, ...] = ()
    version: int = 1

    @property
    def public_key(self) -> PublicKey:
        """The public key, proven by the seed beside it."""
        return self.pair.public_key


@dataclass(frozen=True, slots=True)
class LockedKey:
    """What a key file with a passphrase holds."""

    seed: SealedSeed
    others: tuple[SealedSeed, ...] = ()
    version: int = 2

    @property
    def public_key(self) -> PublicKey:
        """The public key as the file says; only opening the seed proves it."""
        return self.seed.public_key


@dataclass(frozen=True, slots=True)
class OpenKeys:
    """An opened key file."""

    pair: KeyPair
    others: tuple[KeyPair, ...] = ()
    """The keys before and after, if there are any, in no order that means anything."""
    lock: DerivedKey | None = None
    """What the file is written again with; None: it has no passphrase."""


def create(path: Path, seed: bytes, lock: Lock | None = None) -> KeyPair:
    """Write a new key file for `seed` durably and return its pair.

    The file appears whole or not at all. Raises KeyFileExists, KeyFileNotWritten, and what is
    wrong with the lock.
    """
    keys = OpenKeys(KeyPair(seed), (), _derived(lock))
    _write(path, keys, replace=False)
    return keys.pair


def rewrite(path: Path, keys: OpenKeys, lock: Lock | None = None) -> None:
    """Put a file of the same keys under another lock in its place: always one of them is there."""
    _write(path, OpenKeys(keys.pair, keys.others, _derived(lock)), replace=True)


def update(path: Path, before: OpenKeys, after: OpenKeys) -> None:
    """Put other keys into the file that `before` was read from, under the same lock.

    Raises KeyFileChanged if somebody put another file there meanwhile, and what `create` does.
    """
    stored = inspect(path)
    lock = None if isinstance(stored, PlainKey) else (stored.seed.cost, stored.seed.salt)
    held = None if before.lock is None else (before.lock.cost, before.lock.salt)
    if stored.public_key != before.pair.public_key or lock != held:
        raise KeyFileChanged(f"{path} is not the file that this cell started with")
    _write(path, OpenKeys(after.pair, after.others, before.lock), replace=True)


def load(path: Path, ask: Callable[[], Passphrase] | None = None) -> KeyPair:
    """Return the first pair in the key file at `path`, as `open_keys`."""
    return open_keys(path, ask).pair


def open_keys(path: Path, ask: Callable[[], Passphrase] | None = None) -> OpenKeys:
    """Return the keys in the file at `path`; `ask` is called if it has a passphrase.

    Without `ask` the terminal is asked. Raises what `inspect` does, WrongPassphrase, and
    what `ask` raises.
    """
    stored = inspect(path)
    if isinstance(stored, PlainKey):
        return OpenKeys(stored.pair, stored.others)
    lock = derive((ask or PassphraseSource().read)(), stored.seed.cost, stored.seed.salt)
    pairs = []
    for sealed in (stored.seed, *stored.others):
        pair = _pair(path, lock.open(sealed))
        _check_public_key(path, pair, sealed.public_key)
        pairs.append(pair)
    return OpenKeys(pairs[0], tuple(pairs[1:]), lock)


def inspect(path: Path) -> PlainKey | LockedKey:
    """Return what the key file at `path` holds, without opening it.

    Raises NoKeyFile, KeyFileTooOpen (any access for group or others), KeyFileNotOwned,
    UnreadableKeyFile, UnknownKeyFileVersion or CostTooHigh.
    """
    try:
        # A pipe in its place would else hang the start.
        with os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK), "rb") as file:
            status = os.fstat(file.fileno())
            data = file.read(KEY_FILE_SIZE_BYTES_MAX + 1)
    except FileNotFoundError as error:
        raise NoKeyFile(f"{path} does not exist") from error
    except OSError as error:
        raise UnreadableKeyFile(f"{path}: {error.strerror}") from error
    mode = stat.S_IMODE(status.st_mode)
    if mode & 0o077:
        raise KeyFileTooOpen(f"{path} has mode {mode:04o}, it must be 0600")
    if status.st_uid != os.geteuid():
        raise KeyFileNotOwned(f"{path} belongs to user {status.st_uid}, not to {os.geteuid()}")
    return _parse(path, data)


def cell_id_in(stored: PlainKey | LockedKey) -> CellId:
    """Return the cell id that a key file is for."""
    return cell_id_of(stored.public_key)


def _derived(lock: Lock | None) -> DerivedKey | None:
    if lock is None:
        return None
    lock.cost.check_new()
    lock.passphrase.check_new()
    return derive(lock.passphrase, lock.cost, secrets.token_bytes(SALT_SIZE_BYTES))


def _write(path: Path, keys: OpenKeys, *, replace: bool) -> None:
    content = _plain_content(keys) if keys.lock is None else _locked_content(keys, keys.lock)
    try:
        sweep_private(path)
        write_private(path, json.dumps(content, indent=2) + "\n", replace=replace)
    except FileExistsError as error:
        raise KeyFileExists(f"{path} is there already") from error
    except OSError as error:
        raise KeyFileNotWritten(f"{path}: {error.strerror}") from error


def _plain_content(keys: OpenKeys) -> dict[str, object]:
    first, *others = [
        {"public_key": pair.public_key.hex(), "seed": pair.seed.hex()}
        for pair in (keys.pair, *keys.others)
    ]
    return {"version": 1, "kdf": _KDF_NONE, **first, **({"others": others} if others else {})}


def _locked_content(keys: OpenKeys, lock: DerivedKey) -> dict[str, object]:
    seeds = [
        lock.seal(pair.seed, pair.public_key, secrets.token_bytes(NONCE_SIZE_BYTES))
        for pair in (keys.pair, *keys.others)
    ]
    first, *others = [
        {
            "public_key": one.public_key.hex(),
            "nonce": one.nonce.hex(),
            "sealed": one.sealed.hex(),
        }
        for one in seeds
    ]
    return {
        "version": 2,
        "kdf": _KDF_ARGON2ID,
        "ops": lock.cost.ops,
        "memory_kib": lock.cost.memory_kib,
        "salt": lock.salt.hex(),
        **first,
        **({"others": others} if others else {}),
        "checksum": checksum(seeds).hex(),
    }


def _parse(path: Path, data: bytes) -> PlainKey | LockedKey:
    """Return what a key file's bytes say; raises what `inspect` does."""
    try:
        content: Any = parse_json(data)
        version, kdf = content["version"], content["kdf"]
    except (NotJson, KeyError, TypeError) as error:
        raise UnreadableKeyFile(f"{path} {_how_damaged(data)}") from error
    if type(version) is not int or version not in _VERSIONS or kdf != _VERSIONS[version]:
        shown = repr(version)[:32], repr(kdf)[:32]
        raise UnknownKeyFileVersion(f"{path} has version {shown[0]}, kdf {shown[1]}")
    with _damage_told(path):
        return _plain_key(path, content) if version == 1 else _locked_key(path, content)


def _how_damaged(data: bytes) -> str:
    if not data.strip(b"\0 \n"):
        return "is empty"  # zeros too: so some file systems leave what a power cut interrupted
    if data.startswith(b"{") and not data.rstrip().endswith(b"}"):
        return "ends in the middle: it was cut off"
    return "is damaged or not a key file"


@contextlib.contextmanager
def _damage_told(path: Path) -> Iterator[None]:
    try:
        yield
    except (WrongShape, ValueError, KeyError, TypeError):
        # What it says may hold a part of the seed.
        raise UnreadableKeyFile(f"{path} is damaged: a field is missing or wrong") from None


def _plain_key(path: Path, content: Any) -> PlainKey:  # noqa: ANN401 - JSON, checked here
    pairs = []
    for one in (content, *_others(content)):
        pair = _pair(path, bytes.fromhex(one["seed"]))
        _check_public_key(path, pair, bytes.fromhex(one["public_key"]))
        pairs.append(pair)
    return PlainKey(pairs[0], tuple(pairs[1:]))


def _locked_key(path: Path, content: Any) -> LockedKey:  # noqa: ANN401 - JSON, checked here
    cost = Cost(as_int(content["ops"], low=1), as_int(content["memory_kib"], low=8))
    cost.check_readable()  # before the checksum: what it is, not that somebody changed it
    seeds = [
        SealedSeed(
            cost,
            _hex(content["salt"], SALT_SIZE_BYTES),
            PublicKey(_hex(one["public_key"], PUBLIC_KEY_SIZE_BYTES)),
            _hex(one["nonce"], NONCE_SIZE_BYTES),
            _hex(one["sealed"], SEALED_SIZE_BYTES),
        )
        for one in (content, *_others(content))
    ]
    if bytes.fromhex(content["checksum"]) != checksum(seeds):
        raise UnreadableKeyFile(f"{path} is damaged: its checksum is wrong")
    return LockedKey(seeds[0], tuple(seeds[1:]))


def _others(content: Any) -> Sequence[Any]:  # noqa: ANN401 - JSON, checked here
    return as_array(content.get("others", []), length_max=OTHER_KEYS_MAX)


def _hex(value: str, size_bytes: int) -> bytes:
    return as_bytes(bytes.fromhex(value), size=size_bytes)


def _pair(path: Path, seed: bytes) -> KeyPair:
    try:
        return KeyPair(seed)
    except NotAKey as error:
        raise UnreadableKeyFile(f"{path}: {error.detail}") from error


def _check_public_key(path: Path, pair: KeyPair, public_key: bytes) -> None:
    if pair.public_key != public_key:
        raise UnreadableKeyFile(
            f"{path} is damaged: its public key and seed do not belong together"
        )
