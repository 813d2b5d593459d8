"""A proof file proves what it says to whoever has the network's id, and changed, proves nothing."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path
from random import Random
from typing import Any, Final
from unittest.mock import patch

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.codec import encode
from core.ids import Epoch, Hash, MemberIndex, NetworkId, Signature
from identity.keys import verify
from ledger.errors import NotProven
from ledger.proof import (
    HeaderClaim,
    Proof,
    RangeClaim,
    ReceiptClaim,
    RosterClaim,
    StateClaim,
    decode_proof,
    encode_proof,
    from_text,
    to_text,
)
from ledger.roster import Member
from ledger.verify import verify_proof, verify_text
from tests.ledger.proof_world import (
    NETWORK_ID,
    VALUE_KEY,
    lighter,
    network,
    resigned,
    sample_proofs,
)
from tests.ledger.world import GENESIS, KEYS, certified
from tests.vectors.proofs import verifier

SAMPLES: Final = sample_proofs()
_FOLDER: Final = Path(__file__).resolve().parents[1] / "vectors" / "proofs"
VECTORS: Final[dict[str, Any]] = json.loads((_FOLDER / "vectors.json").read_text(encoding="utf-8"))
HEAVY: Final = ("aiosqlite", "sqlite3", "asyncio", "libp2p", "trio", "structlog", "starlette",
                "uvicorn", "fastapi", "click", "socket", "node", "gossip", "gateway")  # fmt: skip


@pytest.fixture(autouse=True, scope="module")
def _no_signature_is_computed_twice() -> Iterator[None]:
    """The other verifier does it in Python, and what it finds depends on nothing else."""
    with patch.object(verifier, "signed", cache(verifier.signed)):
        yield


def code_of(proof: Proof | bytes, network_id: bytes = NETWORK_ID) -> str:
    """Return the code with which a proof is refused."""
    with pytest.raises(NotProven) as refusal:
        verify_proof(decode_proof(proof) if isinstance(proof, bytes) else proof, network_id)
    return refusal.value.code


def result_of(proof: Proof) -> dict[str, Any]:
    """Return what a proof proves, as the other verifier says it."""
    verified = verify_proof(proof, NETWORK_ID)
    rounds = {"round": verified.header.round, "certified_round": verified.certified.round}
    match verified.claim:
        case HeaderClaim():
            return {**rounds, "about": "header"}
        case RosterClaim(roster):
            return {**rounds, "about": "roster", "epoch": roster.epoch}
        case ReceiptClaim(receipt):
            place = {"position": receipt.position, "outcome": receipt.outcome}
            return {**rounds, "about": "receipt", "id": receipt.id.hex(), **place}
        case StateClaim(key, value):
            found = None if value is None else value.hex()
            return {**rounds, "about": "state", "key": key.hex(), "value": found}
        case RangeClaim() as claim:
            entries = [[key.hex(), value.hex()] for key, value in claim.shown.entries]
            return {
                **rounds,
                "about": "range",
                "start": claim.start.hex(),
                "end": None if claim.end is None else claim.end.hex(),
                "entries": entries,
                "complete": claim.shown.is_complete,
            }


Wrong = dict[str, tuple[str, Proof]]
"""Proofs that are wrong in one way each, with the code of it."""
OTHER_NETWORK: Final = NetworkId(bytes(32))


def wrong_steps() -> Wrong:
    header = SAMPLES["header"]
    first, *rest = header.steps
    heavy = tuple(Member(key.public_key, 2**32, "m") for key in KEYS)

    def step(**changes: Any) -> Proof:  # noqa: ANN401 - fields of a step
        return replace(header, steps=(replace(first, **changes), *rest))

    return {
        "another genesis": ("552", replace(header, genesis=replace(header.genesis, name="other"))),
        "a step of another network": (
            "553",
            step(header=replace(first.header, network_id=OTHER_NETWORK)),
        ),
        "a step that names another roster": ("553", step(roster=rest[-1].roster)),
        "a step with other weights": ("553", step(roster=replace(first.roster, members=heavy))),
        "steps in the wrong order": ("553", replace(header, steps=(first, first, *rest))),
        "a gap in the rosters": ("554", replace(header, steps=tuple(rest))),
        "no rosters at all": ("558", replace(header, steps=())),
        "a step of too few": ("556", replace(header, steps=(lighter(first, 2), *rest))),
        "a step that nobody signed": ("556", step(signers=())),
    }


def wrong_signers() -> Wrong:
    header = SAMPLES["header"]
    last, made = header.headers[-1], network()
    (number, signature), *others = header.signers
    voters = made.keys_of(made.rosters[last.epoch])
    other_header = certified(replace(last, state_root=Hash(bytes(32))), range(3), keys=voters)
    other_epoch = certified(last, range(3), keys=voters, epoch=last.epoch + 1)
    swapped = ((number, others[0][1]), (others[0][0], signature), *others[1:])
    cases = {
        "a signature of another header": ("554", other_header.signatures),
        "a signature of another epoch": ("554", other_epoch.signatures),
        "a changed signature": ("554", ((number, Signature(bytes(64))), *others)),
        "signatures of two swapped": ("554", swapped),
        "a signer twice": ("555", ((number, signature), *header.signers)),
        "a signer twice, of too few": (
            "555",
            ((number, signature), (number, signature), others[0]),
        ),
        "signers out of order": ("555", header.signers[::-1]),
        "a signer out of range": ("555", (*header.signers, (MemberIndex(3), signature))),
        "exactly two thirds": ("556", header.signers[:2]),
        "nobody signed": ("556", ()),
    }
    return {
        name: (code, replace(header, signers=signers)) for name, (code, signers) in cases.items()
    }


def wrong_headers() -> Wrong:
    header, receipt = SAMPLES["header"], SAMPLES["receipt"]
    one, two = receipt.headers
    epoch = header.headers[-1].epoch
    return {
        "no header": ("557", replace(header, headers=())),
        "a header of another network": ("557", resigned(header, network_id=OTHER_NETWORK)),
        "headers with a gap": ("557", replace(receipt, headers=(network().headers[-3], two))),
        "headers that do not chain": (
            "557",
            replace(receipt, headers=(replace(one, transactions=9), two)),
        ),
        "members of another epoch": ("558", resigned(header, epoch=Epoch(epoch - 1))),
        "a later epoch": ("558", resigned(header, epoch=Epoch(epoch + 1))),
    }


def wrong_claims() -> Wrong:
    value, receipt = SAMPLES["value"], SAMPLES["receipt"]
    state, leaf = value.subject, receipt.subject
    assert isinstance(state, StateClaim)
    assert isinstance(leaf, ReceiptClaim)
    part = SAMPLES["range"].subject
    assert isinstance(part, RangeClaim)
    other_roster = RosterClaim(network().rosters[0])
    refused = replace(leaf.receipt, outcome="MYC-LEDGER-014")
    return {
        "another roster": ("559", replace(SAMPLES["header"], subject=other_roster)),
        "another value": ("559", replace(value, subject=replace(state, value=b"other"))),
        "no value where one is": ("559", replace(value, subject=replace(state, value=None))),
        "another key": ("559", replace(value, subject=replace(state, key=VALUE_KEY + b"2"))),
        "another state": ("559", resigned(value, state_root=Hash(bytes([1]) * 32))),
        "another transaction": ("559", replace(receipt, subject=replace(leaf, transaction=b"x"))),
        "another position": ("559", replace(receipt, subject=replace(leaf, index=4))),
        "another outcome": ("559", replace(receipt, subject=replace(leaf, receipt=refused))),
        "a receipt of another round": ("559", replace(receipt, headers=receipt.headers[1:])),
        "a range with less in it": (
            "559",
            replace(SAMPLES["range"], subject=replace(part, proof=state.proof)),
        ),
        "a path too short": ("559", replace(receipt, subject=replace(leaf, path=leaf.path[:-1]))),
        "a path too long": ("559", replace(receipt, subject=replace(leaf, path=leaf.path * 2))),
    }


WRONG: Final = {**wrong_steps(), **wrong_signers(), **wrong_headers(), **wrong_claims()}


@pytest.mark.parametrize("name", SAMPLES)
def test_a_proof_survives_its_file_and_proves_what_it_says(name: str) -> None:
    proof = SAMPLES[name]
    text = to_text(encode_proof(proof))
    assert decode_proof(from_text(text)) == proof
    verified = verify_text(text, NETWORK_ID)
    assert verified.claim == proof.subject
    assert verified.header == proof.headers[0]
    assert 3 * verified.weight > 2 * verified.weight_total


def test_what_is_proven_is_what_the_network_did() -> None:
    made = network()
    assert result_of(SAMPLES["receipt"])["outcome"] == "applied"
    assert result_of(SAMPLES["refused"])["outcome"] == "MYC-LEDGER-014"
    assert result_of(SAMPLES["value"])["value"] == made.state[VALUE_KEY].hex()
    assert result_of(SAMPLES["absence"])["value"] is None
    assert len(SAMPLES["receipt"].headers) == 2
    assert len(SAMPLES["header"].steps) == 2
    assert SAMPLES["first-epoch"].steps == ()


@pytest.mark.parametrize("name", WRONG)
def test_each_way_to_be_wrong_is_refused_with_its_code(name: str) -> None:
    code, proof = WRONG[name]
    assert code_of(encode_proof(proof)) == f"MYC-LEDGER-{code}"


def test_weights_that_no_member_can_have_are_no_roster() -> None:
    data = encode_proof(SAMPLES["header"])
    members = SAMPLES["header"].genesis.encode()
    weight = members.index(KEYS[0].public_key) + 32
    for huge in (b"\xcf" + bytes([0x7F]) + b"\xff" * 7, b"\xcf\x00\x00\x00\x01\x00\x00\x00\x01"):
        changed = members[:weight] + huge + members[weight + 1 :]
        before, after = encode(members), encode(changed)
        assert code_of(data.replace(before, after)) == "MYC-LEDGER-551"


def test_a_proof_is_of_its_network_only() -> None:
    assert code_of(SAMPLES["value"], GENESIS.network_id) == "MYC-LEDGER-552"
    assert code_of(SAMPLES["value"], b"") == "MYC-LEDGER-552"


def test_ten_thousand_mutated_proofs_are_all_refused() -> None:
    tried = accepted = 0
    chance = Random(20)  # noqa: S311 - the same mutations each time
    originals = [encode_proof(proof) for proof in SAMPLES.values()]
    is_right = cache(verify)
    while tried < 10_000:
        original = originals[tried % len(originals)]
        data = mutated(original, originals, chance)
        if data == original:
            continue
        tried += 1
        try:
            claim = verify_proof(decode_proof(data), NETWORK_ID, verify=is_right).claim
        except NotProven:
            continue
        # What proves that a key is not there proves the same of its neighbours.
        assert isinstance(claim, StateClaim | RangeClaim)
        assert is_true(claim)
        accepted += 1
    assert accepted < tried / 500


def is_true(claim: StateClaim | RangeClaim) -> bool:
    """Return whether the network's state is as claimed."""
    state = network().state
    if isinstance(claim, StateClaim):
        return state.get(claim.key) == claim.value
    found = [
        (key, value)
        for key, value in sorted(state.items())
        if claim.start <= key and (claim.end is None or key < claim.end)
    ]
    return claim.shown.is_complete and list(claim.shown.entries) == found


