"""What is starved stalls in its loops and threads as often as is asked for, and so do children."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SLEPT = """
import asyncio, os, time, trio
from concurrent.futures import ThreadPoolExecutor
slept = []
real = time.sleep
def told(seconds): slept.append(seconds)
import sitecustomize
sitecustomize._sleep = told
async def turns(sleep):
    for _ in range(20): await sleep(0)
asyncio.run(turns(asyncio.sleep)); loop = len(slept)
trio.run(turns, trio.sleep); other = len(slept) - loop
with ThreadPoolExecutor(1) as pool: pool.submit(int).result()
print(loop >= 20, other >= 20, len(slept) - loop - other == 1, max(slept) <= 2)
"""


@pytest.mark.parametrize("by", [[], ["sh", "-c", '"$@"', "sh"]])
def test_each_turn_of_a_loop_and_each_work_of_a_thread_may_stall(by: list[str]) -> None:
    command = [str(ROOT / "scripts" / "starve"), *by, sys.executable, "-c", SLEPT]
    environment = {**os.environ, "STARVE": "100"}
    done = subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=300, check=True
    )
    assert done.stdout.split() == ["True"] * 4, done


def test_virtual_time_knows_no_stalls() -> None:
    code = (
        "import asyncio, sitecustomize\nfrom sim.loop import SimLoop\n"
        "def stalled(_): raise SystemExit('stalled')\n"
        "sitecustomize._sleep = stalled\n"
        "SimLoop().run_until_complete(asyncio.sleep(100))\nprint('ended')"
    )
    done = subprocess.run(
        [str(ROOT / "scripts" / "starve"), sys.executable, "-c", code],
        env={**os.environ, "STARVE": "100"},
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
        check=True,
    )
    assert done.stdout == "ended\n"
