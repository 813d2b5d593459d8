"""`myceld audit`, `services` and `challenge` against a served fake cell, and a row offline."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from cli.main import run
from gateway.service_views import RequestNote
from identity.audit import AUDIT_JOURNAL
from identity.keys import KeyPair
from journal.checkpoint import sign_checkpoint
from journal.merkle import leaf_hash
from journal.proof_file import format_proof
from tests.cli.served import serving
from tests.gateway.fake_cell import FakeCell, write_home
from tests.identity.test_service_vectors import ACT

Run = Callable[..., tuple[int, str, str]]
KEY = KeyPair(b"\x07" * 32)


@pytest.fixture(name="cell")
def _cell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeCell]:
    with serving() as (cell, url):
        write_home(tmp_path, url)
        monkeypatch.setenv("MYCELD_HOME", str(tmp_path))
        yield cell


@pytest.fixture(name="call")
def _call(capsys: pytest.CaptureFixture[str]) -> Run:
    def call(*arguments: str) -> tuple[int, str, str]:
        status = run(arguments)
        captured = capsys.readouterr()
        return status, captured.out, captured.err

    return call


def test_acts_are_shown_and_what_a_stranger_sent_can_not_draw_on_the_screen(
    call: Run, cell: FakeCell
) -> None:
    cell.notes += [
        RequestNote("token", "POST /api/v1/state/put", "key=\x1b[31mred"),
        RequestNote("cell:12D3Koo", "exec", "", "MYC-NODE-401", "no", is_refused=True),
    ]
    status, out, _ = call("audit", "show")
    assert status == 0
    assert "MYC-NODE-401" in out
    assert "\x1b" not in out
    assert call("audit", "show", "--refused", "--limit", "1")[1].count("exec") == 1
    answer = json.loads(call("audit", "show", "--json", "--before", "1")[1])
    assert [item["action"] for item in answer["items"]] == ["POST /api/v1/state/put"]
    assert json.loads(call("audit", "show", "--json", "--since", "1h")[1])["items"] == []


@pytest.mark.parametrize("span", ["", "1", "h", "-1h", "1w", "1.5h", "9999999999d", "²h"])
def test_a_span_that_is_none_is_wrong_usage(call: Run, span: str) -> None:
    assert call("audit", "show", "--since", span)[0] == 2


def _proof(journal: str) -> str:
    block = ACT.encode()
    head = sign_checkpoint(
        f"{KEY.cell_id}/{journal}/0", 1, leaf_hash(block), KEY.public_key, KEY.sign
    )
    return format_proof(0, block, [], head)


def test_one_row_is_checked_offline(call: Run, tmp_path: Path) -> None:
    file = tmp_path / "row.tlog-proof"
    file.write_text(_proof(AUDIT_JOURNAL))
    status, out, _ = call("audit", "verify", "--file", str(file), "--cell", KEY.cell_id, "--json")
    row = json.loads(out)
    assert (status, row["valid"], row["action"], row["count"]) == (0, True, ACT.action, ACT.count)
    other = KeyPair(b"\x08" * 32).cell_id
    assert call("audit", "verify", "--file", str(file), "--cell", other)[0] == 1
    file.write_text(_proof("state"))
    assert call("audit", "verify", "--file", str(file))[0] == 1
    assert "row 0" in _said(call, tmp_path)


def _said(call: Run, tmp_path: Path) -> str:
    file = tmp_path / "again.tlog-proof"
    file.write_text(_proof(AUDIT_JOURNAL))
    return call("audit", "verify", "--file", str(file))[1]


def test_services_and_challenges_are_shown(call: Run, cell: FakeCell) -> None:
    cell.health["message"] = ("degraded", "900 messages wait")
    out = call("services")[1]
    assert "900 messages wait" in out
    assert "message degraded: 900 messages wait" in call("status")[1]
    cell.health["message"] = ("healthy", "")
    assert "all 2 healthy" in call("status")[1]
    assert json.loads(call("services", "--json")[1])["items"][0]["name"] == "nucleus"
    assert call("challenge", "beta")[0] == 0
    assert call("challenge", "nobody")[0] == 1
