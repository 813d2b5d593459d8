"""Messages between whole simulated cells whose power fails, over links that lose and part."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent


@pytest.mark.parametrize(("seed", "rotate"), [(1, ""), (2, "rotate"), (3, "rotate")])
def test_what_was_journaled_arrives_once_and_in_order_whatever_happens_to_the_cells(
    seed: int, rotate: str
) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.sim.message_run", str(seed), rotate],
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=900,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["findings"] == []
    *numbers, last = found["texts"]
    assert last == "last"
    assert list(map(int, numbers)) == sorted({int(text) for text in numbers})
    assert len(found["told"]) > 20
    assert set(found["told"]) <= set(numbers)
    assert found["rotations"] == ([1, 0, 1, 0] if rotate else [0] * 4)
    assert (found["end"], found["posted"], found["proven"]) == ("delivered", True, True)
