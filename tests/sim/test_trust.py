"""Cells attest each other, see each other as they should, and still do after a restart."""

from __future__ import annotations

import json
import subprocess
import sys
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest

from cli.main import run
from identity.trust.limits import DAMPING, INTERACTION_WEIGHT_MAX, SHARES_MIN
from ledger.errors import SelfAttestation
from node.errors import InteractionRefused

ROOT = Path(__file__).resolve().parent.parent.parent


@pytest.fixture(scope="module", name="told")
def _told() -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-m", "tests.sim.trust_run"],
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=True,
        timeout=900,
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
    before, after = told["before"], told["restarted"]
    assert after["cell"]["score"] == pytest.approx(before["cell"]["score"])
    assert after["own_interactions"] == INTERACTION_WEIGHT_MAX / 2
    assert [path["names"] for path in after["paths"]] == [path["names"] for path in before["paths"]]
    names = [one["name"] for one in told["graph"]["cells"]]
    assert names == ["cell-1", "cell-2", "cell-3", "cell-4"]


def test_scores_and_what_makes_them_stay_when_cells_take_new_keys(told: dict[str, Any]) -> None:
    rotated = told["rotated"]
    before, ids = rotated["before"], rotated["ids"]
    assert [old == new for old, new in zip(before, ids, strict=True)] == [False, False, True, True]
    found, kept = rotated["by name"], told["restarted"]
    assert found["cell"]["score"] == pytest.approx(kept["cell"]["score"])
    assert found["own_interactions"] == kept["own_interactions"]
    assert [path["cells"] for path in found["paths"]] == [
        [ids[before.index(one)] for one in path["cells"]] for path in kept["paths"]
    ]
    by_old_id = rotated["by old id"]["cell"]
    assert (by_old_id["cell_id"], by_old_id["name"]) == (ids[1], "cell-2")
    assert rotated["by old id"]["attestations"][0]["issuer"] == ids[0]
    assert {one["cell_id"] for one in rotated["graph"]["cells"]} == set(ids)
    assert [one["is_self"] for one in rotated["graph"]["cells"]].count(True) == 1


def test_what_is_revoked_counts_no_more(told: dict[str, Any]) -> None:
    assert told["revoked outcome"] == "applied"
    assert (told["revoked"]["own_word"], told["revoked"]["attestations"]) == (0.0, [])
    assert told["revoked"]["cell"]["score"] <= INTERACTION_WEIGHT_MAX


def test_cells_that_stay_connected_sign_with_each_other_once(told: dict[str, Any]) -> None:
    signed = told["interactions"]
    assert signed["before"] == [False] * 4
    assert signed["early"] == InteractionRefused.code  # they had hardly met
    blocks = [set(data) for data in signed["data"]]
    assert [len(data) for data in signed["data"]] == [3] * 4
    assert [len(one & other) for one, other in combinations(blocks, 2)] == [1] * 6
    assert all(text.startswith("interaction of ") for some in signed["summaries"] for text in some)
    score = signed["score"]
    assert score["own_interactions"] == score["cell"]["score"] == INTERACTION_WEIGHT_MAX / 2


def test_an_exchange_is_signed_once_and_only_by_who_took_part(told: dict[str, Any]) -> None:
    refused = InteractionRefused.code
    assert told["interactions"]["exchange"] == [refused, "signed", refused, refused]


def test_an_interaction_can_be_shown_with_the_proof_of_a_journal(
    told: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "met.tlog-proof"
    file.write_text(told["interactions"]["proof"], encoding="utf-8")
    cells = told["interactions"]["cells"]
    assert run(["trust", "verify", str(file), "--json", "--cell", cells[0]]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown["network_id"] == told["interactions"]["network"]
    assert cells[0] in shown["cells"]
    assert set(shown["cells"]) < set(cells)
    assert run(["trust", "verify", str(file)]) == 0
    assert "signed by both" in capsys.readouterr().out
    assert run(["trust", "verify", str(file), "--cell", cells[1]]) == 1
