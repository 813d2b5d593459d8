"""The formats of the ledger, byte for byte: a change here is a change of the network's rules."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from core.codec import decode, encode
from core.ids import Epoch, EventId, Hash, MemberIndex, NetworkId, PublicKey, Round, TransactionId
from identity.keys import KeyPair, verify, verify_all
from ledger.certificate import (
    Certificate,
    CheckpointSignature,
    checkpoint_message,
    parse_certificate,
    parse_checkpoint_signature,
    verify_certificate,
)
from ledger.forks import ForkProof, ProvenFork, decode_proven, fork_key, fork_of_key
from ledger.genesis import Genesis, from_json
from ledger.header import Receipt, RoundHeader, decode_header, receipts_root
from ledger.kinds import Put
from ledger.roster import Member, Roster
from ledger.transaction import (
    OpaqueTransaction,
    SignedTransaction,
    opaque_transaction,
    parse,
    sign_transaction,
    transaction_id,
)

Case = dict[str, Any]
_FOLDER = Path(__file__).resolve().parents[1] / "vectors"


def _load(name: str) -> Case:
    content: Case = json.loads((_FOLDER / f"{name}.json").read_text(encoding="utf-8"))
    return content


TRANSACTION, GENESIS, HEADER, CHECKPOINT, EVIDENCE = map(
    _load, ("transaction", "genesis", "header", "checkpoint", "fork-evidence")
)
KEY = KeyPair(bytes([1]) * 32)


@pytest.mark.parametrize("vectors", [TRANSACTION, CHECKPOINT])
def test_the_vectors_are_made_with_the_fixed_key(vectors: Case) -> None:
    assert vectors["key_seed"] == KEY.seed.hex() == "01" * 32


@pytest.mark.parametrize("case", TRANSACTION["signed"])
def test_signed_transactions_have_these_bytes(case: Case) -> None:
    network = NetworkId(bytes.fromhex(TRANSACTION["network_id"]))
    arguments = Put(case["key"], bytes.fromhex(case["value"]))
    raw = sign_transaction(
        network_id=network,
        sender=KEY.public_key,
        nonce=case["nonce"],
        arguments=arguments,
        sign=KEY.sign,
        expires_round=Round(case["expires_round"]),
    )
    assert raw.hex() == case["encoded"]
    assert transaction_id(raw).hex() == case["id"]
    parsed = parse(raw, network)
    assert isinstance(parsed, SignedTransaction)
    assert (parsed.body.hex(), parsed.signature.hex()) == (case["body"], case["signature"])
    assert (parsed.nonce, parsed.expires_round, parsed.arguments) == (
        case["nonce"],
        case["expires_round"],
        arguments,
    )
    assert all(verify_all(parsed.signature_checks))


@pytest.mark.parametrize("case", TRANSACTION["fork_evidence"])
def test_fork_evidence_has_these_bytes_as_a_transaction_and_in_the_state(case: Case) -> None:
    evidence = bytes.fromhex(EVIDENCE["evidence"])
    network, epoch = NetworkId(bytes.fromhex(EVIDENCE["network_id"])), Epoch(EVIDENCE["epoch"])
    raw = sign_transaction(
        network_id=network,
        sender=KEY.public_key,
        nonce=case["nonce"],
        arguments=ForkProof(epoch, evidence),
        sign=KEY.sign,
    )
    assert (raw.hex(), transaction_id(raw).hex()) == (case["encoded"], case["id"])
    parsed = parse(raw, network)
    assert isinstance(parsed, SignedTransaction)
    assert parsed.arguments == ForkProof(epoch, evidence)
    forker = PublicKey(bytes.fromhex(EVIDENCE["public_key"]))
    key, value = (bytes.fromhex(case[name]) for name in ("state_key", "state_value"))
    assert (fork_key(epoch, forker), fork_of_key(key)) == (key, (epoch, forker))
    evidence_hash = Hash(hashlib.sha256(evidence).digest())
    proven = ProvenFork(evidence_hash, Round(case["round"]), KEY.public_key)
    assert (proven.encode(), decode_proven(value)) == (value, proven)


@pytest.mark.parametrize("case", TRANSACTION["opaque"])
def test_opaque_transactions_have_these_bytes(case: Case) -> None:
    raw = opaque_transaction(bytes.fromhex(case["data"]))
    assert (raw.hex(), transaction_id(raw).hex()) == (case["encoded"], case["id"])
    parsed = parse(raw, NetworkId(bytes(32)))
    assert isinstance(parsed, OpaqueTransaction)
    assert parsed.data.hex() == case["data"]


@pytest.mark.parametrize("case", GENESIS["cases"])
def test_a_genesis_file_has_this_network_id(case: Case) -> None:
    genesis = from_json(json.dumps(case["file"]))
    assert genesis.network_id.hex() == case["file"]["network_id"]
    # The encoding under the id, without the code that is tested here.
    members = [
        [bytes.fromhex(key), m["weight"], m["name"]]
        for key, m in zip(case["public_keys"], case["file"]["members"], strict=True)
    ]
    content = case["file"]
    body = encode(
        [
            "myceld/genesis/1",
            content["name"],
            [content["rule_set"], content["coin_period"], content["epoch_rounds"]],
            content["time_ns"],
            members,
        ]
    )
    assert body.hex() == case["encoded"]
    assert hashlib.sha256(body).hexdigest() == content["network_id"]


@pytest.mark.parametrize("case", HEADER["headers"])
def test_headers_have_these_bytes(case: Case) -> None:
    header = RoundHeader(
        network_id=NetworkId(bytes.fromhex(case["network_id"])),
        epoch=Epoch(case["epoch"]),
        round=Round(case["round"]),
        previous=Hash(bytes.fromhex(case["previous"])),
        state_root=Hash(bytes.fromhex(case["state_root"])),
        receipts_root=Hash(bytes.fromhex(case["receipts_root"])),
        roster=Hash(bytes.fromhex(case["roster"])),
        transactions=case["transactions"],
        transactions_total=case["transactions_total"],
        consensus_time_ns=case["consensus_time_ns"],
    )
    assert (header.encode().hex(), header.hash.hex()) == (case["encoded"], case["hash"])
    assert decode_header(bytes.fromhex(case["encoded"])) == header


def test_receipts_have_these_bytes_and_this_root() -> None:
    receipts = [
        Receipt(
            TransactionId(bytes.fromhex(case["id"])),
            case["position"],
            EventId(bytes.fromhex(case["event"])),
            case["consensus_time_ns"],
            case["outcome"],
        )
        for case in HEADER["receipts"]
    ]
    assert [r.encode().hex() for r in receipts] == [c["encoded"] for c in HEADER["receipts"]]
    assert receipts_root(receipts).hex() == HEADER["receipts_root"]
    assert receipts_root([]).hex() == HEADER["empty_receipts_root"]


def test_checkpoints_have_these_bytes() -> None:
    network = NetworkId(bytes.fromhex(CHECKPOINT["network_id"]))
    header_hash = Hash(bytes.fromhex(CHECKPOINT["header_hash"]))
    number = Round(CHECKPOINT["round"])
    epoch = Epoch(CHECKPOINT["epoch"])
    message = checkpoint_message(network, epoch, number, header_hash)
    assert message.hex() == CHECKPOINT["message"]
    signature = CheckpointSignature(epoch, number, header_hash, MemberIndex(0), KEY.sign(message))
    raw = encode(signature.to_value())
    assert raw.hex() == CHECKPOINT["signature"]
    assert parse_checkpoint_signature(decode(raw)) == signature


def test_certificates_have_these_bytes() -> None:
    keys = [KeyPair(bytes([number]) * 32) for number in (1, 2, 3, 4)]
    genesis = Genesis(
        "golden",
        tuple(Member(PublicKey(k.public_key), 1, f"cell-{at}") for at, k in enumerate(keys, 1)),
        1_700_000_000_000_000_000,
        rule_set=1,
    )
    assert genesis.network_id.hex() == CHECKPOINT["network_id"]
    raw = bytes.fromhex(CHECKPOINT["certificate"])
    certificate = parse_certificate(decode(raw))
    message = bytes.fromhex(CHECKPOINT["message"])
    roster = Roster(Epoch(CHECKPOINT["epoch"]), Round(1), 0, genesis.members)
    assert certificate == Certificate(
        roster.epoch,
        Round(CHECKPOINT["round"]),
        Hash(bytes.fromhex(CHECKPOINT["header_hash"])),
        tuple((MemberIndex(member), keys[member].sign(message)) for member in (0, 1, 3)),
    )
    assert encode(certificate.to_value()) == raw
    verify_certificate(certificate, genesis.network_id, roster, verify=verify)
