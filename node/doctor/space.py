"""What takes the room of a cell on its disk, what it will take, and what can go.

Works on a running cell too: the store is only read, as a backup does. In a store of more than 2 GiB
SQLite's own count of pages would read all of it; there the sizes of journals are those of their
blocks, and the rest is told as one.
"""

from __future__ import annotations

import re
import shutil
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from gateway.process_views import SpaceView, UseView
from journal.checkup import StoreAtRest
from journal.errors import StatementRefused
from node.doctor.limits import COUNTED_SIZE_BYTES_MAX
from node.home import Home

_NS_A_DAY: Final = 86_400 * 10**9
_JOURNAL_TABLE: Final = re.compile(r"journal_(?:chunk|hash)_(\d+)")
_GROUPS: Final = (
    (("state", "page", "dead_page"), "state", "the agreed state and its map"),
    (("change", "told_from", "history"), "state history", "what rounds changed"),
    (("ordered",), "order", "the agreed order of transactions"),
    (("certificate", "seal", "epoch"), "certificates", "of rounds and epochs"),
    (("content",), "contents", "bodies of posted content"),
    (("message",), "messages", "sent, received and kept for others"),
    (("staged", "next_"), "transfer", "a checkpoint that is being fetched"),
)
_HOW: Final = {
    "state history": "less of it is kept with `state.history_rounds` in config.yaml",
    "contents": "copies for others go by themselves when room is needed; `myceld content list`",
    "transfer": "goes by itself once the checkpoint is in place",
    "free pages": "given back to the disk bit by bit while the cell runs",
    "write-ahead log": "written back and cut by itself; a restart does it at once",
    "evidence": "remove the file once nobody looks into it any more",
    "logs": "remove old ones; docs/configuration.md says how many are kept",
}


def space_of(home: Home) -> SpaceView:
    """Return what takes room in a cell's directory; raises what opening the store does."""
    uses, estimated, growth = [], False, None
    if home.database.exists():
        found, estimated = _in_store(home.database)
        uses += found
        growth = _growth(home.database)
    uses += _files(home)
    uses.sort(key=lambda use: -use.size_bytes)
    free = shutil.disk_usage(home.path).free
    return SpaceView(
        uses=uses,
        total_bytes=sum(use.size_bytes for use in uses),
        disk_free_bytes=free,
        growth_bytes_a_day=growth,
        days_left=min(free // growth, 36_500) if growth else None,
        is_estimated=estimated,
    )


def _in_store(path: Path) -> tuple[list[UseView], bool]:
    """Return what takes room in a store, and whether that is estimated."""
    size_bytes = path.stat().st_size
    store = StoreAtRest(path, checks_pages=False)
    try:
        names = dict(store.query("SELECT number, name FROM journal_head"))
        page = store.query("PRAGMA page_size")[0][0]
        free = store.query("PRAGMA freelist_count")[0][0] * page
        is_large = size_bytes > COUNTED_SIZE_BYTES_MAX
        tables = _estimated(store) if is_large else _counted(store)
    finally:
        store.close()
    sums: dict[tuple[str, str], int] = {}
    for table, size in tables.items():
        group = _group(table, names)
        sums[group] = sums.get(group, 0) + size
    rest = size_bytes - sum(sums.values()) - free
    if rest > 0:
        group = ("rest of the store", "estimated" if is_large else "indices, and small tables")
        sums[group] = sums.get(group, 0) + rest
    if free:
        sums["free pages", "in the store, used again"] = free
    return [_use(what, size, note) for (what, note), size in sums.items()], is_large


def _counted(store: StoreAtRest) -> dict[str, int]:
    try:
        rows = store.query("SELECT name, pgsize FROM dbstat WHERE aggregate = TRUE")
    except StatementRefused:  # SQLite may be built without this table
        return _estimated(store)
    return dict(rows)


def _estimated(store: StoreAtRest) -> dict[str, int]:
    rows = store.query("SELECT number, bytes FROM journal_head")
    return {f"journal_chunk_{number}": size for number, size in rows}


def _group(table: str, journals: dict[int, str]) -> tuple[str, str]:
    if (match := _JOURNAL_TABLE.fullmatch(table)) is not None:
        name = journals.get(int(match[1]), match[1])
        return f"journal {name}", "signed blocks, which others rely on"
    for prefixes, group, note in _GROUPS:
        if table.startswith(prefixes):
            return group, note
    return "rest of the store", "indices, and small tables"


def _use(what: str, size_bytes: int, note: str) -> UseView:
    how = _HOW.get(what, "")
    return UseView(what, size_bytes, note, can_go=bool(how), how=how)


def _files(home: Home) -> Iterator[UseView]:
    sums: dict[tuple[str, str], int] = {}
    for path in sorted(home.path.rglob("*")):
        if not path.is_file() or path.is_symlink() or path == home.database:
            continue
        size = path.stat().st_size
        group = _file_group(path)
        sums[group] = sums.get(group, 0) + size
    for (what, note), size in sums.items():
        yield _use(what, size, note)


def _file_group(path: Path) -> tuple[str, str]:
    if path.name.startswith("cell.db-"):
        return "write-ahead log", "what is not in the store yet"
    if path.name.startswith("diverged-"):
        return "evidence", "a state that was not the certified one"
    if ".log" in path.suffixes or path.parent.name == "logs":
        return "logs", "what the cell told"
    return "other files", "key, configuration, genesis"


def _growth(path: Path) -> int | None:
    """Return how many bytes a day come in, by the share of the order that is of the last day."""
    uri = f"{path.absolute().as_uri()}?mode=ro"
    connection = sqlite3.connect(uri, uri=True)
    try:
        first, count = connection.execute("SELECT min(time_ns), count(*) FROM ordered").fetchone()
        if not count:
            return None
        now_ns = time.time_ns()
        since_ns = max(first, now_ns - _NS_A_DAY)
        if now_ns - first < _NS_A_DAY // 24:
            return None
        (of_last_day,) = connection.execute(
            "SELECT count(*) FROM ordered WHERE time_ns >= ?", (since_ns,)
        ).fetchone()
    finally:
        connection.close()
    share = of_last_day / count * _NS_A_DAY / (now_ns - since_ns)
    return int(path.stat().st_size * share)
