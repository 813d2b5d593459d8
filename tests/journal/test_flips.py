"""One flipped bit anywhere in a store's file is refused with a code, or changes nothing at all.

Every byte is flipped, at a random bit, and some places at all eight. Zeros that follow each other
are mostly space that SQLite does not use: they are flipped by the hundred, and one by one where
that shows anything. JOURNAL_FLIPS=all flips each of them alone, and more places at all bits.
"""

from __future__ import annotations

import asyncio
import os
import random
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import pytest

from tests.journal.flips import KEYS, Flip, Survey, survey
from tests.journal.world import open_store

_ALL = os.environ.get("JOURNAL_FLIPS") == "all"
_PLACES_AT_ALL_BITS = 4000 if _ALL else 60
_GROUP = 1 if _ALL else 100


@pytest.fixture
def chance() -> random.Random:
    """Return what draws the same each time, whichever test goes first."""
    return random.Random(13)  # noqa: S311 - repeatable, not secret


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """Return the file of a store: a full tile and a tail, rows of blocks on several pages."""

    async def fill(path: Path) -> None:
        async with await open_store(path, keys=KEYS) as store:
            journal = await store.journal("a")
            for n in range(5):
                await journal.append([b"%d" % (n * 53 + i) * 13 for i in range(53)])
            await (await store.journal("sealed")).append([b"secret"] * 20)

    path = tmp_path_factory.mktemp("flips") / "s.db"
    asyncio.run(fill(path))
    return path.read_bytes()


def _survey(data: bytes, groups: Sequence[Sequence[Flip]], *, write: bool = False) -> Survey:
    """Share work among processes if it is much: a flip takes two milliseconds, a process 500."""
    if len(groups) < 1000:
        return survey(data, groups, write)
    count = min(4, os.cpu_count() or 1)
    found = Survey()
    with ProcessPoolExecutor(count, mp_context=get_context("spawn")) as pool:
        parts = [groups[at::count] for at in range(count)]
        for part in pool.map(survey, [data] * count, parts, [write] * count):
            found.add(part)
    return found


def _groups(data: bytes, chance: random.Random) -> list[list[Flip]]:
    """Return one flip of each byte, zeros that follow each other in groups."""
    groups: list[list[Flip]] = []
    for at, byte in enumerate(data):
        flip = (at, chance.randrange(8))
        zeros = byte == 0 and at > 0 and data[at - 1] == 0
        if zeros and groups and len(groups[-1]) < _GROUP:
            groups[-1].append(flip)
        else:
            groups.append([flip])
    return groups


@pytest.mark.slow
@pytest.mark.long
def test_every_byte_flipped_is_refused_with_a_code_or_changes_nothing(
    data: bytes, chance: random.Random
) -> None:
    assert len(data) >= 64 << 10
    found = _survey(data, _groups(data, chance))
    assert found.wrong == []
    assert sum(found.refused.values()) + len(found.unchanged) == len(data)
    # What is refused is all that holds anything: hashes, blocks, heads and the way to them.
    in_use = sum(map(bool, data))
    assert sum(found.refused.values()) > 0.95 * in_use
    unused = [flip for flip in found.unchanged if data[flip[0]]]
    assert len(unused) < 0.03 * in_use
    written = _survey(data, [[flip] for flip in unused], write=True)
    assert written.wrong == []


@pytest.mark.slow
def test_every_bit_of_some_bytes_flipped_is_refused_or_changes_nothing(
    data: bytes, chance: random.Random
) -> None:
    in_use = [at for at, byte in enumerate(data) if byte]
    places = chance.sample(in_use, min(len(in_use), _PLACES_AT_ALL_BITS))
    found = _survey(data, [[(at, bit)] for at in places for bit in range(8)])
    assert found.wrong == []
    assert sum(found.refused.values()) > 0.85 * 8 * len(places)
