"""The gateway over real sockets, in front of a cell made of dictionaries."""

from __future__ import annotations

import asyncio
import json
import socket
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import Any
from unittest.mock import patch

import pytest

import gateway.entrance
from core.errors import MyceldError
from core.host_names import is_loopback_host
from gateway import limits
from gateway.bodies import BodyBudget
from gateway.door import DoorRules
from gateway.entrance import Entrance, Newcomer
from gateway.errors import NotLoopback, PortInUse
from gateway.server import Gateway, Security
from gateway.views import InviteWish, MemberChange, Stage
from tests.gateway.clock import Clock
from tests.gateway.fake_cell import CELL_ID, TOKEN, FakeCell, UsedNonce
from tests.ports import held_port
from tests.waiting import PATIENCE_S, until

Answer = tuple[int, dict[str, str], Any]
ID = "00" * 32


class Wire:
    """One raw HTTP/1.1 connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def ask(
        self,
        method: str,
        target: str,
        body: bytes | None = None,
        *,
        token: str | None = TOKEN,
        headers: tuple[str, ...] = (),
        host: str | None = "127.0.0.1",
    ) -> Answer:
        lines = [f"{method} {target} HTTP/1.1", *headers]
        lines += [f"Host: {host}"] if host is not None else []
        lines += [f"Authorization: Bearer {token}"] if token is not None else []
        lines += [f"Content-Length: {len(body)}"] if body is not None else []
        self.writer.write("\r\n".join([*lines, "", ""]).encode() + (body or b""))
        return await self.answer()

    async def answer(self) -> Answer:
        head = (await self.reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        status = int(head[0].split()[1])
        headers = {
            name.lower(): value for name, _, value in (h.partition(": ") for h in head[1:] if h)
        }
        body = await self.reader.readexactly(int(headers["content-length"]))
        is_json = headers.get("content-type") == "application/json"
        return status, headers, json.loads(body) if is_json else body.decode()


Talk = Callable[[Wire, FakeCell], Awaitable[None]]


def serve(talk: Talk, cell: FakeCell | None = None, **settings: Any) -> None:  # noqa: ANN401 - the gateway's own
    """Run `talk` against a served cell."""

    async def run() -> None:
        served = cell or FakeCell()
        gateway = Gateway(served, token=TOKEN, **settings)
        url = await gateway.start()
        reader, writer = await asyncio.open_connection("127.0.0.1", int(url.rsplit(":", 1)[1]))
        try:
            async with asyncio.timeout(PATIENCE_S):
                await talk(Wire(reader, writer), served)
        finally:
            writer.close()
            await writer.wait_closed()
            await gateway.stop()

    asyncio.run(run())


def as_body(**fields: object) -> bytes:
    return json.dumps(fields).encode()


@contextmanager
def taken_port() -> Iterator[int]:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield listener.getsockname()[1]


def test_every_route_answers_its_documented_shape() -> None:
    async def talk(wire: Wire, cell: FakeCell) -> None:
        put = await wire.ask("POST", "/api/v1/state/put", as_body(key="k", value="v", nonce=4))
        assert put[0] == 200
        assert put[2]["stage"] == "certified"
        assert set(put[2]) >= {"id", "stages_ns", "outcome", "refusal", "position", "event"}
        sent = await wire.ask("POST", "/api/v1/transactions", as_body(transactions=["00ff"]))
        assert [item["kind"] for item in sent[2]["items"]] == ["put"]
        one = await wire.ask("GET", f"/api/v1/receipts/{put[2]['id']}?wait=applied&timeout_s=1.5")
        assert one[2] == put[2]
        value = await wire.ask("GET", "/api/v1/state/value?key=k")
        assert (value[2]["value"], value[2]["value_hex"]) == ("v", "76")
        status = await wire.ask("GET", "/api/v1/status")
        assert status[2]["members"][1]["reachable"] is False
        assert status[2]["silent"] == ["beta"]
        assert status[2]["metrics"]["commit"] == {"count": 10, "p50_ms": 0.4, "p99_ms": 2.0}
        metrics = await wire.ask("GET", "/api/v1/metrics")
        assert metrics[1]["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
        assert metrics[2].endswith("myceld_epoch 3.0\n")
        assert (await wire.ask("GET", "/api/v1/metrics", token=None))[0] == 401
        peers = await wire.ask("GET", "/api/v1/peers")
        assert peers[2]["items"][0]["rtt_ms"] == 0.42
        account = await wire.ask("GET", f"/api/v1/accounts/{ID}")
        assert account[2] == {"public_key": ID, "next_nonce": 5}
        for query, kind in (("", "latent"), ("?type=seed", "seed")):
            spore = await wire.ask("GET", f"/api/v1/spore{query}")
            assert spore[2]["spore_type"] == kind
            assert "active_nodes" in spore[2]["file"]
        journals = await wire.ask("GET", "/api/v1/journals")
        assert journals[2]["items"][0]["checkpoint"] == "origin\n3\n"
        assert cell.calls[0] == ("put", ("k", b"v", 4, Stage.STORED, 30.0))
        assert cell.calls[1] == ("submit", ([b"\x00\xff"], Stage.STORED, 30.0))

    serve(talk)


def test_lists_say_where_the_next_page_starts() -> None:
    async def talk(wire: Wire, cell: FakeCell) -> None:
        for target, field, first, following in [
            ("/api/v1/transactions", "position", [2, 3], 4),
            ("/api/v1/journals/consensus/blocks", "index", [2], None),
            ("/api/v1/rounds", "round", [2, 3], 4),
            ("/api/v1/epochs", "epoch", [2, 3], 4),
        ]:
            _, _, page = await wire.ask("GET", f"{target}?start=2&limit=2")
            assert [item[field] for item in page["items"]] == first
            assert page["next"] == following
        _, _, whole = await wire.ask("GET", "/api/v1/transactions")
        assert len(whole["items"]) == 5
        assert whole["next"] is None
        for target, end, more in (("transactions", 5, 9), ("rounds", 4, 9)):
            known = replace(cell.status(), transactions_ordered=more, round_applied=more)
            with patch.object(cell, "status", lambda known=known: known):  # ends at a gap
                _, _, page = await wire.ask("GET", f"/api/v1/{target}")
            assert page["next"] == end

    serve(talk)


def test_changes_of_members_are_checked_before_the_cell_hears_of_them() -> None:
    async def talk(wire: Wire, cell: FakeCell) -> None:
        add = {"action": "add", "cell": CELL_ID, "weight": 2, "name": "dora"}
        status, _, _ = await wire.ask("POST", "/api/v1/members", json.dumps(add).encode())
        assert status == 200
        approve = {"action": "approve", "proposal": "ab" * 32, "wait": "applied"}
        assert (await wire.ask("POST", "/api/v1/members", json.dumps(approve).encode()))[0] == 200
        assert cell.calls == [
            ("change_members", (MemberChange("add", CELL_ID, 2, "dora"), Stage.STORED, 30.0)),
            (
                "change_members",
                (MemberChange("approve", proposal=b"\xab" * 32), Stage.APPLIED, 30.0),
            ),
        ]
        for wrong in [
            {"action": "rule"},
            {"action": "add", "cell": CELL_ID, "name": "dora"},
            {"action": "leave", "weight": 1},
            {"action": "weight", "cell": CELL_ID, "weight": True},
            {"action": "approve", "proposal": "xy"},
            {"action": "remove", "cell": ""},
            {"action": ["add"]},
        ]:
            status, _, answer = await wire.ask(
                "POST", "/api/v1/members", json.dumps(wrong).encode()
            )
            assert (status, answer["error"]["code"]) == (400, "MYC-GATEWAY-014"), wrong
        assert len(cell.calls) == 2
        assert (await wire.ask("GET", "/api/v1/members"))[2]["epoch"] == 2

    serve(talk)


def test_a_rotation_is_asked_for_without_saying_which_key() -> None:
    async def talk(wire: Wire, cell: FakeCell) -> None:
        body = json.dumps({"wait": "applied", "timeout_s": 7}).encode()
        status, _, answer = await wire.ask("POST", "/api/v1/key/rotate", body)
        assert (status, answer["old_cell_id"]) == (200, CELL_ID)
        assert answer["receipt"]["id"]
        assert cell.calls[0] == ("rotate_key", (Stage.APPLIED, 7.0))
        wrong = json.dumps({"key": "00" * 32}).encode()
        status, _, answer = await wire.ask("POST", "/api/v1/key/rotate", wrong)
        assert (status, answer["error"]["code"]) == (400, "MYC-GATEWAY-014")
        assert sum(name == "rotate_key" for name, _ in cell.calls) == 1

    serve(talk)


def test_tickets_are_made_listed_and_revoked() -> None:
    async def talk(wire: Wire, cell: FakeCell) -> None:
        status, _, issued = await wire.ask("POST", "/api/v1/invites", b"{}")
        assert status == 200
        assert set(issued) == {"ticket", "invite"}
        assert issued["invite"]["role"] == "rhizomorph"
        fields = {
            "role": "sclerotium",
            "name": "dora",
            "weight": 2,
            "expires_s": 60,
            "uses_max": 3,
            "addresses": ["/ip4/192.0.2.7/tcp/1"],
        }
        await wire.ask("POST", "/api/v1/invites", as_body(**fields))
        assert cell.calls == [
            ("create_invite", InviteWish(False, "", 1, 3600, 1, ())),  # noqa: FBT003 - a field
            ("create_invite", InviteWish(True, "dora", 2, 60, 3, ("/ip4/192.0.2.7/tcp/1",))),  # noqa: FBT003 - a field
        ]
        listed = (await wire.ask("GET", "/api/v1/invites"))[2]["items"]
        assert [item["role"] for item in listed] == ["sclerotium", "rhizomorph"]
        assert issued["ticket"] not in json.dumps(listed)
        path = f"/api/v1/invites/{listed[0]['id']}/revoke"
        assert (await wire.ask("POST", path, b"{}"))[2]["state"] == "revoked"
        missing = await wire.ask("POST", f"/api/v1/invites/{'0' * 16}/revoke", b"{}")
        assert (missing[0], missing[2]["error"]["code"]) == (404, "MYC-GATEWAY-060")

    serve(talk)


def test_bad_fields_of_a_ticket_are_refused_with_their_name() -> None:
    async def talk(wire: Wire, cell: FakeCell) -> None:
        for field, wrong in [
            ("role", "king"),
            ("role", ["sclerotium"]),
            ("name", 7),
            ("name", "x" * 65),
            ("name", "\ud800"),
            ("weight", 0),
            ("weight", True),
            ("expires_s", 1.5),
            ("uses_max", "1"),
            ("addresses", "/ip4/192.0.2.7/tcp/1"),
            ("addresses", [1]),
            ("votes", True),
        ]:
            status, _, answer = await wire.ask("POST", "/api/v1/invites", as_body(**{field: wrong}))
            assert (status, answer["error"]["code"]) == (400, "MYC-GATEWAY-014"), field
            assert f"`{field}" in answer["error"]["message"]
        for invite_id in ("x", "AB" * 8, "ab" * 9):
            path = f"/api/v1/invites/{invite_id}/revoke"
            assert (await wire.ask("POST", path, b"{}"))[0] == 400
        assert cell.calls == []

    serve(talk)


def test_public_routes_need_no_token_and_health_is_that_of_the_worst_service() -> None:
    async def talk(wire: Wire, cell: FakeCell) -> None:
        begun_s = time.perf_counter()
        health = await wire.ask("GET", "/api/public/health", token=None)
        took_ms = 1000 * (time.perf_counter() - begun_s)
        assert 0 <= health[2].pop("response_time_ms") <= took_ms
        assert health[2] == {
            "status": "healthy",
            "timestamp_ns": 42,
            "uptime_s": 61.5,
            "version": "0.1.0",
            "services": {
                "nucleus": {"status": "healthy", "why": ""},
                "message": {"status": "healthy", "why": ""},
            },
        }
        for status in ("degraded", "unhealthy"):
            cell.health["message"] = (status, "too much waits")
            health = await wire.ask("GET", "/api/public/health", token=None)
            assert health[2]["status"] == status
            assert health[2]["services"]["message"] == {"status": status, "why": "too much waits"}
        info = await wire.ask("GET", "/api/public/info", token=None)
        assert set(info[2]) == {"version", "cell_id", "network_id", "network_name", "role"}

    serve(talk, now_ns=lambda: 42)


BAD_BODIES = (
    (b"", "JSON"),
    (b"{", "JSON"),
    (b"\xff\xfe", "JSON"),
    (b"[" * 100_000, "JSON"),
    (b"[]", "object"),
    (b'{"key": NaN}', "NaN"),
    (b'{"nonce": ' + b"9" * 5000 + b"}", "JSON"),
    (b'{"key": "a", "key": "b", "value": ""}', "`key`: given twice"),
    (as_body(key="k", value="v", colour="red"), "`colour`: unknown"),
    (as_body(value="v"), "`key`"),
    (as_body(key="", value="v"), "`key`"),
    (as_body(key=7, value="v"), "`key`"),
    (b'{"key": "\\ud800", "value": "v"}', "`key`"),
    (as_body(key="k"), "`value`"),
    (as_body(key="k", value="v", value_hex="00"), "`value`"),
    (as_body(key="k", value=1), "`value`"),
    (b'{"key": "k", "value": "\\udfff"}', "`value`"),
    (as_body(key="k", value_hex="0"), "`value_hex`"),
    (as_body(key="k", value_hex="0A"), "`value_hex`"),
    (as_body(key="k", value_hex="00 01"), "`value_hex`"),
    (as_body(key="k", value="v", nonce=-1), "`nonce`"),
    (as_body(key="k", value="v", nonce=True), "`nonce`"),
    (as_body(key="k", value="v", nonce=1.0), "`nonce`"),
    (as_body(key="k", value="v", nonce=2**63), "`nonce`"),
    (as_body(key="k", value="v", wait="soon"), "`wait`"),
    (as_body(key="k", value="v", wait=2), "`wait`"),
    (as_body(key="k", value="v", timeout_s=0), "`timeout_s`"),
    (as_body(key="k", value="v", timeout_s=601), "`timeout_s`"),
    (as_body(key="k", value="v", timeout_s=[]), "`timeout_s`"),
    (b'{"key":"k","value":"v","timeout_s":1e999}', "`timeout_s`"),
)


def test_bad_bodies_are_refused_with_the_name_of_the_field() -> None:
    async def talk(wire: Wire, cell: FakeCell) -> None:
        for body, field in BAD_BODIES:
            status, _, answer = await wire.ask("POST", "/api/v1/state/put", body)
            assert (status, answer["error"]["code"]) == (400, "MYC-GATEWAY-014"), body[:80]
            assert answer["error"]["type"] == "local_misuse"
            assert field in answer["error"]["message"], body[:80]
            assert len(answer["error"]["message"]) < 250
        assert not cell.calls

    serve(talk)


BAD_QUERIES = (
    ("/api/v1/status?verbose=1", "`verbose`"),
    ("/api/v1/transactions?start=-1", "`start`"),
    ("/api/v1/transactions?start=1&start=2", "`start`"),
    ("/api/v1/transactions?start=%D9%A1", "`start`"),
    ("/api/v1/transactions?start=" + "9" * 5000, "`start`"),
    ("/api/v1/transactions?limit=0", "`limit`"),
    ("/api/v1/transactions?limit=1001", "`limit`"),
    ("/api/v1/state/value", "`key`"),
    ("/api/v1/state/value?key=", "`key`"),
    ("/api/v1/receipts/abc", "`id`"),
    ("/api/v1/receipts/" + "ab" * 31, "`id`"),
    ("/api/v1/receipts/" + "AB" * 32, "`id`"),
    (f"/api/v1/receipts/{ID}?wait=never", "`wait`"),
    (f"/api/v1/receipts/{ID}?wait=stored&timeout_s=nan", "`timeout_s`"),
    ("/api/v1/accounts/00", "`public_key`"),
    ("/api/v1/spore?type=primary", "`type`"),
    ("/api/v1/spore?seed=true", "`seed`"),
    ("/api/v1/journals/" + "x" * 65 + "/blocks", "`name`"),
    ("/api/v1/journals/consensus/proof", "`index`"),
    ("/api/v1/journals/consensus/proof?index=-1", "`index`"),
    ("/api/v1/journals/consensus/audit?start=0", "`start`"),
    ("/api/v1/follows?limit=1", "`limit`"),
)


def test_bad_queries_are_refused_with_the_name_of_the_parameter() -> None:
    async def talk(wire: Wire, _cell: FakeCell) -> None:
        for target, field in BAD_QUERIES:
            status, _, answer = await wire.ask("GET", target)
            assert (status, answer["error"]["code"]) == (400, "MYC-GATEWAY-014"), target[:80]
            assert field in answer["error"]["message"], target[:80]

    serve(talk)


def test_journals_are_proven_audited_pruned_and_followed() -> None:
    async def talk(wire: Wire, cell: FakeCell) -> None:
        path = "/api/v1/journals/consensus"
        proof = (await wire.ask("GET", f"{path}/proof?index=1"))[2]
        assert (proof["size"], proof["file"][:22]) == (3, "c2sp.org/tlog-proof@v1")
        begun = (await wire.ask("POST", f"{path}/audit", as_body()))[2]
        assert (begun["state"], begun["done"]) == ("running", 1)
        assert (await wire.ask("GET", f"{path}/audit"))[2]["state"] == "ok"
        await wire.ask("POST", f"{path}/prune", as_body(min_index=2))
        assert cell.calls == [("prune", ("consensus", 2))]
        view = (await wire.ask("POST", "/api/v1/follows", as_body(cell="bob", journal="state")))[2]
        assert (view["cell_id"], view["journal"], view["whole"]) == ("bob", "state", 0)
        assert len((await wire.ask("GET", "/api/v1/follows"))[2]["items"]) == 1
        body = as_body(cell="bob", journal="state")
        assert (await wire.ask("POST", "/api/v1/follows/stop", body))[2]["state"] == "stopped"
        body = as_body(cell="nobody", journal="state")
        status, _, answer = await wire.ask("POST", "/api/v1/follows", body)
        assert (status, answer["error"]["code"]) == (404, "MYC-GATEWAY-025")

    serve(talk)


def test_bad_bodies_about_journals_are_refused_with_the_name_of_the_field() -> None:
    async def talk(wire: Wire, cell: FakeCell) -> None:
        for target, body, field in (
            ("/api/v1/follows", as_body(cell="bob"), "`journal`"),
            ("/api/v1/follows", as_body(cell=7, journal="state"), "`cell`"),
            ("/api/v1/follows", as_body(cell="x" * 65, journal="state"), "`cell`"),
            ("/api/v1/follows", as_body(cell="bob", journal="state", stop=True), "`stop`"),
            ("/api/v1/journals/consensus/prune", as_body(), "`min_index`"),
            ("/api/v1/journals/consensus/prune", as_body(min_index=True), "`min_index`"),
            ("/api/v1/journals/consensus/prune", as_body(min_index=-1), "`min_index`"),
        ):
            status, _, answer = await wire.ask("POST", target, body)
            assert (status, answer["error"]["code"]) == (400, "MYC-GATEWAY-014"), body
            assert field in answer["error"]["message"], body
        assert not cell.calls

    serve(talk)


def test_bad_lists_of_transactions_are_refused_whole() -> None:
    async def talk(wire: Wire, cell: FakeCell) -> None:
        bad: tuple[object, ...] = (None, [], "00", ["00", "zz"], [1], [[]], ["00"] * 1001)
        for transactions in bad:
            body = as_body(transactions=transactions)
            status, _, answer = await wire.ask("POST", "/api/v1/transactions", body)
            assert (status, answer["error"]["code"]) == (400, "MYC-GATEWAY-014"), body[:80]
            assert "`transactions" in answer["error"]["message"]
        assert not cell.calls

    serve(talk)


def test_nothing_private_is_shown_without_the_exact_token() -> None:
    async def talk(wire: Wire, cell: FakeCell) -> None:
        for headers in [
            (),
            ("Authorization: Bearer wrong",),
            (f"Authorization: Basic {TOKEN}",),
            (f"Authorization: {TOKEN}",),
            (f"Authorization: Bearer {TOKEN}x",),
            ("Authorization: Bearer ",),
            (f"Authorization: Bearer {TOKEN}", f"Authorization: Bearer {TOKEN}"),
        ]:
            for target in ("/api/v1/status", "/api/v1/none", "/api/public", "/API/public/info"):
                status, got, answer = await wire.ask("GET", target, token=None, headers=headers)
                assert (status, answer["error"]["code"]) == (401, "MYC-GATEWAY-010")
                assert got["www-authenticate"] == "Bearer"
        body = as_body(key="k", value="v")
        status, _, _ = await wire.ask("POST", "/api/v1/state/put", body, token="no")  # noqa: S106 - wrong on purpose
        assert status == 401
        assert not cell.calls

    serve(talk)


def test_a_path_can_not_climb_out_of_the_public_part() -> None:
    async def talk(wire: Wire, _cell: FakeCell) -> None:
        for target in (
            "/api/public/../v1/status",
            "/api/public/%2e%2e/v1/status",
            "//api/v1/status",
        ):
            status, _, answer = await wire.ask("GET", target, token=None)
            assert status in {401, 404}
            assert "error" in answer

    serve(talk)


@pytest.mark.parametrize(
    ("host", "loopback"),
    [
        ("127.0.0.1", True),
        ("127.0.0.1:8080", True),
        ("127.1.2.3", True),
        ("localhost:1", True),
        ("LOCALHOST", True),
        ("[::1]:80", True),
        ("[::1]", True),
        ("evil.example", False),
        ("127.0.0.1.evil.example", False),
        ("localhost.evil.example:80", False),
        ("127.0.0.1:80@evil.example", False),
        ("[::1].evil.example", False),
        ("[::1", False),
        ("192.168.1.1", False),
        ("0.0.0.0", False),  # noqa: S104 - a name, nothing listens
        ("", False),
    ],
)
def test_only_loopback_hosts_are_served(host: str, loopback: bool) -> None:  # noqa: FBT001 - a table
    assert is_loopback_host(host) is loopback


def test_a_foreign_host_is_refused_before_anything_else() -> None:
    async def talk(wire: Wire, _cell: FakeCell) -> None:
        for target in ("/api/v1/status", "/api/public/health", "/none"):
            status, headers, answer = await wire.ask("GET", target, host="evil.example")
            assert (status, answer["error"]["code"]) == (403, "MYC-GATEWAY-011")
            assert "access-control-allow-origin" not in headers

    serve(talk)


def test_unknown_routes_and_methods_have_codes() -> None:
    async def talk(wire: Wire, _cell: FakeCell) -> None:
        for target in ("/api", "/api/v1/nothing", "/api/v1/status/", "/api/v2/status"):
            status, _, answer = await wire.ask("GET", target)
            assert (status, answer["error"]["code"]) == (404, "MYC-GATEWAY-012")
        for method, target in [("DELETE", "/api/v1/status"), ("OPTIONS", "/api/v1/state/put")]:
            status, headers, answer = await wire.ask(method, target)
            assert (status, answer["error"]["code"]) == (405, "MYC-GATEWAY-013")
            assert headers["allow"]

    serve(talk)


def test_the_errors_of_the_cell_keep_their_code_and_get_a_status() -> None:
    async def talk(wire: Wire, _cell: FakeCell) -> None:
        missing = [
            (f"/api/v1/receipts/{ID}", "MYC-GATEWAY-021"),
            ("/api/v1/state/value?key=no", "MYC-GATEWAY-020"),
            ("/api/v1/journals/no/blocks", "MYC-GATEWAY-022"),
        ]
        for target, code in missing:
            status, _, answer = await wire.ask("GET", target)
            assert (status, answer["error"]["code"]) == (404, code)
        status, _, answer = await put(wire, "raise:nonce")
        assert (status, answer["error"]["type"]) == (400, "local_misuse")
        assert answer["error"]["remedy"] == "Use the next nonce."
        status, headers, answer = await put(wire, "raise:full")
        assert (status, headers["retry-after"]) == (503, "1")
        assert (answer["error"]["type"], answer["error"]["retryable"]) == (
            "operational_fault",
            True,
        )
        status, _, answer = await put(wire, "raise:invariant")
        assert (status, answer["error"]["type"]) == (500, "invariant_broken")

    serve(talk)


async def put(wire: Wire, key: str, **more: object) -> Answer:
    return await wire.ask("POST", "/api/v1/state/put", as_body(key=key, value="v", **more))


def test_a_status_can_be_added_for_an_error_class() -> None:
    async def talk(wire: Wire, _cell: FakeCell) -> None:
        status, _, _ = await put(wire, "raise:nonce")
        assert status == 409

    statuses: dict[type[MyceldError], int] = {UsedNonce: 409}
    serve(talk, statuses=statuses)


def test_an_undeclared_error_is_a_coded_500_without_its_detail() -> None:
    async def talk(wire: Wire, _cell: FakeCell) -> None:
        status, _, answer = await put(wire, "raise:bug")
        assert (status, answer["error"]["code"]) == (500, "MYC-GATEWAY-099")
        assert "secret" not in json.dumps(answer)
        assert (await wire.ask("GET", "/api/v1/status"))[0] == 200

    serve(talk)


def test_a_wait_that_runs_out_is_a_504_that_can_be_retried() -> None:
    async def talk(wire: Wire, _cell: FakeCell) -> None:
        status, _, answer = await put(wire, "k", wait="certified", timeout_s=0.05)
        assert (status, answer["error"]["code"]) == (504, "MYC-GATEWAY-023")
        assert answer["error"]["retryable"] is True

    serve(talk, FakeCell(goes_to=Stage.STORED))


def test_a_cell_that_hangs_is_given_up_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.waiting.WAIT_GRACE_S", 0.05)

    async def talk(wire: Wire, _cell: FakeCell) -> None:
        status, _, _ = await put(wire, "raise:hang", timeout_s=0.05)
        assert status == 504

    serve(talk)


def test_oversize_bodies_are_refused_with_and_without_announcement() -> None:
    too_many = limits.BODY_SIZE_BYTES_MAX + 1

    async def talk(wire: Wire, _cell: FakeCell) -> None:
        status, _, answer = await wire.ask("POST", "/api/v1/state/put", b"x" * too_many)
        assert (status, answer["error"]["code"]) == (413, "MYC-GATEWAY-015")
        assert (await wire.ask("GET", "/api/v1/status"))[0] == 200
        chunk = b"10000\r\n" + b"x" * 0x10000 + b"\r\n"
        body = chunk * (too_many // 0x10000 + 1) + b"0\r\n\r\n"
        head = (
            f"POST /api/v1/state/put HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {TOKEN}"
            "\r\nTransfer-Encoding: chunked\r\n\r\n"
        )
        wire.writer.write(head.encode() + body)
        status, _, answer = await wire.answer()
        assert (status, answer["error"]["code"]) == (413, "MYC-GATEWAY-015")

    serve(talk)


def test_the_largest_body_is_taken() -> None:
    async def talk(wire: Wire, cell: FakeCell) -> None:
        frame = as_body(key="k", value="")
        value = "x" * (limits.BODY_SIZE_BYTES_MAX - len(frame))
        status, _, _ = await wire.ask("POST", "/api/v1/state/put", as_body(key="k", value=value))
        assert status == 200
        assert len(cell.values["k"]) == len(value)

    serve(talk)


def test_all_bodies_together_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.routes.BodyBudget", lambda: BodyBudget(100))

    async def talk(wire: Wire, _cell: FakeCell) -> None:
        for _ in range(3):
            status, _, answer = await put(wire, "k" * 100)
            assert (status, answer["error"]["code"]) == (503, "MYC-GATEWAY-017")
            assert (await put(wire, "k"))[0] == 200

    serve(talk)


def test_requests_at_work_are_bounded_with_a_coded_answer() -> None:
    async def talk(wire: Wire, cell: FakeCell) -> None:
        port = wire.writer.get_extra_info("peername")[1]
        second = Wire(*await asyncio.open_connection("127.0.0.1", port))
        waiting = asyncio.create_task(put(second, "raise:hang", timeout_s=600))
        await until(lambda: bool(cell.calls))
        status, headers, answer = await wire.ask("GET", "/api/v1/status")
        assert (status, answer["error"]["code"]) == (503, "MYC-GATEWAY-017")
        assert headers["retry-after"] == "1"
        waiting.cancel()
        second.writer.close()
        await second.writer.wait_closed()

    serve(talk, security=Security(rules=DoorRules(requests_max=1)))


def test_an_endless_head_is_refused() -> None:
    async def talk(wire: Wire, _cell: FakeCell) -> None:
        wire.writer.write(b"GET / HTTP/1.1\r\n" + b"X: " + b"y" * limits.HEAD_SIZE_BYTES_MAX)
        assert (await wire.reader.read())[:12] == b"HTTP/1.1 400"

    serve(talk)


@pytest.mark.parametrize("first", [b"", b"GET /api"])
def test_a_connection_that_does_not_ask_is_closed(
    first: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gateway.entrance, "HEAD_TIMEOUT_S", 100)
    arrived: list[Newcomer] = []

    class Noted(Newcomer):
        def __init__(self, entrance: Entrance, raw: socket.socket, address: str) -> None:
            super().__init__(entrance, raw, address)
            arrived.append(self)

    monkeypatch.setattr(gateway.entrance, "Newcomer", Noted)

    async def talk(wire: Wire, _cell: FakeCell) -> None:
        def has_said(head: bytes) -> bool:
            return arrived[0].head == head

        clock = Clock()
        begun_s = clock.time()
        await until(lambda: bool(arrived))
        for count in range(1, 5):  # it gets no more time by saying more
            wire.writer.write(first)
            await until(partial(has_said, count * first))
            clock.skip(20)
        assert arrived[0].raw.fileno() >= 0
        clock.skip(30)
        assert await wire.reader.read() == b""
        assert clock.time() - begun_s < 150

    serve(talk)


def test_a_port_in_use_is_one_clear_error() -> None:
    async def run(port: int) -> None:
        with pytest.raises(PortInUse) as caught:
            await Gateway(FakeCell(), port=port, token=TOKEN).start()
        assert str(port) in caught.value.detail
        assert "--gateway-port" in caught.value.remedy

    with taken_port() as port:
        asyncio.run(run(port))


@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.1.1", "example.org", ""])  # noqa: S104 - refused
def test_it_listens_on_loopback_only(host: str) -> None:
    with pytest.raises(NotLoopback):
        Gateway(FakeCell(), host=host, token=TOKEN)


def test_stop_answers_those_who_wait_and_is_quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.listener.STOP_TIMEOUT_S", 2 * PATIENCE_S)  # which it does not need

    async def run(port: int) -> None:
        cell = FakeCell()
        gate = Gateway(cell, port=port, token=TOKEN)
        url = await gate.start()
        idle = Wire(*await asyncio.open_connection("127.0.0.1", port))
        busy = Wire(*await asyncio.open_connection("127.0.0.1", port))
        waiting = asyncio.create_task(put(busy, "raise:hang", timeout_s=600))
        await until(lambda: bool(cell.calls))
        async with asyncio.timeout(PATIENCE_S):
            await gate.stop()
        status, _, answer = await waiting
        assert (status, answer["error"]["code"]) == (503, "MYC-GATEWAY-018")
        assert await idle.reader.read() == b""
        for wire in (idle, busy):
            wire.writer.close()
            await wire.writer.wait_closed()
        await gate.stop()
        again = Gateway(FakeCell(), port=port, token=TOKEN)
        assert await again.start() == url
        await again.stop()

    asyncio.run(run(held_port()))
