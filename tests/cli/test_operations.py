"""Commands for when something is wrong, against a served fake cell; and what all commands have."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import click
import pytest

from cli.cell import _SILENT
from cli.completion import script_of
from cli.main import root, run
from cli.top_view import Look, rates_of
from gossip.creator import Refusal
from tests.cli.served import serving
from tests.gateway.fake_cell import TOKEN, FakeCell, write_home
from tests.network.devnet import ROOT

Run = Callable[..., tuple[int, str, str]]
NO_JSON = {"run"}
"""Runs until it is stopped, and has --log-json."""
NOT_FOR_HELP = {
    "node", "trio", "libp2p", "fastapi", "starlette", "uvicorn", "pydantic", "rich", "sqlite3",
    "zeroconf", "prometheus_client", "opentelemetry", "httpx", "jsonschema",
}  # fmt: skip
"""What no command may load for its --help: each takes 20 to 200 ms."""


@pytest.fixture(name="served", scope="module")
def _served() -> Iterator[tuple[FakeCell, str]]:
    with serving() as pair:
        yield pair


@pytest.fixture(name="home")
def _home(served: tuple[FakeCell, str], tmp_path: Path) -> Path:
    home = tmp_path / "it's a home"
    home.mkdir()
    write_home(home, served[1])
    return home


@pytest.fixture(name="call")
def _call(home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.setenv("MYCELD_HOME", str(home))

    def call(*arguments: str) -> tuple[int, str, str]:
        status = run(arguments)
        captured = capsys.readouterr()
        return status, captured.out, captured.err

    return call


def _commands(
    command: click.Command = root, path: tuple[str, ...] = ()
) -> Iterator[tuple[str, click.Command]]:
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            found = command.get_command(context, name)
            assert found is not None
            yield from _commands(found, (*path, name))
    else:
        yield " ".join(path), command


def _options(command: click.Command) -> set[str]:
    return {option for parameter in command.params for option in parameter.opts}


def test_every_command_has_json() -> None:
    lacking = {name for name, command in _commands() if "--json" not in _options(command)}
    assert lacking == NO_JSON


def test_every_command_that_asks_a_cell_shows_its_calls() -> None:
    """Those with --timeout ask one. `join` has its own program do the work."""
    asking = {name for name, command in _commands() if "--timeout" in _options(command)}
    showing = {name for name, command in _commands() if "--as-curl" in _options(command)}
    assert asking - showing <= {"join"}
    assert len(showing) > 60


def test_no_command_loads_for_its_help_what_takes_long() -> None:
    probe = """
import sys
from importlib import import_module
from cli.main import _COMMANDS
for place, _ in _COMMANDS.values():
    import_module(place.partition(":")[0])
