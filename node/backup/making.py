"""Makes a backup of a cell, running or not; checks it; and marks a cell as moved.

The store is copied as it is at one moment, over a connection of its own: the cell goes on, and
its writer waits for nothing. The key file is read after that, so it has every key that the copy
can ask for. The backup appears whole or not at all, with mode 0600.
"""

from __future__ import annotations

import hashlib
import json
import os
import socket
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final, TypeAlias

from identity.passphrase import Passphrase
from journal.checkup import copy_store
from ledger.trie import EMPTY_ROOT
from myceld import VERSION
from node.backup.archive import CHUNK_SIZE_BYTES, BackupReader, BackupWriter
from node.backup.checking import Checked, check_cell
from node.backup.manifest import (
    FILES,
    MANIFEST_SIZE_BYTES_MAX,
    Manifest,
    StoredFile,
    decode_manifest,
)
from node.clock import wall_ns
from node.errors import (
    BackupDamaged,
    BackupFailed,
    BackupUnreadable,
    CellStillRuns,
    NotInitialised,
    RestoreRefused,
)
from node.home import Home, write_file

Tell: TypeAlias = Callable[[str, int, int], None]
"""(what is done now, how much of it, of how much)."""

_LENGTH_BYTES: Final = 4


@dataclass(frozen=True, slots=True)
class Made:
    """A backup that was made."""

    manifest: Manifest
    size_bytes: int
    is_checked: bool


def make_backup(
    home: Home,
    target: Path,
    passphrase: Passphrase | None,
    tell: Tell,
    *,
    checks: bool = True,
) -> Made:
    """Write a backup of the cell in `home` to `target`, which must not exist yet.

    Raises NotInitialised, BackupFailed, BackupDamaged, or a leaf of journal.errors.
    """
    if not home.key.exists() or not home.database.exists():
        raise NotInitialised(f"{home.path} holds no cell that ever ran")
    if target.exists():
        raise BackupFailed(f"{target} exists, and nothing is overwritten")
    with (
        faults_told(target),
        tempfile.TemporaryDirectory(prefix=f".{target.name}.", dir=target.parent) as scratch,
    ):
        copy = Path(scratch)
        copy_store(home.database, copy / "cell.db", lambda done, of: tell("copying", done, of))
        for name in FILES:
            if name != "cell.db":
                _copy_small(home.path / name, copy / name)
        # Whether what the copy tells of itself is sound is asked of the finished backup.
        checked = check_cell(copy, deeply=False)
        manifest = _manifest_of(home, copy, checked)
        size_bytes = _write(copy, manifest, target, passphrase, tell)
    if checks:
        verify_backup(target, None if passphrase is None else lambda: passphrase, tell)
    return Made(manifest, size_bytes, checks)


def verify_backup(
    source: Path, ask: Callable[[], Passphrase] | None, tell: Tell
) -> tuple[Manifest, Checked]:
    """Unpack a backup beside itself, check the cell in it, and remove it again.

    Raises BackupUnreadable, BackupDamaged, WrongPassphrase or BackupFailed.
    """
    with (
        faults_told(source),
        tempfile.TemporaryDirectory(prefix=f".{source.name}.", dir=source.parent) as scratch,
    ):
        manifest = unpack(source, Path(scratch), ask, tell)
        return manifest, checked_against(manifest, Path(scratch))


def checked_against(manifest: Manifest, directory: Path) -> Checked:
    """Check an unpacked cell, and that it is the one of the manifest; raises BackupDamaged."""
    checked = check_cell(directory)
    header = checked.header
    found = (
        checked.cell_id,
        checked.genesis.network_id.hex(),
        0 if header is None else header.round,
        checked.round_certified,
        checked.heads,
    )
    told = (
        manifest.cell_id,
        manifest.network_id,
        manifest.round_applied,
        manifest.round_certified,
        manifest.heads,
    )
    if found != told:
        raise BackupDamaged("it holds another cell, or another round, than its manifest says")
    return checked


