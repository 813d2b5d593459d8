"""Spore files: what is written for people is what was signed, or the file is refused."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import MyceldError
from gossip.discovery.errors import BadSporeFile, SporeOfOtherNetwork
from gossip.discovery.limits import SPORE_FILE_SIZE_BYTES_MAX
from gossip.discovery.spore import Variant
from gossip.discovery.spore_file import from_json, to_json
from tests.gossip.discovery.spore_world import NETWORK_IDENTITY, spore

MADE = spore(variant=Variant.SEED)
TEXT = to_json(MADE)


def test_a_file_reads_back_and_shows_the_fields_by_their_names() -> None:
    assert from_json(TEXT.encode(), NETWORK_IDENTITY) == MADE
    content = json.loads(TEXT)
    assert content["spore_type"] == "master/seed"
    assert content["network_identity"]["network_name"] == "golden"
    (first, *_) = content["active_nodes"]
    assert set(first) == {"node_id", "addresses", "node_type", "last_seen", "trust_score"}
    assert content["trust_rankings"][first["node_id"]] == first["trust_score"] == 0.5
    assert content["service_registry"] == {}


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("format", "myceld-spore/2"),
        ("spore_type", "master/primary"),
        ("last_updated", 1),
        ("issuer", "somebody"),
        ("trust_rankings", {}),
        ("encoded", ""),
        ("encoded", "zz"),
        ("encoded", 7),
        ("more", "than there was"),
    ],
)
def test_words_that_were_not_signed_are_refused(key: str, value: object) -> None:
    content: dict[str, Any] = json.loads(TEXT)
    content[key] = value
    with pytest.raises(MyceldError):
        from_json(json.dumps(content).encode(), NETWORK_IDENTITY)


@pytest.mark.parametrize(
    "data", [b"", b"[]", b"{}", b"\xff", b"[" * 100_000, b" " * (SPORE_FILE_SIZE_BYTES_MAX + 1)]
)
def test_what_is_no_spore_file_is_refused(data: bytes) -> None:
    with pytest.raises(BadSporeFile):
        from_json(data, NETWORK_IDENTITY)


@given(st.data())
@settings(max_examples=150, deadline=None)
def test_a_file_with_a_changed_byte_is_refused_or_says_the_same(data: st.DataObject) -> None:
    raw = bytearray(TEXT.encode())
    raw[data.draw(st.integers(0, len(raw) - 1))] ^= data.draw(st.integers(1, 255))
    try:
        found = from_json(bytes(raw), NETWORK_IDENTITY)
    except (MyceldError, SporeOfOtherNetwork):
        return
    # Upper-case hex, or white space between two words: the signed bytes are untouched, or the
    # signature, which is checked next, does not fit them.
    assert found == MADE or found.signature != MADE.signature or found.encoded != MADE.encoded
