"""Cells attest each other, see each other as they should, and still do after a restart."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from identity.trust.limits import DAMPING, SHARES_MIN
from ledger.errors import SelfAttestation

ROOT = Path(__file__).resolve().parent.parent.parent


@pytest.fixture(scope="module", name="told")
def _told() -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-m", "tests.sim.trust_run"],
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=True,
        timeout=120,
    )
    told: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    assert told["findings"] == []
    return told


def test_attestations_go_through_the_order_and_one_of_oneself_is_refused(
    told: dict[str, Any],
) -> None:
    assert told["outcomes"] == [None, None, None, SelfAttestation.code]


def test_the_own_word_is_the_score_and_gives_its_level(told: dict[str, Any]) -> None:
    direct = told["direct"]
    assert (direct["cell"]["score"], direct["cell"]["level"]) == (pytest.approx(0.9), "full")
    assert [one["scope"] for one in direct["attestations"]] == ["general"]
    assert direct["cell"]["network_score"] >= 0.5


def test_a_friend_of_a_friend_is_trusted_by_the_way_that_leads_to_it(
    told: dict[str, Any],
) -> None:
    indirect = told["indirect"]
    assert indirect["cell"]["score"] == pytest.approx(0.9 * DAMPING / SHARES_MIN)
    (path,) = indirect["paths"]
    assert path["names"] == ["cell-1", "cell-2", "cell-3"]
    assert path["strength"] == pytest.approx(indirect["cell"]["score"])


def test_another_cell_has_a_view_of_its_own(told: dict[str, Any]) -> None:
    assert told["elsewhere"]["cell"]["score"] == 0.0


def test_a_restart_changes_nothing(told: dict[str, Any]) -> None:
    assert told["restarted"]["cell"]["score"] == told["indirect"]["cell"]["score"]
    assert told["restarted"]["paths"] == told["indirect"]["paths"]
    names = [one["name"] for one in told["graph"]["cells"]]
    assert names == ["cell-1", "cell-2", "cell-3"]
    assert len(told["graph"]["edges"]) == 2


def test_what_is_revoked_counts_no_more(told: dict[str, Any]) -> None:
    assert told["revoked outcome"] == "applied"
    assert told["revoked"]["cell"]["score"] == 0.0
