"""A point in time: the state as it was after a round, out of a backup: to be read, not to be run.

A member can not go back: others know what it signed since. So a point in time is a file of JSON
lines: the header of the round, then each key and value in order of the keys, in hex. It is written
only if the root computed from them is the one in the header, which the backup's newest certificate
covers by its hashes. Whoever wants a new network to begin with that state puts its values there.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, cast

from core.ids import Round
from identity.passphrase import Passphrase
from journal import Store
from journal.checkup import StoreAtRest
from ledger.header import RoundHeader, decode_header
from ledger.tree import StateTree
from node.backup.checking import check_cell
from node.backup.making import Tell, faults_told, new_file, unpack
from node.backup.manifest import Manifest
from node.errors import BackupDamaged, NoSuchState
from node.state_tables import told_from, values_at
from node.tables import HEADERS_JOURNAL

FORMAT: Final = "myceld-state/1"
_KEYS_STEP: Final = 2_000
_KEYS: Final = (
    "SELECT key FROM (SELECT key FROM state UNION SELECT key FROM change WHERE round > ?1) "
    "WHERE key > ?2 ORDER BY key LIMIT ?3"
)


@dataclass(frozen=True, slots=True)
class Exported:
    """A state that was written."""

    manifest: Manifest
    header: RoundHeader
    keys: int


def export_state(
    source: Path,
    at: Round,
    target: Path,
    ask: Callable[[], Passphrase] | None,
    tell: Tell,
) -> Exported:
    """Write the state after a round, out of a backup, to a new file of mode 0600.

    Raises NoSuchState for a round that the backup does not hold, BackupUnreadable, BackupDamaged,
    WrongPassphrase or BackupFailed.
    """
    with (
        faults_told(source),
        tempfile.TemporaryDirectory(prefix=f".{target.name}.", dir=target.parent) as scratch,
    ):
        manifest = unpack(source, Path(scratch), ask, tell)
        check_cell(Path(scratch), deeply=False)
        store = StoreAtRest(Path(scratch) / "cell.db")
        try:
            header = _header(store, at)
            partial = Path(scratch) / "state"
            keys = _write(store, manifest, header, partial)
            partial.rename(target)
        finally:
            store.close()
    return Exported(manifest, header, keys)


def _header(store: StoreAtRest, at: Round) -> RoundHeader:
    """Return the header of a round whose state is held; after a repair the last one counts."""
    found, newest = None, 0
    for block in store.blocks(HEADERS_JOURNAL):
        if block is not None:
            header = decode_header(block)
            found, newest = (header if header.round == at else found), header.round
    first = told_from(_as_store(store))
    if found is None or not first <= at <= newest:
        raise NoSuchState(f"round {at}: the backup holds the states of rounds {first} to {newest}")
    return found


def _write(store: StoreAtRest, manifest: Manifest, header: RoundHeader, path: Path) -> int:
    tree, keys = StateTree(), 0
    first = {
        "format": FORMAT,
        "network_id": manifest.network_id,
        "network_name": manifest.network_name,
        "round": header.round,
        "time_ns": header.consensus_time_ns,
        "state_root": header.state_root.hex(),
        "header": header.encode().hex(),
    }
    with new_file(path) as out:
        out.write(json.dumps(first, ensure_ascii=False).encode() + b"\n")
        for part in _entries(store, header.round):
            tree.update(part)
            keys += len(part)
            for key, value in part:
                line = {"key_hex": key.hex(), "value_hex": value.hex()}
                out.write(json.dumps(line).encode() + b"\n")
    if tree.root() != header.state_root:
        raise BackupDamaged(f"the state of round {header.round} is not the one of its header")
    return keys


def _entries(store: StoreAtRest, at: Round) -> Iterator[list[tuple[bytes, bytes]]]:
    last = b""
    while rows := store.query(_KEYS, (at, last, _KEYS_STEP)):
        keys = [key for (key,) in rows]
        values = values_at(_as_store(store), at, keys)
        yield [(key, values[key]) for key in keys if key in values]
        last = keys[-1]


def _as_store(store: StoreAtRest) -> Store:
    """Return what is asked queries only, as those who ask a running cell's store take it."""
    return cast("Store", store)
