"""A cell id is the libp2p peer id of a key: one for each key, and the key is read back from it."""

from __future__ import annotations

import time

import base58
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import InvariantBroken, LocalMisuse, check
from core.ids import NotACellId, PublicKey, cell_id_of, public_key_of, short

KEYS = st.binary(min_size=32, max_size=32).map(PublicKey)


@given(KEYS)
@settings(deadline=None)
def test_the_key_is_read_back_from_its_cell_id(key: PublicKey) -> None:
    cell_id = cell_id_of(key)
    assert public_key_of(cell_id) == key
    assert cell_id.startswith("12D3KooW")


def test_the_cell_id_is_the_identity_multihash_of_the_protobuf_key() -> None:
    # Key and peer id as libp2p itself gives them for the seed of 32 ones.
    key = PublicKey(
        bytes.fromhex("8a88e3dd7409f195fd52db2d3cba5d72ca6709bf1d94121bf3748801b40f6f5c")
    )
    assert cell_id_of(key) == "12D3KooWK99VoVxNE7XzyBwXEzW7xhK7Gpv85r9F3V3fyKSUKPH5"
    assert base58.b58decode(cell_id_of(key)) == bytes.fromhex("002408011220") + key


@given(st.text(max_size=80))
@settings(deadline=None)
def test_other_text_is_refused_with_the_declared_error(text: str) -> None:
    with pytest.raises(NotACellId):
        public_key_of(text)


@given(KEYS, st.sampled_from([" ", "\n", "\t"]))
@settings(deadline=None)
def test_white_space_does_not_make_a_second_id_of_one_key(key: PublicKey, space: str) -> None:
    for text in (cell_id_of(key) + space, space + cell_id_of(key)):
        with pytest.raises(NotACellId):
            public_key_of(text)


@given(st.binary(max_size=48))
@settings(deadline=None)
def test_other_peer_ids_are_refused(raw: bytes) -> None:
    text = base58.b58encode(raw).decode()
    with pytest.raises(NotACellId):
        public_key_of(text)


def test_a_very_long_text_is_refused_fast() -> None:
    began = time.process_time()
    with pytest.raises(NotACellId) as refusal:
        public_key_of("z" * 200_000)
    assert time.process_time() - began < 0.5
    assert len(str(refusal.value)) < 200


def test_short_is_the_end_of_the_id() -> None:
    assert short(cell_id_of(PublicKey(bytes(32)))) == cell_id_of(PublicKey(bytes(32)))[-8:]


def test_check_raises_a_broken_invariant_with_its_detail() -> None:
    check(condition=True, detail="never seen")
    with pytest.raises(InvariantBroken, match="MYC-CORE-001: the sum is off"):
        check(condition=False, detail="the sum is off")


def test_an_error_tells_its_code_and_detail_and_keeps_the_detail_apart() -> None:
    error = NotACellId("what happened")
    assert isinstance(error, LocalMisuse)
    assert (str(error), error.detail) == ("MYC-CORE-004: what happened", "what happened")
    assert not error.retryable
