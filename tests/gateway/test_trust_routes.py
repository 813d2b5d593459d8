"""The routes of trust: what is asked is checked, and the cell's answers come through."""

from __future__ import annotations

import json

from core.limits import INT_MAX
from gateway.trust_views import AttestWish, InteractionsQuery
from gateway.views import Stage
from tests.gateway.fake_cell import CELL_ID, OTHER_ID, FakeCell
from tests.gateway.test_gateway import Wire, serve


def test_attestations_are_checked_before_the_cell_hears_of_them() -> None:
    async def talk(wire: Wire, cell: FakeCell) -> None:
        asks = [
            ("attest", {"cell": "beta", "score": 0.25}),
            (
                "attest",
                {
                    "cell": "beta",
                    "score": 1,
                    "scope": "chat",
                    "expires_round": 7,
                    "wait": "applied",
                },
            ),
            ("revoke", {"cell": "beta", "scope": "chat"}),
        ]
        for path, body in asks:
            answer = await wire.ask("POST", f"/api/v1/trust/{path}", json.dumps(body).encode())
            assert answer[0] == 200
        assert cell.calls == [
            ("attest", (AttestWish("beta", "general", 250_000, 0), Stage.STORED, 30.0)),
            ("attest", (AttestWish("beta", "chat", 1_000_000, 7), Stage.APPLIED, 30.0)),
            ("attest", (AttestWish("beta", "chat", None, 0), Stage.STORED, 30.0)),
        ]
        for wrong in [
            {"score": 0.5},
            {"cell": "", "score": 0.5},
            {"cell": "beta"},
            {"cell": "beta", "score": 1.01},
            {"cell": "beta", "score": -0.1},
            {"cell": "beta", "score": True},
            {"cell": "beta", "score": "1"},
            {"cell": "beta", "score": 1, "scope": ""},
            {"cell": "beta", "score": 1, "scope": "a\nb"},
            {"cell": "beta", "score": 1, "scope": "x" * 65},
            {"cell": "beta", "score": 1, "expires_round": -1},
            {"cell": "beta", "score": 1, "expires_round": 0.5},
            {"cell": "beta", "score": 1, "weight": 1},
        ]:
            status, _, answer = await wire.ask(
                "POST", "/api/v1/trust/attest", json.dumps(wrong).encode()
            )
            assert (status, answer["error"]["code"]) == (400, "MYC-GATEWAY-014"), wrong
        assert len(cell.calls) == 3

    serve(talk)


def test_scores_paths_and_the_graph_come_as_the_cell_has_them() -> None:
    async def talk(wire: Wire, cell: FakeCell) -> None:
        status, _, found = await wire.ask("GET", "/api/v1/trust/cell?cell=beta&limit=1")
        assert (status, found["cell"]["score"], found["cell"]["level"]) == (200, 0.9, "full")
        assert [path["cells"] for path in found["paths"]] == [[CELL_ID, OTHER_ID]]
        assert (await wire.ask("GET", "/api/v1/trust/cell?cell=nobody"))[0] == 404
        assert (await wire.ask("GET", "/api/v1/trust/cell"))[0] == 400
        _, _, graph = await wire.ask("GET", "/api/v1/trust/graph?limit=2")
        assert len(graph["cells"]) == 2
        assert graph["edges"] == [{"issuer": CELL_ID, "subject": OTHER_ID, "weight": 0.9}]
        assert graph["cells_known"] == 3
        _, _, rest = await wire.ask("GET", "/api/v1/trust/graph?limit=2&start=2")
        first = {one["cell_id"] for one in graph["cells"]}
        assert [one["cell_id"] in first for one in rest["cells"]] == [False]
        for path in ("cell?cell=beta&scope=writing", "graph?scope=writing"):
            assert (await wire.ask("GET", f"/api/v1/trust/{path}"))[0] == 200
        asked = [what for name, what in cell.calls if name in ("trust_of", "trust_graph")]
        assert asked[-2:] == ["writing", "writing"]
        assert set(asked[:-2]) == {"general"}
        assert (await wire.ask("GET", "/api/v1/trust/graph?scope="))[0] == 400
        assert (await wire.ask("GET", "/api/v1/trust/graph?limit=0"))[0] == 400
        assert (await wire.ask("GET", "/api/v1/trust/graph", token=None))[0] == 401

    serve(talk)


def test_interactions_are_asked_for_by_cell_and_by_who_is_to_show_them() -> None:
    async def talk(wire: Wire, cell: FakeCell) -> None:
        path = "/api/v1/trust/interactions"
        status, _, page = await wire.ask("GET", f"{path}?limit=2")
        assert (status, page["next"], page["items"][0]["proof"]) == (200, 1, None)
        status, _, page = await wire.ask("GET", f"{path}?cell=beta&of=gamma&before=1")
        assert (status, page["next"], page["items"][0]["shown_by"]) == (200, None, "gamma")
        asked = [what for name, what in cell.calls if name == "interactions"]
        assert asked == [
            InteractionsQuery("", "", INT_MAX, 2),
            InteractionsQuery("beta", "gamma", 1, 100),
        ]
        for wrong in ("of=gamma", "cell=", "before=-1", "cell=beta&of=", "limit=0", "x=1"):
            assert (await wire.ask("GET", f"{path}?{wrong}"))[0] == 400, wrong

    serve(talk)
