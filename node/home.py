"""The directory of one cell: which file is what, its exclusive lock, and small durable files.

config.yaml     configuration          key.json       the cell's key, mode 0600
genesis.json    the network            cell.db        journals and state (SQLite)
gateway.token   secret for clients     run.json       pid, URL and addresses while it runs
grants.json     hashes of other tokens
light.token     secret for hyphae      moved.json     says that the cell runs elsewhere now
rebuild-map     asks for that at the next start: the state's map is made anew
lock            held while it runs
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import secrets
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from identity.private_file import write_private
from node.errors import CellMoved, DirectoryLocked, DirectoryUnusable


@dataclass(frozen=True, slots=True)
class Home:
    """Paths inside a cell's directory."""

    path: Path

    @property
    def config(self) -> Path:
        """Configuration (YAML)."""
        return self.path / "config.yaml"

    @property
    def key(self) -> Path:
        """The cell's key file."""
        return self.path / "key.json"

    @property
    def genesis(self) -> Path:
        """The network's genesis file."""
        return self.path / "genesis.json"

    @property
    def database(self) -> Path:
        """Journals and state."""
        return self.path / "cell.db"

    @property
    def token(self) -> Path:
        """The gateway's token."""
        return self.path / "gateway.token"

    @property
    def light_token(self) -> Path:
        """The token that opens only what hyphae ask."""
        return self.path / "light.token"

    @property
    def grants(self) -> Path:
        """Tokens of others, by their hashes, and keys that may sign requests."""
        return self.path / "grants.json"

    @property
    def run_file(self) -> Path:
        """Where the running cell tells its pid, URL and addresses."""
        return self.path / "run.json"

    @property
    def map_wish(self) -> Path:
        """There, with the reason, if the next start is to make the state's map anew."""
        return self.path / "rebuild-map"

    @property
    def lock(self) -> Path:
        """Held exclusively by the running cell."""
        return self.path / "lock"

    @property
    def moved(self) -> Path:
        """There once the cell was moved to another place: it must not run here."""
        return self.path / "moved.json"

    def make(self) -> None:
        """Create the directory, for the owner only; raises DirectoryUnusable."""
        try:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise DirectoryUnusable(f"{self.path}: {error.strerror}") from error

    @property
    def holder(self) -> str | None:
        """Who runs on this directory, None for nobody."""
        try:
            descriptor = os.open(self.lock, os.O_RDONLY)
        except OSError:
            return None
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return os.pread(descriptor, 200, 0).decode("utf-8", "replace").strip() or "a process"
        except OSError:
            return None
        finally:
            os.close(descriptor)
        return None

    def check_not_moved(self) -> None:
        """Raise CellMoved in a directory whose cell was moved to another place."""
        if self.moved.exists():
            raise CellMoved(f"the cell of {self.path} was moved: {self.moved} says when")

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the directory's lock; raises DirectoryLocked with who holds it and since when."""
        try:
            descriptor = os.open(self.lock, os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise DirectoryUnusable(f"{self.lock}: {error.strerror}") from error
        try:
            self._take_lock(descriptor)
            yield
        finally:
            os.close(descriptor)

    def write_run_file(self, content: dict[str, object]) -> None:
        """Tell clients how to reach the running cell."""
        write_file(self.run_file, json.dumps(content, indent=2) + "\n")

    def read_or_make_token(self) -> str:
        """Return the gateway's token, made at the first call."""
        return _read_or_make(self.token)

    def read_or_make_light_token(self) -> str:
        """Return the token for hyphae, made at the first call."""
        return _read_or_make(self.light_token)

    def _take_lock(self, descriptor: int) -> None:
        """Lock the open lock file and write into it who holds it."""
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            since = time.strftime("%Y-%m-%d %H:%M:%S %z")
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, f"pid {os.getpid()} since {since}\n".encode(), 0)
        except BlockingIOError as error:
            holder = os.pread(descriptor, 200, 0).decode("utf-8", "replace").strip()
            raise DirectoryLocked(f"{self.path} is in use by {holder or 'a process'}") from error
        except OSError as error:
            raise DirectoryUnusable(f"{self.lock}: {error.strerror}") from error


def _read_or_make(path: Path) -> str:
    """Return the token in a file, made now if there is none."""
    try:
        token = path.read_text(encoding="ascii").strip()
    except FileNotFoundError:
        token = ""
    except (OSError, UnicodeDecodeError) as error:
        raise DirectoryUnusable(f"{path}: not readable") from error
    if not token:
        token = secrets.token_urlsafe(32)
        write_file(path, token + "\n")
    return token


def write_file(path: Path, text: str) -> None:
    """Write a file so that it appears whole, durably, with mode 0600; raises DirectoryUnusable."""
    try:
        write_private(path, text, replace=True)
    except OSError as error:
        raise DirectoryUnusable(f"{path}: {error.strerror}") from error
