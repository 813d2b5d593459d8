"""A head is read in one form only, and only the cell's own signature makes it one."""

from __future__ import annotations

import base64
import hashlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import InvariantBroken
from core.ids import Hash, PublicKey, Signature
from journal.checkpoint import (
    check_journal_name,
    key_id_of,
    parse_checkpoint,
    sign_checkpoint,
    signature_line,
    verify_checkpoint,
    verify_signature,
)
from journal.errors import HeadRefused, NotAJournalName
from tests.journal.world import CELL_ID, OTHER_KEY, PUBLIC_KEY, sign, sign_as_other, slow_leaf

ORIGIN = f"{CELL_ID}/consensus/0"
ROOT = Hash(slow_leaf(b"x"))
HEAD = sign_checkpoint(ORIGIN, 7, ROOT, PUBLIC_KEY, sign)
OTHER_PUBLIC_KEY = PublicKey(bytes(OTHER_KEY.verify_key))


def test_the_text_of_a_head_is_this_one_byte_for_byte() -> None:
    root = base64.b64encode(ROOT).decode()
    key_id = hashlib.sha256(ORIGIN.encode() + b"\n\x01" + PUBLIC_KEY).digest()[:4]
    body = f"{ORIGIN}\n7\n{root}\n"
    line = base64.b64encode(key_id + sign(body.encode())).decode()
    assert f"{body}\n\u2014 {ORIGIN} {line}\n" == HEAD
    assert key_id_of(ORIGIN, PUBLIC_KEY) == key_id


def test_a_signed_head_reads_back_and_verifies() -> None:
    head = verify_checkpoint(HEAD, ORIGIN, PUBLIC_KEY)
    assert (head.cell_id, head.journal, head.fork) == (CELL_ID, "consensus", 0)
    assert (head.size, head.root, head.origin) == (7, ROOT, ORIGIN)


def test_lines_of_witnesses_are_kept_and_ignored() -> None:
    note = base64.b64encode(b"\x01\x02\x03\x04" + b"\x00" * 72).decode()
    head = verify_checkpoint(HEAD + f"\u2014 witness.example/w1 {note}\n", ORIGIN, PUBLIC_KEY)
    assert [line.name for line in head.signatures] == [ORIGIN, "witness.example/w1"]


def test_a_head_of_another_origin_key_or_signer_is_refused() -> None:
    with pytest.raises(HeadRefused):
        verify_checkpoint(HEAD, f"{CELL_ID}/consensus/1", PUBLIC_KEY)
    with pytest.raises(HeadRefused):
        verify_checkpoint(HEAD, ORIGIN, OTHER_PUBLIC_KEY)
    forged = sign_checkpoint(ORIGIN, 7, ROOT, PUBLIC_KEY, sign_as_other)
    with pytest.raises(HeadRefused):
        verify_checkpoint(forged, ORIGIN, PUBLIC_KEY)
    twice = HEAD + HEAD.partition("\n\n")[2]
    with pytest.raises(HeadRefused):
        verify_checkpoint(twice, ORIGIN, PUBLIC_KEY)


@given(st.integers(0, len(HEAD) - 1), st.characters())
@settings(max_examples=200, deadline=None)
def test_no_changed_character_goes_unnoticed(at: int, character: str) -> None:
    changed = HEAD[:at] + character + HEAD[at + 1 :]
    if changed != HEAD:
        with pytest.raises(HeadRefused):
            verify_checkpoint(changed, ORIGIN, PUBLIC_KEY)


