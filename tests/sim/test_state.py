"""The state service of simulated cells: history, differences, watching, rollback, namespaces."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from ledger.errors import ConditionFailed
from node.errors import NothingToRollBack, TooManyWatchers, TooMuchToRollBack

ROOT = Path(__file__).resolve().parent.parent.parent


@pytest.fixture(scope="module", name="told")
def _told() -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-m", "tests.sim.state_run"],
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=True,
        timeout=900,
    )
    told: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    assert told["findings"] == []
    return told


def test_a_write_that_expects_an_older_value_is_refused(told: dict[str, Any]) -> None:
    assert told["outcomes"] == ["applied", "applied", ConditionFailed.code, "applied"]
    assert told["before"] == {"club/a": "2", "club/c": "3"}


def test_who_waits_for_changes_is_told_of_all_that_a_batch_wrote(told: dict[str, Any]) -> None:
    assert told["watched"] == ["club/a", "club/b"]


def test_keys_are_listed_in_pages(told: dict[str, Any]) -> None:
    first, rest = told["listed"]
    assert [item["key"] for item in first["items"]] == ["club/a"]
    assert first["next"] == "club/a"
    assert ([item["key"] for item in rest["items"]], rest["next"]) == (["club/c"], None)


def test_a_value_at_a_round_comes_with_that_rounds_root(told: dict[str, Any]) -> None:
    assert (told["at"]["value"], told["at"]["state_root"]) == ("1", told["root_at"])
    assert told["at"]["updated_round"] == told["at"]["round"]


def test_the_history_of_a_key_is_what_rounds_made_of_it_newest_first(told: dict[str, Any]) -> None:
    assert [item["value"] for item in told["history"]["items"]] == ["2", "1"]
    assert told["history"]["next"] is None


def test_a_difference_says_what_was_and_what_is(told: dict[str, Any]) -> None:
    def content(side: dict[str, Any] | None) -> str | None:
        return None if side is None else str(side["value"])

    found = {
        item["key"]: (content(item["before"]), content(item["after"]))
        for item in told["diff"]["items"]
    }
    assert found == {"club/a": ("1", "2"), "club/b": ("1", None), "club/c": (None, "3")}
    assert [item["key"] for item in told["page"]["items"]] == ["club/b"]
    assert told["page"]["next"] == "club/b"


def test_a_rollback_puts_all_back_and_says_when_nothing_is_left_to_do(told: dict[str, Any]) -> None:
    assert told["rolled"] == ["applied", NothingToRollBack.code, "applied"]
    kept = {key: value for key, value in told["after"].items() if not key.startswith("sim/")}
    assert kept == {"club/b": "1", "other": "x"}


def test_changes_are_read_without_a_gap_in_pages(told: dict[str, Any]) -> None:
    assert told["changes"]["in_order"]
    assert told["changes"]["seen"] == [
        ["club/a", "1"],
        ["club/b", "1"],
        ["club/a", "2"],
        ["club/b", None],
        ["club/c", "3"],
        ["club/a", "1"],
        ["club/b", "1"],
        ["club/c", None],
        ["club/a", None],
    ]


def test_there_is_a_bound_for_those_who_watch(told: dict[str, Any]) -> None:
    assert told["changes"]["crowd"] == TooManyWatchers.code


def test_more_than_a_batch_holds_is_not_rolled_back_in_part(told: dict[str, Any]) -> None:
    assert told["many"] == [TooMuchToRollBack.code, "applied", "applied", "69"]


def test_a_namespace_lets_write_whom_its_owner_names(told: dict[str, Any]) -> None:
    found = told["namespaces"]
    assert found["outcomes"] == ["applied", "applied", "applied", "refused", "applied"]
    assert (found["owner"], found["access"], found["listed"]) == (True, "owners", ["own"])
    assert found["again"] == ["refused", "applied"]


def test_a_restarted_cell_tells_the_same_of_the_past(told: dict[str, Any]) -> None:
    assert told["restarted"]["value"] == "1"
    assert told["same"] == [True] * 4
