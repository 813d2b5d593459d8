"""Every code that the program can show is explained, and the page of them is what the code says."""

from __future__ import annotations

import json
import re
from collections.abc import Callable

import pytest

from cli.error_table import as_markdown, meanings, nearest, normal_code
from cli.main import run
from core.errors import MyceldError
from core.findings import FINDINGS, find
from tests.network.devnet import ROOT

Call = Callable[..., tuple[int, str, str]]


@pytest.fixture(name="call")
def _call(capsys: pytest.CaptureFixture[str]) -> Call:
    def call(*arguments: str) -> tuple[int, str, str]:
        status = run(arguments)
        captured = capsys.readouterr()
        return status, captured.out, captured.err

    return call


def test_every_code_in_the_sources_is_explained() -> None:
    shown = set()
    for package in ("cli", "core", "gateway", "gossip", "hashgraph", "hypha", "identity"):
        shown |= _codes_below(package)
    for package in ("journal", "ledger", "myceld", "node", "settings", "sim"):
        shown |= _codes_below(package)
    shown |= set(re.findall(r"MYC-SETUP-\d{3}", (ROOT / "scripts" / "setup").read_text()))
    assert shown - set(meanings()) == set()


def _codes_below(package: str) -> set[str]:
    found: set[str] = set()
    for path in (ROOT / package).rglob("*.py"):
        found |= set(re.findall(r"MYC-[A-Z0-9]+-\d{3}", path.read_text(encoding="utf-8")))
    return found


def test_every_meaning_has_words_and_something_to_do() -> None:
    assert len(meanings()) > 400
    for one in meanings().values():
        assert one.meaning, one
        assert one.fault, one
        assert one.remedy, one


def test_a_meaning_is_that_of_the_class() -> None:
    import node.errors

    kind: type[MyceldError] = node.errors.DirectoryLocked
    one = meanings()[kind.code]
    assert one.name == "DirectoryLocked"
    assert one.remedy == kind.remedy
    assert one.retryable == kind.retryable


def test_the_page_of_errors_is_what_the_sources_say() -> None:
    text = (ROOT / "docs" / "errors.md").read_text(encoding="utf-8")
    assert text == as_markdown(), "run scripts/docs-errors"


def test_explain_says_what_a_code_means_and_what_to_do(call: Call) -> None:
    status, out, _ = call("explain", "MYC-NODE-002")
    assert status == 0
    assert "DirectoryLocked" in out
    assert "Stop that process first" in out
    _, as_json, _ = call("explain", "node-2", "--json")
    assert json.loads(as_json)["code"] == "MYC-NODE-002"


def test_an_unknown_code_gets_the_nearest_ones(call: Call) -> None:
    status, _, err = call("explain", "MYC-NOED-002")
    assert status == 1
    assert "MYC-CLI-210" in err
    assert "MYC-NODE-002" in err
    assert nearest("MYC-DOCTER-010")[0] == "MYC-DOCTOR-010"


@pytest.mark.parametrize(
    ("text", "code"),
    [("node-2", "MYC-NODE-002"), ("MYC-CLI-1", "MYC-CLI-001"), ("what", "WHAT")],
)
def test_a_code_may_be_shortened(text: str, code: str) -> None:
    assert normal_code(text) == code


def test_every_finding_fills_its_places() -> None:
    for code in FINDINGS:
        found = find(
            code, "something", home="x y", path="x y", port="x y", address="x y", user="x y",
            variable="x y", holder="x y",
        )  # fmt: skip
        assert "{" not in found.remedy + found.command, code
        assert "x y" not in found.command.replace("'x y'", ""), code
