"""The routes of the state service: what is asked is checked, and the answers come through."""

from __future__ import annotations

import json

import pytest

from core.limits import INT_MAX
from gateway.errors import BadRequest
from gateway.reading import read_ask
from gateway.state_asks import NamespaceAsk, RollbackAsk, WriteAsk
from gateway.state_views import ChangesQuery, NamespaceWish, WriteWish
from gateway.views import Stage
from ledger.limits import BATCH_ITEMS_MAX
from tests.gateway.fake_cell import FakeCell
from tests.gateway.test_gateway import Wire, serve

_BASE = "/api/v1/state"
_DIGEST = "ab" * 32


def test_writes_rollbacks_and_namespaces_reach_the_cell() -> None:
    async def talk(wire: Wire, cell: FakeCell) -> None:
        made = [
            {"key": "a", "value": "text"},
            {"key": "b", "value_hex": "ff", "if_round": 7},
            {"key": "c", "value": "", "if_absent": True},
            {"key": "d", "delete": True, "if_hash": _DIGEST},
        ]
        asks: list[tuple[str, object]] = [
            ("write", {"writes": made, "wait": "applied", "timeout_s": 9}),
            ("rollback", {"key": "a", "to_round": 7}),
            ("rollback", {"prefix": "", "to_round": 0}),
            ("namespaces/claim", {"name": "club"}),
            (
                "namespaces/set",
                {"name": "club", "owners": ["ada"], "access": "writers", "writers": ["grace"]},
            ),
            ("namespaces/release", {"name": "club", "wait": "ordered"}),
        ]
        for path, body in asks:
            answer = await wire.ask("POST", f"{_BASE}/{path}", json.dumps(body).encode())
            assert answer[0] == 200, answer
        wishes = [
            WriteWish("a", b"text"),
            WriteWish("b", b"\xff", if_round=7),
            WriteWish("c", b"", if_absent=True),
            WriteWish("d", None, if_hash=bytes.fromhex(_DIGEST)),
        ]
        rules = NamespaceWish("club", ("ada",), "writers", ("grace",))
        assert cell.calls == [
            ("write_state", (wishes, Stage.APPLIED, 9.0)),
            ("roll_back", (("a", 7, True), Stage.STORED, 30.0)),
            ("roll_back", (("", 0, False), Stage.STORED, 30.0)),
            (
                "set_namespace",
                ((NamespaceWish("club", (), "owners", ()), True), Stage.STORED, 30.0),
            ),
            ("set_namespace", ((rules, False), Stage.STORED, 30.0)),
            ("release_namespace", (("club",), Stage.ORDERED, 30.0)),
        ]
        answer = await wire.ask("POST", f"{_BASE}/write", b'{"writes": []}')
        assert (answer[0], answer[2]["error"]["code"]) == (400, "MYC-GATEWAY-014")

    serve(talk)


@pytest.mark.parametrize(
    "items",
    [
        None,
        [],
        [7],
        [{}],
        [{"key": "a"}],
        [{"key": "", "value": "x"}],
        [{"key": "a", "value": "x", "value_hex": "ff"}],
        [{"key": "a", "value": 7}],
        [{"key": "a", "value": "x", "delete": True}],
        [{"key": "a", "value": "x", "delete": "no"}],
        [{"key": "a", "value": "x", "if_absent": False}],
        [{"key": "a", "value": "x", "if_round": -1}],
        [{"key": "a", "value": "x", "if_round": True}],
        [{"key": "a", "value": "x", "if_hash": "abcd"}],
        [{"key": "a", "value": "x", "if_absent": True, "if_round": 7}],
        [{"key": "a", "value": "x", "unless": 7}],
        [{"key": "a", "value": "x"}] * (BATCH_ITEMS_MAX + 1),
    ],
)
def test_what_is_no_list_of_writes_is_refused_at_the_edge(items: object) -> None:
    with pytest.raises(BadRequest):
        read_ask(WriteAsk, {"writes": items})


