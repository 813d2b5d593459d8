"""Every route with every kind of credential: let through, or refused, as the table says."""

from __future__ import annotations

from pathlib import Path

from gateway.grants import Terms
from gateway.policy import FILES, ROWS, PolicyTable, Row, Scope
from tests.gateway.door_world import (
    ALLOWED,
    LIGHT,
    NOW_MS,
    OWNER,
    STRANGER,
    TRUSTED,
    World,
    other_cells_token,
    run,
)

EVERYTHING = [Scope.LIGHT, Scope.READ, Scope.SUBMIT, Scope.MESSAGE, Scope.ADMIN]
GOOD = {
    "owner": EVERYTHING,
    "light": [Scope.LIGHT],
    "read": [Scope.READ],
    "submit": [Scope.SUBMIT],
    "message": [Scope.MESSAGE],
    "admin": EVERYTHING,
    "read submit": [Scope.READ, Scope.SUBMIT],
    "allowed key": [Scope.READ],
}
"""What each credential that is good opens, written down once more."""
WRONG = {
    "none": "MYC-GATEWAY-010",
    "unknown": "MYC-GATEWAY-010",
    "basic": "MYC-GATEWAY-010",
    "empty": "MYC-GATEWAY-010",
    "no scheme": "MYC-GATEWAY-010",
    "two": "MYC-GATEWAY-010",
    "longer": "MYC-GATEWAY-010",
    "of another cell": "MYC-GATEWAY-041",
    "expired": "MYC-GATEWAY-042",
    "revoked": "MYC-GATEWAY-042",
    "garbled signature": "MYC-GATEWAY-045",
    "stranger's key": "MYC-GATEWAY-049",
    "signed for another cell": "MYC-GATEWAY-045",
    "signed another path": "MYC-GATEWAY-045",
    "signed long ago": "MYC-GATEWAY-046",
}
"""What is told to each that is not."""


def path_of(row: Row) -> str:
    parts = ["a.js" if part.startswith("{") else part for part in row.path.split("/")]
    return "/".join(parts)


async def bearers(world: World) -> dict[str, tuple[str, ...]]:
    """Return each kind of credential that is the same for all requests, as its headers."""
    names = ("read", "submit", "message", "admin", "read submit")
    made = {name: (await world.token(*map(Scope, name.split())))[1] for name in names}
    _, expired = await world.token(Scope.ADMIN, expires_ms=NOW_MS)
    revoked_id, revoked = await world.token(Scope.ADMIN)
    await world.grants.revoke(revoked_id)
    texts = {
        **made,
        "owner": OWNER,
        "light": LIGHT,
        "unknown": "myc_unknown",
        "longer": OWNER + "x",
        "of another cell": other_cells_token(),
        "expired": expired,
        "revoked": revoked,
        "empty": "",
    }
    return {
        **{name: (f"Bearer {text}",) for name, text in texts.items()},
        "none": (),
        "basic": (f"Basic {OWNER}",),
        "no scheme": (OWNER,),
        "two": (f"Bearer {OWNER}", f"Bearer {OWNER}"),
        "garbled signature": ("Myceld-1 abc",),
    }


def signatures(world: World, method: str, path: str) -> dict[str, tuple[str, ...]]:
    """Return each kind of signature of one request."""
    return {
        "allowed key": (world.signed(ALLOWED, method, path),),
        "stranger's key": (world.signed(STRANGER, method, path),),
        "signed for another cell": (world.signed(ALLOWED, method, path, cell_id="12D3KooWOther"),),
        "signed another path": (world.signed(ALLOWED, method, path + "?x=1"),),
        "signed long ago": (world.signed(ALLOWED, method, path, time_ms=NOW_MS - 30_001),),
    }


def test_every_route_is_open_to_whom_the_table_says_and_to_nobody_else(tmp_path: Path) -> None:
    async def talk() -> None:
        world = World(tmp_path)
        await world.grants.allow_key(ALLOWED.public_key, Terms("ada", (Scope.READ,)))
        same = await bearers(world)
        for row in (*FILES, *ROWS):
            method = "GET" if row.method == "WS" else row.method
            for name, headers in {**same, **signatures(world, method, path_of(row))}.items():
                answered = await world.ask(row.method, path_of(row), *headers)
                said = (answered.status, "" if answered.status == 200 else answered.code)
                assert said == expected(row, name), f"{row.method} {row.path} with {name}"
        told = {code for _, _, code in world.turned_away}
        assert told == {*WRONG.values(), "MYC-GATEWAY-040"}

    run(talk())


def test_what_has_no_row_is_told_only_to_those_with_a_token(tmp_path: Path) -> None:
    async def talk() -> None:
        world = World(tmp_path)
        _, read = await world.token(Scope.READ)
        for path in ("/api/v1/none", "/none", "/api/public", "/API/public/info"):
            assert (await world.ask("GET", path)).status == 401
            assert (await world.ask("GET", path, f"Bearer {LIGHT}")).status == 403
            assert (await world.ask("GET", path, f"Bearer {read}")).status == 200
        assert (await world.ask("POST", "/api/public/health")).status == 200  # a wrong method

    run(talk())


def test_some_of_the_table_once_more() -> None:
    table = PolicyTable()
    for method, path, scope in (
        ("GET", "/api/v1/status", Scope.READ),
        ("GET", "/api/v1/messages", Scope.MESSAGE),
        ("POST", "/api/v1/transactions", Scope.SUBMIT),
        ("POST", "/api/v1/act", Scope.SUBMIT),
        ("POST", "/api/v1/key/rotate", Scope.ADMIN),
        ("POST", "/api/v1/governance/votes", Scope.ADMIN),
        ("POST", "/api/v1/trust/attest", Scope.ADMIN),
        ("POST", "/api/v1/tokens", Scope.ADMIN),
        ("GET", "/api/v1/tokens", Scope.ADMIN),
    ):
        row = table.find(method, path)
        assert row is not None
        assert row.scope is scope


def test_a_cell_is_let_in_by_trust_only_where_the_table_says(tmp_path: Path) -> None:
    trusted = {(TRUSTED.public_key, "query")}

    async def talk() -> None:
        world = World(tmp_path, trusts=lambda key, request: (key, request) in trusted)
        for path, key, status in (
            ("/api/v1/state/value?key=k", TRUSTED, 200),
            ("/api/v1/state/value?key=k", STRANGER, 403),
            ("/api/v1/status", TRUSTED, 403),
            ("/api/v1/messages", TRUSTED, 403),
        ):
            answered = await world.ask("GET", path, world.signed(key, "GET", path))
            assert answered.status == status, path
        body, path = b"{}", "/api/v1/state/put"
        answered = await world.ask("POST", path, world.signed(TRUSTED, "POST", path, body))
        assert answered.status == 403

    run(talk())


def expected(row: Row, name: str) -> tuple[int, str]:
    if name in WRONG and not (name == "none" and row.scope is Scope.PUBLIC):
        return 401, WRONG[name]
    if row.scope is Scope.PUBLIC or row.scope in GOOD[name]:
        return 200, ""
    return 403, "MYC-GATEWAY-040"
