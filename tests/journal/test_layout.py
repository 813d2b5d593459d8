"""The rows on disk are these, byte for byte; what cannot be a row is refused."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.codec import encode
from core.errors import InvariantBroken
from journal.errors import StatementRefused, StoreCorrupt
from journal.layout import (
    Appender,
    JournalState,
    Slot,
    hash_key,
    length_of,
    pack_chunks,
    unpack_chunk,
)
from journal.limits import CHUNK_BLOCKS_MAX, CHUNK_LARGE_SIZE_BYTES, CHUNK_SMALL_SIZE_BYTES
from journal.merkle import EMPTY_ROOT, Frontier
from journal.statements import check_statement, split_script
from journal.tile import Tile, split_hashes
from tests.journal.world import slow_leaf, slow_root

# Of the rows of the thousand blocks below. Another value is another format on disk.
_FORMAT_2 = "c6d89216922a9dea3bc40257624d5dac2240b8207cb7e68d11bdc895a8096223"

_NEW = JournalState(
    number=1,
    name="a",
    fork=0,
    size=0,
    root=EMPTY_ROOT,
    head="",
    frontier=Frontier(),
    tail=(),
    open_first=0,
    open_blocks=(),
)


def test_the_rows_of_a_thousand_blocks_are_the_ones_of_format_2() -> None:
    appender = Appender(_NEW)
    appender.append([i.to_bytes(2, "big") * (i % 97) for i in range(1000)])
    rows, state = appender.finish("head", appender.root())
    written = encode([list(row) for row in (*rows.chunks, *rows.hashes)])
    assert hashlib.sha256(written).hexdigest() == _FORMAT_2
    assert [key for key, _ in rows.hashes] == [
        *(0, 8 << 48),
        *(1, (8 << 48) + 1, 9 << 48),
        *(2, (8 << 48) + 2),
    ]
    assert (state.size, state.tail_start, len(state.tail)) == (1000, 768, 232)


@given(st.lists(st.lists(st.integers(0, 5000), max_size=30), max_size=12))
@settings(max_examples=60, deadline=None)
def test_rows_hold_every_block_once_and_stay_within_their_size(groups: list[list[int]]) -> None:
    rows: dict[int, list[Slot]] = {}
    first, last = 0, list[bytes]()
    blocks: list[bytes] = []
    for group in groups:
        new = [bytes(size) for size in group]
        packed = pack_chunks(first, last, new)
        rows |= {start: unpack_chunk(encode(part)) for start, part in packed}
        first, last = packed[-1] if packed else (first, last)
        blocks += new
    at = 0
    for start, part in sorted(rows.items()):
        assert start == at
        assert 0 < len(part) <= CHUNK_BLOCKS_MAX
        size = sum(map(length_of, part))
        assert size <= CHUNK_LARGE_SIZE_BYTES
        if len(part) > 1 and max(map(length_of, part)) <= 512:
            assert size <= CHUNK_SMALL_SIZE_BYTES
        assert part == blocks[at : at + len(part)]
        at += len(part)
    assert at == len(blocks)


def test_appending_at_once_or_singly_gives_the_same_tree() -> None:
    blocks = [b"%d" % i for i in range(600)]
    whole = Appender(_NEW)
    whole.append(blocks)
    rows, state = whole.finish("head", whole.root())
    hashes = []
    single = _NEW
    for block in blocks:
        appender = Appender(single)
        appender.append([block])
        part, single = appender.finish("head", appender.root())
        hashes += part.hashes
    assert hashes == rows.hashes
    assert (single.root, single.tail) == (state.root, state.tail)
    assert single.root == slow_root([slow_leaf(block) for block in blocks])


def test_a_failed_append_leaves_the_state_it_began_with() -> None:
    appender = Appender(_NEW)
    appender.append([b"x"] * 300)
    assert (_NEW.size, _NEW.frontier.size, _NEW.tail) == (0, 0, ())


def test_a_tile_gives_every_hash_below_it_and_notices_what_does_not_fit() -> None:
    leaves = [slow_leaf(b"%d" % i) for i in range(256)]
    body = Tile.of_leaves(leaves).to_bytes()
    tile = Tile.from_bytes(body)
    for level in range(9):
        for number in range(256 >> level):
            part = leaves[number << level : (number + 1) << level]
            assert tile.node(level, number) == slow_root(part)
    bad = Tile.from_bytes(body[:-1] + bytes([body[-1] ^ 1]))
    assert bad.node(0, 239) == leaves[239]
    with pytest.raises(StoreCorrupt):
        bad.node(0, 240)
    for wrong in (b"", body[:-32], body + b"\x00" * 32):
        with pytest.raises(StoreCorrupt):
            Tile.from_bytes(wrong)


def test_bytes_that_are_no_row_are_refused() -> None:
    for body in (
        b"",
        b"\xff",
        b"\x91",
        encode([-1]),
        encode([None]),
        encode(["a"]),
        encode([]),
        encode(b"x"),
        encode([b""] * 300),
    ):
        with pytest.raises(StoreCorrupt):
            unpack_chunk(body)
    with pytest.raises(StoreCorrupt):
        split_hashes(b"x" * 33)
    with pytest.raises(InvariantBroken):
        hash_key(0, 1 << 48)


def test_a_script_is_split_at_its_statements_and_only_there() -> None:
    script = "CREATE TABLE a (b DEFAULT ';'); -- c; d\n/* ; */ INSERT INTO a VALUES ('x;y');\n--"
    assert [part.strip() for part in split_script(script)] == [
        "CREATE TABLE a (b DEFAULT ';');",
        "-- c; d\n/* ; */ INSERT INTO a VALUES ('x;y');",
    ]
    with pytest.raises(StatementRefused):
        split_script("CREATE TABLE a (b DEFAULT 'x);")
    for sql in ("insert into a values (1)", "/* x */ With b as (select 1) delete from a"):
        check_statement(sql)
    for sql in ("", "--", "begin", " ; commit", "/* insert */ pragma x", "vacuum"):
        with pytest.raises(StatementRefused):
            check_statement(sql)