def mutated(original: bytes, others: list[bytes], chance: Random) -> bytes:
    """Return bytes changed in one of several ways."""
    data = bytearray(original)
    at = chance.randrange(len(data))
    match chance.randrange(6):
        case 0 | 1:
            data[at] ^= 1 << chance.randrange(8)
        case 2:
            data[at] = chance.randrange(256)
        case 3:
            size = chance.randrange(1, 80)
            data[at : at + size] = chance.randbytes(size)
        case 4:
            del data[at : at + chance.randrange(1, 80)]
        case _:
            other = chance.choice(others)
            start = chance.randrange(len(other))
            data[at : at + 70] = other[start : start + 70]
    return bytes(data)


def test_mutated_text_is_refused_or_the_same_proof() -> None:
    original = encode_proof(SAMPLES["value"])
    chance = Random(4)  # noqa: S311 - the same mutations each time
    for _ in range(2_000):
        text = list(to_text(original))
        text[chance.randrange(len(text))] = chr(chance.randrange(10, 127))
        try:
            verify_text("".join(text), NETWORK_ID)
        except NotProven:
            continue
        assert from_text("".join(text)) == original


def test_mail_may_change_line_breaks_and_what_stands_around() -> None:
    text = to_text(encode_proof(SAMPLES["value"]))
    assert verify_text("\n " + text.replace("\n", "\r\n") + "\r\n", NETWORK_ID)


