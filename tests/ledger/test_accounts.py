"""The nonce window is a set of used nonces, of which the oldest are forgotten as used."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.codec import NotCanonical, WrongShape, encode
from core.limits import INT_MAX
from ledger.accounts import Account, decode_account
from ledger.limits import NONCE_WINDOW

_STEPS = st.lists(
    st.integers(0, 3 * NONCE_WINDOW) | st.sampled_from([0, 1, INT_MAX - 1, INT_MAX]), max_size=80
)


def _is_free_in_the_model(used: set[int], nonce: int) -> bool:
    highest = max(used, default=-1)
    return nonce not in used and nonce > highest - NONCE_WINDOW


@given(_STEPS, st.lists(st.integers(0, 3 * NONCE_WINDOW), max_size=20))
@settings(deadline=None)
def test_the_window_answers_as_a_set_of_used_nonces(steps: list[int], asked: list[int]) -> None:
    window, used = Account(), set[int]()
    for nonce in steps:
        assert window.is_free(nonce) == _is_free_in_the_model(used, nonce)
        if window.is_free(nonce):
            window = window.with_used(nonce)
            used.add(nonce)
            assert not window.is_free(nonce)
        assert decode_account(window.encode()) == window
    assert window.highest == max(used, default=-1)
    for nonce in asked:
        assert window.is_free(nonce) == _is_free_in_the_model(used, nonce)


def test_a_refusal_is_for_ever() -> None:
    window = Account().with_used(0).with_used(NONCE_WINDOW)
    assert not window.is_free(0)
    assert window.is_free(1)
    assert not window.with_used(NONCE_WINDOW + 1).is_free(1)


def test_equal_sets_of_nonces_give_equal_accounts() -> None:
    one = Account().with_used(2).with_used(0).with_used(5)
    other = Account().with_used(5).with_used(2).with_used(0)
    assert one.encode() == other.encode()


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"\xc0",
        encode([1]),
        encode([1, -1, bytes(32), 0, False]),
        encode([2, -2, bytes(32), 0, False]),
        encode([2, 1, bytes(31), 0, False]),
        encode([2, 1, bytes(32), -1, False]),
        encode([2, 1, bytes(32), 0, 0]),
    ],
)
def test_a_damaged_account_is_refused(value: bytes) -> None:
    with pytest.raises((NotCanonical, WrongShape)):
        decode_account(value)
