"""The door: places, signed requests, rates, what ends with a token, and headers for browsers."""

from __future__ import annotations

import asyncio
import hashlib
import json
from pathlib import Path

import pytest
from starlette.types import Message, Receive, Scope, Send

from gateway.door import DoorRules
from gateway.grants import Terms
from gateway.places import Places
from gateway.policy import Scope as Wanted
from tests.gateway.door_world import ALLOWED, NOW_MS, OWNER, START_MS, World, run, scope_of

PAGE = "https://app.example"
READ = "/api/v1/status"
HEALTH = "/api/public/health"


def rules(**rates: int) -> DoorRules:
    places = Places(["cell.example"], [PAGE], ["10.0.0.1"])
    return DoorRules(places, **{"rate_open": 0, "rate_token": 0, **rates})


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"host": "127.0.0.1:80"}, 200),
        ({"host": "localhost"}, 200),
        ({"host": "CELL.example:443"}, 200),
        ({"host": "evil.example"}, 403),
        ({"host": "cell.example.evil.example"}, 403),
        ({"host": "127.0.0.1:80@evil.example"}, 403),
        ({"host": "10.0.0.7"}, 403),
        ({"host": ""}, 403),
        ({"origin": "http://127.0.0.1:80"}, 200),
        ({"origin": "http://127.0.0.1"}, 200),
        ({"origin": "https://127.0.0.1:80"}, 200),  # a proxy may end TLS
        ({"origin": PAGE}, 200),
        ({"origin": "http://127.0.0.1:81"}, 403),
        ({"origin": "http://localhost"}, 403),
        ({"origin": "null"}, 403),
        ({"origin": "https://evil.example"}, 403),
        ({"origin": f"{PAGE}.evil.example"}, 403),
        ({"origin": "file://"}, 403),
    ],
)
def test_requests_come_from_named_places_only(
    tmp_path: Path, headers: dict[str, str], status: int
) -> None:
    async def talk() -> None:
        world = World(tmp_path, rules())
        for target in (READ, HEALTH):
            answered = await world.ask("GET", target, f"Bearer {OWNER}", headers=headers)
            assert answered.status == status
            allowed = answered.headers.get("access-control-allow-origin")
            assert allowed == (PAGE if headers.get("origin") == PAGE else None)

    run(talk())


def test_a_browser_is_told_what_a_named_page_may_send(tmp_path: Path) -> None:
    async def talk() -> None:
        world = World(tmp_path, rules())
        asks = {"access-control-request-method": "POST", "origin": PAGE}
        answered = await world.ask("OPTIONS", "/api/v1/transactions", headers=asks)
        assert answered.status == 204
        assert answered.headers["access-control-allow-origin"] == PAGE
        assert answered.headers["access-control-allow-methods"] == "GET, POST"
        assert answered.headers["vary"] == "Origin"
        foreign = {**asks, "origin": "https://evil.example"}
        answered = await world.ask("OPTIONS", "/api/v1/transactions", headers=foreign)
        assert answered.status == 403
        assert "access-control-allow-origin" not in answered.headers

    run(talk())


def test_every_answer_has_the_headers_for_browsers(tmp_path: Path) -> None:
    async def talk() -> None:
        world = World(tmp_path, rules())
        for target, credential in ((READ, f"Bearer {OWNER}"), (READ, "Bearer x"), (HEALTH, "")):
            answered = await world.ask("GET", target, *([credential] if credential else []))
            policy = answered.headers["content-security-policy"]
            assert policy.startswith("default-src 'self'")
            assert "frame-ancestors 'none'" in policy
            assert answered.headers["x-content-type-options"] == "nosniff"
            assert answered.headers["referrer-policy"] == "no-referrer"
            assert answered.headers["cache-control"] == "no-store"

    run(talk())