@given(st.binary(max_size=300))
def test_any_bytes_are_refused(data: bytes) -> None:
    with pytest.raises(NotProven):
        decode_proof(data)
    with pytest.raises(NotProven):
        from_text(data.decode("latin-1"))


def test_the_verifier_loads_no_database_no_network_and_no_server() -> None:
    program = "import ledger.verify, sys, json; print(json.dumps(sorted(sys.modules)))"
    found = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    loaded = {name.split(".")[0] for name in json.loads(found.stdout)}
    assert loaded.isdisjoint(HEAVY), loaded & set(HEAVY)


def test_the_other_verifier_says_the_same_of_every_vector() -> None:
    assert VECTORS["network_id"] == NETWORK_ID.hex()
    for case in VECTORS["valid"]:
        assert from_text(case["text"]).hex() == case["bytes"]
        assert verifier.verify(case["text"], NETWORK_ID) == case["result"]
        assert result_of(decode_proof(bytes.fromhex(case["bytes"]))) == case["result"]
    for case in VECTORS["refused"]:
        data = bytes.fromhex(case["bytes"])
        assert code_of(data) == case["code"]
        with pytest.raises(verifier.Refused) as refusal:
            verifier.verify(to_text(data), NETWORK_ID)
        assert f"MYC-LEDGER-{refusal.value.args[0]}" == case["code"]


