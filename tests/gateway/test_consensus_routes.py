"""The routes of consensus: what is asked is checked, answers come through whole."""

from __future__ import annotations

from tests.gateway.fake_cell import FakeCell
from tests.gateway.test_gateway import Wire, serve

EVENTS = "/api/v1/consensus/events"


def test_windows_news_rounds_and_reasons_come_through() -> None:
    async def talk(wire: Wire, cell: FakeCell) -> None:
        status, _, answer = await wire.ask("GET", f"{EVENTS}?limit=1000")
        assert (status, len(answer["items"])) == (200, 84)
        _, _, news = await wire.ask("GET", f"{EVENTS}?after={answer['cursor']}")
        assert (news["items"], news["placed"], news["more"]) == ([], [], False)
        cell.hashgraph.gossip(20)
        _, _, news = await wire.ask("GET", f"{EVENTS}?after={answer['cursor']}&limit=15")
        assert ([one["arrival"] for one in news["items"]], news["more"]) == (
            list(range(84, 99)),
            True,
        )
        _, _, part = await wire.ask("GET", f"{EVENTS}?from_round=2&to_round=3")
        assert {one["round"] for one in part["items"]} == {2, 3}
        one = answer["items"][5]
        _, _, whole = await wire.ask("GET", f"{EVENTS}/{one['id']}")
        assert whole["event"]["arrival"] == 5
        status, _, why = await wire.ask("GET", f"{EVENTS}/{one['id']}/why")
        assert (status, why["received"]) == (200, one["received"])
        assert len(why["words"]) >= 3
        _, _, found = await wire.ask("GET", "/api/v1/consensus/rounds/2")
        assert sum(witness["judge"] for witness in found["witnesses"]) > 2
        _, _, now = await wire.ask("GET", "/api/v1/consensus")
        assert now["round_decided"] < now["round_created"]

    serve(talk)


def test_what_is_not_there_and_what_makes_no_sense_is_refused() -> None:
    async def talk(wire: Wire, _cell: FakeCell) -> None:
        for path, status, code in [
            (f"{EVENTS}/{'00' * 32}", 404, "MYC-GATEWAY-070"),
            (f"{EVENTS}/{'00' * 32}/why", 404, "MYC-GATEWAY-070"),
            (f"{EVENTS}/xyz/why", 400, "MYC-GATEWAY-014"),
            (f"{EVENTS}?after=0.0.0.0&start=3", 400, "MYC-GATEWAY-014"),
            (f"{EVENTS}?after=xyz", 400, "MYC-GATEWAY-014"),
            (f"{EVENTS}?limit=1001", 400, "MYC-GATEWAY-014"),
            (f"{EVENTS}?from_round=-1", 400, "MYC-GATEWAY-014"),
            ("/api/v1/consensus/rounds/999", 404, "MYC-GATEWAY-071"),
            ("/api/v1/consensus/rounds/x", 400, "MYC-GATEWAY-014"),
        ]:
            answer = await wire.ask("GET", path)
            assert (answer[0], answer[2]["error"]["code"]) == (status, code), path

    serve(talk)
