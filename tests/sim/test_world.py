"""One run: the same bytes each time, and a referee that notices."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from ledger.limits import PATCHES_SIZE_BYTES_MAX
from sim import process
from sim.drawing import PROFILES, Wishes, draw
from sim.errors import BadScenario
from sim.scenario import Action, Scenario, from_json, to_json
from sim.shrink import shrink

ROOT = Path(__file__).resolve().parent.parent.parent
STORM = Scenario(
    seed=5,
    members=4,
    epoch_rounds=16,
    loss=0.05,
    load_per_s=6.0,
    troubled_ms=4_000,
    actions=(
        Action(400, "power cut", (0, 2), 500),
        Action(900, "partition", (1, 3), 900),
        Action(1_500, "crash at write", (1,), 300, 40, "power cut"),
        Action(2_000, "shuffle", (3,), 1_000, 20),
        Action(2_500, "skew", (2,), 0, 3_600_000),
    ),
)


def _digest_elsewhere(scenario: Scenario, hash_seed: str) -> str:
    """Run in a process of its own, with another order of all sets."""
    program = (
        "import sys; from sim import process; from sim.scenario import from_json;"
        "print(process.run(from_json(sys.stdin.read())).digest)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        input=to_json(scenario),
        env={**os.environ, "PYTHONHASHSEED": hash_seed},
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=True,
        timeout=900,
    )
    return done.stdout.strip()


def test_the_same_scenario_gives_the_same_bytes_whatever_the_hash_seed() -> None:
    here = process.run(STORM)
    assert here.is_clean, here.findings
    assert here.starts > STORM.members
    assert {_digest_elsewhere(STORM, seed) for seed in ("0", "7")} == {here.digest}


def test_another_seed_gives_another_run() -> None:
    calm = replace(STORM, actions=(), troubled_ms=1_000)
    assert process.run(calm).digest != process.run(replace(calm, seed=6)).digest


def test_a_trace_says_what_happened(tmp_path: Path) -> None:
    file = tmp_path / "trace.jsonl"
    process.run(replace(STORM, troubled_ms=1_000), file)
    lines = file.read_text(encoding="utf-8").splitlines()
    assert any('"what":"power cut"' in line for line in lines)
    assert any('"what":"round"' in line for line in lines)


def test_without_a_quorum_the_rest_waits_and_goes_on_when_the_others_are_back() -> None:
    verdict = process.run(replace(STORM, actions=(), troubled_ms=2_000, down=(0, 1)))
    assert verdict.is_clean, verdict.findings
    assert verdict.outlook.startswith("no quorum")
    assert verdict.recovered_s is not None


def test_thirteen_cells_run() -> None:
    verdict = process.run(Scenario(seed=3, members=13, load_per_s=1.0, troubled_ms=1_500))
    assert verdict.is_clean, verdict.findings
    assert verdict.transactions >= 13


def test_a_run_that_dies_is_a_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    def die(*_: object) -> None:
        os._exit(3)

    monkeypatch.setattr(process, "run_here", die)
    verdict = process.run(STORM)
    assert [finding.promise for finding in verdict.findings] == ["the run ends"]


def test_a_run_that_computes_for_ever_is_a_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "run_here", lambda *_: sum(itertools.repeat(0)))
    monkeypatch.setattr(process, "CPU_S_PER_VIRTUAL_S_MAX", 0.001)
    (finding,) = process.run(STORM).findings
    assert (finding.promise, finding.detail) == ("the run ends", "it did not end in time")


@pytest.mark.parametrize("profile", PROFILES)
def test_a_drawn_scenario_survives_being_written_and_read(profile: str) -> None:
    for seed in range(40):
        scenario = draw(seed, Wishes(profile=profile))
        assert scenario == draw(seed, Wishes(profile=profile))
        assert from_json(to_json(scenario)) == scenario


def test_the_room_for_what_is_logged_of_pages_is_a_cells_own_and_little_in_some_runs() -> None:
    rooms = {draw(seed).patches_bytes_max for seed in range(40)}
    assert {0, PATCHES_SIZE_BYTES_MAX} < rooms


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        "{" * 10_000,
        '{"version": 2}',
        '{"version": 1}',
        '{"version": 1, "seed": 1}',
        '{"version": 1, "seed": 1, "members": 4, "actions": [{"at_ms": 1}]}',
        '{"version": 1, "seed": 1, "members": "4"}',
        '{"version": 1, "seed": 1, "members": 4611686018427387904}',
        '{"version": 1, "seed": 1, "members": 4, "down": [9]}',
        '{"version": 1, "seed": 1, "members": 4, "patches_bytes_max": -1}',
    ],
)
def test_what_is_no_scenario_is_refused_with_its_code(text: str) -> None:
    with pytest.raises(BadScenario):
        from_json(text)


def test_shrinking_keeps_only_what_it_takes_to_fail() -> None:
    def fails(scenario: Scenario) -> bool:
        return any(one.kind == "skew" and 2 in one.cells for one in scenario.actions)

    smallest = shrink(STORM, fails, lambda _: None)
    assert [action.kind for action in smallest.actions] == ["skew"]
    assert smallest.troubled_ms < STORM.troubled_ms
    assert smallest.loss == 0
