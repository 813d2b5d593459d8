"""`myceld devnet` with stand-ins for the daemon: processes, signals, records, interruptions."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest

from cli.devnet import commands, directory, foreground, processes, report, setup
from cli.devnet.directory import Cell, Devnet, locked
from cli.main import run
from tests.cli.served import WAIT_S

ROOT = Path(__file__).resolve().parents[2]
HERE = Path(__file__).resolve().parent
_DEAD_PID = 4_194_303
FAKE_NODE = (sys.executable, str(HERE / "fake_node.py"))
# The command line with a fake `python -m node`, as a program of its own.
PROGRAM = f"""
import os, sys
sys.path[:0] = [{str(ROOT)!r}]
from cli import limits
for name in dir(limits):
    if name.startswith("DEVNET_") and name.endswith("_TIMEOUT_S"):
        setattr(limits, name, {WAIT_S})
from cli import daemon
from cli.main import main
daemon.node_command = lambda arguments: ([*{FAKE_NODE!r}, *arguments], dict(os.environ))
main()
"""


class Net:
    """A devnet directory and the commands on it."""

    def __init__(self, path: Path, capture: pytest.CaptureFixture[str]) -> None:
        self.path = path
        self._capture = capture

    def command(self, *arguments: str) -> list[str]:
        return [sys.executable, "-c", PROGRAM, "devnet", *arguments, "--dir", str(self.path)]

    def run(self, *arguments: str, status: int = 0) -> tuple[str, str]:
        """Run a command in this process."""
        self._capture.readouterr()
        ended = run(["devnet", *arguments, "--dir", str(self.path)])
        told = self._capture.readouterr()
        assert ended == status, told
        return told.out, told.err

    def run_apart(self, *arguments: str) -> tuple[str, str]:
        """Run a command as a process that has ended when what it started goes on."""
        done = subprocess.run(
            self.command(*arguments), capture_output=True, text=True, timeout=2 * WAIT_S, check=True
        )
        return done.stdout, done.stderr

    def cells(self) -> list[dict[str, Any]]:
        out, _ = self.run("status", "--json")
        cells: list[dict[str, Any]] = json.loads(out)["cells"]
        return cells

    def states(self) -> list[str]:
        return [cell["state"] for cell in self.cells()]


def is_gone(pid: int) -> bool:
    """Tell whether a process has ended; its parent, init, may not have noticed yet."""
    try:
        return bool(psutil.Process(pid).status() == psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return True


@pytest.fixture
def net(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Net]:
    net = Net(tmp_path / "net", capsys)
    for module in (commands, directory, foreground, processes, report, setup):
        for name in dir(module):
            if name.startswith("DEVNET_") and name.endswith("_TIMEOUT_S"):
                monkeypatch.setattr(module, name, WAIT_S)
    monkeypatch.setattr(
        "cli.daemon.node_command", lambda arguments: ([*FAKE_NODE, *arguments], dict(os.environ))
    )
    yield net
    if (net.path / "devnet.json").exists():
        for cell in json.loads((net.path / "devnet.json").read_text()).get("cells", []):
            if cell["pid"] is not None:
                with contextlib.suppress(psutil.NoSuchProcess):
                    process = psutil.Process(cell["pid"])
                    if str(net.path / f"cell-{cell['number']}") in process.cmdline():
                        process.kill()
                        process.wait(WAIT_S)
    processes.reap()


def test_a_process_that_still_loads_its_program_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The kernel shows no arguments then: a devnet under load took its cell for one that ended."""
    own = psutil.Process()
    network = Devnet(tmp_path, prepared=True, cells=())
    cell = Cell(1, 0, 0, pid=own.pid, started_s=own.create_time())
    shown: list[list[str]] = [[], [], ["python", "run", "--home", str(network.home(cell))]]
    monkeypatch.setattr(psutil.Process, "cmdline", lambda _: shown.pop(0))
    assert processes.find(network, cell) == own
    shown = [[], ["another", "program"]]
    assert processes.find(network, cell) is None
    shown = [[] for _ in range(1000)]
    monkeypatch.setattr(processes, "_LOADING_LOOKS", 3)
    assert processes.find(network, cell) is None


