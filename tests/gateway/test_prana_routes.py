"""The routes of amounts: what is asked is checked, and becomes what the ledger knows."""

from __future__ import annotations

import json
from typing import Any

import pytest

from gateway.errors import BadRequest
from ledger.allowance import Allow
from ledger.batch import Batch
from ledger.kinds import Put
from ledger.multisig import MultisigCreate
from ledger.payment import Transfer
from node.act_arguments import wished_arguments
from tests.gateway.fake_cell import FakeCell
from tests.gateway.fake_prana import GRACE, ME
from tests.gateway.test_gateway import Wire, serve


async def _act(wire: Wire, kind: object, arguments: object, **more: object) -> tuple[int, Any]:
    body = {"kind": kind, "arguments": arguments, **more}
    status, _, answer = await wire.ask("POST", "/api/v1/act", json.dumps(body).encode())
    return status, answer


def test_a_payment_by_name_by_cell_id_and_by_key_reaches_the_account() -> None:
    async def talk(wire: Wire, cell: FakeCell) -> None:
        for to in ("grace", GRACE.cell_id, GRACE.public_key.hex()):
            status, receipt = await _act(wire, "transfer", {"to": to, "amount": "1000000000"})
            assert (status, receipt["outcome"]) == (200, "applied")
        status, _, purse = await wire.ask("GET", "/api/v1/prana/account?account=grace")
        assert (status, purse["balance"], purse["amount"]) == (200, 3 * 10**9, "3")
        assert purse["cell_id"] == GRACE.cell_id
        _, _, own = await wire.ask("GET", "/api/v1/prana/account")
        assert (own["account"], own["amount"]) == (ME.public_key.hex(), "997")
        _, _, supply = await wire.ask("GET", "/api/v1/prana/supply")
        assert (supply["amount"], supply["fee_per_cost"]) == ("1000", 0)
        _, _, treasury = await wire.ask("GET", "/api/v1/prana/account?account=treasury")
        assert (treasury["account"], treasury["cell_id"]) == ("treasury", "")
        assert len(cell.bank.headers) == 3

    serve(talk)


def test_what_the_ledger_refuses_is_in_the_receipt_with_its_code() -> None:
    async def talk(wire: Wire, _: FakeCell) -> None:
        items = [
            {"kind": "put", "arguments": {"key": "k", "value": "v"}},
            {"kind": "transfer", "arguments": {"to": "grace", "amount": 10**13}},
        ]
        status, receipt = await _act(wire, "batch", {"items": items})
        assert (status, receipt["outcome"]) == (200, "refused")
        assert receipt["refusal"]["code"] == "MYC-LEDGER-311#1"
        assert "item 1 (transfer)" in receipt["refusal"]["message"]

    serve(talk)


@pytest.mark.parametrize(
    ("kind", "arguments", "status", "code"),
    [
        ("transfer", {"to": "nobody", "amount": 1}, 404, "MYC-GATEWAY-025"),
        ("transfer", {"to": "grace"}, 400, "MYC-GATEWAY-014"),
        ("transfer", {"to": "grace", "amount": 1.5}, 400, "MYC-GATEWAY-014"),
        ("transfer", {"to": "grace", "amount": True}, 400, "MYC-GATEWAY-014"),
        ("transfer", {"to": "grace", "amount": "1e9"}, 400, "MYC-GATEWAY-014"),
        ("transfer", {"to": "grace", "amount": 10**30}, 400, "MYC-GATEWAY-014"),
        ("transfer", {"to": "grace", "amount": 0}, 400, "MYC-LEDGER-312"),
        ("transfer", {"to": "grace", "amount": 1, "memo": "a\nb"}, 400, "MYC-LEDGER-310"),
        ("transfer", {"to": "grace", "amount": 1, "fee": 1}, 400, "MYC-GATEWAY-014"),
        ("transfer", ["grace", 1], 400, "MYC-GATEWAY-014"),
        ("multisig-approve", {"account": "ab", "spend": "cd"}, 400, "MYC-GATEWAY-014"),
        ("put", {"key": "k", "value": {"hex": "xy"}}, 400, "MYC-GATEWAY-014"),
        ("put", {"key": "\ud800", "value": ""}, 400, "MYC-GATEWAY-014"),
        ("key-rotate", {}, 400, "MYC-GATEWAY-014"),
        ("mint", {}, 400, "MYC-GATEWAY-014"),
        (7, {}, 400, "MYC-GATEWAY-014"),
        ("batch", {}, 400, "MYC-GATEWAY-014"),
        ("batch", {"items": [{"kind": "batch", "arguments": {}}] * 2}, 400, "MYC-GATEWAY-014"),
        ("batch", {"items": [{"kind": "put"}] * 65}, 400, "MYC-GATEWAY-014"),
        ("batch", {"items": [{"kind": "put", "x": 1}] * 2}, 400, "MYC-GATEWAY-014"),
    ],
)
def test_what_is_not_as_the_document_says_is_refused(
    kind: object, arguments: object, status: int, code: str
) -> None:
    async def talk(wire: Wire, cell: FakeCell) -> None:
        found, answer = await _act(wire, kind, arguments)
        assert (found, answer["error"]["code"]) == (status, code)
        assert cell.bank.headers == []

    serve(talk)


def test_accounts_and_tokens_that_are_not_there_are_404() -> None:
    async def talk(wire: Wire, _: FakeCell) -> None:
        for path in (
            f"multisig?account={bytes(32).hex()}",
            "token?symbol=GOLD",
            "token?symbol=%C3%A9",
            "account?account=nobody",
        ):
            assert (await wire.ask("GET", f"/api/v1/prana/{path}"))[0] == 404, path
        for path in ("token", "account?account=", "supply?x=1", "tokens?limit=0"):
            assert (await wire.ask("GET", f"/api/v1/prana/{path}"))[0] == 400, path
        assert (await wire.ask("GET", "/api/v1/prana/supply", token=None))[0] == 401

    serve(talk)


def test_wishes_become_arguments_by_the_schema() -> None:
    def resolve(name: str) -> bytes:
        return {"ada": b"a" * 32, "bob": b"b" * 32}[name]

    assert wished_arguments("allow", {"spender": "bob", "amount": 5}, resolve) == Allow(
        b"b" * 32,  # type: ignore[arg-type]  # a key
        5,  # type: ignore[arg-type]  # an amount
    )
    made = wished_arguments(
        "multisig-create", {"threshold": 1, "keys": ["bob", "ada"], "name": "n"}, resolve
    )
    assert isinstance(made, MultisigCreate)
    assert made.keys == (b"a" * 32, b"b" * 32), "in the order that the ledger wants"
    items = [
        {"kind": "put", "arguments": {"key": "k", "value": {"hex": "00ff"}}},
        {"kind": "transfer", "arguments": {"to": "treasury", "amount": 1}},
    ]
    assert wished_arguments("batch", {"items": items}, resolve) == Batch(
        (Put("k", b"\x00\xff"), Transfer(b"treasury", 1))  # type: ignore[arg-type]  # an id, an amount
    )
    with pytest.raises(BadRequest, match="token-create"):
        wished_arguments(
            "token-create",
            {"symbol": "A", "name": "a", "decimals": 0, "rules": 0, "cap": 2**63, "amount": 0},
            resolve,
        )


def test_an_account_that_nothing_was_made_of_has_an_empty_history() -> None:
    async def talk(wire: Wire, _cell: FakeCell) -> None:
        path = f"/api/v1/prana/history?account={'07' * 32}"
        status, _, answer = await wire.ask("GET", path)
        assert (status, answer["items"], answer["next"]) == (200, [], None)

    serve(talk)
