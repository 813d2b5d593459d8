"""Proof files and cosignatures, checked without any network."""

from __future__ import annotations

import base64
import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nacl.signing import SigningKey

from core.errors import MyceldError, RemoteViolation
from core.ids import CellId, PublicKey, cell_id_of
from journal.checkpoint import sign_checkpoint, verify_checkpoint
from journal.cosignature import CosignatureRefused, Witness, cosign, verified_witnesses
from journal.errors import HeadRefused, ProofRefused
from journal.limits import HEAD_SIGNATURES_MAX
from journal.merkle import subtree_inclusion_proof
from journal.proof_file import ProofFileRefused, format_proof, parse_proof, verify_proof
from tests.journal.world import CELL_ID, PUBLIC_KEY, sign, slow_leaf, slow_root

WITNESS_KEY = SigningKey(b"\x03" * 32)
WITNESS = cell_id_of(PublicKey(bytes(WITNESS_KEY.verify_key)))
ORIGIN = f"{CELL_ID}/notes/0"
BLOCKS = [b"block %d" % number for number in range(13)]
LEAVES = [slow_leaf(block) for block in BLOCKS]


def _sign_as_witness(message: bytes) -> bytes:
    return bytes(WITNESS_KEY.sign(message).signature)


def _head(size: int = 13) -> str:
    return sign_checkpoint(ORIGIN, size, slow_root(LEAVES[:size]), PUBLIC_KEY, sign)  # type: ignore[arg-type]  # a Hash is bytes


def _node(level: int, number: int) -> bytes:
    return slow_root(LEAVES[number << level : (number + 1) << level])


def _file(index: int = 5, head: str | None = None) -> str:
    hashes = subtree_inclusion_proof(index, 0, 13, _node)
    return format_proof(index, BLOCKS[index], hashes, _head() if head is None else head)


@pytest.mark.parametrize("index", [0, 5, 12])
def test_a_proof_file_proves_its_block(index: int) -> None:
    text = _file(index)
    proven = verify_proof(text, CELL_ID)
    assert (proven.index, proven.block, proven.head.size) == (index, BLOCKS[index], 13)
    assert proven.witnesses == ()
    assert verify_proof(text).head.cell_id == CELL_ID


def test_a_proof_file_is_tlog_proof_text() -> None:
    lines = _file().split("\n")
    assert lines[0] == "c2sp.org/tlog-proof@v1"
    assert lines[1] == "extra " + base64.b64encode(BLOCKS[5]).decode()
    assert lines[2] == "index 5"
    assert lines[lines.index("") + 1] == ORIGIN


def test_the_proof_of_the_only_block_has_no_hashes() -> None:
    text = format_proof(0, BLOCKS[0], [], _head(1))
    assert verify_proof(text, CELL_ID).block == BLOCKS[0]
    empty = sign_checkpoint(ORIGIN, 1, slow_leaf(b""), PUBLIC_KEY, sign)  # type: ignore[arg-type]  # a Hash is bytes
    assert verify_proof(format_proof(0, b"", [], empty)).block == b""


def test_another_cell_than_the_trusted_one_is_refused() -> None:
    with pytest.raises(ProofFileRefused):
        verify_proof(_file(), WITNESS)


@given(st.integers(0, 10_000), st.integers(1, 255))
def test_a_changed_byte_is_never_accepted_as_something_else(at: int, flip: int) -> None:
    raw = bytearray(_file().encode())
    raw[at % len(raw)] ^= flip
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        return
    with pytest.raises(RemoteViolation):
        verify_proof(text, CELL_ID)


