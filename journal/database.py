"""The SQLite file: its schema, what is checked when it is opened, and whose fault its errors are.

One file holds all journals of a cell and, beside them, whatever tables other packages create; all
of it shares one write-ahead log, so a crash leaves a prefix of everything. Table names starting
with `journal_` are ours.

Checked at open: format, cell id, key, and per journal the signature of its head and that the root
rebuilt from stored hashes is the signed one. This module starts no thread and no transaction that
it does not end.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from nacl.exceptions import CryptoError

from core.errors import MyceldError
from core.failpoint import hit
from core.ids import CellId, NotACellId, PublicKey, Signature, public_key_of
from core.limits import HASH_SIZE_BYTES, SIGNATURE_SIZE_BYTES
from journal.bundle import verify_own_head
from journal.checkpoint import Sign, verify_signature
from journal.disk import Disk
from journal.errors import (
    DiskFull,
    HeadRefused,
    NotAStore,
    ReadFailed,
    SignerFailed,
    StatementRefused,
    StoreCorrupt,
    StoreUnavailable,
    WriteFailed,
    WrongCell,
)
from journal.layout import JournalState, hash_key, length_of, unpack_chunk
from journal.limits import (
    CACHE_SIZE_KIB,
    LOCK_TIMEOUT_MS,
    PAGE_SIZE_BYTES,
    TILE_HASHES,
    WAL_SIZE_BYTES,
)
from journal.merkle import Frontier, leaf_hash
from journal.recovery import write_log_again
from journal.takeover import sign_anew
from journal.tile import TILE_LEVEL, split_hashes

FORMAT_VERSION: Final = 3
"""Stored as SQLite's user_version. Version 1 could give no space back to the file system; version 2
had each head signed by itself."""

APPLICATION_ID: Final = 0x4D594A31
"""Stored as SQLite's application_id: the bytes "MYJ1"."""

SQLITE_ERRORS: Final = (sqlite3.Error, sqlite3.Warning, UnicodeDecodeError)
"""What the sqlite3 module raises; the last when a message quotes a damaged schema."""

_PROBE: Final = b"myceld journal: does this signer hold the key of the cell?\n"

_SCHEMA: Final = (
    "CREATE TABLE journal_store (cell_id TEXT NOT NULL, syncs INTEGER NOT NULL)",
    """
    CREATE TABLE journal_head (
        number INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, fork INTEGER NOT NULL,
        size INTEGER NOT NULL, bytes INTEGER NOT NULL, edits INTEGER NOT NULL,
        pruned INTEGER NOT NULL, key_check BLOB NOT NULL, head TEXT NOT NULL
    )
    """,
    "CREATE TABLE journal_tail (number INTEGER PRIMARY KEY, body BLOB NOT NULL)",
    """
    CREATE TABLE journal_evidence (
        id INTEGER PRIMARY KEY, number INTEGER NOT NULL, ours TEXT NOT NULL, theirs TEXT NOT NULL,
        UNIQUE (number, ours, theirs)
    )
    """,
    f"PRAGMA application_id = {APPLICATION_ID}",
    f"PRAGMA user_version = {FORMAT_VERSION}",
)


def connect_writer(path: Path, disk: Disk) -> sqlite3.Connection:
    """Open or create the file for writing, in WAL mode; raises a leaf of journal.errors."""
    try:
        is_new = disk.create(path)
    except OSError as error:
        raise StoreUnavailable(f"{path}: {error.strerror}") from error
    # Two threads use the connection, never at once: see `journal.committer`.
    connection = disk.connect(path, any_thread=True)
    try:
        if is_new:
            # Only a new file takes these; setting them again would be a transaction at each open.
            connection.execute(f"PRAGMA page_size = {PAGE_SIZE_BYTES}")
            connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
        for pragma in (
            f"busy_timeout = {LOCK_TIMEOUT_MS}",
            f"cache_size = -{CACHE_SIZE_KIB}",
            "cache_spill = OFF",  # a large commit would be written twice
            "fullfsync = 1",
            "checkpoint_fullfsync = 1",
            "wal_autocheckpoint = 0",
            f"journal_size_limit = {2 * WAL_SIZE_BYTES}",
            "synchronous = NORMAL",
        ):
            connection.execute(f"PRAGMA {pragma}")
        if connection.execute("PRAGMA journal_mode = WAL").fetchone() != ("wal",):
            raise StoreUnavailable(f"{path}: this file system cannot hold a write-ahead log")
        write_log_again(connection, path, disk)
    except SQLITE_ERRORS as error:
        connection.close()
        raise fault_of(error, writing=True, ours=True) from error
    except MyceldError:
        connection.close()
        raise
    return connection


