"""scripts/chaos on real cells: short samples of the long runs, and what it leaves behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from pathlib import Path

import psutil
import pytest
from chaos_manifest import Act, Manifest, Perturbation, dump

CHAOS = Path(__file__).resolve().parents[2] / "scripts" / "chaos"
WAIT_S = 600

pytestmark = pytest.mark.slow


def start(folder: Path, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [str(CHAOS), "--patience", "6", "--quick", *arguments],
        env={**os.environ, "TMPDIR": str(folder)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def test_crashes_at_failpoints_lose_nothing_and_fork_nobody(tmp_path: Path) -> None:
    only = "consensus.own.after,consensus.send.before,journal.durable.before,execution.apply.after"
    output, errors = start(
        tmp_path,
        *("--failpoints", "--crashes", "1", "--only", only, "--json", str(tmp_path / "r.json")),
    ).communicate(timeout=WAIT_S)
    result = json.loads((tmp_path / "r.json").read_text())
    assert result["findings"] == [], errors
    assert {
        name: tally["crashes"] for name, tally in result["failpoints"].items()
    } == dict.fromkeys(only.split(","), 1)
    assert "no promise was broken" in output
    assert list(tmp_path.glob("myceld-chaos-*")) == []


def test_perturbed_cells_are_back_in_time_and_agree(tmp_path: Path) -> None:
    acts = (
        (Act("halves", (1, 3)),),
        (Act("full", (2,)), Act("skew", (4,), -3_600_000)),
        (Act("pause", (1,)), Act("delay", (3,), 150)),
    )
    perturbations = tuple(Perturbation(2.5 * at, 0.8, one) for at, one in enumerate(acts))
    path = tmp_path / "manifest.json"
    path.write_text(dump(Manifest(1, 4, 8.0, 25.0, 64, perturbations)))
    output, errors = start(
        tmp_path, "--manifest", str(path), "--json", str(tmp_path / "r.json")
    ).communicate(timeout=WAIT_S)
    result = json.loads((tmp_path / "r.json").read_text())
    assert result["findings"] == [], errors
    assert result["acknowledged"] > 0
    assert result["messages"] > 0
    for one, told in zip(perturbations, result["perturbations"], strict=True):
        assert told["what"] == str(one)
        assert set(told["back_s"]) == {"1", "2", "3", "4"}
        assert str(one) in output
    assert list(tmp_path.glob("myceld-chaos-*")) == []


def test_ctrl_c_ends_the_cells(tmp_path: Path) -> None:
    chaos = start(tmp_path, "--cells", "4", "--perturbations", "4", "--seconds", "60")
    run_files: list[Path] = []
    until_s = time.monotonic() + WAIT_S
    while len(run_files) < 4 and time.monotonic() < until_s:
        time.sleep(0.1)
        run_files = list(tmp_path.glob("myceld-chaos-*/cell-*/run.json"))
    cells = [psutil.Process(json.loads(file.read_text())["pid"]) for file in run_files]
    chaos.send_signal(signal.SIGINT)
    _, errors = chaos.communicate(timeout=WAIT_S)
    assert (chaos.returncode, len(cells)) == (130, 4), errors
    assert not any(cell.is_running() for cell in cells)
    assert list(tmp_path.glob("myceld-chaos-*")) == []


def test_a_bad_manifest_is_refused_with_its_code(tmp_path: Path) -> None:
    path = tmp_path / "manifest.json"
    path.write_text("{}")
    chaos = start(tmp_path, "--manifest", str(path))
    _, errors = chaos.communicate(timeout=WAIT_S)
    assert chaos.returncode == 1
    assert errors.startswith("error MYC-CHAOS-001: "), errors
