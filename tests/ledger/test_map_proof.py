"""A proof shows what is in the map and what is not, and nobody can make it show anything else."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger import map_proof
from ledger.errors import BadMapProof, NoStateProof
from ledger.limits import PIECE_ENTRIES_MAX
from ledger.map_proof import (
    PROOF_NODES_MAX,
    TOP,
    Opened,
    Place,
    Scan,
    end_of_prefix,
    is_at,
)
from ledger.prover import prove_keys, prove_piece, prove_range
from ledger.tree import StateTree
from ledger.trie import EMPTY_ROOT, KEY_SIZE_BYTES_MAX, entry_digest
from tests.ledger.map_world import fetcher, map_of, slow_root, some_keys
from tests.ledger.pages import PageDisk
from tests.ledger.test_tree import KEYS, STATES

VECTORS = Path(__file__).parents[1] / "vectors" / "state"
ALL_KEYS = os.environ.get("MYCELD_STATE_KEYS") == "all"
"""Whether each of the 100,000 keys has its own proof: a minute. A sample otherwise."""
BOUNDS = {"count_max": 10**6, "size_bytes_max": 10**9}
SEED = 20


def _state(count: int, seed: int = SEED) -> dict[bytes, bytes]:
    random = Random(seed)  # noqa: S311 - chance of a test
    return {key: random.randbytes(random.randrange(20)) for key in some_keys(random, count)}


def between(
    state: dict[bytes, bytes], start: bytes, end: bytes | None
) -> list[tuple[bytes, bytes]]:
    """Return what a range of a state holds, by its definition."""
    return sorted((k, v) for k, v in state.items() if start <= k and (end is None or k < end))


@given(STATES, st.lists(KEYS, min_size=1, max_size=6))
@settings(deadline=None)
def test_one_proof_tells_of_several_keys_whether_they_are_there_or_not(
    state: dict[bytes, bytes], keys: list[bytes]
) -> None:
    opened = Opened(prove_keys(map_of(state), keys, fetcher(state)))
    assert opened.root == slow_root(state)
    assert [opened.get(key) for key in keys] == [state.get(key) for key in keys]


@given(STATES, KEYS, KEYS, st.integers(1, 30), st.integers(1, 60))
@settings(deadline=None)
def test_a_range_comes_whole_page_by_page(
    state: dict[bytes, bytes], start: bytes, end: bytes, count: int, size: int
) -> None:
    snapshot, wanted = map_of(state), between(state, start, end)
    found: list[tuple[bytes, bytes]] = []
    at: bytes | None = start
    while at is not None:
        proof = prove_range(snapshot, at, end, fetcher(state), count_max=count, size_bytes_max=size)
        opened = Opened(proof)
        assert opened.root == snapshot.root
        scan = opened.scan(at, end)
        assert len(scan.entries) <= count
        found += scan.entries
        at = scan.cursor
    assert found == wanted


def test_a_prefix_is_a_range() -> None:
    state = dict.fromkeys((b"a", b"a/", b"a/1", b"a/\xff\xff", b"a0", b"\xff", b"\xff\xff"), b"v")
    for prefix, count in ((b"a/", 3), (b"a", 5), (b"\xff", 2), (b"", 7), (b"b", 0)):
        end = end_of_prefix(prefix)
        proof = prove_range(map_of(state), prefix, end, fetcher(state), **BOUNDS)
        scan = Opened(proof).scan(prefix, end)
        assert scan.is_complete
        assert [key for key, _ in scan.entries] == sorted(k for k in state if k.startswith(prefix))
        assert len(scan.entries) == count


def test_a_map_of_100_000_keys_proves_each_of_them_and_others_not_to_be_there() -> None:
    random = Random(SEED)  # noqa: S311 - chance of a test
    state = {b"account/" + random.randbytes(32): random.randbytes(40) for _ in range(100_000)}
    disk = PageDisk()
    tree = StateTree(disk.read)
    disk.write(tree.update(state.items()))
    keys = list(state) if ALL_KEYS else random.sample(list(state), 600)
    for key in keys:
        proof = prove_keys(tree.present(), [key], fetcher(state))
        opened = Opened(proof)
        assert (opened.root, opened.get(key)) == (tree.root(), state[key])
        assert len(proof) < 1500
        absent = key[:-1] + bytes((key[-1] ^ 1,))
        opened = Opened(prove_keys(tree.present(), [absent], fetcher(state)))
        assert (opened.root, opened.get(absent)) == (tree.root(), state.get(absent))


def _proofs() -> Iterator[tuple[bytes, bytes]]:
    """Yield (proof, root) of all kinds."""
    for count in (1, 2, 17, 400):
        state = _state(count)
        snapshot, fetch, keys = map_of(state), fetcher(state), sorted(state)
        middle = keys[len(keys) // 2]
        yield prove_keys(snapshot, [middle], fetch), snapshot.root
        yield prove_keys(snapshot, [middle + b"?"], fetch), snapshot.root
        yield prove_keys(snapshot, keys[:3], fetch), snapshot.root
        yield (
            prove_range(snapshot, middle, None, fetch, count_max=9, size_bytes_max=999),
            snapshot.root,
        )
        yield prove_piece(snapshot, TOP, fetch, size_bytes_max=600), snapshot.root


def test_more_than_10_000_changed_proofs_are_refused() -> None:
    random = Random(SEED)  # noqa: S311 - chance of a test
    refused = 0
    proofs = list(_proofs())
    for proof, root in proofs:
        assert Opened(proof).root == root
        for _ in range(600):
            at, other = random.randrange(len(proof)), random.choice(proofs)[0]
            changed = random.choice(
                [
                    proof[:at] + bytes((proof[at] ^ 1 << random.randrange(8),)) + proof[at + 1 :],
                    proof[:at] + proof[at + random.randint(1, 40) :],
                    proof[:at] + random.randbytes(random.randint(1, 40)) + proof[at:],
                    proof[:at] + other[at:],
                    proof[: at + 1] + proof[at:],
                ]
            )
            if changed in (proof, other):
                continue
            with suppress(BadMapProof):
                assert Opened(changed).root != root
            refused += 1
    assert refused > 10_000


@given(st.integers(0, 10**6))
@settings(deadline=None, max_examples=40)
def test_a_range_with_an_entry_left_out_added_changed_or_cut_short_is_refused(seed: int) -> None:
    random = Random(seed)  # noqa: S311 - chance of a test
    state = _state(60, seed)
    keys = sorted(state)
    start, end = sorted(random.sample(keys, 2))
    entries = between(state, start, end)
    honest = map_of(state)
    gone = random.choice(entries)[0]
    added = gone + random.randbytes(2)
    lies = [
        {key: value for key, value in state.items() if key != gone},
        {**state, added: b"added"},
        {**state, gone: state[gone] + b"!"},
    ]
    for lie in lies:
        proof = prove_range(map_of(lie), start, end, fetcher(lie), **BOUNDS)
        assert Opened(proof).root != honest.root
    # Cut short: what is shown is true, and the proof itself says that there is more.
    if len(entries) > 1:
        proof = prove_range(honest, start, end, fetcher(state), count_max=1, size_bytes_max=999)
        assert Opened(proof).scan(start, end) == Scan(tuple(entries[:1]), is_complete=False)
        with pytest.raises(BadMapProof):
            Opened(proof).scan(entries[1][0] + b"\x00", end)
    # Of a proof of single keys nobody can make one of the range between.
    proof = prove_keys(honest, [entries[0][0], entries[-1][0]], fetcher(state))
    try:
        scan = Opened(proof).scan(start, end)
    except BadMapProof:
        return
    assert not scan.is_complete or len(entries) == len(scan.entries)


@given(STATES.filter(bool), st.integers(20, 400))
@settings(deadline=None)
def test_pieces_put_together_are_the_map(state: dict[bytes, bytes], size: int) -> None:
    snapshot = map_of(state)
    found: list[tuple[bytes, bytes]] = []
    todo = [(TOP, bytes(snapshot.root))]
    while todo:
        place, digest = todo.pop()
        opened = Opened(prove_piece(snapshot, place, fetcher(state), size_bytes_max=size))
        assert opened.root == digest
        assert all(is_at(key, place) for key, _ in opened.entries())
        found += opened.entries()
        todo += reversed(opened.hidden())
    assert found == sorted(state.items())


def test_a_piece_of_a_place_where_nothing_lies_is_empty() -> None:
    snapshot = map_of({b"value/a": b"1", b"value/b": b"2"})
    for place in (Place(9, b"w"), Place(64, b"value/c"), Place(10, b"")):
        opened = Opened(prove_piece(snapshot, place, fetcher({}), size_bytes_max=99))
        assert opened.root == EMPTY_ROOT


def test_few_pieces_are_needed_even_where_keys_are_beginnings_of_each_other() -> None:
    state = {b"a" * length: b"v" for length in range(KEY_SIZE_BYTES_MAX)}
    state |= {b"b%06d" % number: b"v" for number in range(5 * PIECE_ENTRIES_MAX)}
    snapshot = map_of(state)
    todo, pieces = [(TOP, bytes(snapshot.root))], 0
    while todo:
        place, _ = todo.pop()
        opened = Opened(prove_piece(snapshot, place, fetcher(state), size_bytes_max=10**6))
        todo += opened.hidden()
        pieces += 1
    assert pieces <= 3 * len(state) // PIECE_ENTRIES_MAX


def test_values_of_another_moment_give_no_proof() -> None:
    state = _state(50)
    snapshot, key = map_of(state), sorted(state)[20]
    for other in ({**state, key: b"newer"}, {k: v for k, v in state.items() if k != key}):
        with pytest.raises(NoStateProof):
            prove_keys(snapshot, [key], fetcher(other))
        with pytest.raises(NoStateProof):
            prove_range(snapshot, key, None, fetcher(other), **BOUNDS)
        with pytest.raises(NoStateProof):
            prove_piece(snapshot, TOP, fetcher(other), size_bytes_max=10**6)


@given(st.binary(max_size=80))
def test_bytes_that_are_no_proof_raise_nothing_else(data: bytes) -> None:
    for body in (data, b"\x01" + data):
        try:
            Opened(body)
        except BadMapProof:
            continue


def test_a_proof_as_deep_as_it_can_be_is_read_without_recursion() -> None:
    position = iter(range(4609))
    head = b"".join(b"\x01" + next(position).to_bytes(2, "big") for _ in range(4609))
    with pytest.raises(BadMapProof):
        Opened(b"\x01" + head + b"\x02" + bytes(32))
    with pytest.raises(BadMapProof, match="size"):
        Opened(b"\x01" + bytes(1 << 20))


def test_a_proof_of_many_short_entries_is_refused_before_most_of_it_is_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    state = {number.to_bytes(3, "big"): b"" for number in range(8_000)}
    dense = prove_range(map_of(state), b"", None, fetcher(state), **BOUNDS)
    hashed = 0

    def counted(key: bytes, value: bytes) -> bytes:
        nonlocal hashed
        hashed += 1
        return entry_digest(key, value)

    monkeypatch.setattr(map_proof, "entry_digest", counted)
    with pytest.raises(BadMapProof, match="more nodes"):
        Opened(dense)
    assert hashed <= PROOF_NODES_MAX // 2 + 1


def test_what_a_cell_gives_away_at_once_is_read_whatever_its_entries_are() -> None:
    state = {number.to_bytes(2, "big"): b"" for number in range(60 * 1024 // 12)}
    proof = prove_range(map_of(state), b"", None, fetcher(state), **BOUNDS)
    assert len(proof) > 60 * 1023
    assert len(Opened(proof).entries()) == len(state)


def test_the_format_is_that_of_the_vectors() -> None:
    for case in json.loads((VECTORS / "roots.json").read_text(encoding="utf-8")):
        state = {bytes.fromhex(k): bytes.fromhex(v) for k, v in case["entries"]}
        assert slow_root(state).hex() == case["root"]
        assert map_of(state).root.hex() == case["root"]
    for case in json.loads((VECTORS / "proofs.json").read_text(encoding="utf-8")):
        opened = Opened(bytes.fromhex(case["proof"]))
        assert opened.root.hex() == case["root"]
        for key, value in case.get("values", []):
            told = opened.get(bytes.fromhex(key))
            assert told == (None if value is None else bytes.fromhex(value))
        if "range" in case:
            start, end = case["range"]
            scan = opened.scan(bytes.fromhex(start), None if end is None else bytes.fromhex(end))
            entries = [[key.hex(), value.hex()] for key, value in scan.entries]
            assert (entries, scan.is_complete) == (case["entries"], case["complete"])
        places = [[place.depth, place.low.hex(), h.hex()] for place, h in opened.hidden()]
        assert places == case["hidden"]
    for case in json.loads((VECTORS / "refused.json").read_text(encoding="utf-8")):
        with pytest.raises(BadMapProof, match=case["why"]):
            Opened(bytes.fromhex(case["proof"])).get(bytes.fromhex(case["key"]))


def test_who_verifies_needs_nothing_but_the_core_and_hashes() -> None:
    program = "import sys, ledger.map_proof; print(*sorted(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", program],
        check=True,
        capture_output=True,
        cwd=Path(__file__).parents[2],
        text=True,
    )
    packages = ("core", "ledger", "journal", "node", "identity", "gossip", "hashgraph", "gateway")
    loaded = {name for name in done.stdout.split() if name.partition(".")[0] in packages}
    ours = {"ledger", "ledger.errors", "ledger.map_proof", "ledger.trie"}
    assert {name for name in loaded if not name.startswith("core")} == ours
    assert not {"sqlite3", "asyncio", "socket"} & set(done.stdout.split())
