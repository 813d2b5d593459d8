"""A ClientHello is found in whatever pieces it comes, and nothing else is taken for one."""

from __future__ import annotations

import contextlib
import ssl

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.hello import P256, X25519, NotHello, groups_of
from gateway.limits import HELLO_RECORDS_MAX, HELLO_SIZE_BYTES_MAX

HEAD = 5


def hello(newest: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3, group: str = "") -> bytes:
    """Return the first bytes that Python's client sends."""
    context, said = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), ssl.MemoryBIO()
    context.maximum_version = newest
    if group:
        context.set_ecdh_curve(group)
    with contextlib.suppress(ssl.SSLWantReadError):
        context.wrap_bio(ssl.MemoryBIO(), said, server_hostname="localhost").do_handshake()
    return said.read()


def in_records(data: bytes, size: int) -> bytes:
    """Return a hello in records of so many bytes."""
    message = data[HEAD:]
    parts = [message[at : at + size] for at in range(0, len(message), size)]
    return b"".join(data[:3] + len(part).to_bytes(2) + part for part in parts)


@pytest.mark.parametrize("newest", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_it_is_whole_with_its_last_byte(newest: ssl.TLSVersion) -> None:
    said = hello(newest)
    assert [groups_of(said[:size]) for size in range(len(said))] == [None] * len(said)
    groups = groups_of(said)
    assert groups is not None
    assert {X25519, P256} <= groups
    assert groups_of(said + b"more") == groups


def test_it_may_come_in_a_few_records() -> None:
    said = hello()
    few, many = len(said) // HELLO_RECORDS_MAX + 1, len(said) // (HELLO_RECORDS_MAX + 2)
    assert groups_of(in_records(said, few)) == groups_of(said)
    with pytest.raises(NotHello):
        groups_of(in_records(said, many))


def test_the_groups_are_those_that_it_offers() -> None:
    assert groups_of(hello(group="prime256v1")) == frozenset({P256})
    assert groups_of(hello(group="X25519")) == frozenset({X25519})


@pytest.mark.parametrize(
    "said",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        b"\x16\x02",
        b"\x16\x03\x01\x00\x00",
        b"\x16\x03\x01\x00\x04\x02\x00\x00\x00",
        b"\x16\x03\x01" + HELLO_SIZE_BYTES_MAX.to_bytes(2),
        b"\x16\x03\x01\x00\x04\x01" + HELLO_SIZE_BYTES_MAX.to_bytes(3),
        b"\x15\x03\x03\x00\x02\x02\x28",
    ],
)
def test_what_can_become_none_is_told_apart_at_once(said: bytes) -> None:
    with pytest.raises(NotHello):
        groups_of(said)


@given(st.data())
def test_no_bytes_are_too_strange(data: st.DataObject) -> None:
    said = bytearray(hello())
    for _ in range(data.draw(st.integers(0, 8))):
        said[data.draw(st.integers(HEAD, len(said) - 1))] = data.draw(st.integers(0, 255))
    with contextlib.suppress(NotHello):
        groups_of(bytes(said[: data.draw(st.integers(0, len(said)))]))
