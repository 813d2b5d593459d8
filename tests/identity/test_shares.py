"""Enough shares of one split bring the key back; too few, mixed and mistyped ones are told."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Final

import pytest
import shamir_mnemonic
from hypothesis import given, settings
from hypothesis import strategies as st

from identity.errors import BadShares, BadSplit
from identity.shares import make_shares, recover, shares_in

SEED: Final = bytes(range(32))
VECTOR: Final = json.loads(
    (Path(__file__).resolve().parents[1] / "vectors" / "keystore.json").read_text()
)


@pytest.mark.parametrize(("threshold", "count"), [(2, 2), (2, 3), (3, 5), (16, 16)])
def test_any_threshold_of_the_shares_is_enough_and_fewer_are_not(
    threshold: int, count: int
) -> None:
    shares = make_shares(SEED, threshold=threshold, count=count)
    assert len(set(shares)) == count
    assert {len(share.split()) for share in shares} == {33}
    for chosen in itertools.islice(itertools.combinations(shares, threshold), 12):
        assert recover(chosen) == SEED
        with pytest.raises(BadShares):
            recover(chosen[1:])
    assert recover(shares) == SEED


def test_shares_that_were_made_once_recover_for_ever() -> None:
    for pair in VECTOR["shares"]:
        assert recover(pair).hex() == VECTOR["seed"]


@pytest.mark.parametrize(("threshold", "count"), [(1, 1), (1, 3), (3, 2), (2, 17), (0, 0)])
def test_what_is_no_split_is_told(threshold: int, count: int) -> None:
    with pytest.raises(BadSplit):
        make_shares(SEED, threshold=threshold, count=count)


def test_the_same_share_twice_is_one_share() -> None:
    share = make_shares(SEED, threshold=2, count=3)[0]
    with pytest.raises(BadShares):
        recover([share, share])


def test_shares_of_two_splits_do_not_mix() -> None:
    one, two = (make_shares(SEED, threshold=2, count=2) for _ in range(2))
    with pytest.raises(BadShares):
        recover([one[0], two[1]])


@given(st.data())
@settings(deadline=None, max_examples=30)
def test_a_word_that_was_mistyped_is_noticed(data: st.DataObject) -> None:
    shares = [share.split() for share in make_shares(SEED, threshold=2, count=2)]
    at = data.draw(st.integers(0, 32))
    words = shamir_mnemonic.wordlist.WORDLIST
    shares[0][at] = data.draw(st.sampled_from([word for word in words if word != shares[0][at]]))
    with pytest.raises(BadShares):
        recover([" ".join(share) for share in shares])


def test_case_and_spaces_do_not_matter() -> None:
    shares = make_shares(SEED, threshold=2, count=2)
    assert recover([share.upper().replace(" ", "  ") for share in shares]) == SEED


@pytest.mark.parametrize("shares", [[], ["x"], ["ä" * 40], ["academic " * 400], ["a"] * 17])
def test_what_is_no_share_is_told(shares: list[str]) -> None:
    with pytest.raises(BadShares):
        recover(shares)


def test_shares_of_another_secret_or_of_much_work_are_refused() -> None:
    short = shamir_mnemonic.generate_mnemonics(1, [(2, 2)], SEED[:16])[0]
    with pytest.raises(BadShares, match="something else"):
        recover(short)
    slow = shamir_mnemonic.split_ems(
        1,
        [(2, 2)],
        shamir_mnemonic.EncryptedMasterSecret(
            1, extendable=True, iteration_exponent=15, ciphertext=SEED
        ),
    )[0]
    with pytest.raises(BadShares, match="more work"):
        recover([share.mnemonic() for share in slow])


def test_remarks_in_a_file_are_left_out() -> None:
    assert shares_in("# a remark\n\n  one two \nthree\n") == ("one two", "three")
