"""One value has one encoding; whatever else comes in is refused with a declared error."""

from __future__ import annotations

import time
import tracemalloc

import msgpack
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.codec import (
    NotCanonical,
    Value,
    WrongShape,
    as_array,
    as_bool,
    as_bytes,
    as_int,
    as_text,
    decode,
    encode,
)
from core.limits import INT_MAX, MESSAGE_SIZE_BYTES_MAX, NESTING_DEPTH_MAX

_LEAVES = (
    st.none()
    | st.booleans()
    | st.integers(-INT_MAX - 1, INT_MAX)
    | st.binary(max_size=40)
    | st.text(max_size=20)
)
VALUES: st.SearchStrategy[Value] = st.recursive(
    _LEAVES, lambda inner: st.lists(inner, max_size=5), max_leaves=20
)


def _nested(depth: int, leaf: bytes = b"\xc0") -> bytes:
    return b"\x91" * depth + leaf


@given(VALUES)
@settings(deadline=None)
def test_what_is_encoded_decodes_to_itself(value: Value) -> None:
    assert decode(encode(value)) == value


@given(st.binary(max_size=200))
@settings(deadline=None)
def test_random_bytes_decode_to_a_value_that_encodes_to_them_or_are_refused(data: bytes) -> None:
    try:
        value = decode(data)
    except NotCanonical:
        return
    assert encode(value) == data


@given(VALUES, st.data())
@settings(deadline=None)
def test_a_changed_byte_gives_another_value_or_is_refused(
    value: Value, data: st.DataObject
) -> None:
    encoded = encode(value)
    at = data.draw(st.integers(0, len(encoded) - 1))
    other = data.draw(st.integers(0, 255).filter(lambda byte: byte != encoded[at]))
    mutated = encoded[:at] + bytes([other]) + encoded[at + 1 :]
    try:
        again = decode(mutated)
    except NotCanonical:
        return
    assert encode(again) == mutated


@given(VALUES, st.binary(min_size=1, max_size=4))
@settings(deadline=None)
def test_trailing_bytes_are_refused(value: Value, tail: bytes) -> None:
    with pytest.raises(NotCanonical):
        decode(encode(value) + tail)


@given(VALUES, st.data())
@settings(deadline=None)
def test_truncated_bytes_are_refused(value: Value, data: st.DataObject) -> None:
    encoded = encode(value)
    with pytest.raises(NotCanonical):
        decode(encoded[: data.draw(st.integers(0, len(encoded) - 1))])


@pytest.mark.parametrize(
    "longer",
    [
        "cc01",  # 1 as one more byte
        "cd0001",
        "ce00000001",
        "cf0000000000000001",
        "d001",
        "d1ffff",  # −1 in two bytes
        "d3ffffffffffffffff",
        "d90161",  # "a" with a length byte
        "da000161",
        "c5000161",  # b"a" with two length bytes
        "c60000000161",
        "dc000101",  # [1] with two length bytes
        "dd0000000101",
        "91cc01",  # inside an array too
    ],
)
def test_longer_forms_are_refused(longer: str) -> None:
    with pytest.raises(NotCanonical, match="shortest"):
        decode(bytes.fromhex(longer))


@pytest.mark.parametrize(
    "value",
    [
        {},
        {"a": 1},
        1.5,
        [0.0],
        [{}],
        msgpack.ExtType(5, b"x"),
        msgpack.Timestamp(1),
        2**63,
        [2**63],
    ],
)
def test_types_outside_the_format_are_refused(value: object) -> None:
    with pytest.raises(NotCanonical):
        decode(msgpack.packb(value))


@pytest.mark.parametrize("data", ["", "c1", "a1ff", "a3eda080", "d4ff00", "c7000a", "c0c0"])
def test_bytes_that_are_no_value_are_refused(data: str) -> None:
    with pytest.raises(NotCanonical):
        decode(bytes.fromhex(data))


@pytest.mark.parametrize("value", [-INT_MAX - 1, INT_MAX])
def test_the_ends_of_the_integers_are_taken(value: int) -> None:
    assert decode(encode(value)) == value