def test_a_proof_for_another_index_or_block_is_refused() -> None:
    proof = parse_proof(_file())
    with pytest.raises(ProofRefused):
        verify_proof(format_proof(4, proof.block, proof.hashes, proof.head))
    with pytest.raises(ProofRefused):
        verify_proof(format_proof(5, b"other", proof.hashes, proof.head))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "c2sp.org/tlog-proof@v2\nextra \nindex 0\n\nhead",
        "c2sp.org/tlog-proof@v1\nindex 0\n\nhead",
        "c2sp.org/tlog-proof@v1\nextra =\nindex 0\n\nhead",
        "c2sp.org/tlog-proof@v1\nextra \nindex 00\n\nhead",
        "c2sp.org/tlog-proof@v1\nextra \nindex 9223372036854775808\n\nhead",
        "c2sp.org/tlog-proof@v1\nextra \nindex 0\nAAAA\n\nhead",
        "c2sp.org/tlog-proof@v1\nextra \nindex 0\n" + "x\n" * 129 + "\nhead",
    ],
)
def test_other_text_is_refused(text: str) -> None:
    with pytest.raises(ProofFileRefused):
        parse_proof(text)


def test_a_cosignature_is_checked_with_its_time() -> None:
    cosigned = cosign(_head(), WITNESS, _sign_as_witness, 1_700_000_000)
    assert verified_witnesses(cosigned) == (Witness(WITNESS, 1_700_000_000),)
    assert verify_checkpoint(cosigned, ORIGIN, PUBLIC_KEY).size == 13
    later = cosign(cosigned, WITNESS, _sign_as_witness, 1_700_000_099)
    assert verified_witnesses(later) == (Witness(WITNESS, 1_700_000_099),)
    assert verify_proof(_file(head=later), CELL_ID).witnesses[0].cell_id == WITNESS


def test_a_cosignature_is_cosignature_v1() -> None:
    """C2SP tlog-cosignature: key id with type 0x04, eight bytes of time, then Ed25519."""
    line = cosign(_head(), WITNESS, _sign_as_witness, 1_700_000_000).splitlines()[-1]
    dash, name, encoded = line.split(" ")
    raw = base64.b64decode(encoded)
    key = bytes(WITNESS_KEY.verify_key)
    assert (dash, name) == ("—", WITNESS)
    assert raw[:4] == hashlib.sha256(WITNESS.encode() + b"\n\x04" + key).digest()[:4]
    assert int.from_bytes(raw[4:12], "big") == 1_700_000_000
    body = _head().partition("\n\n")[0] + "\n"
    message = b"cosignature/v1\ntime 1700000000\n" + body.encode()
    WITNESS_KEY.verify_key.verify(message, raw[12:])


def test_a_cosignature_of_another_head_time_or_key_is_refused() -> None:
    cosigned = cosign(_head(), WITNESS, _sign_as_witness, 1_700_000_000)
    line = cosigned.splitlines(keepends=True)[-1]
    with pytest.raises(CosignatureRefused):
        verified_witnesses(_head(12) + line)
    with pytest.raises(CosignatureRefused):
        verified_witnesses(cosign(_head(), WITNESS, sign, 1_700_000_000))
    with pytest.raises(CosignatureRefused):
        verified_witnesses(cosigned + line)
    _, name, encoded = line.split(" ")
    raw = bytearray(base64.b64decode(encoded))
    raw[11] ^= 1
    with pytest.raises(CosignatureRefused):
        verified_witnesses(_head() + f"— {name} {base64.b64encode(raw).decode()}\n")


def test_lines_of_strangers_are_not_judged() -> None:
    stranger = f"— example.org/witness {base64.b64encode(b'x' * 76).decode()}\n"
    assert verified_witnesses(_head() + stranger) == ()
    assert len(verified_witnesses(cosign(_head() + stranger, WITNESS, _sign_as_witness, 1))) == 1


def test_a_full_head_takes_no_more_cosignatures() -> None:
    lines = "".join(f"— w{n} {base64.b64encode(b'x' * 76).decode()}\n" for n in range(99))
    assert lines.count("\n") == HEAD_SIGNATURES_MAX - 1
    with pytest.raises(HeadRefused):
        cosign(_head() + lines, WITNESS, _sign_as_witness, 1)


def test_a_cell_id_that_is_none_is_refused() -> None:
    with pytest.raises(MyceldError):
        cosign(_head(), CellId("nobody"), _sign_as_witness, 1)
