"""`myceld sim` as people call it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cli.errors import EXIT_FAILED, EXIT_OK
from cli.main import run
from sim import process
from sim.scenario import Action, Liar, Scenario, to_json
from sim.verdict import Finding, Verdict

SHORT = ("sim", "--cells", "4", "--minutes", "0.01", "--faults", "calm")


def test_a_written_scenario_gives_the_same_run_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "run.json"
    assert run([*SHORT, "--seed", "3", "--write", str(file), "--json"]) == EXIT_OK
    (first,) = json.loads(capsys.readouterr().out)["runs"]
    assert first["verdict"]["findings"] == []
    assert run(["sim", "--scenario", str(file), "--json"]) == EXIT_OK
    (again,) = json.loads(capsys.readouterr().out)["runs"]
    assert again["scenario"] == first["scenario"]
    assert again["verdict"]["digest"] == first["verdict"]["digest"]


def test_those_who_die_together_are_named_as_the_members_are(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run([*SHORT, "--kill", "cell-2,cell-4"]) == EXIT_OK
    out = capsys.readouterr().out
    assert "cell-2, cell-4" in out
    assert "no quorum" in out


def test_a_broken_promise_is_shown_and_is_the_exit_status(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    broken = Verdict(1, findings=[Finding("one order", "round 7 differs", 700, 2)])
    monkeypatch.setattr(process, "run_many", lambda *_, **__: iter([broken]))
    assert run([*SHORT]) == EXIT_FAILED
    out = capsys.readouterr().out
    assert "1 found" in out
    assert "one order at cell 2 after 0.700 s: round 7 differs" in out


def test_a_scenario_with_an_unknown_fault_or_liar_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "run.json"
    for unknown in (
        Scenario(1, 4, actions=(Action(10, "no such fault", (0,)),)),
        Scenario(1, 4, liars=(Liar(0, "no such lie"),)),
    ):
        file.write_text(to_json(unknown), encoding="utf-8")
        assert run(["sim", "--scenario", str(file)]) != EXIT_OK
        assert "no such" in capsys.readouterr().err


@pytest.mark.parametrize(
    "wish",
    [("--faults", "nonsense"), ("--liar", "nonsense"), ("--kill", "nobody"), ("--kill", "9")],
)
def test_a_wish_that_makes_no_run_is_refused_with_what_there_is(
    wish: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run([*SHORT, *wish]) != EXIT_OK
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert "MYC-CLI-002" in error
