"""`myceld prana` and `tx batch` against a served fake cell that has a real ledger."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.gateway.fake_cell import FakeCell
from tests.gateway.fake_prana import GRACE, ME

Run = Callable[..., tuple[int, str, str]]


def test_a_payment_is_exact_and_seen_on_both_sides(call: Run, cell: FakeCell) -> None:
    assert call("prana", "send", "grace", "0.000000001", "--memo", "smallest")[0] == 0
    assert call("prana", "send", "grace", "1.5")[0] == 0
    status, out, _ = call("prana", "balance", "grace")
    assert (status, out) == (0, f"account  {GRACE.cell_id}\nPRANA    1.500000001\n")
    assert json.loads(call("prana", "balance", "--json")[1])["balance"] == 998_499_999_999
    assert "there are         1000 PRANA" in call("prana", "supply")[1]
    assert [wish.kind for wish, _ in cell.wishes] == ["transfer", "transfer"]


def test_the_history_of_an_account_says_what_each_round_changed(call: Run) -> None:
    for amount in ("1", "2.5", "3"):
        assert call("prana", "send", "grace", amount)[0] == 0
    rows = call("prana", "history", "grace")[1].splitlines()
    assert [row.split() for row in rows] == [
        ["round", "change", "PRANA"],
        ["3", "3", "6.5"],
        ["2", "2.5", "3.5"],
        ["1", "1"],
    ]
    own = json.loads(call("prana", "history", "--limit", "1", "--json")[1])
    assert own["items"] == [{"round": 3, "balance": 993_500_000_000, "change": -3_000_000_000}]
    assert own["next"] == 3
    out = call("prana", "history", "--before", "3", "--limit", "1")[1]
    assert out.splitlines()[1:] == ["    2  -2.5    996.5", "(there is more: --before 2)"]


@pytest.mark.parametrize(
    "arguments",
    [
        ("send", "grace", "1,5"),
        ("send", "grace", "-1"),
        ("send", "grace", "0.0000000001"),
        ("send", "grace"),
        ("multisig", "create", "savings", "0", "ada"),
    ],
)
def test_an_amount_that_is_none_is_wrong_usage(call: Run, arguments: tuple[str, ...]) -> None:
    assert call("prana", *arguments)[0] == 2


def test_too_little_and_nobody_are_told_apart(call: Run) -> None:
    status, out, _ = call("prana", "send", "grace", "5000")
    assert status == 5
    assert "MYC-LEDGER-311" in out
    status, _, error = call("prana", "send", "nobody", "1")
    assert (status, "MYC-GATEWAY-025" in error) == (1, True)


def test_several_pay_together(call: Run) -> None:
    assert call("prana", "multisig", "create", "savings", "1", "grace", "ada")[0] == 0
    listed = json.loads(call("prana", "multisig", "list", "--json")[1])["items"]
    (account,) = [one["account"] for one in listed]
    assert call("prana", "send", account, "10")[0] == 0
    assert "savings  1 of 2     10     0" in call("prana", "multisig", "list")[1]
    paid = call("prana", "multisig", "propose", account, "grace", "3", "--memo", "bill")
    assert paid[0] == 0
    out = call("prana", "multisig", "show", account)[1]
    assert "PRANA         7" in out
    assert f"key              {ME.cell_id}" in out
    assert call("prana", "multisig", "approve", account, bytes(32).hex())[0] == 5
    assert call("prana", "multisig", "cancel", account, bytes(32).hex())[0] == 5


def test_a_spend_that_waits_is_shown(call: Run) -> None:
    assert call("prana", "multisig", "create", "both", "2", "grace", "ada")[0] == 0
    listed = json.loads(call("prana", "multisig", "list", "grace", "--json")[1])["items"]
    account = listed[0]["account"]
    answer = call(
        "prana", "multisig", "propose", account, "grace", "3", "--rounds", "1000", "--json"
    )
    spend = json.loads(answer[1])["id"]
    out = call("prana", "multisig", "show", account)[1]
    assert "1 of 2" in out
    assert spend in out
    assert call("prana", "multisig", "cancel", account, spend)[0] == 0


def test_an_allowance_is_listed_and_taken_back(call: Run) -> None:
    assert call("prana", "allow", "set", "grace", "5", "--expires", "90")[0] == 0
    out = call("prana", "allow", "list")[1]
    assert GRACE.cell_id in out
    assert "90" in out
    assert call("prana", "allow", "set", "grace", "0")[0] == 0
    assert call("prana", "allow", "list") == (0, "nobody may\n", "")
    assert call("prana", "allow", "use", "grace", "ada", "1")[0] == 5


def test_a_token_is_made_passed_on_and_burned_in_its_own_decimals(call: Run) -> None:
    create = ("token", "create", "GOLD", "Gold", "--decimals", "2", "--amount", "10.5")
    assert call("prana", *create, "--burnable", "--mintable")[0] == 0
    assert call("prana", "token", "send", "GOLD", "grace", "0.25")[0] == 0
    assert call("prana", "token", "burn", "GOLD", "1")[0] == 0
    assert call("prana", "token", "mint", "GOLD", "grace", "1")[0] == 0
    assert "GOLD    Gold    10.5  9.25" in call("prana", "token", "list")[1]
    out = call("prana", "token", "show", "GOLD", "grace")[1]
    assert "held       1.25" in out
    assert "mintable   yes, by its issuer" in out
    status, _, error = call("prana", "token", "send", "GOLD", "grace", "0.001")
    assert (status, "MYC-LEDGER-316" in error) == (1, True)


def test_a_batch_from_a_file_applies_whole_or_says_which_item_failed(
    call: Run, tmp_path: Path
) -> None:
    def batch(*items: dict[str, object]) -> tuple[int, str, str]:
        file = tmp_path / "batch.json"
        file.write_text(json.dumps(items), encoding="utf-8")
        return call("tx", "batch", f"@{file}")

    pay: dict[str, object] = {"kind": "transfer", "arguments": {"to": "grace", "amount": 7}}
    put: dict[str, object] = {"kind": "put", "arguments": {"key": "k", "value": "v"}}
    assert batch(pay, put)[0] == 0
    broke: dict[str, object] = {"kind": "transfer", "arguments": {"to": "ada", "amount": 7}}
    status, out, _ = batch(pay, put, broke)
    assert (status, "MYC-LEDGER-313#2" in out) == (5, True)
    assert json.loads(call("prana", "balance", "grace", "--json")[1])["balance"] == 7
    file = tmp_path / "no.json"
    for text in ("{}", "[", "7"):
        file.write_text(text, encoding="utf-8")
        assert call("tx", "batch", f"@{file}")[0] == 1
