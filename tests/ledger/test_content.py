"""Content is posted by members, once, with its hash, size and title, and taken back by them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from core.errors import MyceldError
from core.ids import Hash, Round
from ledger.content import Content, Post, PostWithdraw, content_key, decode_content
from ledger.errors import Malformed, Oversize
from ledger.header import APPLIED
from ledger.kinds import build_arguments, parse_arguments
from ledger.limits import CONTENT_SIZE_BYTES_MAX
from ledger.transaction import SignedTransaction, parse
from tests.ledger.world import GENESIS, KEYS, NEWCOMERS, Cell, rotation, signed

HASH = Hash(b"h" * 32)
POST = Post(HASH, 1024, "minutes of May", Round(9))
WITHDRAW = PostWithdraw(HASH)


def test_a_post_of_a_member_is_in_the_state() -> None:
    cell = Cell()
    assert cell.act((KEYS[1], POST)) == [APPLIED]
    content = decode_content(cell.state[content_key(HASH)])
    assert content == Content(1024, "minutes of May", Round(1), KEYS[1].public_key, Round(9))


def test_the_first_post_of_a_hash_stays() -> None:
    cell = Cell()
    cell.act((KEYS[1], POST))
    before = cell.state[content_key(HASH)]
    assert cell.act((KEYS[2], Post(HASH, 7, "mine"))) == ["MYC-LEDGER-303"]
    assert cell.state[content_key(HASH)] == before
    both = Cell().act((KEYS[1], POST), (KEYS[2], POST))
    assert both == [APPLIED, "MYC-LEDGER-303"]


def test_only_its_poster_withdraws_a_post_under_whatever_key_he_has() -> None:
    cell = Cell()
    assert cell.act((KEYS[1], WITHDRAW)) == ["MYC-LEDGER-305"]
    cell.act((KEYS[1], POST))
    assert cell.act((KEYS[2], WITHDRAW), (NEWCOMERS[0], WITHDRAW)) == ["MYC-LEDGER-306"] * 2
    cell.act((KEYS[1], rotation(KEYS[1], NEWCOMERS[1])))
    assert cell.act((NEWCOMERS[1], WITHDRAW), (NEWCOMERS[1], WITHDRAW)) == [
        APPLIED,
        "MYC-LEDGER-305",
    ]
    content = decode_content(cell.state[content_key(HASH)])
    assert (content.sender, content.withdrawn_round) == (KEYS[1].public_key, Round(5))
    assert not content.stands(Round(5))


def test_a_post_stands_up_to_its_last_round_and_then_can_be_posted_by_others() -> None:
    cell = Cell()
    assert cell.act((KEYS[1], Post(HASH, 7, "a", Round(2)))) == [APPLIED]
    assert cell.act((KEYS[2], POST)) == ["MYC-LEDGER-303"]
    assert cell.act((KEYS[1], WITHDRAW), (KEYS[2], Post(HASH, 7, "a", Round(2)))) == [
        "MYC-LEDGER-305",
        "MYC-LEDGER-304",
    ]
    assert cell.act((KEYS[2], POST)) == [APPLIED]
    assert decode_content(cell.state[content_key(HASH)]).sender == KEYS[2].public_key
    assert cell.act((KEYS[2], WITHDRAW), (KEYS[1], POST)) == [APPLIED, APPLIED]
    content = decode_content(cell.state[content_key(HASH)])
    assert (content.sender, content.withdrawn_round) == (KEYS[1].public_key, Round(0))


def test_only_members_post() -> None:
    cell = Cell()
    assert cell.act((NEWCOMERS[0], POST)) == ["MYC-LEDGER-031"]
    assert content_key(HASH) not in cell.state


@pytest.mark.parametrize(
    ("post", "error"),
    [
        (Post(HASH, 1, ""), Malformed),
        (Post(HASH, 1, "a\x00"), Malformed),
        (Post(HASH, 1, "\ud800"), Malformed),
        (Post(HASH, 1, "ö" * 129), Oversize),
        (Post(HASH, CONTENT_SIZE_BYTES_MAX + 1, "a"), Oversize),
        (Post(HASH, 0, "a"), MyceldError),
        (Post(Hash(b"h"), 1, "a"), MyceldError),
    ],
)
def test_a_post_out_of_bounds_is_refused(post: Post, error: type[MyceldError]) -> None:
    with pytest.raises(error):
        build_arguments(post)


def test_a_signed_post_is_that_of_the_golden_vector() -> None:
    raw = signed(KEYS[1], 3, POST)
    text = (Path(__file__).parents[1] / "vectors" / "post.json").read_text(encoding="utf-8")
    assert json.loads(text) == {"signed": raw.hex()}
    parsed = parse(raw, GENESIS.network_id)
    assert isinstance(parsed, SignedTransaction)
    assert parsed.arguments == POST


def test_its_arguments_survive_their_encoding() -> None:
    for name, arguments in (("post", POST), ("post-withdraw", WITHDRAW)):
        kind, items = build_arguments(arguments)
        assert (kind, parse_arguments(kind, list(items))) == (name, arguments)
