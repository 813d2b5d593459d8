"""scripts/bench: it measures a real network, and leaves none behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
import pytest

BENCH = Path(__file__).resolve().parents[2] / "scripts" / "bench"
WAIT_S = 600
"""For a run to end; one takes ten seconds."""


@contextmanager
def bench(folder: Path, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """Run it with its temporary files in a folder, until the block ends at the latest."""
    # What a shell starts with & ignores Ctrl-C, and so does all that it starts.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    process = subprocess.Popen(
        [str(BENCH), "--quick", "--idle-seconds", "0", *arguments],
        env={**os.environ, "TMPDIR": str(folder)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    signal.signal(signal.SIGINT, before)
    try:
        yield process
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
            process.communicate()


def runs(process: psutil.Process) -> bool:
    """Tell whether it has not ended yet, whoever is to be told of its end."""
    with suppress(psutil.NoSuchProcess):
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    return False


@pytest.mark.slow
def test_it_measures_loads_of_which_nothing_is_lost_and_cleans_up(tmp_path: Path) -> None:
    options = ("--cells", "2", "--batch", "20", "--loads", "50,put", "--seconds", "0.5")
    with bench(tmp_path, *options, "--json", str(tmp_path / "result.json")) as process:
        output, errors = process.communicate(timeout=WAIT_S)
    result = json.loads((tmp_path / "result.json").read_text())
    assert [line["load"] for line in result["loads"]] == ["50 /s", "put max"], errors
    for line in result["loads"]:
        assert line["accepted"] > 0
        assert (line["lost"], line["twice"]) == (0, 0)
        assert line["load"] in output
    # What comes due by a schedule comes due in the time that is measured, on any machine.
    line = result["loads"][0]
    assert line["ordered_ms"]["p99"] >= line["ordered_ms"]["p50"] > 0
    assert list(tmp_path.glob("myceld-bench-*")) == []


@pytest.mark.slow
def test_ctrl_c_stops_the_cells(tmp_path: Path) -> None:
    cells: list[psutil.Process] = []
    with bench(tmp_path, "--cells", "2", "--loads", "50", "--seconds", "3600") as process:
        until_s = time.monotonic() + WAIT_S
        while len(cells) < 2 and time.monotonic() < until_s:
            time.sleep(0.1)
            for file in tmp_path.glob("myceld-bench-*/devnet.json"):
                pids = [cell["pid"] for cell in json.loads(file.read_text())["cells"]]
                cells = [psutil.Process(pid) for pid in pids if pid is not None]
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=WAIT_S)
    assert (process.returncode, len(cells)) == (130, 2), errors
    assert not any(runs(cell) for cell in cells)
    assert list(tmp_path.glob("myceld-bench-*")) == []
