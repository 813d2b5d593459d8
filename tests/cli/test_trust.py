"""`myceld trust` against a served fake cell: output, JSON, exit status; and its pictures."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from cli import trust_picture
from gateway.trust_views import AttestWish, InteractionsQuery
from gateway.views import Stage
from tests.gateway.fake_cell import CELL_ID, OTHER_ID, FakeCell

Run = Callable[..., tuple[int, str, str]]


def test_what_is_said_reaches_the_cell(call: Run, cell: FakeCell) -> None:
    attest = ("trust", "attest", "beta", "--score", "0.9", "--scope", "chat", "--expires", "12")
    assert call(*attest)[0] == 0
    assert call("trust", "revoke", "beta", "--wait", "stored")[0] == 0
    wishes = [(asked[0], asked[1]) for _, asked in cell.calls if isinstance(asked, tuple)]
    assert wishes == [
        (AttestWish("beta", "chat", 900_000, 12), Stage.APPLIED),
        (AttestWish("beta", "general", None), Stage.STORED),
    ]
    receipt = json.loads(call("trust", "attest", "beta", "--score", "1", "--json")[1])
    assert receipt["outcome"] == "applied"


def test_a_refusal_by_the_ledger_is_status_5(call: Run) -> None:
    assert call("trust", "attest", CELL_ID, "--score", "1")[0] == 5


@pytest.mark.parametrize(
    "arguments",
    [("attest", "beta"), ("attest", "beta", "--score", "1.5"), ("graph", "--format", "png")],
)
def test_wrong_usage_is_status_2(call: Run, arguments: tuple[str, ...]) -> None:
    assert call("trust", *arguments)[0] == 2


def test_a_score_is_shown_with_what_makes_it(call: Run, cell: FakeCell) -> None:
    status, out, _ = call("trust", "show", "beta", "--why")
    assert status == 0
    assert "score            0.9000\naccess           full\nnetwork's score  0.50" in out
    assert "attested         0.90 in general, up to round 900" in out
    assert "own word          0.9000" in out
    assert "0.9000  alpha –0.90→ be\\x1b[31mta" in out
    assert "0.0700  alpha –0.50→ …ooWThird –1.00→ beta" in out
    assert "\x1b" not in out
    assert "path" not in call("trust", "show", OTHER_ID)[1]
    for command in (["show", "beta"], ["list"], ["graph"]):
        assert call("trust", *command, "--scope", "writing", "--json")[0] == 0
        assert cell.calls[-1][1] == "writing"
    assert json.loads(call("trust", "show", "beta", "--json")[1])["cell"]["score"] == 0.9
    assert call("trust", "show", "nobody")[0] == 1


def test_cells_are_listed_with_the_highest_score_first(call: Run) -> None:
    _, out, _ = call("trust", "list", "--limit", "2")
    lines = out.splitlines()
    assert lines[0].split() == ["score", "access", "member", "cell", "id"]
    assert [line.split()[0] for line in lines[1:]] == ["1.0000", "0.9000", "2"]
    assert len(json.loads(call("trust", "list", "--json")[1])["cells"]) == 3


def test_a_picture_is_well_formed_and_has_all_cells_whatever_they_are_called(
    call: Run, tmp_path: Path
) -> None:
    file = tmp_path / "trust.svg"
    status, out, _ = call("trust", "graph", "--out", str(file))
    assert (status, out) == (0, f"{file}: 3 cells, 2 attestations\n")
    picture = ET.fromstring(file.read_text(encoding="utf-8"))  # noqa: S314 - our own
    space = "{http://www.w3.org/2000/svg}"
    assert len(picture.findall(f".//{space}circle")) == 3
    names = [text.text or "" for text in picture.findall(f".//{space}text")]
    assert names == ["alpha 1.00", 'be\\x1b[31mta <" 0.90', "…ooWThird 0.07"]
    assert call("trust", "graph", "--out", str(tmp_path / "no" / "where"))[0] == 1
    assert json.loads(call("trust", "graph", "--json")[1])["cells_known"] == 3


def test_graphviz_gets_quoted_text(call: Run) -> None:
    _, out, _ = call("trust", "graph", "--format", "dot")
    assert out.startswith("digraph trust {")
    assert f'"{CELL_ID}" -> "{OTHER_ID}" [label="0.90"];' in out
    assert r'[label="be\\x1b[31mta <\"\n0.90"' in out


def test_rings_are_as_many_attestations_away_as_it_takes() -> None:
    cells = [
        {"cell_id": name, "name": name, "score": 0.5, "level": "limited", "is_self": name == "a"}
        for name in "abcde"
    ]
    said = [("a", "b"), ("b", "c"), ("a", "d"), ("c", "a")]
    edges = [{"issuer": one, "subject": other, "weight": 1.0} for one, other in said]
    steps = trust_picture._steps({"cells": cells, "edges": edges})
    assert steps == {"a": 0, "b": 1, "d": 1, "c": 2, "e": 3}
    places = trust_picture._places({"cells": cells, "edges": edges})
    assert places["a"] == (0.0, 0.0)
    assert len(set(places.values())) == 5


def test_interactions_are_listed_own_ones_and_those_that_another_cell_shows(
    call: Run, cell: FakeCell
) -> None:
    status, out, _ = call("trust", "interactions", "beta")
    assert status == 0
    assert [line.split()[0] for line in out.splitlines()] == ["index", "2", "1", "0"]
    page = json.loads(call("trust", "interactions", "beta", "--of", "gamma", "--json")[1])
    assert [item["index"] for item in page["items"]] == [2, 1, 0]
    assert page["next"] is None
    asked = [what for name, what in cell.calls if name == "interactions"]
    assert asked[-1] == InteractionsQuery("beta", "gamma", 1, 98)
    limited = json.loads(call("trust", "interactions", "--limit", "2", "--json")[1])
    assert ([item["index"] for item in limited["items"]], limited["next"]) == ([2, 1], 1)
    assert call("trust", "interactions", "--of", "gamma")[0] == 2


def test_a_proof_of_an_interaction_is_written_and_checked_without_a_cell(
    call: Run, tmp_path: Path
) -> None:
    file = tmp_path / "met"
    assert call("trust", "prove", "2", "--out", str(file))[0] == 0
    status, out, _ = call("trust", "verify", str(file), "--json")
    found = json.loads(out)
    assert (status, found["valid"], found["index"]) == (0, True, 2)
    assert found["shown_by"] in found["cells"]
    assert call("trust", "verify", str(file), "--cell", found["shown_by"])[0] == 0
    other = next(one for one in found["cells"] if one != found["shown_by"])
    assert call("trust", "verify", str(file), "--cell", other)[0] == 1
    assert json.loads(call("trust", "prove", "1", "--out", str(file), "--json")[1])["index"] == 1
    assert call("trust", "prove", "1", "--out", "-")[1].startswith("c2sp.org/tlog-proof@v1")
    assert call("trust", "prove", "1", "--out", str(tmp_path / "no" / "where"))[0] == 1
    text = file.read_text(encoding="utf-8")
    file.write_text(text.replace("index 1", "index 0"), encoding="utf-8")
    assert call("trust", "verify", str(file))[0] == 1
    for wrong in (text + "\n", text.replace("\n", "\r\n")):
        file.write_bytes(wrong.encode())
        assert call("trust", "verify", str(file))[0] == 1