def connect_reader(path: Path, disk: Disk) -> sqlite3.Connection:
    """Open the file read-only, for the calling thread."""
    try:
        connection = disk.connect(path, read_only=True)
        connection.execute(f"PRAGMA busy_timeout = {LOCK_TIMEOUT_MS}")
        connection.execute(f"PRAGMA cache_size = -{CACHE_SIZE_KIB}")
    except SQLITE_ERRORS as error:
        raise fault_of(error, writing=False, ours=True) from error
    return connection


def connect_copier(path: Path, disk: Disk) -> sqlite3.Connection:
    """Open the file for copying the write-ahead log only; raises a leaf of journal.errors."""
    connection = disk.connect(path, any_thread=True)
    try:
        for pragma in ("fullfsync = 1", "checkpoint_fullfsync = 1", "wal_autocheckpoint = 0"):
            connection.execute(f"PRAGMA {pragma}")
        connection.execute("SELECT 1 FROM sqlite_schema LIMIT 1").fetchall()  # opens the log
    except SQLITE_ERRORS as error:
        connection.close()
        raise fault_of(error, writing=True, ours=True) from error
    return connection


def prepare(
    connection: sqlite3.Connection,
    cell_id: str,
    public_key: PublicKey,
    sign: Sign,
    former: CellId | None = None,
) -> dict[str, JournalState]:
    """Create the schema or check it, and return the verified state of each journal by name.

    A store of the `former` cell id is checked as that one's first, and goes over to the new one.
    Raises NotAStore, WrongCell, SignerFailed, StoreCorrupt, ReadFailed or a write's fault.
    """
    _check_signer(public_key, sign)
    try:
        if _is_blank(connection):
            _create(connection, cell_id)
        owner = _check_format(connection)
        if former is not None and owner == former:
            old = _states(connection, former, public_key_of(former))
            sign_anew(connection, old, cell_id=cell_id, public_key=public_key, sign=sign)
        elif owner != cell_id:
            raise WrongCell(f"the store belongs to {owner}, not to {cell_id}")
        states = _states(connection, cell_id, public_key)
    except SQLITE_ERRORS as error:
        raise fault_of(error, writing=True, ours=True) from error
    return {state.name: state for state in states}


def checked_states(connection: sqlite3.Connection) -> tuple[CellId, list[JournalState]]:
    """Return whose store it is, and its journals, checked against their signed heads.

    Writes nothing and needs no key. Raises NotAStore, StoreCorrupt or sqlite3's errors.
    """
    owner = _check_format(connection)
    if owner is None:
        raise NotAStore("the store belongs to nobody")
    try:
        public_key = public_key_of(owner)
    except NotACellId as error:
        raise StoreCorrupt(f"its owner is no cell: {error.detail}") from error
    return CellId(owner), _states(connection, owner, public_key)


def _states(
    connection: sqlite3.Connection, cell_id: str, public_key: PublicKey
) -> list[JournalState]:
    rows = connection.execute(
        "SELECT number, name, fork, size, bytes, edits, pruned, key_check, head, body "
        "FROM journal_head LEFT JOIN journal_tail USING (number) ORDER BY number"
    ).fetchall()
    states = [_load(connection, row, cell_id, public_key) for row in rows]
    _check_tables(connection, states)
    return states


def create_journal_tables(connection: sqlite3.Connection, number: int) -> None:
    """Create the two tables of a journal inside the caller's transaction."""
    for statement in _tables_of(number):
        connection.execute(statement)