@pytest.mark.parametrize("leaf", [None, True, 1, -INT_MAX - 1, "a"])
def test_the_deepest_nesting_is_taken_and_one_more_is_refused(leaf: Value) -> None:
    decode(_nested(NESTING_DEPTH_MAX, encode(leaf)))
    with pytest.raises(NotCanonical, match="nested deeper"):
        decode(_nested(NESTING_DEPTH_MAX + 1, encode(leaf)))


@pytest.mark.parametrize(
    "data",
    [
        _nested(MESSAGE_SIZE_BYTES_MAX - 1),
        b"\xdd\xff\xff\xff\xff" + bytes(100),
        b"\xdc\xff\xff" + bytes(100),
        b"\xdb\xff\xff\xff\xff" + bytes(100),
        b"\xc6\xff\xff\xff\xff" + bytes(100),
        b"\xdf\xff\xff\xff\xff" + bytes(100),
        b"\xc9\xff\xff\xff\xff\x01" + bytes(100),
        b"\xdd\x00\x00\x0f\xff" * 1000,
        b"\x91" * 40_000 + b"\xdc\x80\x00" * 8_000,  # longer than the rest, not than the whole
        b"\xdc\xff\xff" * 20_000,  # longer than the whole, each of them
        b"\xc6\x00\x0e\x00\x00" + b"\xdd\xff" * 458_751 + b"\xdd",
        b"\xdd\x00\x0f\xff\xff" * (MESSAGE_SIZE_BYTES_MAX // 5),
    ],
)
def test_deep_nesting_and_huge_lengths_are_refused_fast_and_without_memory(data: bytes) -> None:
    tracemalloc.start()
    began = time.process_time()
    try:
        with pytest.raises(NotCanonical):
            decode(data)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 8 * len(data) + (1 << 20)
    assert time.process_time() - began < 2


def test_more_bytes_than_the_caller_takes_are_refused_unread() -> None:
    assert decode(b"\xc4\x02ab", size_bytes_max=4) == b"ab"
    with pytest.raises(NotCanonical, match="at most 3"):
        decode(b"\xc4\x02ab", size_bytes_max=3)


def test_equal_values_of_other_sequence_types_encode_equally() -> None:
    assert encode((1, (b"a", "b"))) == encode([1, [b"a", "b"]])


@pytest.mark.parametrize("value", [None, True, "x", b"x", []])
def test_only_integers_are_integers(value: Value) -> None:
    with pytest.raises(WrongShape):
        as_int(value)


@pytest.mark.parametrize("value", [None, 0, 1, "true"])
def test_only_booleans_are_booleans(value: Value) -> None:
    with pytest.raises(WrongShape):
        as_bool(value)


@pytest.mark.parametrize("value", [None, 0, b"x", []])
def test_only_text_is_text(value: Value) -> None:
    with pytest.raises(WrongShape):
        as_text(value, length_max=9)


@pytest.mark.parametrize("value", [None, 0, "x", []])
def test_only_bytes_are_bytes(value: Value) -> None:
    with pytest.raises(WrongShape):
        as_bytes(value)


@pytest.mark.parametrize("value", [None, 0, "x", b"x"])
def test_only_arrays_are_arrays(value: Value) -> None:
    with pytest.raises(WrongShape):
        as_array(value)


def test_the_readers_keep_their_bounds() -> None:
    assert (as_int(3, low=3, high=3), as_bool(value=True)) == (3, True)
    assert as_text("ab", length_max=2) == "ab"
    assert as_bytes(b"ab", size=2) == as_bytes(b"ab", size_max=2) == b"ab"
    assert as_array([1], length=1) == as_array([1], length_max=1) == [1]
    for low, high in ((4, 9), (0, 2)):
        with pytest.raises(WrongShape):
            as_int(3, low=low, high=high)
    with pytest.raises(WrongShape):
        as_text("abc", length_max=2)
    with pytest.raises(WrongShape):
        as_bytes(b"abc", size=2)
    with pytest.raises(WrongShape):
        as_bytes(b"abc", size_max=2)
    with pytest.raises(WrongShape):
        as_array([1, 2], length=1)
    with pytest.raises(WrongShape):
        as_array([1, 2], length_max=1)
