"""The routes of services; every act of a client is noted, without anything secret."""

from __future__ import annotations

import json

from gateway.errors import BadRequest, NoSuchCell, Unauthorized
from gateway.service_views import RequestNote
from node.errors import DescriptionRefused
from tests.gateway.fake_cell import TOKEN, FakeCell
from tests.gateway.test_gateway import Wire, serve


def test_acts_are_noted_with_what_they_are_about_and_how_they_ended() -> None:
    async def talk(wire: Wire, cell: FakeCell) -> None:
        secret = "the-value-is-nobodys-business"  # noqa: S105 - looked for below
        put = json.dumps({"key": "greeting", "value": secret}).encode()
        assert (await wire.ask("POST", "/api/v1/state/put", put))[0] == 200
        await wire.ask("POST", "/api/v1/state/put", json.dumps({"value": secret}).encode())
        await wire.ask("POST", "/api/v1/identity/verify", b'{"cell": "nobody"}')
        await wire.ask("GET", "/api/v1/status")
        await wire.ask("GET", "/api/v1/state/value?key=nothing")
        await wire.ask("POST", "/api/v1/state/put", put, token="wrong-" + TOKEN)
        assert cell.notes == [
            RequestNote("token", "POST /api/v1/state/put", "key=greeting"),
            RequestNote(
                *("token", "POST /api/v1/state/put", "", BadRequest.code, "BadRequest"),
                is_refused=True,
            ),
            RequestNote(
                *("token", "POST /api/v1/identity/verify", "cell=nobody"),
                *(NoSuchCell.code, "NoSuchCell"),
                is_refused=True,
            ),
            RequestNote(
                *("address:127.0.0.1", "POST", "", Unauthorized.code, "Unauthorized"),
                is_refused=True,
            ),
        ]
        assert secret not in repr(cell.notes)
        assert TOKEN not in repr(cell.notes)

    serve(talk)


def test_the_audit_journal_is_read_in_pages() -> None:
    async def talk(wire: Wire, cell: FakeCell) -> None:
        cell.notes += [RequestNote("token", f"act {at}", "") for at in range(5)]
        cell.notes[3] = RequestNote("token", "act 3", "", "MYC-TEST-001", "No", is_refused=True)
        page = (await wire.ask("GET", "/api/v1/audit?limit=2"))[2]
        assert [item["action"] for item in page["items"]] == ["act 4", "act 3"]
        page = (await wire.ask("GET", f"/api/v1/audit?before={page['next']}"))[2]
        assert [item["action"] for item in page["items"]] == ["act 2", "act 1", "act 0"]
        assert page["next"] is None
        page = (await wire.ask("GET", "/api/v1/audit?refused=1"))[2]
        assert [item["code"] for item in page["items"]] == ["MYC-TEST-001"]
        page = (await wire.ask("GET", "/api/v1/audit?since_ms=1700000000004"))[2]
        assert [item["action"] for item in page["items"]] == ["act 4"]
        for wrong in ("refused=yes", "since_ms=-1", "before=x", "start=1"):
            assert (await wire.ask("GET", f"/api/v1/audit?{wrong}"))[0] == 400

    serve(talk)


def test_services_and_proofs_of_identity_come_through() -> None:
    async def talk(wire: Wire, cell: FakeCell) -> None:
        cell.health["message"] = ("degraded", "900 messages wait to be delivered")
        items = (await wire.ask("GET", "/api/v1/services"))[2]["items"]
        assert [(item["name"], item["status"]) for item in items] == [
            ("nucleus", "healthy"),
            ("message", "degraded"),
        ]
        own = (await wire.ask("GET", "/api/v1/services"))[2]["cell"]
        assert (own["name"], own["services"]) == ("alpha", ["nucleus", "message"])
        other = (await wire.ask("GET", "/api/v1/cell?cell=beta"))[2]
        assert other["metadata"] == {"place": "the attic"}
        status, _, refusal = await wire.ask("GET", "/api/v1/cell?cell=gamma")
        assert (status, refusal["error"]["code"]) == (503, DescriptionRefused.code)
        assert (await wire.ask("GET", "/api/v1/cell"))[0] == 400
        status, _, answer = await wire.ask("POST", "/api/v1/identity/verify", b'{"cell": "beta"}')
        assert (status, answer["until_ms"] - answer["proven_ms"]) == (200, 3_600_000)

    serve(talk)
