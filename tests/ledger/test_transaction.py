"""What a client signs arrives as it was, and whatever is no transaction is refused for good."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.codec import Value, encode
from core.errors import MyceldError
from core.ids import NetworkId, Round
from core.limits import INT_MAX
from identity.keys import verify_all
from ledger.errors import Malformed, Oversize, TransactionRefused, UnknownKind, WrongNetwork
from ledger.kinds import Put, check_key
from ledger.limits import KEY_SIZE_BYTES_MAX, TRANSACTION_SIZE_BYTES_MAX, VALUE_SIZE_BYTES_MAX
from ledger.transaction import (
    OpaqueTransaction,
    SignedTransaction,
    opaque_transaction,
    parse,
    sign_transaction,
    transaction_id,
)
from tests.ledger.world import KEYS, NETWORK, put

_DOMAIN = "myceld/transaction/2"
_KEYS = st.text(
    st.characters(codec="utf-8", exclude_categories=("Cc", "Cf", "Zl", "Zp")),
    min_size=1,
    max_size=64,
)


def _signed(*, at: int = -1, item: Value = None) -> bytes:
    """Return a signed put with one item of its body replaced."""
    key = KEYS[0]
    body: list[Value] = [_DOMAIN, NETWORK, key.public_key, 0, 0, 0, "put", ["k", b"v"]]
    if at >= 0:
        body[at] = item
    encoded = encode(body)
    return encode([encoded, key.sign(encoded)])


@given(_KEYS, st.binary(max_size=300), st.integers(0, INT_MAX), st.integers(0, INT_MAX))
@settings(deadline=None)
def test_a_signed_transaction_parses_to_what_was_signed(
    key: str, value: bytes, nonce: int, expires: int
) -> None:
    raw = sign_transaction(
        network_id=NETWORK,
        sender=KEYS[1].public_key,
        nonce=nonce,
        arguments=Put(key, value),
        sign=KEYS[1].sign,
        expires_round=Round(expires),
    )
    parsed = parse(raw, NETWORK)
    assert isinstance(parsed, SignedTransaction)
    assert (parsed.sender, parsed.nonce, parsed.expires_round, parsed.kind, parsed.arguments) == (
        KEYS[1].public_key,
        nonce,
        expires,
        "put",
        Put(key, value),
    )
    assert (parsed.id, parsed.size_bytes) == (transaction_id(raw), len(raw))
    assert all(verify_all(parsed.signature_checks))


@given(st.binary(max_size=300))
@settings(deadline=None)
def test_an_opaque_transaction_keeps_its_bytes(data: bytes) -> None:
    raw = opaque_transaction(data)
    parsed = parse(raw, NETWORK)
    assert isinstance(parsed, OpaqueTransaction)
    assert (parsed.data, parsed.id, parsed.size_bytes) == (data, transaction_id(raw), len(raw))


@given(st.binary(max_size=200))
@settings(deadline=None)
def test_any_bytes_parse_or_are_refused_with_a_declared_reason(data: bytes) -> None:
    with pytest.raises(TransactionRefused):
        parse(data, NETWORK)


@given(st.data())
@settings(deadline=None)
def test_a_changed_byte_is_refused_or_breaks_the_signature(data: st.DataObject) -> None:
    raw = bytearray(put(3))
    at = data.draw(st.integers(0, len(raw) - 1))
    raw[at] ^= data.draw(st.integers(1, 255))
    try:
        parsed = parse(bytes(raw), NETWORK)
    except TransactionRefused:
        return
    assert isinstance(parsed, SignedTransaction)
    assert not all(verify_all(parsed.signature_checks))


@given(st.integers(0, 200), st.binary(max_size=3))
@settings(deadline=None)
def test_cut_or_longer_bytes_are_refused(cut: int, tail: bytes) -> None:
    raw = put(3)
    for changed in (raw[: min(cut, len(raw) - 1)], raw + tail + b"\x00"):
        with pytest.raises(Malformed):
            parse(changed, NETWORK)


@pytest.mark.parametrize(
    ("at", "item", "refusal"),
    [
        (0, "myceld/transaction/1", Malformed),
        (0, b"myceld/transaction/2", Malformed),
        (1, bytes(32), WrongNetwork),
        (1, bytes(31), Malformed),
        (2, bytes(31), Malformed),
        (3, -1, Malformed),
        (3, True, Malformed),
        (3, "0", Malformed),
        (4, -1, Malformed),
        (5, -1, Malformed),
        (5, True, Malformed),
        (6, "take", UnknownKind),
        (6, "k" * 33, Malformed),
        (6, b"put", Malformed),
        (7, ["k"], Malformed),
        (7, ["k", b"v", b""], Malformed),
        (7, [b"k", b"v"], Malformed),
        (7, ["k", "v"], Malformed),
        (7, ["", b"v"], Malformed),
        (7, ["a\nb", b"v"], Malformed),
        (7, ["a\u2028b", b"v"], Malformed),
        (7, ["a\u202eb", b"v"], Malformed),
        (7, ["k" * (KEY_SIZE_BYTES_MAX + 1), b"v"], Oversize),
        (7, ["é" * (KEY_SIZE_BYTES_MAX // 2 + 1), b"v"], Oversize),
        (7, ["k" * 5000, b"v"], Oversize),
        (7, ["k", bytes(VALUE_SIZE_BYTES_MAX + 1)], Oversize),
        (7, "k", Malformed),
    ],
)
def test_every_item_of_the_body_is_checked(
    at: int, item: Value, refusal: type[TransactionRefused]
) -> None:
    with pytest.raises(refusal):
        parse(_signed(at=at, item=item), NETWORK)


def test_the_largest_key_and_value_are_taken() -> None:
    raw = put(0, "é" * (KEY_SIZE_BYTES_MAX // 2), bytes(VALUE_SIZE_BYTES_MAX))
    assert isinstance(parse(raw, NETWORK), SignedTransaction)
    largest = opaque_transaction(bytes(TRANSACTION_SIZE_BYTES_MAX - 20))
    assert len(largest) == TRANSACTION_SIZE_BYTES_MAX
    parse(largest, NETWORK)


@pytest.mark.parametrize("extra", [1, 100_000, 2_000_000])
def test_a_larger_transaction_is_refused(extra: int) -> None:
    with pytest.raises(Oversize):
        parse(opaque_transaction(bytes(TRANSACTION_SIZE_BYTES_MAX - 20 + extra)), NETWORK)


@pytest.mark.parametrize("size", [0, 63, 65])
def test_a_signature_has_64_bytes(size: int) -> None:
    with pytest.raises(Malformed):
        parse(encode([b"", bytes(size)]), NETWORK)


def test_a_transaction_of_another_network_is_refused_there() -> None:
    with pytest.raises(WrongNetwork):
        parse(put(0), NetworkId(bytes(32)))


@pytest.mark.parametrize(
    ("arguments", "refusal"),
    [
        (Put("", b""), Malformed),
        (Put("a\x00", b""), Malformed),
        (Put("\ud800", b""), Malformed),
        (Put("k" * 5000, b""), Oversize),
        (Put("k", bytes(VALUE_SIZE_BYTES_MAX + 1)), Oversize),
    ],
)
def test_nothing_is_signed_that_would_be_refused(
    arguments: Put, refusal: type[MyceldError]
) -> None:
    with pytest.raises(refusal):
        sign_transaction(
            network_id=NETWORK,
            sender=KEYS[0].public_key,
            nonce=0,
            arguments=arguments,
            sign=KEYS[0].sign,
        )


def test_what_a_key_may_hold_does_not_change_with_the_version_of_unicode() -> None:
    # Assigned in Unicode 15, 16 and not at all: older and newer Pythons must agree about them.
    for letter in ("\U00011f02", "\U000105c0", "\U000e0fff", "\ufdd0"):
        assert check_key(letter) == letter.encode()
