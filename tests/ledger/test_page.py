"""Pages of the state's map: whatever is put over one, it is the page of its entries."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.limits import HASH_SIZE_BYTES
from ledger.errors import StatePageLost
from ledger.page import Page, decode_page, folded, joined, pages_of
from tests.ledger.map_world import slow_root_of

KEYS = st.one_of(
    st.binary(max_size=3),
    st.binary(min_size=8, max_size=8),
    st.text("ab", max_size=9).map(str.encode),
)
DIGESTS = st.binary(min_size=HASH_SIZE_BYTES, max_size=HASH_SIZE_BYTES)
ENTRIES = st.dictionaries(KEYS, DIGESTS, min_size=1, max_size=40)
LEAVES_MAX = 64

Entries = Sequence[tuple[bytes, bytes]]


def _page(entries: Entries) -> Page:
    (page,) = pages_of(sorted(entries), LEAVES_MAX)
    return page


@given(ENTRIES)
@settings(deadline=None)
def test_the_digest_of_a_page_is_that_of_the_definition(entries: dict[bytes, bytes]) -> None:
    page = _page([*entries.items()])
    assert page.root == page.digest(0, page.count) == slow_root_of(entries)
    assert dict(page.entries()) == entries
    assert decode_page(page.sealed()).entries() == page.entries()
    assert (page.first, page.count) == (min(entries), len(entries))


@given(ENTRIES, st.lists(st.integers(1, 12), min_size=1, max_size=8), st.randoms())
@settings(deadline=None)
def test_a_page_changed_step_by_step_is_the_one_made_of_its_entries(
    entries: dict[bytes, bytes], steps: list[int], random: Random
) -> None:
    entries = dict(entries)
    row, logged = _page([*entries.items()]).sealed(), b""
    page = decode_page(row)
    for step in steps:
        some = random.sample(sorted(entries), min(step, len(entries)))
        changes = {key: random.choice((entries[key], random.randbytes(32))) for key in some}
        is_other = any(entries[key] != digest for key, digest in changes.items())
        entries |= changes
        (page,), patch = page.changed([*changes.items()], LEAVES_MAX)
        assert bool(patch) == is_other
        logged = joined(logged, patch) if patch else logged
        wanted = _page([*entries.items()])
        for found in (page, page.whole(), decode_page(row, logged)):
            assert found.sealed() == wanted.sealed()
            assert found.root == wanted.root == found.digest(0, found.count)
            assert found.entries() == wanted.entries()
        if logged:
            assert folded(row, logged) == wanted.sealed()


@given(ENTRIES, KEYS, DIGESTS, st.randoms())
@settings(deadline=None)
def test_what_is_put_over_a_page_stays_when_a_key_comes_or_goes(
    entries: dict[bytes, bytes], key: bytes, digest: bytes, random: Random
) -> None:
    changed = random.choice(sorted(entries))
    (page,), _ = _page([*entries.items()]).changed([(changed, digest)], LEAVES_MAX)
    entries = {**entries, changed: digest}
    with_key = {**entries, key: digest}
    (more,), _ = page.changed([(key, digest)], LEAVES_MAX)
    assert more.sealed() == _page([*with_key.items()]).sealed()
    without = {one: of for one, of in with_key.items() if one != key}
    fewer, _ = more.changed([(key, None)], LEAVES_MAX)
    wanted = pages_of(sorted(without.items()), LEAVES_MAX)
    assert [one.sealed() for one in fewer] == [one.sealed() for one in wanted]


def test_a_patch_of_a_page_with_more_leaves_or_groups_is_refused() -> None:
    page = _page([(bytes((number,)), bytes(32)) for number in range(9)])
    groups = int.from_bytes(page.body[2:4], "big")
    for number in (8, (1 << 15) + groups - 1):
        decode_page(page.sealed(), bytes(32) + number.to_bytes(2, "big") + bytes(32)).whole()
    for number in (9, (1 << 15) - 1, (1 << 15) + groups, (1 << 16) - 1):
        patch = bytes(32) + number.to_bytes(2, "big") + bytes(32)
        other = decode_page(page.sealed(), patch)
        with pytest.raises(StatePageLost):
            other.whole()
        with pytest.raises(StatePageLost):
            other.changed([(other.first, bytes([1]) * 32)], LEAVES_MAX)
        if number < 1 << 15:
            with pytest.raises(StatePageLost):
                other.entries()


def test_a_page_has_few_leaves_in_each_of_its_groups() -> None:
    random = Random(1)  # noqa: S311 - chance of a test
    for count in range(5, 25):
        page = _page([(random.randbytes(8), random.randbytes(32)) for _ in range(count)])
        assert 4 <= int.from_bytes(page.body[2:4], "big") <= count // 2 + 4
