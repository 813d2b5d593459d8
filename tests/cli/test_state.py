"""`myceld state` against a served fake cell: output, JSON, exit status."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from gateway.state_views import ChangesQuery, NamespaceWish, WriteWish
from gateway.views import Stage
from tests.gateway.fake_cell import FakeCell

Run = Callable[..., tuple[int, str, str]]


def test_writes_reach_the_cell_with_their_conditions(call: Run, cell: FakeCell) -> None:
    digest = "cd" * 32
    commands = [
        ("put", "k", "v"),
        ("put", "k", "v", "--if-absent"),
        ("put", "k", "v", "--if-round", "7"),
        ("put", "k", "v", "--if-hash", digest, "--wait", "stored"),
        ("delete", "a", "b", "--if-round", "7"),
    ]
    for command in commands:
        status, _, err = call("state", *command)
        assert status == 0, err
    wishes = [
        [WriteWish("k", b"v")],
        [WriteWish("k", b"v", if_absent=True)],
        [WriteWish("k", b"v", if_round=7)],
        [WriteWish("k", b"v", if_hash=bytes.fromhex(digest))],
        [WriteWish("a", None, if_round=7), WriteWish("b", None, if_round=7)],
    ]
    stages = [Stage.APPLIED] * 3 + [Stage.STORED, Stage.APPLIED]
    made = list(zip(wishes, stages, [30.0] * 5, strict=True))
    assert cell.calls == [("write_state", one) for one in made]


def test_a_condition_that_does_not_hold_is_status_5(call: Run) -> None:
    assert call("state", "put", "refused", "v", "--if-absent")[0] == 5


def test_rollbacks_and_namespaces_reach_the_cell(call: Run, cell: FakeCell) -> None:
    assert call("state", "rollback", "k", "--to", "7")[0] == 0
    assert call("state", "rollback", "--prefix", "club/", "--to", "7")[0] == 0
    assert call("state", "namespace", "claim", "club", "--access", "members")[0] == 0
    handed = ("--owner", "ada", "--owner", "grace", "--access", "writers", "--writer", "alan")
    assert call("state", "namespace", "set", "club", *handed)[0] == 0
    assert [asked[0] for _, asked in cell.calls if isinstance(asked, tuple)] == [
        ("k", 7, True),
        ("club/", 7, False),
        (NamespaceWish("club", (), "members", ()), True),
        (NamespaceWish("club", ("ada", "grace"), "writers", ("alan",)), False),
    ]


@pytest.mark.parametrize(
    "arguments",
    [
        ("put", "k"),
        ("put", "k", "v", "--if-absent", "--if-round", "7"),
        ("put", "k", "v", "--if-round", "-1"),
        ("delete",),
        ("get", "k", "--raw", "--json"),
        ("diff", "3"),
        ("rollback", "k"),
        ("rollback", "--to", "7"),
        ("rollback", "k", "--prefix", "k", "--to", "7"),
        ("watch", "--count", "0"),
        ("namespace", "claim"),
        ("namespace", "claim", "club", "--access", "nobody"),
    ],
)
def test_wrong_usage_is_status_2(call: Run, arguments: tuple[str, ...]) -> None:
    assert call("state", *arguments)[0] == 2


def test_a_value_at_a_round_is_asked_for(call: Run, cell: FakeCell) -> None:
    cell.values["k"] = b"v"
    assert json.loads(call("state", "get", "k", "--at", "3", "--json")[1])["round"] == 3
    assert call("state", "get", "k", "--at", "3")[1] == "v\n"


def test_lists_history_and_differences_are_shown(call: Run, cell: FakeCell) -> None:
    out = call("state", "list", "club/", "--limit", "2")[1]
    lines = [line.split() for line in out.splitlines()]
    assert [line[:2] for line in lines[1:3]] == [["club/a", "7"], ["club/b", "8"]]
    assert lines[1][2].startswith("te\\x1b[31mxt")
    assert "more: --after club/b" in out
    call("state", "list", "club/", "--limit", "2", "--at", "5")
    assert cell.asked[-1] == ("club/", "", 2, 5)
    assert max(map(len, out.splitlines())) < 90
    out = call("state", "history", "club/a")[1]
    assert out.splitlines()[1].split() == ["9", "taken", "away"]
    assert "kept from round 3 on" in out
    assert "more: --before 8" in call("state", "history", "club/a", "--limit", "2")[1]
    out = call("state", "diff", "3", "9")[1]
    assert out.splitlines()[0].split() == ["key", "after", "3", "after", "9"]
    assert "no value" in out
    for command in (("list",), ("history", "k"), ("diff", "3", "9")):
        assert json.loads(call("state", *command, "--json")[1])["items"]


def test_changes_are_watched_without_a_gap(call: Run, cell: FakeCell) -> None:
    status, out, _ = call("state", "watch", "club/", "--after", "6", "--count", "3", "--json")
    assert status == 0
    assert [json.loads(line)["key"] for line in out.splitlines()] == ["club/a", "club/c", "club/b"]
    places = [asked[0] for asked in cell.asked if isinstance(asked, tuple)]
    assert places == [
        ChangesQuery("club/", 6, "", 100),
        ChangesQuery("club/", 9, "club/c", 100),
    ]
    out = call("state", "watch", "--count", "2")[1]
    assert "\x1b" not in out
    assert "club/c  9  taken away" in out


def test_who_was_away_for_too_long_is_told(call: Run) -> None:
    status, _, err = call("state", "watch", "--after", "1", "--count", "1")
    assert status != 0
    assert "MYC-LEDGER-503" in err


def test_namespaces_are_shown(call: Run) -> None:
    out = call("state", "namespace", "show", "club/k")[1]
    assert "owner      12D3KooWFakeCell" in out
    assert "may write  writers" in out
    assert "club" in call("state", "namespace", "list")[1]
    assert json.loads(call("state", "namespace", "list", "--json")[1])["next"] is None
    assert json.loads(call("state", "namespace", "show", "club", "--json")[1])["round"] == 4
    assert call("state", "namespace", "show", "none")[0] == 1
