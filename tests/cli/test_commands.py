"""Every command against a served fake cell: output, JSON, exit status, one-line errors."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from cli import show
from cli.main import run
from gateway.views import Stage
from tests.cli.served import WAIT_S, serving
from tests.gateway.fake_cell import FakeCell, write_home

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = (sys.executable, "-m", "cli.main")
Run = Callable[..., tuple[int, str, str]]
MODULES_OF_HELP_MAX = 270
"""218 with Python 3.11. Each further hundred takes some 50 ms."""


@pytest.fixture(scope="module")
def served() -> Iterator[tuple[FakeCell, str]]:
    """One fake cell for the module, served from a thread."""
    with serving() as pair:
        yield pair


@pytest.fixture
def home(served: tuple[FakeCell, str], tmp_path: Path) -> Path:
    write_home(tmp_path, served[1])
    return tmp_path


@pytest.fixture
def call(home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.setenv("MYCELD_HOME", str(home))

    def call(*arguments: str) -> tuple[int, str, str]:
        status = run(arguments)
        captured = capsys.readouterr()
        return status, captured.out, captured.err

    return call


def test_put_then_get_then_receipt(call: Run) -> None:
    status, out, err = call("tx", "put", "hello", "wörld", "--wait", "certified", "--json")
    assert (status, err) == (0, "")
    receipt = json.loads(out)
    assert receipt["outcome"] == "applied"
    assert call("state", "get", "hello") == (0, "wörld\n", "")
    assert call("state", "get", "hello", "--hex") == (0, "wörld".encode().hex() + "\n", "")
    assert json.loads(call("state", "get", "hello", "--json")[1])["round"] == 8
    status, out, _ = call("receipt", receipt["id"])
    assert status == 0
    assert "outcome      applied" in out
    assert json.loads(call("receipt", receipt["id"], "--json")[1]) == receipt


def test_values_come_from_files_and_standard_input_as_bytes(call: Run, tmp_path: Path) -> None:
    (tmp_path / "v").write_bytes(b"\xff\x00")
    assert call("tx", "put", "bin", f"@{tmp_path / 'v'}")[0] == 0
    assert call("state", "get", "bin") == (0, "ff00\n", "")
    status, out, _ = myceld("tx", "put", "in", "-", "--json", home=tmp_path, data=b"\xfe\n")
    assert status == 0, out
    raw = myceld("state", "get", "in", "--raw", home=tmp_path)
    assert raw[:2] == (0, b"\xfe\n")
    status, _, err = call("tx", "put", "k", "@/nowhere/at/all")
    assert status == 1
    assert err.startswith("error MYC-CLI-002: can not read /nowhere")


def test_send_takes_a_batch_of_hex_lines(call: Run, tmp_path: Path) -> None:
    assert "stage        certified" in call("tx", "send", "00ff")[1]
    (tmp_path / "batch").write_text("aa\nbb\n")
    status, out, _ = call("tx", "send", f"@{tmp_path / 'batch'}")
    assert (status, out.count("applied")) == (0, 2)
    assert call("tx", "send", "xyz")[0] == 1
    assert call("tx", "send", " ")[0] == 1
    assert "at most 1000" in call("tx", "send", "00 " * 1001)[2]


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (("statsu",), "No such command 'statsu'. Did you mean 'status'?"),
        (("tx", "lsit"), "No such command 'lsit'. Did you mean 'list'?"),
        (("zzzzzz",), "No such command 'zzzzzz'. — See"),
    ],
)
def test_a_mistyped_command_is_told_which_one_is_near(
    words: tuple[str, ...], hint: str, call: Run
) -> None:
    status, _, err = call(*words)
    assert status == 2
    assert hint in err


def test_a_refusal_by_the_ledger_is_status_5(call: Run) -> None:
    status, out, _ = call("tx", "put", "refused", "v", "--wait", "applied")
    assert status == 5
    assert "MYC-LEDGER-001: not allowed" in out
    assert call("tx", "put", "refused", "v", "--json")[0] == 5


def test_follow_prints_a_line_per_stage(call: Run) -> None:
    receipt = json.loads(call("tx", "put", "slow", "1", "--json")[1])
    status, out, _ = call("receipt", receipt["id"], "--follow", "--timeout", "180")
    words = [line.split()[0] for line in out.splitlines()]
    assert (status, words) == (0, ["accepted", "stored", "ordered", "applied", "certified"])
    receipt = json.loads(call("tx", "put", "slow", "2", "--json")[1])
    status, out, _ = call("receipt", receipt["id"], "--follow", "--json")
    assert json.loads(out.splitlines()[-1])["stage"] == "certified"
    receipt = json.loads(call("tx", "put", "refused", "3", "--json")[1])
    status, out, _ = call("receipt", receipt["id"], "--follow")
    assert status == 5
    assert "refused: MYC-LEDGER-001" in out


def test_waiting_in_vain_is_status_4(call: Run, served: tuple[FakeCell, str]) -> None:
    served[0].goes_to = Stage.STORED
    try:
        status, _, err = call("tx", "put", "k", "4", "--wait", "certified", "--timeout", "0.1")
        assert (status, err.count("\n")) == (4, 1)
        assert err.startswith("error MYC-GATEWAY-023: ")
        receipt = json.loads(call("tx", "put", "k", "5", "--json")[1])
        status, out, err = call("receipt", receipt["id"], "--follow", "--timeout", "0.1")
        assert (status, out.count("\n")) == (4, 2)
        assert err.startswith("error MYC-CLI-003: stage ordered was not reached")
    finally:
        served[0].goes_to = Stage.CERTIFIED


@pytest.mark.parametrize(
    ("arguments", "shown", "field"),
    [
        (["status"], "1 of 2 reachable, 2 needed", "phase"),
        (["status"], "epoch           3", "epoch"),
        (["status"], "own to order    p50 71.2 ms, p99 140.0 ms", "metrics"),
        (["status"], "gossip          30 events in, 10 out, 2 of them repeated", "metrics"),
        (["status"], "sessions ended  MYC-NODE-021 3", "metrics"),
        (["peers"], "2.4 MiB", "items"),
        (["tx", "list"], "position", "items"),
        (["tx", "list", "--start", "2", "--limit", "2"], "--start 4", "next"),
        (["round", "list"], "state root", "items"),
        (["journal", "list"], "consensus", "items"),
        (["journal", "show", "consensus"], "event 2", "items"),
        (["spore", "show"], "master/latent", "active_nodes"),
        (["version"], "0.1.0", "cell_version"),
    ],
)
def test_what_people_and_programs_see(
    call: Run, arguments: list[str], shown: str, field: str
) -> None:
    status, out, err = call(*arguments)
    assert (status, err) == (0, "")
    assert shown in out
    assert "\x1b" not in out
    status, out, _ = call(*arguments, "--json")
    assert status == 0
    assert out.count("\n") == 1
    assert field in json.loads(out)


def test_refusals_are_one_line_or_one_object(call: Run) -> None:
    status, out, err = call("state", "get", "no\x1b[31m such")
    assert (status, out, err.count("\n")) == (1, "", 1)
    assert err.startswith("error MYC-GATEWAY-020: ")
    assert "\x1b" not in err
    assert " — " in err
    status, out, err = call("state", "get", "none", "--json")
    assert (status, err) == (1, "")
    error = json.loads(out)["error"]
    assert set(error) == {"code", "message", "remedy", "retryable"}
    assert call("tx", "put", "raise:nonce", "v")[2].startswith("error MYC-TEST-001: nonce 1")
    assert call("tx", "put", "raise:full", "v")[0] == 1
    assert call("journal", "show", "none")[2].startswith("error MYC-GATEWAY-022")
    assert call("receipt", "not-hex")[2].startswith("error MYC-GATEWAY-014")


@pytest.mark.parametrize(
    "arguments",
    [
        ["nonsense"],
        ["tx", "put", "k"],
        ["tx", "put", "k", "v", "--wait", "soon"],
        ["tx", "put", "k", "v", "--nonce", "-1"],
        ["tx", "list", "--limit", "0"],
        ["status", "--colour"],
        ["status", "--timeout", "0"],
        ["devnet", "kill", "0"],
        ["devnet", "up", "--cells", "1000"],
        ["init", "--gateway-port", "70000"],
    ],
)
def test_wrong_usage_is_status_2_in_one_line(call: Run, arguments: list[str]) -> None:
    status, out, err = call(*arguments)
    assert (status, out, err.count("\n")) == (2, "", 1)
    assert err.startswith("error MYC-CLI-001: ")
    assert "--help`" in err
    status, out, err = call(*arguments, "--json")
    assert (status, err) == (2, "")
    assert json.loads(out)["error"]["code"] == "MYC-CLI-001"


def test_no_running_cell_is_status_3(call: Run, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for arguments in (["status"], ["tx", "put", "k", "v"], ["state", "get", "k"], ["peers"]):
        status, out, err = call(*arguments, "--home", str(tmp_path / "empty"))
        assert (status, out, err.count("\n")) == (3, "", 1)
        assert f"myceld run --home {tmp_path / 'empty'}" in err
    status, out, _ = call("version", "--home", str(tmp_path / "empty"), "--json")
    assert (status, json.loads(out)["cell_version"]) == (0, None)


def test_init_and_run_hand_their_options_to_the_node(
    call: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    seen: list[list[str]] = []

    def execve(_path: str, command: list[str], _environment: dict[str, str]) -> None:
        seen.append(command)
        raise OSError(2, "No such file")

    monkeypatch.setattr(os, "execve", execve)
    where = str(tmp_path / "h")
    status, _, err = call("init", "--home", where, "--bootstrap", "/a", "--bootstrap", "/b")
    assert (status, err[:18]) == (1, "error MYC-CLI-004:")
    call("run", "--home", where, "--log-json")
    call("genesis", "create", "--name", "n", "--member", "A=a:2", "--out", f"{where}.json")
    create = ["genesis", "create", "--name", "n", "--member", "A"]
    call(*create, "--epoch-rounds", "16", "--out", f"{where}.json")
    call("tx", "sign", "k", "v", "--nonce", "3", "--home", where)
    node = [sys.executable, "-P", "-m", "node"]
    assert seen == [
        [*node, "init", "--home", where, "--bootstrap", "/a", "--bootstrap", "/b"],
        [*node, "run", "--home", where, "--log-json"],
        [*node, "genesis", "create", "--name", "n", "--member", "A=a:2", "--out", f"{where}.json"],
        [*node, *create, "--epoch-rounds", "16", "--out", f"{where}.json"],
        [*node, "sign", "--home", where, "--nonce", "3", "--", "k", "76"],
    ]


def test_help_lists_commands_and_exit_status_and_loads_little(call: Run) -> None:
    status, out, _ = call("--help")
    assert status == 0
    assert "devnet" in out
    assert "waited in vain" in out
    for command in ("init", "run", "tx", "state", "receipt", "devnet"):
        assert call(command, "--help")[0] == 0
    assert call()[0] == 0
    loaded = _loaded_by_help()
    assert not loaded & {"cryptography", "httpx", "libp2p", "node", "psutil", "sqlite3", "uvicorn"}
    assert len(loaded) < MODULES_OF_HELP_MAX


def _loaded_by_help() -> set[str]:
    """What the command has imported when it ends: that is nearly all of the time it takes."""
    probe = """