def fault_of(error: Exception, *, writing: bool, ours: bool = False) -> MyceldError:
    """Return the declared error for one of SQLite's, by its result code.

    `ours`: the statement was the store's own, so that a refusal means that the file is damaged.
    """
    refusal = StoreCorrupt if ours else StatementRefused
    code = getattr(error, "sqlite_errorcode", None)
    name = getattr(error, "sqlite_errorname", type(error).__name__)
    detail = f"{name}: {error}"
    if code is None:
        return refusal(detail)
    primary = code & 0xFF
    if primary == sqlite3.SQLITE_FULL:
        return DiskFull(detail)
    if primary in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
        return StoreCorrupt(detail) if primary == sqlite3.SQLITE_CORRUPT else NotAStore(detail)
    if primary in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_CANTOPEN):
        return StoreUnavailable(detail)
    if primary in (sqlite3.SQLITE_IOERR, sqlite3.SQLITE_NOMEM):
        return WriteFailed(detail) if writing else ReadFailed(detail)
    if primary == sqlite3.SQLITE_READONLY and writing:
        return WriteFailed(detail)
    return refusal(detail)


def _check_signer(public_key: PublicKey, sign: Sign) -> None:
    try:
        verify_signature(public_key, _PROBE, Signature(call_signer(sign, _PROBE)))
    except HeadRefused as error:
        raise WrongCell("the signer does not hold the key of the cell id") from error


def call_signer(sign: Sign, message: bytes) -> bytes:
    """Return what the callback gives for `message`; raises SignerFailed if that is no signature.

    An error that is neither of ours nor of these kinds is a bug of the callback and goes through.
    """
    try:
        signature = sign(message)
    except (MyceldError, CryptoError, OSError, RuntimeError, TypeError, ValueError) as error:
        raise SignerFailed(f"the sign callback raised {type(error).__name__}") from error
    if not isinstance(signature, bytes) or len(signature) != SIGNATURE_SIZE_BYTES:
        raise SignerFailed("the sign callback did not return an Ed25519 signature")
    return signature


def _is_blank(connection: sqlite3.Connection) -> bool:
    tables = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]
    identity = connection.execute("PRAGMA application_id").fetchone()[0]
    return bool(tables == 0 and identity == 0)


def _create(connection: sqlite3.Connection, cell_id: str) -> None:
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("BEGIN IMMEDIATE")
    try:
        for statement in _SCHEMA:
            connection.execute(statement)
        connection.execute("INSERT INTO journal_store VALUES (?, 0)", (cell_id,))
        hit("journal.create.before")
        connection.execute("COMMIT")
        hit("journal.create.after")
    finally:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
    connection.execute("PRAGMA synchronous = NORMAL")


def _check_format(connection: sqlite3.Connection) -> str | None:
    """Return whose store it is."""
    if connection.execute("PRAGMA application_id").fetchone()[0] != APPLICATION_ID:
        raise NotAStore("the file is a database, but not a journal store")
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if version != FORMAT_VERSION:
        raise NotAStore(f"the store has format {version}, this version reads {FORMAT_VERSION}")
    owner = connection.execute("SELECT cell_id FROM journal_store").fetchone()
    return owner and str(owner[0])


def _tables_of(number: int) -> list[str]:
    columns = {
        "chunk": "first INTEGER PRIMARY KEY, before INTEGER NOT NULL, body BLOB NOT NULL",
        "hash": "key INTEGER PRIMARY KEY, body BLOB NOT NULL",
    }
    return [f"CREATE TABLE journal_{kind}_{number} ({columns[kind]})" for kind in columns]


def _check_tables(connection: sqlite3.Connection, states: Sequence[JournalState]) -> None:
    """Raise StoreCorrupt unless our tables are those of the heads, created as we create them.

    Without it a store that lost the rows of its heads would pass for one without journals.
    """
    expected = [statement for statement in _SCHEMA if not statement.startswith("PRAGMA")]
    for state in states:
        expected += _tables_of(state.number)
    found = connection.execute(
        "SELECT sql FROM sqlite_schema WHERE type = 'table' AND name GLOB 'journal_*'"
    ).fetchall()
    if sorted(_one_line(sql) for (sql,) in found) != sorted(map(_one_line, expected)):
        raise StoreCorrupt("the tables are not those of the journals whose heads are there")


def _one_line(sql: object) -> str:
    return " ".join(str(sql).split())


_HEAD_TYPES: Final = [int, str, int, int, int, int, int, bytes, str, bytes]


