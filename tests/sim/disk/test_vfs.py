"""SQLite on virtual files: it works as on real ones, and survives what they do to it."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from random import Random

import pytest

from core.errors import InvariantBroken
from sim.disk import Operation, SimDisk, vfs
from sim.errors import NoSqliteSymbols

_PATH = Path("/home/store.db")


def _connect(disk: SimDisk, *, synchronous: str = "FULL") -> sqlite3.Connection:
    mounted = disk.mount()
    mounted.create(_PATH)
    connection = mounted.connect(_PATH)
    for pragma in ("journal_mode = WAL", f"synchronous = {synchronous}", "wal_autocheckpoint = 20"):
        connection.execute(f"PRAGMA {pragma}").fetchall()
    return connection


def _work(connection: sqlite3.Connection, random: Random, done: list[int], count: int) -> None:
    """Commit numbered transactions; each adds two rows that tell it whole, and changes others."""
    connection.execute("CREATE TABLE IF NOT EXISTS t (n INTEGER, part INTEGER, body BLOB)")
    for _ in range(count):
        number = len(done) + 1
        connection.execute("BEGIN IMMEDIATE")
        for part in (1, 2):
            body = bytes([number % 256]) * random.randrange(1, 3000)
            connection.execute("INSERT INTO t VALUES (?, ?, ?)", (number, part, body))
        connection.execute("UPDATE t SET body = zeroblob(7) WHERE n = ?", (number - 3,))
        connection.execute("COMMIT")
        done.append(number)


def _numbers(connection: sqlite3.Connection) -> list[int]:
    """Return the numbers of all transactions that are there, each whole, in a sound file."""
    assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    if not connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]:
        return []
    rows = connection.execute("SELECT n, sum(part), count(*) FROM t GROUP BY n ORDER BY n")
    found = rows.fetchall()
    assert all(row[1:] == (3, 2) for row in found), "a transaction is whole or not there"
    return [number for number, _, _ in found]


def test_readers_see_the_last_commit_and_a_second_writer_is_told_that_it_is_locked() -> None:
    disk = SimDisk(Random(1))
    writer = _connect(disk)
    mounted = disk._mounted
    assert mounted is not None
    reader = mounted.connect(_PATH, read_only=True)
    other = mounted.connect(_PATH)
    writer.execute("CREATE TABLE t (n)")
    writer.execute("BEGIN IMMEDIATE")
    writer.execute("INSERT INTO t VALUES (1)")
    assert reader.execute("SELECT * FROM t").fetchall() == []
    with pytest.raises(sqlite3.OperationalError, match="locked"):
        other.execute("BEGIN IMMEDIATE")
    writer.execute("COMMIT")
    assert reader.execute("SELECT * FROM t").fetchall() == [(1,)]
    reader.execute("BEGIN")
    assert reader.execute("SELECT count(*) FROM t").fetchone() == (1,)
    other.execute("INSERT INTO t VALUES (2)")
    assert reader.execute("SELECT count(*) FROM t").fetchone() == (1,), "as when it began"
    assert other.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0] == 1, "it is read"
    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        reader.execute("INSERT INTO t VALUES (3)")
    reader.close()
    assert other.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0] == 0
    other.close()
    writer.close()
    assert disk.files.paths() == [str(_PATH)], "the last to close puts the log away"


def test_two_disks_know_nothing_of_each_other() -> None:
    disks = [SimDisk(Random(number)) for number in range(2)]
    connections = [_connect(disk) for disk in disks]
    for number, connection in enumerate(connections):
        connection.execute("CREATE TABLE t (n)")
        connection.execute("INSERT INTO t VALUES (?)", (number,))
    assert [c.execute("SELECT * FROM t").fetchall() for c in connections] == [[(0,)], [(1,)]]
    for connection in connections:
        connection.close()


def test_the_rollback_journal_and_large_sorts_work_too() -> None:
    disk = SimDisk(Random(1))
    mounted = disk.mount()
    connection = mounted.connect(_PATH)
    connection.execute("PRAGMA cache_size = 10")
    connection.execute("PRAGMA temp_store = FILE")
    connection.execute("CREATE TABLE t (n, body)")
    connection.execute("BEGIN")
    connection.executemany(
        "INSERT INTO t VALUES (?, ?)", [(n * 7919 % 5003, b"x" * 400) for n in range(5000)]
    )
    connection.execute("ROLLBACK")
    with connection:
        connection.executemany(
            "INSERT INTO t VALUES (?, ?)", [(n * 7919 % 5003, b"x" * 400) for n in range(5000)]
        )
    rows = connection.execute("SELECT n FROM t ORDER BY n, body").fetchall()
    assert rows == sorted(rows)
    assert len(rows) == 5000
    connection.execute("VACUUM")
    connection.close()


@pytest.mark.parametrize("power", [True, False], ids=["power cut", "kill"])
@pytest.mark.parametrize("synchronous", ["FULL", "NORMAL"])
def test_a_crash_at_any_operation_leaves_a_sound_file_and_what_was_committed(
    synchronous: str, *, power: bool
) -> None:
    at, crashes = 0, 0
    while True:
        at += 1
        disk, done = SimDisk(Random(at)), list[int]()
        disk.watch(lambda operation, at=at: _is_due(operation, at))  # type: ignore[misc]  # a bound default
        crashed = False
        try:
            connection = _connect(disk, synchronous=synchronous)
            _work(connection, Random(7), done, 16)
            connection.close()
        except sqlite3.OperationalError:
            crashed = True
        disk.watch(None)
        disk.crash(power=power)
        connection = _connect(disk)
        numbers = _numbers(connection)
        assert numbers == list(range(1, len(numbers) + 1)), "a prefix of what was committed"
        if synchronous == "FULL" or not power:
            assert len(numbers) >= len(done)
        assert len(numbers) <= len(done) + 1
        _work(connection, Random(8), numbers, 2)
        connection.close()
        if not crashed:
            break
        crashes += 1
    assert crashes > 150


def _is_due(operation: Operation, at: int) -> bool:
    """Crash before the operations with even numbers, and after the odd ones."""
    return operation.number == at and operation.is_done == bool(at % 2)


def test_a_log_that_is_not_synced_can_lose_commits_to_a_power_cut() -> None:
    """So that the tests above can fail."""
    lost = 0
    for seed in range(20):
        disk, done = SimDisk(Random(seed)), list[int]()
        _work(_connect(disk, synchronous="NORMAL"), Random(7), done, 10)
        disk.crash(power=True)
        connection = _connect(disk)
        lost += len(_numbers(connection)) < len(done)
        connection.close()
    assert lost > 10


def test_a_dead_process_changes_nothing_and_is_told_so() -> None:
    disk = SimDisk(Random(1))
    connection = _connect(disk)
    _work(connection, Random(1), [], 3)
    disk.crash(power=False)
    image = disk.copy()
    with pytest.raises(sqlite3.OperationalError):
        _work(connection, Random(1), [], 1)
    connection.close()
    assert {p: image.create(p).content for p in image.paths()} == {
        p: disk.files.create(p).content for p in disk.files.paths()
    }


def test_a_full_disk_is_told_as_such_and_the_file_stays_sound() -> None:
    disk, done = SimDisk(Random(1)), list[int]()
    connection = _connect(disk)
    _work(connection, Random(1), done, 5)
    disk.files.capacity_bytes = disk.files.used_bytes + 10_000
    with pytest.raises(sqlite3.OperationalError, match="full"):
        _work(connection, Random(1), done, 50)
    disk.files.capacity_bytes = None
    connection.close()
    connection = _connect(disk)
    assert _numbers(connection) == done
    connection.close()


def test_a_python_whose_sqlite_cannot_be_reached_is_told_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(vfs, "_registered", [])
    monkeypatch.setattr("ctypes.CDLL", lambda _: object())
    with pytest.raises(NoSqliteSymbols):
        SimDisk(Random(1)).mount()


def test_a_bug_of_a_callback_does_not_go_unnoticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vfs, "_escaped", [])
    disk = SimDisk(Random(1))
    connection = _connect(disk)
    disk.watch(lambda _: 1 // 0 > 0)
    with pytest.raises(sqlite3.OperationalError):
        connection.execute("CREATE TABLE t (n)")
    disk.watch(None)
    disk.crash(power=False)
    with pytest.raises(InvariantBroken, match="ZeroDivisionError"):
        disk.mount()
    connection.close()
