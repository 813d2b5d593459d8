"""What hyphae ask: shapes, bounds, and a token that opens nothing else."""

from __future__ import annotations

import asyncio

import pytest

from gateway.light_views import KnownHead, LightProofView
from ledger.verify import verify_text
from tests.gateway.fake_cell import TOKEN, FakeCell
from tests.gateway.test_gateway import Wire, as_body, serve
from tests.ledger.proof_world import NETWORK_ID

LIGHT = "light-token"
ID = "ab" * 32


def test_every_route_for_hyphae_answers_with_a_proof() -> None:
    async def talk(wire: Wire, cell: FakeCell) -> None:
        del cell
        for path in (
            "/api/light/head",
            f"/api/light/head?epoch=0&round=1&hash={ID}",
            f"/api/light/state?key={b'value/hello'.hex()}&epoch=3",
            f"/api/light/range?start={b'value/'.hex()}&end={b'value0'.hex()}&limit=7&epoch=3",
            "/api/light/range",
            f"/api/light/receipts/{ID}?epoch=1",
            "/api/light/round?round=2",
        ):
            status, _, answer = await wire.ask("GET", path)
            assert status == 200, path
            assert set(answer) == {"certified_round", "begins_at", "proof"}
            assert verify_text(answer["proof"], NETWORK_ID).certified.round > 0
        known = await wire.ask("GET", f"/api/light/head?round=999&hash={ID}")
        assert known[2]["proof"] is None
        sent = await wire.ask(
            "POST", "/api/light/transactions", as_body(transactions=["00ff"], wait="accepted")
        )
        assert len(sent[2]["items"]) == 1

    serve(talk)


@pytest.mark.parametrize(
    "path",
    [
        "/api/light/head?round=1",
        "/api/light/head?round=1&hash=ab",
        f"/api/light/head?hash={ID}",
        "/api/light/head?epoch=-1",
        "/api/light/head?more=1",
        "/api/light/state",
        "/api/light/state?key=",
        "/api/light/state?key=zz",
        f"/api/light/state?key={'00' * 513}",
        f"/api/light/range?start={'00' * 513}",
        "/api/light/range?end=zz",
        "/api/light/range?limit=1001",
        "/api/light/round",
        "/api/light/round?round=0",
        "/api/light/receipts/ab",
    ],
)
def test_what_is_not_a_question_is_refused(path: str) -> None:
    async def talk(wire: Wire, cell: FakeCell) -> None:
        del cell
        status, _, answer = await wire.ask("GET", path)
        assert (status, answer["error"]["code"]) == (400, "MYC-GATEWAY-014")

    serve(talk)


def test_the_light_token_opens_what_hyphae_ask_and_nothing_else() -> None:
    async def talk(wire: Wire, cell: FakeCell) -> None:
        del cell
        for token, expected in ((LIGHT, 200), (TOKEN, 200), ("other", 401), (None, 401)):
            assert (await wire.ask("GET", "/api/light/head", token=token))[0] == expected
        for path in ("/api/v1/status", "/api/v1/journals", "/api/v1/rounds/proof", "/api/lightly"):
            assert (await wire.ask("GET", path, token=LIGHT))[0] == 403
        for path in ("/api/v1/state/put", "/api/v1/key/rotate", "/api/v1/transactions"):
            assert (await wire.ask("POST", path, as_body(), token=LIGHT))[0] == 403

    serve(talk, light_token=LIGHT)


def test_hyphae_leave_room_for_the_cells_own_clients(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.room.LIGHT_REQUESTS_MAX", 1)
    going_on, ended = asyncio.Event(), asyncio.Event()

    class Slow(FakeCell):
        async def light_head(self, known: KnownHead) -> LightProofView:
            going_on.set()
            await ended.wait()
            return await super().light_head(known)

    async def talk(wire: Wire, cell: FakeCell) -> None:
        del cell
        host, port = wire.writer.get_extra_info("peername")
        other = Wire(*await asyncio.open_connection(host, port))
        waiting = asyncio.create_task(other.ask("GET", "/api/light/head"))
        await going_on.wait()
        status, _, answer = await wire.ask("GET", "/api/light/head")
        assert (status, answer["error"]["code"]) == (503, "MYC-GATEWAY-017")
        assert (await wire.ask("GET", "/api/v1/status"))[0] == 200
        ended.set()
        assert (await waiting)[0] == 200
        assert (await wire.ask("GET", "/api/light/head"))[0] == 200
        other.writer.close()

    serve(talk, Slow())


def test_without_a_light_token_only_the_cells_own_opens() -> None:
    async def talk(wire: Wire, cell: FakeCell) -> None:
        del cell
        assert (await wire.ask("GET", "/api/light/head", token=""))[0] == 401
        assert (await wire.ask("GET", "/api/light/head"))[0] == 200

    serve(talk)
