"""Signed requests: the vectors that others sign by, and that nothing can be changed."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgpack
import pytest

from identity.errors import BadRecord
from identity.keys import KeyPair
from identity.request_signature import SCHEME, Asked, SignedRequest
from myceld.signing import authorization

VECTORS: Any = json.loads(
    (Path(__file__).parents[1] / "vectors" / "gateway-requests.json").read_text(encoding="utf-8")
)
NETWORK_ID, CELL_ID = bytes.fromhex(VECTORS["network_id"]), VECTORS["cell_id"]


@pytest.mark.parametrize("case", VECTORS["requests"], ids=lambda case: case["target"])
def test_the_vectors_are_what_is_signed(case: dict[str, Any]) -> None:
    asked = Asked(NETWORK_ID, CELL_ID, case["method"], case["target"])
    key, body = KeyPair(bytes.fromhex(case["seed"])), case["body"].encode()
    header = authorization(
        key, asked, body, time_ms=case["time_ms"], nonce=bytes.fromhex(case["nonce"])
    )
    assert header == case["authorization"]
    signed = SignedRequest.parse(header.removeprefix(f"{SCHEME} "))
    assert signed.is_of(asked)
    message = [
        *("myceld/gateway-request/1", NETWORK_ID, CELL_ID, case["method"], case["target"]),
        *(signed.body_hash, case["time_ms"], bytes.fromhex(case["nonce"])),
    ]
    packed: bytes = msgpack.packb(message)
    assert key.sign(packed) == signed.signature  # any msgpack library makes the same bytes


def test_a_signature_is_good_for_one_request_to_one_cell() -> None:
    case = VECTORS["requests"][2]
    asked = Asked(NETWORK_ID, CELL_ID, case["method"], case["target"])
    signed = SignedRequest.parse(case["authorization"].removeprefix(f"{SCHEME} "))
    for other in (
        replace(asked, network_id=bytes(32)),
        replace(asked, cell_id="12D3KooW"),
        replace(asked, method="GET"),
        replace(asked, target=case["target"] + "?wait=stored"),
    ):
        assert not signed.is_of(other)
    for changed in (
        replace(signed, time_ms=signed.time_ms + 1),
        replace(signed, nonce=bytes(16)),
        replace(signed, body_hash=bytes(32)),
        replace(signed, public_key=KeyPair(b"\x09" * 32).public_key),
    ):
        assert not changed.is_of(asked)


@pytest.mark.parametrize("text", ["", "a.b.c.d.e", "0" * 64, ".".join(["00"] * 5)])
def test_what_is_no_credential_is_refused(text: str) -> None:
    with pytest.raises(BadRecord):
        SignedRequest.parse(text)
    good = VECTORS["requests"][0]["authorization"].removeprefix(f"{SCHEME} ")
    for changed in (good.upper(), good + "0", good.replace(".18", ".018"), " " + good):
        with pytest.raises(BadRecord):
            SignedRequest.parse(changed)
