"""`myceld gov` against a served fake cell: output, JSON, exit status."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from gateway.governance_views import ActionWish, ProposalWish
from gateway.views import Stage
from ledger.limits import PROPOSAL_ROUNDS_MAX
from tests.gateway.fake_cell import FakeCell
from tests.gateway.fake_governance import PROPOSAL

Run = Callable[..., tuple[int, str, str]]


def test_what_is_proposed_reaches_the_cell(call: Run, cell: FakeCell, tmp_path: Path) -> None:
    (tmp_path / "statutes.txt").write_text("be kind")
    status, _, err = call(
        "gov", "propose", "all at once",
        "--set", "epoch_rounds=4096",
        "--add", "12D3KooWOther=a:b:3",
        "--weight", "ada=2",
        "--issue", "treasury=100", "--burn", "ada=0.5", "--pay-out", "ada=1", "--memo", "thanks",
        "--upgrade", "epoch=40,release=myceld 2,rule_set=3",
        "--text", f"@{tmp_path}/statutes.txt", "--url", "https://example.org/statutes.txt",
        "--rounds", "500",
    )  # fmt: skip
    assert status == 0, err
    wishes = (
        ActionWish("set", name="epoch_rounds", value=4096),
        ActionWish("add", cell="12D3KooWOther", name="a:b", weight=3),
        ActionWish("weight", cell="ada", weight=2),
        ActionWish("issue", account="treasury", amount=100 * 10**9),
        ActionWish("burn", account="ada", amount=5 * 10**8),
        ActionWish("pay-out", account="ada", amount=10**9, memo="thanks"),
        ActionWish("upgrade", epoch=40, release="myceld 2", rule_set=3),
        ActionWish(
            "text",
            hash=hashlib.sha256(b"be kind").digest(),
            url="https://example.org/statutes.txt",
        ),
    )
    assert cell.calls == [
        ("propose", (ProposalWish("all at once", wishes, 500), Stage.APPLIED, 30.0))
    ]


def test_a_proposal_without_an_action_is_a_resolution(call: Run, cell: FakeCell) -> None:
    assert call("gov", "propose", "be kind")[0] == 0
    assert call("gov", "propose", "be kinder", "--url", "https://example.org")[0] == 0
    wishes = [call[1][0] for call in cell.calls]  # type: ignore[index]  # all calls are tuples
    assert wishes == [
        ProposalWish("be kind", (ActionWish("text"),), PROPOSAL_ROUNDS_MAX),
        ProposalWish(
            "be kinder", (ActionWish("text", url="https://example.org"),), PROPOSAL_ROUNDS_MAX
        ),
    ]


def test_votes_and_announcements_reach_the_cell(call: Run, cell: FakeCell) -> None:
    assert call("gov", "vote", "ab" * 32, "abstain")[0] == 0
    assert call("gov", "announce", "--wait", "stored")[0] == 0
    assert cell.calls == [
        ("vote", ((bytes.fromhex("ab" * 32), "abstain"), Stage.APPLIED, 30.0)),
        ("announce", (None, Stage.STORED, 30.0)),
    ]
    assert json.loads(call("gov", "vote", "cd" * 32, "yes", "--json")[1])["outcome"] == "applied"


def test_a_refusal_by_the_ledger_is_status_5(call: Run) -> None:
    assert call("gov", "propose", "refused")[0] == 5


@pytest.mark.parametrize(
    "arguments",
    [
        ("propose",),
        ("propose", "t", "--set", "epoch_rounds"),
        ("propose", "t", "--set", "epoch_rounds=many"),
        ("propose", "t", "--add", "12D3KooWNew"),
        ("propose", "t", "--add", "12D3KooWNew=dora:x"),
        ("propose", "t", "--weight", "ada=-1"),
        ("propose", "t", "--upgrade", "epoch=7"),
        ("propose", "t", "--upgrade", "epoch=7,release=r,colour=3"),
        ("propose", "t", "--rounds", "0"),
        ("vote", "ab" * 32, "maybe"),
        ("list", "--state", "lost"),
    ],
)
def test_wrong_usage_is_status_2(call: Run, arguments: tuple[str, ...]) -> None:
    assert call("gov", *arguments)[0] == 2


def test_proposals_are_listed_and_shown(call: Run) -> None:
    _, out, _ = call("gov", "list")
    assert f"{PROPOSAL.id}  a mo\\x1b[31mtion  1 of 2  open" in out
    assert call("gov", "list", "--state", "refused")[1] == "nothing was proposed\n"
    assert json.loads(call("gov", "list", "--json")[1])["items"][0]["id"] == PROPOSAL.id
    status, out, _ = call("gov", "show", PROPOSAL.id)
    assert status == 0
    for words in (
        "add do\\x1b[31mra (12D3KooWNew), weight 2",
        "remove 12D3KooWOther",
        "weight of 12D3KooWOther to 3",
        "set epoch_rounds to 4096",
        "from epoch 9 on myceld 2: rule set 3, wire version 2, transaction version 1",
        f"agree {'cd' * 32} https://example.org",
        "12.5 PRANA to treasury",
        "burn 1 PRANA of aa",
        "pay 2 PRANA from the treasury to bb: a disk",
        "action later, field 1",
        "yes 1, no 0, abstain 0 of 2",
        "12D3KooWGone",
    ):
        assert words in out
    assert "\x1b" not in out
    assert json.loads(call("gov", "show", PROPOSAL.id, "--json")[1])["round"] == 7
    assert call("gov", "show", "00" * 32)[0] == 1


def test_the_rules_that_hold_are_shown(call: Run) -> None:
    _, out, _ = call("gov", "parameters")
    assert out.startswith("epoch 3: rule set 2, wire version 2, transaction version 1\n")
    assert "epoch_rounds" in out
    assert "16 to 65,536" in out
    assert "rule sets 1, 2; wire versions 2; transaction versions 1" in out
    assert "nothing announced" in out
    assert "\x1b" not in out
    assert json.loads(call("gov", "parameters", "--json")[1])["epoch"] == 3