def unpack(
    source: Path, directory: Path, ask: Callable[[], Passphrase] | None, tell: Tell
) -> Manifest:
    """Write the files of a backup into a directory, durably, with mode 0600; return its manifest.

    Raises BackupUnreadable, WrongPassphrase, PassphraseNeeded or OSError.
    """
    with source.open("rb") as file:
        reader = BackupReader(file, ask)
        length = int.from_bytes(reader.read(_LENGTH_BYTES), "big")
        if length > MANIFEST_SIZE_BYTES_MAX:
            raise BackupUnreadable("its manifest is longer than any")
        manifest = decode_manifest(reader.read(length))
        done, of = 0, sum(stored.size_bytes for stored in manifest.files)
        for stored in manifest.files:
            digest, left = hashlib.sha256(), stored.size_bytes
            with new_file(directory / stored.name) as out:
                while left:
                    data = reader.read(min(left, CHUNK_SIZE_BYTES))
                    digest.update(data)
                    out.write(data)
                    left, done = left - len(data), done + len(data)
                    tell("unpacking", done, of)
            if digest.hexdigest() != stored.sha256:
                raise BackupUnreadable(f"{stored.name} in it is not the one of its manifest")
        reader.end()
    return manifest


def restore(
    source: Path, home: Home, ask: Callable[[], Passphrase] | None, tell: Tell
) -> tuple[Manifest, Checked]:
    """Put the cell of a backup into an empty directory, checked; nobody runs it yet.

    Raises RestoreRefused, CellStillRuns, BackupUnreadable, BackupDamaged or BackupFailed.
    """
    with faults_told(home.path):
        if home.path.exists() and any(home.path.iterdir()):
            raise RestoreRefused(f"{home.path} is not empty")
        home.make()
        with tempfile.TemporaryDirectory(prefix=".restore.", dir=home.path) as scratch:
            manifest = unpack(source, Path(scratch), ask, tell)
            _check_original(manifest)
            checked = checked_against(manifest, Path(scratch))
            for name in FILES:
                (Path(scratch) / name).rename(home.path / name)
        _sync_directory(home.path)
    return manifest, checked


def mark_moved(home: Home, target: Path) -> None:
    """Say in a cell's directory that it must not run there any more; raises CellStillRuns."""
    if home.holder is not None:
        raise CellStillRuns(f"{home.path} is in use by {home.holder}")
    content = {"moved_ns": wall_ns(), "backup": str(target)}
    write_file(home.moved, json.dumps(content, indent=2) + "\n")


@contextmanager
def faults_told(path: Path) -> Iterator[None]:
    """Turn an OSError into BackupFailed."""
    try:
        yield
    except OSError as error:
        raise BackupFailed(f"{error.filename or path}: {error.strerror}") from error


def _check_original(manifest: Manifest) -> None:
    """Raise CellStillRuns if the cell runs where the backup was made of, on this machine."""
    original = Home(Path(manifest.home))
    holder = original.holder if manifest.host == socket.gethostname() else None
    if holder is not None:
        raise CellStillRuns(f"the cell runs in {original.path}: {holder}")


def _copy_small(source: Path, target: Path) -> None:
    with new_file(target) as out:
        out.write(source.read_bytes())


def _manifest_of(home: Home, copy: Path, checked: Checked) -> Manifest:
    header = checked.header
    return Manifest(
        version=VERSION,
        cell_id=checked.cell_id,
        network_id=checked.genesis.network_id.hex(),
        network_name=checked.genesis.name,
        made_ns=wall_ns(),
        home=str(home.path.absolute()),
        host=socket.gethostname(),
        round_applied=0 if header is None else header.round,
        round_certified=checked.round_certified,
        header_hash=(bytes(32) if header is None else header.hash).hex(),
        state_root=(EMPTY_ROOT if header is None else header.state_root).hex(),
        heads=checked.heads,
        files=tuple(_stored(copy / name) for name in FILES),
    )


def _stored(path: Path) -> StoredFile:
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return StoredFile(path.name, path.stat().st_size, digest)


def _write(
    copy: Path, manifest: Manifest, target: Path, passphrase: Passphrase | None, tell: Tell
) -> int:
    """Write the backup beside its place, durably, and put it there; return its size."""
    partial = copy / "backup"
    done, of = 0, sum(stored.size_bytes for stored in manifest.files)
    with new_file(partial) as out:
        writer = BackupWriter(out, passphrase)
        head = manifest.encode()
        writer.write(len(head).to_bytes(_LENGTH_BYTES, "big") + head)
        for stored in manifest.files:
            with (copy / stored.name).open("rb") as file:
                while data := file.read(CHUNK_SIZE_BYTES):
                    writer.write(data)
                    done += len(data)
                    tell("writing", done, of)
        writer.end()
        size_bytes = out.tell()
    os.link(partial, target)  # unlike rename, this never replaces
    _sync_directory(target.parent)
    return size_bytes


@contextmanager
def new_file(path: Path) -> Iterator[BinaryIO]:
    """Open a new file of mode 0600 for writing; durable in the end."""
    descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        yield file
        file.flush()
        os.fsync(file.fileno())


def _sync_directory(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
