"""`myceld verify` says in words what a file proves, and refuses with the code of what is wrong."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from ledger.genesis import to_json
from ledger.proof import encode_proof, to_text
from tests.gateway.fake_cell import FakeCell
from tests.ledger.proof_world import NETWORK_ID, sample_proofs
from tests.ledger.test_roster_proof import SHORT
from tests.ledger.test_verify import WRONG
from tests.ledger.world import GENESIS

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture(name="home")
def _home(tmp_path: Path) -> Path:
    (tmp_path / "genesis.json").write_text(to_json(SHORT))
    return tmp_path


def _written(home: Path, name: str) -> str:
    path = home / f"{name}.proof"
    path.write_text(to_text(encode_proof(sample_proofs()[name])))
    return str(path)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("receipt", ["the transaction was applied, at position 24", "put, nonce", "12D3Koo"]),
        ("refused", ["the transaction was refused with MYC-LEDGER-014, at position 19"]),
        ("receipt-only", ["not in the proof"]),
        ("value", ["the key hello has this value", "value         world", "put in round"]),
        ("absence", ["the key nothing has no value"]),
        ("header", ["the header of round 37"]),
        ("roster", ["who votes in epoch 6", "weight 1"]),
    ],
)
def test_what_is_proven_is_said_in_words(
    call: Run, home: Path, name: str, words: list[str]
) -> None:
    status, out, _ = call("verify", _written(home, name), "--genesis", str(home / "genesis.json"))
    assert status == 0
    for part in [*words, "weight 3 of 3", NETWORK_ID.hex()]:
        assert part in out
    status, again, _ = call("verify", _written(home, name), "--network", NETWORK_ID.hex())
    assert (status, again) == (0, out)


def test_programs_get_the_same_as_json(call: Run, home: Path) -> None:
    status, out, _ = call(
        "verify", _written(home, "value"), "--network", NETWORK_ID.hex(), "--json"
    )
    answer = json.loads(out)
    assert (status, answer["valid"], answer["about"]) == (0, True, "state")
    assert bytes.fromhex(answer["state"]["state_key_hex"]) == b"value/hello"
    assert (answer["weight"], answer["weight_total"], len(answer["signers"])) == (3, 3, 3)
    out = call("verify", _written(home, "receipt"), "--network", NETWORK_ID.hex(), "--json")[1]
    assert json.loads(out)["receipt"]["outcome"] == "applied"
    out = call("verify", _written(home, "roster"), "--network", NETWORK_ID.hex(), "--json")[1]
    assert len(json.loads(out)["roster"]["members"]) == 3


def test_a_file_that_proves_nothing_is_refused_with_its_code(call: Run, home: Path) -> None:
    for name, (code, proof) in WRONG.items():
        path = home / "wrong.proof"
        path.write_text(to_text(encode_proof(proof)))
        status, out, err = call("verify", str(path), "--network", NETWORK_ID.hex())
        assert (status, out) == (1, ""), name
        assert f"MYC-LEDGER-{code}" in err
    other = home / "other.json"
    other.write_text(to_json(GENESIS))
    status, _, err = call("verify", _written(home, "value"), "--genesis", str(other))
    assert status == 1
    assert "MYC-LEDGER-552" in err


def test_one_thing_to_trust_has_to_be_given(call: Run, home: Path) -> None:
    file = _written(home, "value")
    assert call("verify", file)[0] == 2
    both = ("--genesis", str(home / "genesis.json"), "--network", NETWORK_ID.hex())
    assert call("verify", file, *both)[0] == 2
    assert call("verify", file, "--network", "abcd")[0] == 1
    assert call("verify", file, "--network", "xyz")[0] == 1
    assert call("verify", str(home / "none"), "--network", NETWORK_ID.hex())[0] == 1


def test_a_receipt_and_a_value_come_with_their_proofs(
    call: Run, home: Path, cell: FakeCell
) -> None:
    transaction = json.loads(call("tx", "put", "hello", "world", "--json")[1])["id"]
    target = home / "out.proof"
    status, out, _ = call("receipt", transaction, "--proof", str(target))
    assert status == 0
    assert "proof written" in out
    assert call("verify", str(target), "--genesis", str(home / "genesis.json"))[0] == 0
    status, out, _ = call("state", "get", "hello", "--proof", str(target))
    assert (status, out) == (0, "world\n")
    assert call("verify", str(target), "--genesis", str(home / "genesis.json"))[0] == 0
    status, _, err = call("state", "get", "nothing", "--proof", str(target))
    assert status == 1
    assert "MYC-CLI-201" in err
    assert "has no value" in call("verify", str(target), "--network", NETWORK_ID.hex())[1]
    assert call("receipt", transaction, "--proof", str(target), "--follow")[0] == 2
    assert cell.receipts
