"""Rows of service journals and challenges have the bytes of their golden vectors."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from core.codec import encode
from core.ids import NetworkId
from identity.audit import Act, Outcome, decode_act
from identity.challenge import Challenge, Prover, decode_challenge
from identity.description import Description, decode_description
from identity.errors import BadRecord
from identity.exchange import Ask, AskKind, encode_reply
from identity.keys import KeyPair
from identity.record import Record, decode_record

ALICE, BOB = KeyPair(b"\x01" * 32), KeyPair(b"\x02" * 32)
ACT = Act(
    1_700_000_000_000,
    f"cell:{BOB.cell_id}",
    BOB.public_key,
    "journal-read-private",
    f"{ALICE.cell_id}/message",
    Outcome.REFUSED,
    "MYC-NODE-401",
    "journal-read-private needs full access (score 0.9); score 0.5 gives limited",
    17,
)
RECORD = Record(1_700_000_000_000, "nucleus.started", "ada", "version 0.1.0")
CHALLENGE = Challenge(
    NetworkId(b"n" * 32), ALICE.public_key, BOB.public_key, b"x" * 32, 1_700_000_000_000, b"link"
)
DESCRIPTION = Description(
    "ada", "0.1.0", "sclerotium", 1_700_000_000_000, 0, ("nucleus",), (("place", "the attic"),)
)
VECTORS: dict[str, str] = json.loads(
    (Path(__file__).resolve().parents[1] / "vectors" / "services.json").read_text(encoding="utf-8")
)["values"]


def values() -> dict[str, str]:
    bob = Prover(CHALLENGE.network_id, BOB.public_key, BOB.sign)
    data = CHALLENGE.encode()
    answer = bob.answer(data, ALICE.public_key, CHALLENGE.binding, CHALLENGE.time_ms)
    return {
        "act": ACT.encode().hex(),
        "record": RECORD.encode().hex(),
        "challenge": data.hex(),
        "ask": Ask(AskKind.CHALLENGE, data).encode().hex(),
        "ask to be challenged": Ask(AskKind.PROVE).encode().hex(),
        "description": DESCRIPTION.encode().hex(),
        "reply": encode_reply(answer, "").hex(),
        "refusal": encode_reply(b"", "MYC-NODE-401").hex(),
    }


def test_the_bytes_are_those_of_the_golden_vectors() -> None:
    assert values() == VECTORS


def test_they_read_back() -> None:
    assert decode_act(bytes.fromhex(VECTORS["act"])) == ACT
    assert decode_record(bytes.fromhex(VECTORS["record"])) == RECORD
    assert decode_challenge(bytes.fromhex(VECTORS["challenge"])) == CHALLENGE
    assert decode_description(bytes.fromhex(VECTORS["description"])) == DESCRIPTION


@pytest.mark.parametrize(
    "row",
    [
        b"",
        encode(["myceld/audit/2", *range(9)]),
        encode(["myceld/audit/1", 1, "a", b"short", "b", "", "done", "", "", 1]),
        encode(["myceld/audit/1", 1, "a", b"", "b", "", "well", "", "", 1]),
        encode(["myceld/audit/1", 1, "a", b"", "b", "", "done", "", "", 0]),
        encode(["myceld/record/1", 1, "a", "b"]),
        encode(["myceld/record/2", 1, "a", "b", "c"]),
    ],
)
def test_another_row_is_refused(row: bytes) -> None:
    with pytest.raises(BadRecord):
        decode_act(row)
    with pytest.raises(BadRecord):
        decode_record(row)
