"""scripts/bench: it measures a real network, and leaves none behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from pathlib import Path

import psutil
import pytest

BENCH = Path(__file__).resolve().parents[2] / "scripts" / "bench"
WAIT_S = 60


def start(folder: Path, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [str(BENCH), "--quick", "--idle-seconds", "0", *arguments],
        env={**os.environ, "TMPDIR": str(folder)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


@pytest.mark.slow
def test_it_measures_loads_of_which_nothing_is_lost_and_cleans_up(tmp_path: Path) -> None:
    output, errors = start(
        tmp_path,
        *("--cells", "2", "--batch", "20", "--loads", "50,put", "--seconds", "0.5"),
        *("--json", str(tmp_path / "result.json")),
    ).communicate(timeout=WAIT_S)
    result = json.loads((tmp_path / "result.json").read_text())
    assert [line["load"] for line in result["loads"]] == ["50 /s", "put max"], errors
    for line in result["loads"]:
        assert line["accepted"] > 0
        assert (line["lost"], line["twice"]) == (0, 0)
        assert line["ordered_ms"]["p99"] >= line["ordered_ms"]["p50"] > 0
        assert line["load"] in output
    assert list(tmp_path.glob("myceld-bench-*")) == []


@pytest.mark.slow
def test_ctrl_c_stops_the_cells(tmp_path: Path) -> None:
    bench = start(tmp_path, "--cells", "2", "--loads", "50", "--seconds", "60")
    cells: list[psutil.Process] = []
    until_s = time.monotonic() + WAIT_S
    while len(cells) < 2 and time.monotonic() < until_s:
        time.sleep(0.1)
        for file in tmp_path.glob("myceld-bench-*/devnet.json"):
            pids = [cell["pid"] for cell in json.loads(file.read_text())["cells"]]
            cells = [psutil.Process(pid) for pid in pids if pid is not None]
    bench.send_signal(signal.SIGINT)
    _, errors = bench.communicate(timeout=WAIT_S)
    assert (bench.returncode, len(cells)) == (130, 2), errors
    assert not any(cell.is_running() for cell in cells)
    assert list(tmp_path.glob("myceld-bench-*")) == []