def test_a_signed_request_is_good_once_for_a_short_time_and_with_its_body(tmp_path: Path) -> None:
    async def talk() -> None:
        world = World(tmp_path, rules())
        await world.grants.allow_key(ALLOWED.public_key, Terms("ada", (Wanted.SUBMIT,)))
        path, body = "/api/v1/transactions", b'{"transactions":[]}'
        good = world.signed(ALLOWED, "POST", path, body)
        assert (await world.ask("POST", path, good, body=body)).status == 200
        assert (await world.ask("POST", path, good, body=body)).code == "MYC-GATEWAY-047"
        other = world.signed(ALLOWED, "POST", path, body)
        assert (await world.ask("POST", path, other, body=body + b" ")).code == "MYC-GATEWAY-048"
        for time_ms in (NOW_MS + 5001, NOW_MS - 30_001):
            late = world.signed(ALLOWED, "POST", path, body, time_ms=time_ms)
            assert (await world.ask("POST", path, late, body=body)).code == "MYC-GATEWAY-046"
        changed = world.signed(ALLOWED, "POST", path, body).replace(".", ".1", 1)
        assert (await world.ask("POST", path, changed, body=body)).status == 401
        # Still remembered when it is just about fresh, and not fresh when it is forgotten.
        world.now_ms += 29_999
        assert (await world.ask("POST", path, good, body=body)).code == "MYC-GATEWAY-047"
        world.now_ms += 10_000
        assert (await world.ask("POST", path, good, body=body)).code == "MYC-GATEWAY-046"

    run(talk())


def test_what_was_signed_before_a_start_is_not_taken_after_it(tmp_path: Path) -> None:
    async def talk() -> None:
        world = World(tmp_path, rules())
        await world.grants.allow_key(ALLOWED.public_key, Terms("ada", (Wanted.READ,)))
        world.now_ms = START_MS + 1000
        for time_ms in (START_MS - 1, START_MS + 5000):
            header = world.signed(ALLOWED, "GET", READ, time_ms=time_ms)
            assert (await world.ask("GET", READ, header)).code == "MYC-GATEWAY-046"

    run(talk())


def test_the_101st_request_of_an_address_in_a_minute_waits_for_the_next(tmp_path: Path) -> None:
    async def talk() -> None:
        world = World(tmp_path, rules(rate_open=100, rate_token=3))
        for left in reversed(range(100)):
            answered = await world.ask("GET", HEALTH, client="192.0.2.1")
            assert answered.status == 200
            for prefix in ("ratelimit", "x-ratelimit"):
                assert answered.headers[f"{prefix}-limit"] == "100"
                assert answered.headers[f"{prefix}-remaining"] == str(left)
        world.now_ms += 20_000
        answered = await world.ask("GET", HEALTH, client="192.0.2.1")
        assert (answered.status, answered.code) == (429, "MYC-GATEWAY-043")
        assert answered.headers["retry-after"] == answered.headers["ratelimit-reset"] == "40"
        assert (await world.ask("GET", HEALTH, client="192.0.2.2")).status == 200
        # Whoever has a token is not held up by others at its address.
        _, token = await world.token(Wanted.READ)
        for status in (200, 200, 200, 429):
            answered = await world.ask("GET", READ, f"Bearer {token}", client="192.0.2.1")
            assert answered.status == status
        for _ in range(200):
            assert (await world.ask("GET", READ, f"Bearer {OWNER}")).status == 200
        world.now_ms += 40_000
        assert (await world.ask("GET", HEALTH, client="192.0.2.1")).status == 200
        assert [code for _, _, code in world.turned_away] == ["MYC-GATEWAY-043"] * 2

    run(talk())


def test_guessing_tokens_counts_and_a_token_can_have_a_limit_of_its_own(tmp_path: Path) -> None:
    async def talk() -> None:
        world = World(tmp_path, rules(rate_open=2, rate_token=1))
        _, token = await world.token(Wanted.READ, rate=4)
        statuses = [(await world.ask("GET", READ, "Bearer guess")).status for _ in range(4)]
        assert statuses == [401, 401, 429, 429]
        statuses = [(await world.ask("GET", READ, f"Bearer {token}")).status for _ in range(5)]
        assert statuses == [200, 200, 200, 200, 429]

    run(talk())


