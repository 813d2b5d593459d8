"""The routes of proof files and of repair: what is asked is checked, answers come through whole."""

from __future__ import annotations

from dataclasses import replace

from ledger.verify import verify_text
from tests.gateway.fake_cell import FakeCell
from tests.gateway.test_gateway import Wire, serve
from tests.ledger.proof_world import NETWORK_ID


def test_each_route_gives_a_file_that_verifies() -> None:
    async def talk(wire: Wire, _cell: FakeCell) -> None:
        for path, about in [
            (f"/api/v1/receipts/{'ab' * 32}/proof", "receipt"),
            ("/api/v1/state/proof?key=hello", "state"),
            ("/api/v1/state/proof?key=nothing", "state"),
            ("/api/v1/state/proof?key=hello&round=5", "state"),
            ("/api/v1/state/proof?prefix=k&limit=7", "range"),
            ("/api/v1/rounds/proof", "header"),
            ("/api/v1/rounds/proof?round=7&roster=1", "roster"),
        ]:
            status, _, answer = await wire.ask("GET", path)
            assert (status, answer["about"]) == (200, about)
            verified = verify_text(answer["proof"], NETWORK_ID)
            assert verified.header.round == answer["round"]
            assert verified.certified.round == answer["certified_round"]

    serve(talk)


def test_what_can_not_be_proven_is_told() -> None:
    async def talk(wire: Wire, _cell: FakeCell) -> None:
        for path, status, code in [
            (f"/api/v1/receipts/{'00' * 32}/proof", 404, "MYC-GATEWAY-021"),
            ("/api/v1/receipts/xyz/proof", 400, "MYC-GATEWAY-014"),
            ("/api/v1/state/proof", 400, "MYC-GATEWAY-014"),
            ("/api/v1/state/proof?key=a&prefix=b", 400, "MYC-GATEWAY-014"),
            ("/api/v1/state/proof?prefix=b&round=3", 400, "MYC-GATEWAY-014"),
            ("/api/v1/rounds/proof?round=0", 400, "MYC-GATEWAY-014"),
            ("/api/v1/rounds/proof?epoch=1", 400, "MYC-GATEWAY-014"),
            ("/api/v1/rounds/proof?round=99", 503, "MYC-LEDGER-560"),
        ]:
            answer = await wire.ask("GET", path)
            assert (answer[0], answer[2]["error"]["code"]) == (status, code), path

    serve(talk)


def test_a_divergence_is_shown_and_repaired() -> None:
    async def talk(wire: Wire, cell: FakeCell) -> None:
        status, _, answer = await wire.ask("GET", "/api/v1/divergence")
        assert (status, answer["diverged"], answer["first_round"]) == (200, False, None)
        status, _, answer = await wire.ask("POST", "/api/v1/repair", b"{}")
        assert (status, answer["error"]["code"]) == (400, "MYC-NODE-532")
        cell.found = replace(cell.found, diverged=True, first_round=7)
        status, _, answer = await wire.ask("POST", "/api/v1/repair", b"{}")
        assert (status, answer["diverged"], answer["first_round"]) == (200, True, 7)
        for method, path, body in [
            ("GET", "/api/v1/divergence?round=1", b""),
            ("POST", "/api/v1/repair", b'{"force": true}'),
        ]:
            assert (await wire.ask(method, path, body))[0] == 400

    serve(talk)