import atexit, sys
from cli.main import run
atexit.register(lambda: print(*sys.modules, file=sys.stderr))
run(["--help"])
"""
    command = [sys.executable, "-c", probe]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return set(done.stderr.split())


def test_a_broken_pipe_is_quiet(home: Path) -> None:
    command = f"{' '.join(PROGRAM)} tx list --home {home}"
    quiet = subprocess.run(
        ["bash", "-c", f"set -o pipefail; {command} | true"],
        cwd=ROOT,
        capture_output=True,
        check=False,
    )
    assert quiet.returncode in {0, 141}
    assert quiet.stderr == b""


def test_ctrl_c_is_quiet(home: Path, served: tuple[FakeCell, str]) -> None:
    cell, key = served[0], "until Ctrl-C"
    cell.goes_to = Stage.STORED
    try:
        child = subprocess.Popen(
            [*PROGRAM, "tx", "put", key, "c", "--wait", "certified", "--home", home],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        until_s = time.monotonic() + WAIT_S
        while key not in cell.values:
            assert child.poll() is None
            assert time.monotonic() < until_s
            time.sleep(0.02)
        os.kill(child.pid, signal.SIGINT)
        out, err = child.communicate(timeout=WAIT_S)
        assert (child.returncode, out, err) == (130, b"", b"")
    finally:
        cell.goes_to = Stage.CERTIFIED


def myceld(
    *arguments: str, home: Path | None = None, data: bytes = b""
) -> tuple[int, bytes, bytes]:
    """Run the command line as a process of its own."""
    environment = {**os.environ, "MYCELD_HOME": str(home)}
    done = subprocess.run(
        [*PROGRAM, *arguments],
        cwd=ROOT,
        env=environment,
        input=data,
        capture_output=True,
        check=False,
    )
    return done.returncode, done.stdout, done.stderr


def test_units_read_well() -> None:
    assert [show.size(n) for n in (0, 1023, 1024, 3 << 30)] == [
        "0 B",
        "1023 B",
        "1.0 KiB",
        "3.0 GiB",
    ]
    assert [show.duration(s) for s in (0.123, 42.4, 200, 7260, 200_000)] == [
        "0.12 s",
        "42 s",
        "3 min 20 s",
        "2 h 1 min",
        "2 d 7 h",
    ]
    assert show.moment(1_700_000_000_123_000_000) == "2023-11-14 22:13:20.123 UTC"
    assert show.moment(2**63 - 1).startswith("2262-")
    assert show.safe("a\x1b[2Jb\n") == "a\\x1b[2Jb\\x0a"