@pytest.mark.parametrize(
    "fields",
    [
        {"to_round": 7},
        {"key": "a", "prefix": "a", "to_round": 7},
        {"key": "a"},
        {"key": "", "to_round": 7},
        {"prefix": "a", "to_round": "7"},
    ],
)
def test_a_rollback_is_of_a_key_or_of_a_prefix(fields: dict[str, object]) -> None:
    with pytest.raises(BadRequest):
        read_ask(RollbackAsk, fields)


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"name": ""},
        {"name": "a", "access": "nobody"},
        {"name": "a", "owners": "ada"},
        {"name": "a", "owners": [7]},
        {"name": "a", "owners": [""]},
        {"name": "a", "owners": ["ada"] * 17},
        {"name": "a", "writers": ["x" * 65]},
    ],
)
def test_what_is_no_namespace_is_refused_at_the_edge(fields: dict[str, object]) -> None:
    with pytest.raises(BadRequest):
        read_ask(NamespaceAsk, fields)


def test_questions_come_to_the_cell_and_its_answers_back() -> None:
    async def talk(wire: Wire, cell: FakeCell) -> None:
        cell.values["k"] = b"v"
        assert (await wire.ask("GET", f"{_BASE}/value?key=k&at=5"))[2]["round"] == 5
        page = (await wire.ask("GET", f"{_BASE}/values?prefix=club/&after=club/0&limit=2"))[2]
        assert ([item["key"] for item in page["items"]], page["next"]) == (
            ["club/a", "club/b"],
            "club/b",
        )
        await wire.ask("GET", f"{_BASE}/values?prefix=club/&limit=2&at=5")
        assert cell.asked.pop() == ("club/", "", 2, 5)
        past = (await wire.ask("GET", f"{_BASE}/history?key=club/a&before=9"))[2]
        assert [item["value_hex"] for item in past["items"]] == [None, "ff00", "74"]
        diff = (await wire.ask("GET", f"{_BASE}/diff?from=3&to=9&prefix=club/"))[2]
        assert diff["items"][0]["before"] is None
        query = "prefix=club/&after_round=8&after_key=club/b&limit=5&timeout_s=2"
        seen = (await wire.ask("GET", f"{_BASE}/changes?{query}"))[2]
        assert (seen["round"], seen["key"]) == (9, "club/c")
        assert cell.asked == [
            ("club/", "club/0", 2),
            ("club/a", 9, 100),
            ((3, 9), "club/", "", 100),
            (ChangesQuery("club/", 8, "club/b", 5), 2.0),
        ]
        gone = await wire.ask("GET", f"{_BASE}/changes?after_round=1")
        assert (gone[0], gone[2]["error"]["code"]) == (400, "MYC-LEDGER-503")
        assert (await wire.ask("GET", f"{_BASE}/namespace?key=club/x"))[2]["name"] == "club"
        assert (await wire.ask("GET", f"{_BASE}/namespace?key=none"))[0] == 404
        listed = (await wire.ask("GET", f"{_BASE}/namespaces?limit=1"))[2]
        assert ([item["name"] for item in listed["items"]], listed["next"]) == (["club"], "club")
        for path in (
            "diff?from=3",
            "diff?from=9&to=3",
            "diff?from=x&to=3",
            "history?before=3",
            "history?key=k&before=0",
            "value?key=k&at=-1",
            "changes?after_key=k",
            "changes?timeout_s=0",
            "values?start=1",
        ):
            assert (await wire.ask("GET", f"{_BASE}/{path}"))[0] == 400, path
        assert (await wire.ask("GET", f"{_BASE}/values", token=None))[0] == 401

    serve(talk)


def test_a_history_begins_with_the_newest_unless_told() -> None:
    async def talk(wire: Wire, cell: FakeCell) -> None:
        await wire.ask("GET", f"{_BASE}/history?key=k&limit=2")
        assert cell.asked == [("k", INT_MAX, 2)]

    serve(talk)