def test_the_other_verifier_says_the_same_of_what_is_mutated() -> None:
    chance = Random(5)  # noqa: S311 - the same mutations each time
    originals = [encode_proof(proof) for proof in SAMPLES.values()]
    for at in range(300):
        data = mutated(originals[at % len(originals)], originals, chance)
        try:
            ours: object = result_of(decode_proof(data))
        except NotProven as error:
            ours = error.code
        try:
            theirs: object = verifier.verify(to_text(data), NETWORK_ID)
        except verifier.Refused as refusal:
            theirs = f"MYC-LEDGER-{refusal.args[0]}"
        assert ours == theirs or (isinstance(ours, str) and isinstance(theirs, str))


def test_the_vectors_are_those_of_this_version() -> None:
    assert made_vectors() == VECTORS


def made_vectors() -> dict[str, Any]:
    """Return the content of vectors.json; run this file as a program to write it again."""
    valid = [
        {
            "name": name,
            "text": to_text(encode_proof(proof)),
            "bytes": encode_proof(proof).hex(),
            "result": result_of(proof),
        }
        for name, proof in SAMPLES.items()
    ]
    refused = [
        {"name": name, "bytes": encode_proof(proof).hex(), "code": f"MYC-LEDGER-{code}"}
        for name, (code, proof) in WRONG.items()
    ]
    return {"network_id": NETWORK_ID.hex(), "valid": valid, "refused": refused}