@given(st.integers(0, len(HEAD) - 1))
@settings(max_examples=60, deadline=None)
def test_a_cut_head_is_refused(at: int) -> None:
    with pytest.raises(HeadRefused):
        verify_checkpoint(HEAD[:at], ORIGIN, PUBLIC_KEY)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("\n7\n", "\n07\n"),
        ("\n7\n", "\n+7\n"),
        ("\n7\n", "\n-7\n"),
        ("\n7\n", "\n\uff17\n"),
        ("\n7\n", "\n9223372036854775808\n"),
        ("\n7\n", "\n7\r\n"),
        ("=\n\n", "\n\n"),
        ("=\n\n", "=\nextension\n\n"),
        ("=\n\n", "=\n\n\n"),
        ("/consensus/0\n7", "/Consensus/0\n7"),
        ("/consensus/0\n7", "/consensus/00\n7"),
        ("/consensus/0\n7", "/consensus\n7"),
        ("\u2014 ", "- "),
    ],
)
def test_other_spellings_of_a_head_are_refused(old: str, new: str) -> None:
    assert old in HEAD
    with pytest.raises(HeadRefused):
        parse_checkpoint(HEAD.replace(old, new, 1))


def test_oversized_texts_are_refused_before_they_are_read() -> None:
    line = HEAD.partition("\n\n")[2]
    with pytest.raises(HeadRefused):
        parse_checkpoint(HEAD + "x" * (16 << 10))
    with pytest.raises(HeadRefused):
        parse_checkpoint(HEAD + line * 200)


def test_a_head_is_not_signed_for_what_is_no_origin() -> None:
    with pytest.raises(InvariantBroken):
        sign_checkpoint("no origin", 7, ROOT, PUBLIC_KEY, sign)


def test_journal_names_are_plain() -> None:
    assert check_journal_name("state-2_b") == "state-2_b"
    for name in ("", "A", "2a", "a/b", "a b", "a\n", "a" * 33, "\u00e4"):
        with pytest.raises(NotAJournalName):
            check_journal_name(name)


def test_the_published_example_of_a_signed_note_verifies() -> None:
    """The key and note of golang.org/x/mod/sumdb/note, which C2SP signed-note writes down."""
    name, key_id, key = "PeterNeumann", "c74f20a3", "ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
    kind, public_key = base64.b64decode(key)[:1], PublicKey(base64.b64decode(key)[1:])
    text = (
        b"If you think cryptography is the answer to your problem,\n"
        b"then you don't know what your problem is.\n"
    )
    line = (
        "x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuG"
        "UgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM="
    )
    raw = base64.b64decode(line)
    assert key_id_of(name, public_key, kind).hex() == raw[:4].hex() == key_id
    verify_signature(public_key, text, Signature(raw[4:]))
    for wrong in (text[:-1], text + b"\n", text.replace(b"y", b"Y")):
        with pytest.raises(HeadRefused):
            verify_signature(public_key, wrong, Signature(raw[4:]))
    assert signature_line(name, raw[:4], raw[4:]) == f"\u2014 {name} {line}\n"


def test_the_lines_of_the_published_checkpoint_are_read_as_a_witness_would_write_them() -> None:
    """C2SP tlog-cosignature's example: its log is not ours, so only its witness's line is used."""
    published = (
        "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n\n"
        "\u2014 example.com/behind-the-sofa Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u"
        "5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=\n"
    )
    witness = (
        "\u2014 witness.example.com/w1 jWbPPwAAAABkGFDLEZMHwSRaJNiIDoe9DYn/zXcrtPHeolMI5OWXEhZCB9dl"
        "rDJsX3b2oyin1nPZqhf5nNo0xUe+mbIUBkBIfZ+qnA==\n"
    )
    with pytest.raises(HeadRefused):
        parse_checkpoint(published + witness)
    head = parse_checkpoint(HEAD + witness)
    line = head.signatures[1]
    assert (line.name, len(line.signature)) == ("witness.example.com/w1", 72)
    assert int.from_bytes(line.signature[:8], "big") == 1679315147
    assert signature_line(line.name, line.key_id, line.signature) == witness
    assert verify_checkpoint(HEAD + witness, ORIGIN, PUBLIC_KEY) == head
    for damaged in (witness.replace("qnA==", "qnB=="), witness[:-2] + "\n", witness + "\n"):
        with pytest.raises(HeadRefused):
            parse_checkpoint(HEAD + damaged)