def _load(
    connection: sqlite3.Connection, row: tuple[Any, ...], cell_id: str, public_key: PublicKey
) -> JournalState:
    """Return the state of one journal, checked against its signed head."""
    row = (*row[:-1], b"" if row[-1] is None else row[-1])
    if [type(value) for value in row] != _HEAD_TYPES:
        raise StoreCorrupt("the row of a journal's head cannot be read")
    number, name, fork, size, size_bytes, edits, pruned, key_check, head, tail_body = row
    try:
        signed = verify_own_head(head, f"{cell_id}/{name}/{fork}", public_key)
    except HeadRefused as error:
        raise StoreCorrupt(f"journal {name}: its signed head is wrong ({error.detail})") from error
    open_first, open_blocks = _open_chunk(connection, number, name, size, size_bytes)
    tail_start = size - size % TILE_HASHES
    rest = open_blocks[max(0, tail_start - open_first) :]
    tail = (*split_hashes(tail_body), *map(leaf_hash, rest))
    if signed.size != size or len(tail) != size % TILE_HASHES:
        raise StoreCorrupt(f"journal {name}: its head is of {signed.size} blocks, not {size}")
    frontier = _load_frontier(connection, number, size - len(tail))
    frontier.extend(tail)
    if frontier.root() != signed.root:
        raise StoreCorrupt(f"journal {name}: the stored hashes do not give its signed root")
    return JournalState(
        number=number,
        name=name,
        fork=fork,
        size=size,
        root=signed.root,
        head=head,
        frontier=frontier,
        tail=tail,
        open_first=open_first,
        open_blocks=open_blocks,
        size_bytes=size_bytes,
        edits=edits,
        pruned=pruned,
        key_check=key_check,
    )


def load_open_chunk(connection: sqlite3.Connection, state: JournalState) -> JournalState:
    """Return `state` with its last chunk row, checked, if that row may still grow.

    A row with a cleared block in it never grows again.
    """
    first, blocks = _open_chunk(connection, state.number, state.name, state.size, state.size_bytes)
    for at in range(max(first, state.tail_start), state.size):
        if leaf_hash(blocks[at - first]) != state.tail[at - state.tail_start]:
            raise StoreCorrupt(f"journal {state.name}: block {at} is not the one that was signed")
    return state._replace(open_first=first, open_blocks=blocks)


def _open_chunk(
    connection: sqlite3.Connection, number: int, name: str, size: int, size_bytes: int
) -> tuple[int, tuple[bytes, ...]]:
    """Return the last chunk row if it may still grow, (size, ()) if it has a cleared block."""
    found = connection.execute(
        f"SELECT first, before, body FROM journal_chunk_{number} "  # noqa: S608 - an integer
        "ORDER BY first DESC LIMIT 1"
    ).fetchone()
    first, before, body = found or (0, 0, None)
    slots = [] if found is None else unpack_chunk(body)
    if type(first) is not int or type(before) is not int:
        raise StoreCorrupt(f"journal {name}: the key of a chunk row is no index")
    if first + len(slots) != size or before + sum(map(length_of, slots)) != size_bytes:
        raise StoreCorrupt(f"journal {name}: its blocks end at another length than its head")
    blocks = tuple([slot for slot in slots if isinstance(slot, bytes)])
    return (size, ()) if len(blocks) < len(slots) else (first, blocks)


def _load_frontier(connection: sqlite3.Connection, number: int, size: int) -> Frontier:
    hashes: list[bytes] = []
    at = 0
    for level in range(size.bit_length() - 1, TILE_LEVEL - 1, -1):
        if size >> level & 1:
            found = connection.execute(
                f"SELECT body FROM journal_hash_{number} WHERE key = ?",  # noqa: S608 - an integer
                (hash_key(level, at >> level),),
            ).fetchone()
            if found is None or not isinstance(found[0], bytes) or len(found[0]) != HASH_SIZE_BYTES:
                raise StoreCorrupt(f"the hash of subtree {at >> level} at level {level} is gone")
            hashes.append(found[0])
            at += 1 << level
    return Frontier(size, hashes)


def blob_of(value: object) -> bytes:
    """Return a BLOB read from one of our columns; raises StoreCorrupt for any other type."""
    if not isinstance(value, bytes):
        raise StoreCorrupt(f"a row holds {type(value).__name__} where bytes belong")
    return value