def test_a_proxys_word_counts_only_if_it_is_configured(tmp_path: Path) -> None:
    async def talk() -> None:
        world = World(tmp_path, rules(rate_open=1))
        for client, said, status in (
            ("10.0.0.1", "198.51.100.1", 200),
            ("10.0.0.1", "198.51.100.2", 200),
            ("10.0.0.1", "evil, 198.51.100.2", 429),
            ("10.0.0.9", "198.51.100.3", 200),
            ("10.0.0.9", "198.51.100.4", 429),
        ):
            headers = {"x-forwarded-for": said}
            answered = await world.ask("GET", HEALTH, headers=headers, client=client)
            assert answered.status == status, (client, said)

    run(talk())


def test_what_a_token_has_open_ends_with_it(tmp_path: Path) -> None:
    async def hold(scope: Scope, receive: Receive, send: Send) -> None:
        del receive
        kind = scope["type"]
        begin = "websocket.accept" if kind == "websocket" else "http.response.start"
        await send({"type": begin, "status": 200, "headers": []})
        await asyncio.Event().wait()

    async def talk() -> None:
        world = World(tmp_path, rules())
        world.inner = hold
        for kind in ("GET", "WS"):
            grant_id, token = await world.token(Wanted.ADMIN)
            sent: list[Message] = []
            begun = asyncio.Event()

            async def send(
                message: Message, sent: list[Message] = sent, begun: asyncio.Event = begun
            ) -> None:
                sent.append(message)
                begun.set()

            async def receive() -> Message:
                return {"type": "http.request", "body": b"", "more_body": False}

            scope = scope_of(kind, "/api/v1/status", (f"Bearer {token}",), {}, "127.0.0.1")
            task = asyncio.create_task(world.door(scope, receive, send))
            await begun.wait()
            await world.grants.revoke(grant_id)
            await task
            last = sent[-1]
            assert last["type"] == ("websocket.close" if kind == "WS" else "http.response.body")
            assert (await world.ask("GET", READ, f"Bearer {token}")).code == "MYC-GATEWAY-042"

    run(talk())


def test_a_websocket_shows_its_token_as_a_subprotocol(tmp_path: Path) -> None:
    async def talk() -> None:
        world = World(tmp_path, rules())
        for offered, status in ((["myceld.1", f"bearer.{OWNER}"], 200), (["myceld.1"], 401)):
            scope = scope_of("WS", "/api/v1/status", (), {}, "127.0.0.1")
            scope["subprotocols"] = offered
            statuses: list[int] = []

            async def send(message: Message, statuses: list[int] = statuses) -> None:
                if message["type"].endswith("start"):
                    statuses.append(message["status"])

            async def receive() -> Message:
                return {"type": "websocket.connect"}

            await world.door(scope, receive, send)
            assert statuses == [status]

    run(talk())


def test_tokens_are_kept_as_hashes_and_survive_a_restart(tmp_path: Path) -> None:
    async def talk() -> None:
        world = World(tmp_path, rules())
        grant_id, token = await world.token(Wanted.READ)
        await world.grants.allow_key(ALLOWED.public_key, Terms("ada", (Wanted.READ,)))
        file = tmp_path / "grants.json"
        assert file.stat().st_mode & 0o777 == 0o600
        text = file.read_text(encoding="utf-8")
        assert token not in text
        assert hashlib.sha256(token.encode()).hexdigest() in text
        again = World(tmp_path, rules())
        assert (await again.ask("GET", READ, f"Bearer {token}")).status == 200
        await again.grants.revoke(grant_id)
        assert (await again.ask("GET", READ, f"Bearer {token}")).status == 401
        later = World(tmp_path, rules())
        assert (await later.ask("GET", READ, f"Bearer {token}")).code == "MYC-GATEWAY-042"
        used = {row["id"]: row["used_ms"] for row in json.loads(file.read_text())["grants"]}
        assert used[grant_id] > 0

    run(talk())
