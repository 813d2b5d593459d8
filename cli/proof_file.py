"""Proof files: what one proves, without a cell and without a network; and writing one."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from cli import show
from cli.errors import BadInput
from cli.options import expand
from core.codec import as_array, as_bytes, as_int, decode
from core.errors import MyceldError
from core.ids import PublicKey, cell_id_of
from core.limits import HASH_SIZE_BYTES
from identity.private_file import write_private
from ledger.genesis import from_json
from ledger.header import APPLIED
from ledger.kinds import VALUE_PREFIX
from ledger.proof import (
    TEXT_SIZE_MAX,
    HeaderClaim,
    RangeClaim,
    ReceiptClaim,
    RosterClaim,
    StateClaim,
)
from ledger.transaction import SignedTransaction, parse
from ledger.verify import Verified, verify_text

_GENESIS_SIZE_BYTES_MAX: Final = 1 << 20


def check_and_show(file: str, genesis: str | None, network: str | None, *, as_json: bool) -> None:
    """Say what the proof in a file proves of the network that is trusted; one of both is given."""
    trusted = _network_of(genesis, network)
    try:
        text = _read(expand(file), TEXT_SIZE_MAX).decode("ascii")
    except UnicodeDecodeError as error:
        raise BadInput(f"{file} is not the text of a proof") from error
    verified = verify_text(text, trusted)
    if as_json:
        show.as_json(_json_of(verified))
    else:
        show.pairs(_words_of(verified))


def write_proof(path: str, answer: Mapping[str, Any], home: Path) -> Verified:
    """Check a proof that a cell made against the genesis in its home, and write it to a file."""
    network = _network_of(str(home / "genesis.json"), None)
    verified = verify_text(answer["proof"], network)
    target = expand(path)
    try:
        if not show.is_quiet():
            write_private(target, answer["proof"], replace=True)
            target.chmod(0o644)  # it is made to be given away
    except OSError as error:
        raise BadInput(f"can not write {target}: {error.strerror}") from error
    return verified


def value_of(claim: StateClaim) -> bytes | None:
    """Return the value that somebody put, out of what the state holds of it."""
    return None if claim.value is None else as_bytes(as_array(decode(claim.value), length=3)[0])


def _network_of(genesis: str | None, network: str | None) -> bytes:
    if genesis is not None:
        return from_json(_read(expand(genesis), _GENESIS_SIZE_BYTES_MAX)).network_id
    try:
        trusted = bytes.fromhex(network or "")
    except ValueError as error:
        raise BadInput("the network id is not hex") from error
    if len(trusted) != HASH_SIZE_BYTES:
        raise BadInput(f"the network id has {len(trusted)} bytes, not {HASH_SIZE_BYTES}")
    return trusted


def _json_of(verified: Verified) -> dict[str, Any]:
    header, certified = verified.header, verified.certified
    about, claim = _claim_json(verified)
    return {
        "valid": True,
        "network_id": verified.network_id.hex(),
        "network_name": verified.network_name,
        "about": about,
        about: claim,
        "round": header.round,
        "epoch": header.epoch,
        "time_ns": header.consensus_time_ns,
        "header_hash": header.hash.hex(),
        "state_root": header.state_root.hex(),
        "transactions_total": header.transactions_total,
        "certified_round": certified.round,
        "weight": verified.weight,
        "weight_total": verified.weight_total,
        "signers": [
            {"cell_id": one.cell_id, "name": one.name, "weight": one.weight}
            for one in verified.signers
        ],
    }


def _claim_json(verified: Verified) -> tuple[str, Any]:
    match verified.claim:
        case HeaderClaim():
            return "header", verified.header.encode().hex()
        case RosterClaim(roster):
            members = [
                {"cell_id": one.cell_id, "name": one.name, "weight": one.weight}
                for one in roster.members
            ]
            return "roster", {"epoch": roster.epoch, "members": members}
        case ReceiptClaim() as claim:
            receipt = claim.receipt
            return "receipt", {
                "id": receipt.id.hex(),
                "position": receipt.position,
                "consensus_time_ns": receipt.consensus_time_ns,
                "outcome": receipt.outcome,
                "event": receipt.event.hex(),
                "transaction_hex": None if claim.transaction is None else claim.transaction.hex(),
            }
        case StateClaim() as claim:
            return "state", {
                "state_key_hex": claim.key.hex(),
                "state_value_hex": None if claim.value is None else claim.value.hex(),
            }
        case RangeClaim() as claim:
            return "range", {
                "start_hex": claim.start.hex(),
                "end_hex": None if claim.end is None else claim.end.hex(),
                "entries": [[key.hex(), value.hex()] for key, value in claim.shown.entries],
                "complete": claim.shown.is_complete,
            }


def _words_of(verified: Verified) -> list[tuple[str, str]]:
    header, certified = verified.header, verified.certified
    signed = f"round {show.number(certified.round)}, and by its hashes all before"
    names = ", ".join(show.safe(one.name) for one in verified.signers)
    return [
        ("proven", _claim_words(verified)),
        *_claim_rows(verified),
        ("in round", f"{show.number(header.round)} of epoch {show.number(header.epoch)}"),
        ("round's time", show.moment(header.consensus_time_ns)),
        ("network", f"{show.safe(verified.network_name)} {verified.network_id.hex()}"),
        ("signed", signed),
        ("by", f"weight {verified.weight} of {verified.weight_total}: {names}"),
    ]


def _claim_words(verified: Verified) -> str:
    match verified.claim:
        case HeaderClaim():
            return f"the header of round {show.number(verified.header.round)}"
        case RosterClaim(roster):
            return f"who votes in epoch {show.number(roster.epoch)}"
        case ReceiptClaim(receipt):
            if receipt.outcome == APPLIED:
                return f"the transaction was applied, at position {show.number(receipt.position)}"
            return (
                f"the transaction was refused with {show.safe(receipt.outcome)}, "
                f"at position {show.number(receipt.position)}"
            )
        case StateClaim(key, value):
            if value is None:
                return f"{_key_words(key)} has no value"
            return f"{_key_words(key)} has this value"
        case RangeClaim() as claim:
            shown = claim.shown
            which = "all keys" if shown.is_complete else "the first keys"
            return f"these are {which} from {_key_words(claim.start)} on, {len(shown.entries)}"


def _claim_rows(verified: Verified) -> list[tuple[str, str]]:
    match verified.claim:
        case RosterClaim(roster):
            return [
                (f"weight {one.weight}", f"{show.safe(one.name)} {one.cell_id}")
                for one in roster.members
            ]
        case ReceiptClaim(receipt, raw):
            return [
                ("transaction", receipt.id.hex()),
                *_transaction_rows(verified, raw),
                ("ordered at", show.moment(receipt.consensus_time_ns)),
            ]
        case StateClaim() as claim if claim.value is not None:
            return _value_rows(claim.key, claim.value)
        case RangeClaim() as claim:
            return [(_text_of(key), _text_of(value)) for key, value in claim.shown.entries]
    return []


def _transaction_rows(verified: Verified, raw: bytes | None) -> list[tuple[str, str]]:
    if raw is None:
        return [("content", "not in the proof: whoever has bytes with this SHA-256 has it")]
    try:
        parsed = parse(raw, verified.network_id)
    except MyceldError:
        return [("content", f"{len(raw)} bytes that this version does not know")]
    if not isinstance(parsed, SignedTransaction):
        return [("content", f"opaque, {len(parsed.data)} bytes")]
    sender = cell_id_of(parsed.sender)
    return [("content", f"{show.safe(parsed.kind)}, nonce {parsed.nonce}"), ("sender", sender)]


def _value_rows(key: bytes, value: bytes) -> list[tuple[str, str]]:
    if not key.startswith(VALUE_PREFIX):
        return [("value (hex)", value.hex())]
    try:
        content, updated, sender = as_array(decode(value), length=3)
        data, by = as_bytes(content), cell_id_of(PublicKey(as_bytes(sender)))
        updated_round = as_int(updated)
    except MyceldError:
        return [("value (hex)", value.hex())]
    return [("value", _text_of(data)), ("put in round", f"{show.number(updated_round)} by {by}")]


def _key_words(key: bytes) -> str:
    if key.startswith(VALUE_PREFIX):
        return f"the key {_text_of(key[len(VALUE_PREFIX) :])}"
    return f"the state key {_text_of(key)}"


def _text_of(data: bytes) -> str:
    try:
        return show.safe(data.decode())
    except UnicodeDecodeError:
        return f"0x{data.hex()}"


def _read(path: Path, size_bytes_max: int) -> bytes:
    try:
        with path.open("rb") as file:
            data = file.read(size_bytes_max + 1)
    except OSError as error:
        raise BadInput(f"can not read {path}: {error.strerror}") from error
    if len(data) > size_bytes_max:
        raise BadInput(f"{path} has more than {size_bytes_max} bytes")
    return data
