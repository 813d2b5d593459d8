"""The directory of a hypha: which file is what, its lock, and the newest head, durably.

hypha.yaml      configuration          key.json       the key, mode 0600
genesis.json    the network            head.proof     the newest head, as `myceld verify` checks it
gateway.token   secret for clients     run.json       pid and URL while it runs
nonce           last one used          evidence/      proofs that contradict each other
lock            held while it runs
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from core.errors import MyceldError
from core.limits import INT_MAX
from hypha.errors import HeadUnreadable, HyphaHomeUnusable, HyphaRunsAlready, NoHypha
from hypha.heads import Head
from hypha.limits import EVIDENCE_MAX, GENESIS_SIZE_BYTES_MAX
from identity.private_file import sweep_private, write_private
from ledger.errors import BadGenesis
from ledger.genesis import Genesis, from_json
from ledger.proof import TEXT_SIZE_MAX, Proof, decode_proof, encode_proof, from_text, to_text

_DIGITS_MAX = 19


@dataclass(frozen=True, slots=True)
class HyphaHome:
    """Paths inside the directory, and its small files. Writing raises HyphaHomeUnusable."""

    path: Path

    @property
    def config(self) -> Path:
        """Configuration (YAML)."""
        return self.path / "hypha.yaml"

    @property
    def cell_config(self) -> Path:
        """What a full cell would have here."""
        return self.path / "config.yaml"

    @property
    def key(self) -> Path:
        """The key file."""
        return self.path / "key.json"

    @property
    def genesis(self) -> Path:
        """The network's genesis file."""
        return self.path / "genesis.json"

    @property
    def head(self) -> Path:
        """The proof of the newest head."""
        return self.path / "head.proof"

    @property
    def evidence(self) -> Path:
        """Where proofs are kept that contradict each other."""
        return self.path / "evidence"

    @property
    def run_file(self) -> Path:
        """Where the running hypha tells its pid and URL."""
        return self.path / "run.json"

    def make(self) -> None:
        """Create the directory, for the owner only."""
        with _writing(self.path):
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the directory's lock; raises HyphaRunsAlready."""
        with _writing(self.path):
            descriptor = os.open(self.path / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise HyphaRunsAlready(f"{self.path} is in use") from error
            with _writing(self.path):
                for path in (self.head, self.run_file, self.config, self.genesis):
                    sweep_private(path)
            yield
        finally:
            os.close(descriptor)

    def read_genesis(self) -> Genesis:
        """Return the network's genesis; raises NoHypha, BadGenesis."""
        return read_genesis(self.genesis)

    def read_head(self) -> Proof | None:
        """Return the proof of the newest head, None before the first; raises HeadUnreadable.

        Nothing of it is checked here.
        """
        try:
            with self.head.open("rb") as file:
                text = file.read(TEXT_SIZE_MAX + 1).decode("ascii")
            return decode_proof(from_text(text))
        except FileNotFoundError:
            return None
        except OSError as error:
            raise HeadUnreadable(f"{self.head}: {error.strerror}") from error
        except (UnicodeDecodeError, MyceldError) as error:
            raise HeadUnreadable(f"{self.head} is damaged") from error

    def write_head(self, head: Head, genesis: Genesis) -> None:
        """Make a head the newest, durably: after a crash it is there, or the one before is."""
        self._write(self.head, to_text(encode_proof(head.proof(genesis))))

    def write_evidence(self, name: str, ours: Proof, theirs: Proof) -> bool:
        """Keep two proofs that contradict each other; return whether they are new here."""
        with _writing(self.evidence):
            self.evidence.mkdir(mode=0o700, exist_ok=True)
            paths = [self.evidence / f"{name}-{side}.proof" for side in ("believed", "other")]
            kept = sum(1 for _ in self.evidence.glob("*-other.proof"))
            if paths[1].exists() or kept >= EVIDENCE_MAX:
                return False
        for path, proof in zip(paths, (ours, theirs), strict=True):
            self._write(path, to_text(encode_proof(proof)))
        return True

    def evidence_files(self) -> list[str]:
        """Return the paths of the kept evidence, in order."""
        return sorted(str(path) for path in self.evidence.glob("*.proof"))

    def read_nonce(self) -> int:
        """Return the highest nonce that was signed with, -1 before the first."""
        path = self.path / "nonce"
        try:
            text = path.read_text("ascii").strip()
        except FileNotFoundError:
            return -1
        except (OSError, UnicodeDecodeError) as error:
            raise HyphaHomeUnusable(f"{path}: not readable") from error
        if not text.isdecimal() or len(text) > _DIGITS_MAX or int(text) > INT_MAX:
            raise HyphaHomeUnusable(f"{path} is damaged")
        return int(text)

    def write_nonce(self, nonce: int) -> None:
        """Note durably that a nonce will be signed with."""
        self._write(self.path / "nonce", f"{nonce}\n")

    def read_or_make_token(self) -> str:
        """Return the token of its own gateway, made at the first call."""
        path = self.path / "gateway.token"
        try:
            token = path.read_text("ascii").strip()
        except FileNotFoundError:
            token = ""
        except (OSError, UnicodeDecodeError) as error:
            raise HyphaHomeUnusable(f"{path}: not readable") from error
        if not token:
            token = secrets.token_urlsafe(32)
            self._write(path, token + "\n")
        return token

    def write_run_file(self, content: dict[str, object]) -> None:
        """Tell clients how to reach the running hypha."""
        self._write(self.run_file, json.dumps(content, indent=2) + "\n")

    def write_text(self, path: Path, text: str) -> None:
        """Write one of the small files, whole and durably."""
        self._write(path, text)

    def _write(self, path: Path, text: str) -> None:
        with _writing(path):
            write_private(path, text, replace=True)


def read_genesis(path: Path) -> Genesis:
    """Return the genesis in a file; raises NoHypha if there is none, or BadGenesis."""
    try:
        with path.open("rb") as file:
            data = file.read(GENESIS_SIZE_BYTES_MAX + 1)
    except FileNotFoundError as error:
        raise NoHypha(f"{path} does not exist") from error
    except OSError as error:
        raise BadGenesis(f"{path}: {error.strerror}") from error
    if len(data) > GENESIS_SIZE_BYTES_MAX:
        raise BadGenesis(f"{path} is larger than {GENESIS_SIZE_BYTES_MAX} bytes")
    return from_json(data)


@contextlib.contextmanager
def _writing(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise HyphaHomeUnusable(f"{path}: {error.strerror}") from error
