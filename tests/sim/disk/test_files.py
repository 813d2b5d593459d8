"""The model of files: what is synced survives every power cut, and of the rest anything may."""

from __future__ import annotations

import errno
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sim.disk import VirtualFiles

_PATHS = ("/a", "/b")
_SECTOR = 512

_writes = st.tuples(
    st.just("write"), st.sampled_from(_PATHS), st.integers(0, 3000), st.integers(1, 2000)
)
_others = st.tuples(
    st.sampled_from(("truncate", "sync", "delete", "folder")),
    st.sampled_from(_PATHS),
    st.integers(0, 4000),
    st.just(0),
)
_steps = st.lists(st.one_of(_writes, _others), max_size=30)
_Step = tuple[str, str, int, int]


class _Naive:
    """The same files the slow, obvious way: whole copies of all that there is."""

    def __init__(self) -> None:
        self.seen: dict[str, bytes] = {}
        self.durable: dict[str, bytes] = {}
        self.named: set[str] = set()

    def contents(self) -> dict[str, bytes]:
        return {path: self.durable[path] for path in self.durable if path in self.named}


def _run(steps: list[_Step], files: VirtualFiles, naive: _Naive) -> None:
    """Take the steps on both; a name that is made or deleted is made durable at once here."""
    for number, (kind, path, at, size_bytes) in enumerate(steps):
        file = files.find(path)
        if kind == "delete":
            if file is not None:
                files.delete(path)
                files.sync_folder()
                naive.seen.pop(path, None)
                naive.durable.pop(path, None)
            continue
        if file is None:
            file = files.create(path)
            files.sync_folder()
            naive.seen[path] = naive.durable[path] = b""
            naive.named.add(path)
        seen = naive.seen[path]
        if kind == "write":
            data = bytes([number % 255 + 1]) * size_bytes
            files.write(file, data, at)
            naive.seen[path] = seen[:at].ljust(at, b"\0") + data + seen[at + size_bytes :]
        elif kind == "truncate":
            files.truncate(file, at)
            naive.seen[path] = seen[:at].ljust(at, b"\0")
        elif kind == "sync":
            files.sync(file)
            naive.durable[path] = seen


def _seen(files: VirtualFiles) -> dict[str, bytes]:
    return {path: bytes(files.find(path).content) for path in files.paths()}  # type: ignore[union-attr]  # it lists what is there


@given(_steps)
def test_files_are_as_written_and_their_synced_copy_is_as_at_the_last_sync(
    steps: list[_Step],
) -> None:
    files, naive = VirtualFiles(), _Naive()
    _run(steps, files, naive)
    assert _seen(files) == naive.seen
    assert files.used_bytes == sum(map(len, naive.seen.values()))
    assert _seen(files.synced_copy()) == naive.contents()
    assert _seen(files.copy()) == naive.seen, "a copy of what is seen, or kill -9, loses nothing"


@given(_steps, st.integers())
def test_what_was_synced_survives_every_power_cut(steps: list[_Step], seed: int) -> None:
    files, naive = VirtualFiles(), _Naive()
    _run(steps, files, naive)
    for path in files.paths():
        files.sync(files.create(path))
    files.power_cut(Random(seed))
    assert _seen(files) == naive.seen


@given(_steps, st.lists(_writes, max_size=5), st.integers())
def test_each_sector_after_a_power_cut_is_one_that_was_there(
    steps: list[_Step], more: list[_Step], seed: int
) -> None:
    """After writes alone, every byte is that of the last sync or of one write since then."""
    files, naive = VirtualFiles(), _Naive()
    _run(steps, files, naive)
    for path in files.paths():
        files.sync(files.create(path))
    before = _seen(files)
    possible = {path: [{byte} for byte in content] for path, content in before.items()}
    for _, path, at, size_bytes in more:
        if path in before:
            file = files.create(path)
            byte = len(possible[path]) % 251 + 1
            files.write(file, bytes([byte]) * size_bytes, at)
            places = possible[path]
            places += [{0} for _ in range(at + size_bytes - len(places))]
            for place in range(at, at + size_bytes):
                places[place].add(byte)
    files.power_cut(Random(seed))
    for path, content in _seen(files).items():
        assert len(content) >= len(before[path])
        assert all(byte in places for byte, places in zip(content, possible[path], strict=False))
        assert files.create(path).is_synced


