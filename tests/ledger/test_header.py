"""A header reads back as it was signed, and is chained to the whole past."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.codec import NotCanonical, Value, WrongShape, decode, encode
from core.ids import Epoch, EventId, Hash, NetworkId, Round, TransactionId
from journal.merkle import leaf_hash
from ledger.header import Receipt, RoundHeader, decode_header, receipts_root

_HASHES = st.binary(min_size=32, max_size=32)
_NUMBERS = st.integers(0, 2**63 - 1)
HEADERS = st.builds(
    RoundHeader,
    network_id=_HASHES.map(NetworkId),
    epoch=_NUMBERS.map(Epoch),
    round=_NUMBERS.map(Round),
    previous=_HASHES.map(Hash),
    state_root=_HASHES.map(Hash),
    receipts_root=_HASHES.map(Hash),
    roster=_HASHES.map(Hash),
    transactions=_NUMBERS,
    transactions_total=_NUMBERS,
    consensus_time_ns=_NUMBERS,
)


@given(HEADERS)
@settings(deadline=None)
def test_a_header_reads_back(header: RoundHeader) -> None:
    again = decode_header(header.encode())
    assert again == header
    assert again.hash == header.hash


@given(HEADERS, st.data())
@settings(deadline=None)
def test_mutated_bytes_are_refused_or_another_header(
    header: RoundHeader, data: st.DataObject
) -> None:
    raw = bytearray(header.encode())
    raw[data.draw(st.integers(0, len(raw) - 1))] ^= data.draw(st.integers(1, 255))
    try:
        other = decode_header(bytes(raw))
    except (NotCanonical, WrongShape):
        return
    assert other.encode() == raw
    assert other.hash != header.hash


@given(HEADERS, HEADERS)
@settings(deadline=None)
def test_every_field_is_under_the_hash(one: RoundHeader, other: RoundHeader) -> None:
    for field in dataclasses.fields(RoundHeader):
        changed = dataclasses.replace(one, **{field.name: getattr(other, field.name)})
        assert (changed.hash == one.hash) == (changed == one)


def test_another_kind_of_thing_is_no_header() -> None:
    zero = Hash(bytes(32))
    header = RoundHeader(NetworkId(bytes(32)), Epoch(0), Round(1), zero, zero, zero, zero, 0, 0, 0)
    items = decode(header.encode())
    assert isinstance(items, list)
    changes: list[Value] = ["myceld/round/2", "other", None, b"myceld/round/1"]
    for domain in changes:
        with pytest.raises(WrongShape):
            decode_header(encode([domain, *items[1:]]))
    with pytest.raises(WrongShape):
        decode_header(encode(items[:-1]))


def test_the_receipts_root_is_the_merkle_root_over_the_receipts_in_order() -> None:
    one, two = (
        Receipt(TransactionId(bytes([at]) * 32), at, EventId(bytes(32)), 5, "applied")
        for at in (1, 2)
    )
    assert receipts_root([one]) == leaf_hash(one.encode())
    assert receipts_root([one, two]) != receipts_root([two, one])
    assert len({receipts_root(r) for r in ([], [one], [two], [one, two], [one, one])}) == 5
