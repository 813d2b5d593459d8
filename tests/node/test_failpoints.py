"""Failpoints are armed by the environment only, and do what they were told at the hit they name."""

from __future__ import annotations

import errno
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from core.failpoint import FAILPOINTS, Failure, arm, hit
from journal.database import fault_of
from journal.errors import DiskFull, WriteFailed
from node import failpoints
from node.errors import BadFailpoints
from node.failpoints import FAILPOINTS_VARIABLE, Armed, Order, arm_from, fill_disk, parse

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(autouse=True)
def _disarmed(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(failpoints, "_armed", Armed({}))
    yield
    arm(None)


def test_orders_are_read() -> None:
    assert parse("journal.fsync.after=kill@17, session.write.before=pause:20") == {
        "journal.fsync.after": Order("kill", 17),
        "session.write.before": Order("pause", None, 20),
    }
    assert parse("install.state=kill") == {"install.state": Order("kill", 1)}
    assert parse("file.rename.before=full@2") == {"file.rename.before": Order("full", 2)}


@pytest.mark.parametrize(
    "text",
    [
        *(",", "kill", "journal.fsync.after", "journal.fsync.after=", "no.such.place=kill"),
        *("journal.fsync.after=die", "journal.fsync.after=kill@0", "journal.fsync.after=kill@x"),
        *("journal.fsync.after=kill:5", "journal.fsync.after=pause", "install.state=pause:60001"),
        *("journal.fsync.after=error", "consensus.send.before=error", "journal.fsync.before=full"),
        "install.state=kill,install.state=kill@2",
    ],
)
def test_nonsense_is_refused(text: str) -> None:
    with pytest.raises(BadFailpoints):
        parse(text)


def test_the_daemon_refuses_nonsense_with_its_code(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "node", "init", "--home", str(tmp_path / "cell")],
        env={**os.environ, FAILPOINTS_VARIABLE: "nonsense"},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "MYC-NODE-060" in done.stderr
    assert not (tmp_path / "cell").exists()


def test_kill_ends_the_process_at_the_hit_that_it_names_as_kill_9_does() -> None:
    program = (
        "import os; from core.failpoint import hit; from node.failpoints import arm_from\n"
        "arm_from(os.environ)\n"
        "for number in range(9): print(number, flush=True); hit('journal.fsync.after')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, FAILPOINTS_VARIABLE: "journal.fsync.after=kill@3"},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == -signal.SIGKILL
    assert done.stdout.split() == ["0", "1", "2"]


def test_without_the_variable_nothing_is_armed() -> None:
    arm_from({})
    arm_from({FAILPOINTS_VARIABLE: ""})
    for name in FAILPOINTS:
        hit(name)


def test_a_pause_holds_up() -> None:
    arm_from({FAILPOINTS_VARIABLE: "install.state=pause:30"})
    began = time.monotonic()
    hit("install.state")
    hit("install.state")
    assert time.monotonic() - began >= 0.06


@pytest.mark.parametrize(("action", "declared"), [("error", WriteFailed), ("full", DiskFull)])
def test_a_failing_database_is_what_the_store_takes_for_one(
    action: str, declared: type[Exception]
) -> None:
    arm_from({FAILPOINTS_VARIABLE: f"journal.commit.before={action}@2"})
    hit("journal.commit.before")
    with pytest.raises(sqlite3.OperationalError) as failed:
        hit("journal.commit.before")
    assert isinstance(fault_of(failed.value, writing=True), declared)
    hit("journal.commit.before")


def test_a_full_disk_fails_each_write_until_there_is_room() -> None:
    fill_disk(full=True)
    for name, point in FAILPOINTS.items():
        if point.failure is Failure.DATABASE:
            with pytest.raises(sqlite3.OperationalError):
                hit(name)
        elif point.failure is Failure.FILE:
            with pytest.raises(OSError) as failed:  # noqa: PT011 - its number is looked at
                hit(name)
            assert failed.value.errno == errno.ENOSPC
        else:
            hit(name)
    fill_disk(full=False)
    for name in FAILPOINTS:
        hit(name)
