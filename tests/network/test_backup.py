"""A cell is backed up while it runs; an old backup comes back without a fork and loses nothing."""

from __future__ import annotations

import json
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.network.devnet import Devnet, myceld, wait_until
from tests.network.test_one_cell import Cell


@pytest.fixture(name="secret")
def _secret(tmp_path: Path) -> tuple[str, str]:
    file = tmp_path / "passphrase"
    file.write_text("correct horse battery\n")
    file.chmod(0o600)
    return ("--passphrase-file", str(file))


@pytest.mark.slow
def test_an_old_backup_comes_back_without_a_fork_and_loses_nothing(
    net: Devnet, tmp_path: Path, secret: tuple[str, str]
) -> None:
    def put(number: int) -> str:
        cell = number % 4 + 1
        return str(net.client(cell).put(f"key-{number}", b"v", wait="applied")["id"])

    sent = [put(number) for number in range(12)]
    backup, home = tmp_path / "cell-3.backup", net.home(3)
    made = json.loads(myceld("backup", str(backup), "--home", str(home), *secret, "--json").stdout)
    assert (made["checked"], made["encrypted"]) == (True, True)
    assert stat.S_IMODE(backup.stat().st_mode) == 0o600
    assert net.status(3)["cell_id"] == made["cell_id"]
    assert json.loads(myceld("backup", "verify", str(backup), *secret, "--json").stdout)["valid"]
    assert not list(tmp_path.glob(".cell-3*")), "the scratch directory is left"
    sent += [put(number) for number in range(12, 36)]
    net.wait_settled()
    later = net.status(3)
    assert later["round_applied"] > made["round_applied"]

    running = myceld("restore", str(backup), "--home", str(tmp_path / "copy"), *secret, expect=1)
    assert "MYC-NODE-524" in running.stderr
    assert not (tmp_path / "copy" / "key.json").exists()
    net.do("kill", 3)
    sent += [
        str(net.client(1).put(f"without-{at}", b"v", wait="certified")["id"]) for at in range(3)
    ]
    shutil.move(home, tmp_path / "lost")
    taken = myceld("restore", str(backup), "--home", str(tmp_path / "lost"), *secret, expect=1)
    assert "MYC-NODE-523" in taken.stderr
    myceld("restore", str(backup), "--home", str(home), *secret)
    token = (tmp_path / "lost" / "gateway.token").read_text()
    (home / "gateway.token").write_text(token)  # the test's client knows the old one
    net.do("restart", 3)
    wait_until(lambda: net.status(3)["phase"] != "observing", "it observes for ever")
    sent += [put(number) for number in range(36, 48)]
    net.wait_settled()
    assert net.status(3)["events_own"] > later["events_own"]
    for cell in range(1, 5):
        assert set(sent) <= {line["id"] for line in net.all_transactions(cell)}
        events = {(e.creator, e.sequence) for e in net.all_events(cell)}
        assert len(events) == len(net.all_events(cell)), "somebody signed two events at one place"
        assert net.client(cell).members()["forks"] == []


@pytest.fixture(name="solo")
def _solo(tmp_path: Path) -> Iterator[Cell]:
    cell = Cell(tmp_path / "home")
    cell.run("init", "--network", "solo")
    cell.start()
    cell.run("tx", "put", "kept", "safe", "--wait", "certified")
    yield cell
    if cell.process is not None:
        cell.stop()


def test_a_cell_moves_and_does_not_start_where_it_was(solo: Cell, tmp_path: Path) -> None:
    backup = tmp_path / "solo.backup"
    then = json.loads(solo.run("state", "get", "kept", "--json").stdout)
    solo.run("tx", "put", "kept", "changed", "--wait", "certified")
    _check_past(solo, then, tmp_path)
    busy = solo.run("backup", str(backup), "--move", expect=1)
    assert "MYC-NODE-524" in busy.stderr
    assert solo.stop() == 0
    made = json.loads(solo.run("backup", str(backup), "--move", "--json").stdout)
    assert made["moved"] is True
    again = solo.run("backup", str(backup), expect=1)
    assert "MYC-NODE-526" in again.stderr, "an existing file was overwritten"
    assert "MYC-NODE-525" in solo.run("run", expect=1).stderr
    out = tmp_path / "s"
    _state(backup, out, 10**6, expect=1)
    assert not out.exists()
    found = json.loads(_state(backup, out, made["round_applied"]))
    lines = [json.loads(line) for line in out.read_text().splitlines()]
    assert (lines[0]["state_root"], len(lines) - 1) == (made["state_root"], found["keys"])
    kept = [line for line in lines[1:] if bytes.fromhex(line["key_hex"]) == b"value/kept"]
    assert b"changed" in bytes.fromhex(kept[0]["value_hex"])
    there = Cell(tmp_path / "there")
    answer = json.loads(there.run("restore", str(backup), "--json").stdout)
    assert answer["is_alone"] is True
    there.start()
    try:
        assert there.run("state", "get", "kept").stdout == "changed\n"
        past = there.run("state", "get", "kept", "--at", str(then["round"]), "--json").stdout
        assert (json.loads(past)["value"], json.loads(past)["state_root"]) == (
            "safe",
            then["state_root"],
        )
        there.run("tx", "put", "more", "x", "--wait", "certified")
    finally:
        assert there.stop() == 0


def _check_past(running: Cell, then: dict[str, Any], folder: Path) -> None:
    """A backup of the running cell has the state of an earlier round, by that round's root."""
    backup, out = folder / "running.backup", folder / "past"
    running.run("backup", str(backup), "--no-check")
    _state(backup, out, then["round"])
    first, *lines = [json.loads(line) for line in out.read_text().splitlines()]
    assert first["state_root"] == then["state_root"]
    kept = [line for line in lines if bytes.fromhex(line["key_hex"]) == b"value/kept"]
    assert b"safe" in bytes.fromhex(kept[0]["value_hex"])


def _state(backup: Path, out: Path, at: int, expect: int = 0) -> str:
    arguments = ("backup", "state", str(backup), "--at", str(at), "--out", str(out), "--json")
    done = myceld(*arguments, expect=expect)
    assert expect == 0 or "MYC-NODE-527" in done.stderr
    return done.stdout


def test_a_damaged_backup_is_found_out(solo: Cell, tmp_path: Path) -> None:
    backup = tmp_path / "solo.backup"
    solo.run("backup", str(backup), "--no-check")
    data = bytearray(backup.read_bytes())
    data[len(data) // 2] ^= 1
    backup.write_bytes(data)
    assert "MYC-NODE-521" in myceld("backup", "verify", str(backup), expect=1).stderr
    assert (
        "MYC-NODE-521"
        in myceld("restore", str(backup), "--home", str(tmp_path / "x"), expect=1).stderr
    )
    assert not (tmp_path / "x" / "key.json").exists()