def test_a_life_of_a_devnet(net: Net) -> None:
    out, err = net.run_apart("up", "--cells", "2")
    assert err == ""
    assert "cell-1" not in out.splitlines()[-1]
    before = net.cells()
    assert [cell["state"] for cell in before] == ["running", "running"]
    assert before[0]["members_total"] == 2
    joined = json.loads((net.path / "cell-1" / "config.json").read_text())
    assert joined[joined.index("--bootstrap") + 1] == before[1]["address"]
    assert f"{before[0]['cell_id']}=cell-1" in json.loads((net.path / "genesis.json").read_text())
    net.run("up")
    assert [c["pid"] for c in net.cells()] == [c["pid"] for c in before]
    net.run("kill", "2")
    assert net.states() == ["running", "crashed"]
    _, err = net.run("kill", "2", status=1)
    assert err.startswith("error MYC-DEVNET-006: cell-2 is not running")
    net.run_apart("restart", "2")
    net.run("pause", "1")
    after = net.cells()
    assert [cell["state"] for cell in after] == ["paused", "running"]
    assert after[1]["pid"] != before[1]["pid"]
    assert after[1]["gateway_url"] == before[1]["gateway_url"]
    net.run("resume", "1")
    net.run("pause", "2")
    assert net.states() == ["running", "paused"]
    net.run("down")
    assert net.states() == ["stopped", "stopped"]
    assert all(is_gone(cell["pid"]) for cell in after)
    _, err = net.run("up", "--cells", "3", status=1)
    assert err.startswith("error MYC-DEVNET-001: ")


def test_the_length_of_epochs_is_chosen_once(net: Net) -> None:
    net.run("up", "--cells", "1", "--epoch-rounds", "32")
    assert json.loads((net.path / "devnet.json").read_text())["epoch_rounds"] == 32
    for arguments in ([], ["--epoch-rounds", "32"]):
        net.run("up", *arguments)
    _, err = net.run("up", "--epoch-rounds", "64", status=1)
    assert err.startswith("error MYC-DEVNET-010: ")
    net.run("down")


def test_errors_before_there_is_a_devnet(net: Net) -> None:
    for arguments in (["down"], ["kill", "1"]):
        _, err = net.run(*arguments, status=1)
        assert err.startswith("error MYC-DEVNET-002: ")
        assert err.count("\n") == 1
    assert not net.path.exists()
    net.path.mkdir()
    (net.path / "devnet.json").write_text("{}")
    assert net.run("status", status=1)[1].startswith("error MYC-DEVNET-008: ")


def test_a_failed_preparation_shows_the_reason_and_starts_nothing(net: Net) -> None:
    _, err = net.run("up", "--cells", "9", status=1)
    assert "error MYC-DEVNET-004: " in err
    assert "MYC-TEST-008: nine is not liked" in err
    assert net.run("status", status=1)[1].startswith("error MYC-DEVNET-002: ")


def test_a_cell_that_does_not_start_stops_those_started_with_it(net: Net) -> None:
    (net.path / "cell-2").mkdir(parents=True)
    (net.path / "cell-2" / "refuse").touch()
    _, err = net.run("up", "--cells", "2", status=4)
    assert "cell-2: error MYC-TEST-007: it said no" in err
    assert err.splitlines()[-1].startswith("error MYC-DEVNET-005: cell-2 stopped by itself")
    assert net.states() == ["stopped", "stopped"]


