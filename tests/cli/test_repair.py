"""`myceld repair` says what it repaired, and that there is nothing to repair."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace

from tests.gateway.fake_cell import FakeCell

Run = Callable[..., tuple[int, str, str]]


def test_a_repair_is_waited_for_and_told(call: Run, cell: FakeCell) -> None:
    wrong = replace(cell.found, diverged=True, first_round=7, report="/tmp/r\x1b.json")  # noqa: S108 - a name
    cell.found = wrong
    status, out, _ = call("repair")
    assert status == 0
    assert "from round 7 on" in out
    assert "\x1b" not in out
    cell.found = wrong
    status, out, _ = call("repair", "--json")
    assert (status, json.loads(out)["was"]["first_round"]) == (0, 7)


def test_without_a_divergence_nothing_is_repaired(call: Run) -> None:
    status, _, err = call("repair")
    assert status == 1
    assert "MYC-NODE-532" in err
