"""Range and prefix proofs against trees computed the slow way."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import RemoteViolation
from journal.merkle import leaf_hash
from journal.replication.ranges import (
    Tail,
    prefix_root,
    prove_prefix,
    prove_range,
    verify_growth,
    verify_range,
)
from tests.journal.replication.model import Log
from tests.journal.world import slow_root

BLOCKS = [b"block %d" % number for number in range(70)]
LEAVES = [leaf_hash(block) for block in BLOCKS]


def _tail(count: int) -> Tail:
    return Tail(0, ()).extended(LEAVES[:count])


@pytest.mark.parametrize("size", [1, 2, 3, 7, 8, 13, 33])
def test_every_range_of_a_tree_proves(size: int) -> None:
    log = Log(BLOCKS[:size])
    root = log.root(size)
    for start in range(size):
        for end in range(start + 1, size + 1):
            proof = prove_range(start, end, size, log.node)
            verify_range(LEAVES[start:end], start, size, proof, root)
            verify_growth(_tail(end), start, size, proof, root)


@pytest.mark.parametrize("size2", [1, 2, 3, 7, 8, 13, 33])
def test_every_prefix_shows_its_root(size2: int) -> None:
    log = Log(BLOCKS[:size2])
    for size1 in range(1, size2 + 1):
        proof = prove_prefix(size1, size2, log.node)
        assert prefix_root(size1, size2, proof, log.root(size2)) == log.root(size1)


@given(st.lists(st.integers(0, 40), max_size=8))
def test_the_edge_grows_as_the_tree_does(steps: list[int]) -> None:
    tail, leaves = Tail(0, ()), [leaf_hash(b"%d" % n) for n in range(sum(steps))]
    at = 0
    for step in steps:
        tail = tail.extended(leaves[at : at + step])
        at += step
        assert (tail.size, tail.root()) == (at, slow_root(leaves[:at]))
        assert len(tail.hashes) == at.bit_count()


@settings(max_examples=200)
@given(st.data())
def test_a_changed_range_proof_is_refused(data: st.DataObject) -> None:
    size = data.draw(st.integers(2, 40))
    start = data.draw(st.integers(0, size - 1))
    end = data.draw(st.integers(start + 1, size))
    log = Log(BLOCKS[:size])
    leaves, proof = LEAVES[start:end], prove_range(start, end, size, log.node)
    what = data.draw(st.sampled_from(["leaf", "proof", "less", "more", "start", "size"]))
    if what == "leaf":
        leaves[data.draw(st.integers(0, len(leaves) - 1))] = leaf_hash(b"other")
    elif what == "proof" and proof:
        proof[data.draw(st.integers(0, len(proof) - 1))] = leaf_hash(b"other")
    elif what == "less" and proof:
        proof.pop(data.draw(st.integers(0, len(proof) - 1)))
    elif what == "more":
        proof.append(leaf_hash(b"other"))
    elif what == "start":
        start += 1
    else:
        size += 64
    with pytest.raises(RemoteViolation):
        verify_range(leaves, start, size, proof, log.root(min(size, len(log.blocks))))


def test_a_prefix_of_another_tree_shows_another_root() -> None:
    known, other = Log(BLOCKS[:9]), Log([b"rewritten", *BLOCKS[1:20]])
    proof = prove_prefix(9, 20, other.node)
    shown = prefix_root(9, 20, proof, other.root(20))
    assert shown == other.root(9) != known.root(9)
    with pytest.raises(RemoteViolation):
        prefix_root(9, 20, proof, Log(BLOCKS[:20]).root(20))