def test_a_reused_pid_is_never_signalled(net: Net) -> None:
    net.path.mkdir()
    cell = {"number": 1, "port": 1, "gateway_port": 2, "cell_id": "x"}
    record = {"format": 1, "prepared": True, "cells": [cell]}
    with subprocess.Popen(["sleep", "3600"]) as other:
        try:
            started_s = psutil.Process(other.pid).create_time()
            for told_s in (0.0, started_s):
                cell.update(pid=other.pid, started_s=told_s)
                (net.path / "devnet.json").write_text(json.dumps(record))
                assert net.states() == ["crashed"]
                net.run("kill", "1", status=1)
            net.run("down")
            assert other.poll() is None
        finally:
            other.kill()


def test_in_front_it_proves_itself_watches_and_stops_all(net: Net) -> None:
    child = subprocess.Popen(
        net.command("up", "--cells", "2", "--foreground"), stdout=subprocess.PIPE, text=True
    )
    assert child.stdout is not None
    lines = []
    for line in child.stdout:
        lines.append(line)
        if line.startswith("Ctrl-C"):
            break
    text = "".join(lines)
    assert "first transaction certified in " in text
    assert f"tx put hello world --home {net.path / 'cell-1'}" in text
    pids = [cell["pid"] for cell in net.cells()]
    net.run("kill", "2")
    assert child.stdout.readline().startswith(f"cell-2 (pid {pids[1]}) has died; its log: ")
    os.kill(child.pid, signal.SIGINT)
    rest = child.communicate(timeout=2 * WAIT_S)[0]
    assert child.returncode == 0
    assert rest.splitlines()[-1] == "all cells stopped"
    assert is_gone(pids[0])


def test_a_cell_that_another_command_is_stopping_has_not_died(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """`down` ends the process, and only then records that it did."""
    network = Devnet(tmp_path, prepared=True, cells=())
    running, stopped = Cell(1, 1, 2, pid=_DEAD_PID), Cell(1, 1, 2)
    again = replace(running, pid=_DEAD_PID - 1)
    at_work = locked(tmp_path)
    steps: list[Callable[[], object]] = [
        lambda: replace(network, cells=(running, replace(running, number=2))).save(),
        at_work.__enter__,
        lambda: None,
        lambda: replace(network, cells=(stopped, replace(running, number=2))).save(),
        lambda: at_work.__exit__(None, None, None),
        lambda: replace(network, cells=(again, replace(stopped, number=2))).save(),
        lambda: replace(network, cells=(stopped, replace(stopped, number=2))).save(),
    ]
    steps.pop(0)()
    steps.pop(0)()
    monkeypatch.setattr(time, "sleep", lambda _: steps.pop(0)())
    foreground._watch(Devnet.load(tmp_path), as_json=False)
    assert capsys.readouterr().out.splitlines() == [
        "cell-1 was stopped",
        f"cell-2 (pid {_DEAD_PID}) has died; its log: {tmp_path / 'cell-2' / 'daemon.log'}",
        f"cell-1 runs again (pid {_DEAD_PID - 1})",
        f"cell-1 (pid {_DEAD_PID - 1}) has died; its log: {tmp_path / 'cell-1' / 'daemon.log'}",
        "cell-2 was stopped",
        "cell-1 was stopped",
        "all cells were stopped by another command",
    ]


def test_a_second_ctrl_c_kills_at_once(net: Net) -> None:
    (net.path / "cell-1").mkdir(parents=True)
    (net.path / "cell-1" / "deaf").touch()
    child = subprocess.Popen(
        net.command("up", "--cells", "1", "--foreground"), stdout=subprocess.PIPE, text=True
    )
    assert child.stdout is not None
    for line in child.stdout:
        if line.startswith("Ctrl-C"):
            break
    pid = net.cells()[0]["pid"]
    os.kill(child.pid, signal.SIGTERM)
    assert child.stdout.readline().startswith("stopping all cells")
    os.kill(child.pid, signal.SIGINT)
    assert child.communicate(timeout=2 * WAIT_S)[0].splitlines()[-1] == "killed all cells"
    assert child.returncode == 130
    assert is_gone(pid)
