"""What the checks of a cell's directory have in common, read once: each part, or why there is none.

Reads only. What is broken is a fact like any other here; the checks say what it means.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from core.errors import MyceldError
from core.ids import CellId, PublicKey, cell_id_of
from core.json_text import NotJson, parse_json
from identity import keystore
from identity.keystore import LockedKey, PlainKey
from identity.passphrase import PassphraseSource
from ledger.genesis import Genesis
from node.doctor.limits import RUN_FILE_SIZE_BYTES_MAX
from node.founding import read_genesis
from node.home import Home
from settings import Config, load


@dataclass(frozen=True)
class Patient:
    """A cell's directory, and how its daemon would be started."""

    home: Home
    environment: Mapping[str, str]
    passphrase: PassphraseSource = field(default_factory=PassphraseSource)
    """Where to read the passphrase, if that was told; else config.yaml says."""

    @cached_property
    def exists(self) -> bool:
        """Whether there is anything of a cell."""
        parts = (self.home.key, self.home.database, self.home.genesis, self.home.config)
        return any(path.exists() for path in parts)

    @cached_property
    def holder(self) -> str | None:
        """Who runs on the directory."""
        return self.home.holder

    @property
    def runs(self) -> bool:
        """Whether a process holds the directory."""
        return self.holder is not None

    @cached_property
    def run(self) -> dict[str, Any] | None:
        """What run.json says; None without a readable one."""
        try:
            with self.home.run_file.open("rb") as file:
                content = parse_json(file.read(RUN_FILE_SIZE_BYTES_MAX).decode())
        except (OSError, UnicodeDecodeError, NotJson):
            return None
        return content if isinstance(content, dict) else None

    @cached_property
    def config(self) -> Config | MyceldError:
        """The configuration, or what is wrong with it."""
        try:
            return load(self.home.config, self.environment, Config)
        except MyceldError as error:
            return error

    @cached_property
    def key(self) -> PlainKey | LockedKey | MyceldError:
        """What the key file holds, or what is wrong with it."""
        try:
            return keystore.inspect(self.home.key)
        except MyceldError as error:
            return error

    @property
    def public_key(self) -> PublicKey | None:
        """The public key that the key file names."""
        return None if isinstance(self.key, MyceldError) else self.key.public_key

    @property
    def former_ids(self) -> frozenset[CellId]:
        """The ids of the other keys in the file: around a rotation the store may be of one."""
        key = self.key
        if isinstance(key, MyceldError):
            return frozenset()
        return frozenset(cell_id_of(other.public_key) for other in key.others)

    @property
    def cell_id(self) -> CellId | None:
        """Who the cell is, by its key file."""
        return None if self.public_key is None else cell_id_of(self.public_key)

    @cached_property
    def genesis(self) -> Genesis | MyceldError:
        """The genesis, or what is wrong with it."""
        try:
            return read_genesis(self.home.genesis)
        except MyceldError as error:
            return error

    @property
    def settled(self) -> Config | None:
        """The configuration, None if it can not be used."""
        return None if isinstance(self.config, MyceldError) else self.config


def mode_of(path: Path) -> int | None:
    """Return the mode bits of a file; None if there is none."""
    try:
        return path.stat().st_mode & 0o7777
    except OSError:
        return None


def is_running(pid: int) -> bool:
    """Return whether a process of this number is there."""
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        return True
    return True