print(*sys.modules)
"""
    command = [sys.executable, "-c", probe]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    loaded = {name.partition(".")[0] for name in done.stdout.split()}
    assert loaded & NOT_FOR_HELP == set()


@pytest.mark.skipif(not Path("/usr/bin/curl").exists(), reason="needs curl")
@pytest.mark.parametrize(
    "arguments",
    [("peers",), ("why", "stall"), ("tx", "put", "it's", 'a "b" $c', "--wait", "stored")],
)
def test_the_curl_commands_do_what_the_command_does(
    arguments: tuple[str, ...], call: Run, served: tuple[FakeCell, str]
) -> None:
    status, out, err = call(*arguments, "--as-curl")
    assert (status, err) == (0, "")
    assert TOKEN not in out
    calls = len(served[0].calls)
    done = subprocess.run(
        ["bash", "-c", out], capture_output=True, text=True, check=True, cwd=ROOT, timeout=30
    )
    answer = json.loads(done.stdout)
    assert "error" not in answer
    if arguments[0] == "tx":
        assert answer["stage"] in ("stored", "certified")
        assert served[0].values["it's"] == b'a "b" $c'
        assert len(served[0].calls) >= calls


def test_what_would_change_something_is_shown_and_not_done(
    call: Run, served: tuple[FakeCell, str]
) -> None:
    before = dict(served[0].values)
    status, out, _ = call("tx", "put", "not", "done", "--as-curl")
    assert status == 0
    assert out.count("curl") == 1
    assert served[0].values == before


def test_why_says_the_answer_then_the_reasons_then_what_to_do(call: Run) -> None:
    status, out, _ = call("why", "stall")
    assert status == 0
    lines = out.splitlines()
    assert lines[0] == "the network waits"
    assert "NO" in lines[2]
    assert lines[-1] == "→ Start beta."
    assert json.loads(call("why", "ab" * 32, "--json")[1])["about"] == "transaction"


def test_why_of_nobody_has_a_code_of_its_own(call: Run) -> None:
    status, _, err = call("why", "nobody")
    assert status == 1
    assert "MYC-CLI-213" in err


def test_status_says_the_fault_budget_and_the_disk(call: Run, served: tuple[FakeCell, str]) -> None:
    status, out, _ = call("status")
    assert status == 0
    assert served[0].status().fault_budget in out
    assert "2.0 MiB in the store, 1.0 GiB free" in out


def test_every_reason_to_make_no_event_is_told_in_words(call: Run) -> None:
    assert set(_SILENT) == {reason.value for reason in Refusal}
    assert f"no event now    {_SILENT['observing']}" in call("status")[1]


def test_top_once_tells_rates_peers_and_findings(call: Run) -> None:
    status, out, _ = call("top", "--once", "--interval", "0.2")
    assert status == 0
    assert "rounds    decided 9" in out
    assert "beta" in out
    assert "warning MYC-DOCTOR-101" in out
    assert "\x1b" not in out
    answer = json.loads(call("top", "--once", "--interval", "0.2", "--json")[1])
    assert answer["rates"]["transactions"] == 0
    assert answer["memory_bytes"] == 90 << 20


def test_rates_are_differences_and_never_negative() -> None:
    metrics = {"events_in": 5, "events_out": 5, "bytes_in": 100, "bytes_out": 0}
    old = Look(
        10.0,
        {"transactions_ordered": 50, "round_decided": 7, "metrics": metrics},
        [],
        [],
        {"cpu_s": 1.0},
    )
    status = {
        "transactions_ordered": 70,
        "round_decided": 2,
        "metrics": {**metrics, "bytes_in": 300},
    }
    rates = rates_of(old, Look(12.0, status, [], [], {"cpu_s": 1.5}))
    assert rates.transactions == 10
    assert rates.rounds == 0
    assert rates.bytes_in == 100
    assert rates.processor == 0.25


def test_space_works_without_a_running_cell(tmp_path: Path, call: Run) -> None:
    (tmp_path / "x.log").write_text("told\n" * 100)
    status, out, _ = call("space", "--home", str(tmp_path), "--json")
    assert status == 0
    answer = json.loads(out)
    (logs,) = [use for use in answer["uses"] if use["what"] == "logs"]
    assert logs["size_bytes"] == 500
    assert logs["can_go"]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_completion_script_names_the_program_and_how_to_have_it(shell: str, call: Run) -> None:
    status, out, _ = call("completion", shell)
    assert status == 0
    assert out.strip() == script_of(shell)
    assert "_MYCELD_COMPLETE" in out
    assert f"myceld completion {shell} >" in out
    if shell == "zsh":
        assert out.startswith("#compdef myceld\n")


def test_scripts_parse_in_bash() -> None:
    subprocess.run(["bash", "-n"], input=script_of("bash"), text=True, check=True)


def test_the_doctor_of_a_cell_that_does_not_run_exits_with_one_for_an_error(
    tmp_path: Path, call: Run
) -> None:
    empty = tmp_path / "none"
    empty.mkdir(mode=0o700)
    status, out, _ = call("doctor", "--home", str(empty))
    assert status == 1
    assert "MYC-DOCTOR-001" in out
    assert f"myceld init --home {empty}" in out


def test_the_curl_text_is_no_code_of_ours() -> None:
    """The calls are those of the client: nothing here writes a path of the API by hand."""
    tree = ast.parse((ROOT / "cli" / "curl.py").read_text())
    texts = [node.value for node in ast.walk(tree) if isinstance(node, ast.Constant)]
    assert not any(isinstance(text, str) and "/api/" in text for text in texts)


def test_the_profiles_of_the_simulator_are_those_that_its_help_names() -> None:
    from cli.sim import PROFILE_NAMES
    from sim.drawing import PROFILES

    assert tuple(PROFILES) == PROFILE_NAMES
