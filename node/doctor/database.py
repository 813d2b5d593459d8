"""Checks of the database of a cell at rest: whole, of this version, ours, and unlocked."""

from __future__ import annotations

import sqlite3
import statistics
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Final

from core.errors import MyceldError
from core.findings import Finding, find
from core.ids import NetworkId
from hashgraph.event import decode_any_event
from journal.checkup import StoreAtRest
from journal.database import APPLICATION_ID, FORMAT_VERSION
from journal.errors import StoreUnavailable
from ledger.genesis import Genesis
from ledger.header import decode_header
from node.doctor.limits import QUICK_CHECK_SIZE_BYTES_MAX
from node.doctor.machine import check_clock
from node.doctor.patient import Patient
from node.layout import LAYOUT, OTHER_MAPS
from node.tables import EVENTS_JOURNAL, HEADERS_JOURNAL

_HEAD_SIZE_BYTES: Final = 100
_EVENTS_LOOKED_AT: Final = 64
_LOCK_TIMEOUT_S: Final = 0.2


def check_database(patient: Patient, now_ns: int) -> Iterator[Finding]:
    """Yield what is wrong with the database; nothing for a cell that never ran, or runs."""
    path = patient.home.database
    if not path.exists():
        return
    if (version := _other_format(path)) is not None:
        yield find("MYC-DOCTOR-041", f"{path} has format {version}, this reads {FORMAT_VERSION}")
        return
    if (reason := _locked(path)) is not None:
        yield find("MYC-DOCTOR-042", f"{path}: {reason}")
        return
    try:
        is_small = path.stat().st_size <= QUICK_CHECK_SIZE_BYTES_MAX
        store = StoreAtRest(path, checks_pages=is_small)
    except StoreUnavailable as error:
        yield find("MYC-DOCTOR-042", error.detail)
        return
    except (MyceldError, OSError) as error:
        yield find("MYC-DOCTOR-040", f"{path}: {error}")
        return
    try:
        yield from _content(patient, store, now_ns)
    except MyceldError as error:
        yield find("MYC-DOCTOR-040", f"{path}: {error.detail}")
    finally:
        store.close()


def _content(patient: Patient, store: StoreAtRest, now_ns: int) -> Iterator[Finding]:
    path, cell_id = patient.home.database, patient.cell_id
    layout = store.query("SELECT version FROM layout") if _has_layout(store) else []
    if layout and layout[0][0] not in {LAYOUT, *OTHER_MAPS}:
        what = f"{path} has layout {layout[0][0]}, this version needs {LAYOUT}"
        yield find("MYC-DOCTOR-041", what)
        return
    if cell_id is not None and store.cell_id not in {cell_id, *patient.former_ids}:
        yield find("MYC-DOCTOR-023", f"{path} belongs to {store.cell_id}, the key to {cell_id}")
    genesis = patient.genesis
    if not isinstance(genesis, Genesis):
        return
    header = next(store.blocks(HEADERS_JOURNAL), None)
    network = None if header is None else decode_header(header).network_id
    if network is not None and network != genesis.network_id:
        yield find(
            "MYC-DOCTOR-022",
            f"the genesis is that of {genesis.network_id.hex()[:16]}…, the database's network is "
            f"{network.hex()[:16]}…",
        )
        return
    yield from check_clock(_usual_time_ns(store, genesis.network_id), now_ns)


def _usual_time_ns(store: StoreAtRest, network_id: NetworkId) -> int | None:
    """Return the median time of the newest events: one liar does not move it."""
    start = max(0, store.length(EVENTS_JOURNAL) - _EVENTS_LOOKED_AT)
    newest = islice(store.blocks(EVENTS_JOURNAL, start), _EVENTS_LOOKED_AT)
    times = [decode_any_event(data, network_id)[0].time_ns for data in newest if data is not None]
    return int(statistics.median_high(times)) if times else None


def _has_layout(store: StoreAtRest) -> bool:
    found = store.query("SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'layout'")
    return bool(found)


def _other_format(path: Path) -> int | None:
    """Return the format of a store that this version does not read, by the head of the file."""
    try:
        with path.open("rb") as file:
            head = file.read(_HEAD_SIZE_BYTES)
    except OSError:
        return None
    identity, version = int.from_bytes(head[68:72], "big"), int.from_bytes(head[60:64], "big")
    return version if identity == APPLICATION_ID and version != FORMAT_VERSION else None


def _locked(path: Path) -> str | None:
    """Return why nobody else could write now; None if somebody could, or the file is broken."""
    try:
        connection = sqlite3.connect(
            f"{path.absolute().as_uri()}?mode=rw", _LOCK_TIMEOUT_S, uri=True
        )
    except sqlite3.Error:
        return None
    try:
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("ROLLBACK")
    except sqlite3.OperationalError as error:
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        return str(error) if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED) else None
    except sqlite3.Error:
        return None
    finally:
        connection.close()
    return None
