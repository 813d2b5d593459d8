"""Signatures are Ed25519 as RFC 8032 has it, checked strictly; the seed never shows."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.ids import PublicKey, public_key_of
from identity.errors import NotAKey
from identity.keys import KeyPair, verify, verify_all

KEY = KeyPair(bytes([1]) * 32)
GROUP_ORDER = 2**252 + 27742317777372353535851937790883648493


def test_the_first_test_vector_of_rfc_8032_holds() -> None:
    seed = bytes.fromhex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60")
    pair = KeyPair(seed)
    assert pair.public_key.hex() == (
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"
    )
    assert pair.sign(b"").hex() == (
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e06522490155"
        "5fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b"
    )


@given(st.binary(max_size=200))
@settings(deadline=None)
def test_a_signature_is_of_its_message_and_key_only(message: bytes) -> None:
    signature = KEY.sign(message)
    assert verify(KEY.public_key, message, signature)
    assert not verify(KEY.public_key, message + b"x", signature)
    assert not verify(KeyPair(bytes([2]) * 32).public_key, message, signature)


@given(st.integers(0, 511))
@settings(deadline=None)
def test_a_signature_with_one_bit_changed_is_wrong(bit: int) -> None:
    signature = bytearray(KEY.sign(b"message"))
    signature[bit // 8] ^= 1 << bit % 8
    assert not verify(KEY.public_key, b"message", bytes(signature))


@given(st.binary(max_size=70), st.binary(max_size=40))
@settings(deadline=None)
def test_any_bytes_get_a_verdict_and_never_an_error(signature: bytes, key: bytes) -> None:
    assert not verify(PublicKey(key), b"message", signature)


def test_a_second_encoding_of_a_signature_is_wrong() -> None:
    signature = KEY.sign(b"message")
    scalar = int.from_bytes(signature[32:], "little") + GROUP_ORDER
    assert not verify(KEY.public_key, b"message", signature[:32] + scalar.to_bytes(32, "little"))


def test_keys_of_small_order_sign_nothing() -> None:
    for key in (bytes(32), bytes([1]) + bytes(31)):
        assert not verify(PublicKey(key), b"message", bytes([1]) + bytes(63))
        assert not verify(PublicKey(key), b"message", bytes(64))


def test_verdicts_of_many_come_in_order() -> None:
    good = (KEY.public_key, b"a", KEY.sign(b"a"))
    bad = (KEY.public_key, b"b", KEY.sign(b"a"))
    assert verify_all([good, bad, good]) == [True, False, True]
    assert verify_all([]) == []


@pytest.mark.parametrize("size", [0, 31, 33, 64])
def test_a_seed_has_32_bytes(size: int) -> None:
    with pytest.raises(NotAKey):
        KeyPair(bytes(size))


def test_the_seed_shows_in_no_text() -> None:
    seed = bytes(range(32))
    pair = KeyPair(seed)
    for text in (repr(pair), str(pair), f"{pair}"):
        assert seed.hex() not in text
        assert repr(seed) not in text
        assert pair.cell_id in text
    assert pair.seed == seed


def test_the_cell_id_is_that_of_the_public_key() -> None:
    assert public_key_of(KEY.cell_id) == KEY.public_key