def test_what_was_not_synced_may_be_kept_lost_or_torn_between_two_sectors() -> None:
    outcomes = set()
    for seed in range(60):
        files = VirtualFiles()
        file = files.create("/a")
        files.sync_folder()
        files.write(file, b"a" * 4 * _SECTOR, 0)
        files.sync(file)
        files.write(file, b"b" * 2 * _SECTOR, _SECTOR)
        files.power_cut(Random(seed))
        content = bytes(file.content)
        assert content[:_SECTOR] == content[3 * _SECTOR :] == b"a" * _SECTOR
        sectors = [content[_SECTOR : 2 * _SECTOR], content[2 * _SECTOR : 3 * _SECTOR]]
        assert all(len(set(sector)) == 1 for sector in sectors), "a sector is whole"
        outcomes.add(bytes([sectors[0][0], sectors[1][0]]))
    assert outcomes == {b"aa", b"ab", b"ba", b"bb"}


def test_truncations_new_files_and_deletions_may_be_lost_until_they_are_synced() -> None:
    outcomes = set()
    for seed in range(60):
        files = VirtualFiles()
        for path in ("/old", "/cut"):
            file = files.create(path)
            files.write(file, b"x" * 100, 0)
            files.sync(file)
        files.sync_folder()
        files.delete("/old")
        files.truncate(files.create("/cut"), 0)
        files.sync(files.create("/new"))
        files.power_cut(Random(seed))
        outcomes.add(tuple(sorted((path, len(text)) for path, text in _seen(files).items())))
    assert len(outcomes) == 8, "each of the three alone"


@given(st.integers(), st.integers(1, 40))
@settings(max_examples=30, deadline=None)
def test_rot_flips_as_many_bits_as_it_is_told(seed: int, bits: int) -> None:
    files = VirtualFiles()
    for path, size_bytes in (("/a", 4000), ("/b", 40_000)):
        files.write(files.create(path), bytes(size_bytes), 0)
    files.rot(Random(seed), bits=bits)
    flipped = sum(byte.bit_count() for content in _seen(files).values() for byte in content)
    assert flipped % 2 == bits % 2, "but one that is hit twice is as before"
    assert bits - 2 <= flipped <= bits


def test_a_full_disk_refuses_what_grows_a_file_whole_and_nothing_else() -> None:
    files = VirtualFiles(capacity_bytes=1000)
    file = files.create("/a")
    files.write(file, b"a" * 1000, 0)
    with pytest.raises(OSError) as caught:  # noqa: PT011 - the number is checked
        files.write(file, b"b" * 10, 995)
    assert caught.value.errno == errno.ENOSPC
    assert file.content == b"a" * 1000
    files.write(file, b"b" * 1000, 0)
    files.truncate(file, 500)
    files.write(file, b"c" * 500, 500)


def test_a_failed_sync_is_not_made_up_for_by_a_later_one() -> None:
    outcomes = set()
    for seed in range(40):
        files = VirtualFiles()
        file = files.create("/a")
        files.sync_folder()
        files.write(file, b"a", 0)
        files.fail(1, kinds=("sync",))
        with pytest.raises(OSError, match="output error"):
            files.sync(file)
        files.write(file, b"b", 1)
        files.sync(file)
        assert bytes(file.content) == b"ab"
        assert file.durable() == b"\0b"
        files.power_cut(Random(seed))
        outcomes.add(bytes(file.content))
    assert outcomes == {b"ab", b"\0b"}


def test_operations_fail_where_they_are_told_and_then_no_more() -> None:
    files = VirtualFiles()
    file = files.create("/a")
    files.fail(2, after=1)
    numbers = []
    for number in range(5):
        try:
            files.write(file, b"x", number)
            numbers.append(0)
        except OSError as error:
            numbers.append(error.errno or -1)
    assert numbers == [0, errno.EIO, errno.EIO, 0, 0]
    assert files.counts["write"] == 5
