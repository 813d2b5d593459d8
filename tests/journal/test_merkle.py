"""The Merkle tree agrees with the RFC's definition; no proof but the right one is accepted."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import MyceldError
from journal.errors import NotAHash, ProofRefused
from journal.merkle import (
    EMPTY_ROOT,
    Frontier,
    NodeSource,
    full_root,
    leaf_hash,
    node_hash,
    subtree_consistency_proof,
    subtree_inclusion_proof,
    subtree_root,
    verify_consistency,
    verify_inclusion,
    verify_subtree_consistency,
    verify_subtree_inclusion,
)
from tests.journal.world import slow_leaf, slow_root

VECTORS = json.loads(
    (Path(__file__).parents[1] / "vectors" / "rfc6962-sample.json").read_text(encoding="utf-8")
)


def _bytes(text: str) -> bytes:
    return base64.b64decode(text)


def _proof(case: dict[str, Any]) -> list[bytes]:
    return [_bytes(part) for part in case["proof"] or []]


def _inclusion(c: dict[str, Any]) -> None:
    verify_inclusion(
        _bytes(c["leafHash"]), c["leafIdx"], c["treeSize"], _proof(c), _bytes(c["root"])
    )


def _consistency(c: dict[str, Any]) -> None:
    verify_consistency(c["size1"], c["size2"], _proof(c), _bytes(c["root1"]), _bytes(c["root2"]))


def _subtree_inclusion(c: dict[str, Any]) -> None:
    leaf, root = _bytes(c["leafHash"]), _bytes(c["root"])
    verify_subtree_inclusion(leaf, c["leafIdx"], c["start"], c["end"], _proof(c), root)


def _subtree_consistency(c: dict[str, Any]) -> None:
    root1, root2 = _bytes(c["root1"]), _bytes(c["root2"])
    verify_subtree_consistency(c["start"], c["end"], c["size"], _proof(c), root1, root2)


_RUN: dict[str, Callable[[dict[str, Any]], None]] = {
    "inclusion": _inclusion,
    "consistency": _consistency,
    "subtreeinclusion": _subtree_inclusion,
    "subtreeconsistency": _subtree_consistency,
}


@pytest.mark.parametrize(
    ("kind", "number"), [(kind, i) for kind in _RUN for i in range(len(VECTORS[kind]))]
)
def test_published_vectors_are_accepted_and_refused_as_they_say(kind: str, number: int) -> None:
    case = VECTORS[kind][number]
    if case["wantErr"]:
        with pytest.raises((ProofRefused, NotAHash)):
            _RUN[kind](case)
    else:
        _RUN[kind](case)


def _leaves(count: int) -> list[bytes]:
    return [slow_leaf(i.to_bytes(4, "big")) for i in range(count)]


def _nodes(leaves: list[bytes]) -> NodeSource:
    return lambda level, number: full_root(leaves[number << level : (number + 1) << level])


@given(st.lists(st.binary(max_size=5), max_size=70))
@settings(max_examples=50, deadline=None)
def test_the_frontier_gives_the_root_of_the_definition_and_can_be_taken_up_again(
    blocks: list[bytes],
) -> None:
    frontier = Frontier()
    for block in blocks:
        frontier.append(leaf_hash(block))
        frontier = Frontier(frontier.size, frontier.hashes)
    assert frontier.size == len(blocks)
    assert frontier.root() == slow_root([slow_leaf(block) for block in blocks])


def test_a_frontier_with_a_hash_too_many_is_refused() -> None:
    with pytest.raises(ProofRefused):
        Frontier(2, _leaves(2))
    with pytest.raises(NotAHash):
        Frontier().append(b"short")


def test_every_inclusion_proof_of_small_trees_verifies_at_its_own_index_only() -> None:
    for size in range(1, 20):
        leaves = _leaves(size)
        root = slow_root(leaves)
        for index in range(size):
            proof = subtree_inclusion_proof(index, 0, size, _nodes(leaves))
            verify_inclusion(leaves[index], index, size, proof, root)
            for other in range(-1, size + 1):
                if other != index:
                    with pytest.raises(ProofRefused):
                        verify_inclusion(leaves[index], other, size, proof, root)


def test_every_consistency_proof_of_small_trees_verifies_at_its_own_sizes_only() -> None:
    leaves = _leaves(18)
    roots = [slow_root(leaves[:size]) for size in range(19)]
    for size2 in range(1, 19):
        for size1 in range(1, size2 + 1):
            proof = subtree_consistency_proof(0, size1, size2, _nodes(leaves))
            verify_consistency(size1, size2, proof, roots[size1], roots[size2])
            for other in range(size2 + 1):
                if other != size1:
                    with pytest.raises(ProofRefused):
                        verify_consistency(other, size2, proof, roots[size1], roots[size2])
                    with pytest.raises(ProofRefused):
                        verify_consistency(size1, size2, proof, roots[other], roots[size2])


@st.composite
def _subtrees(draw: st.DrawFn) -> tuple[int, int, int]:
    length = draw(st.integers(1, 20))
    width = 1 << (length - 1).bit_length()
    start = width * draw(st.integers(0, 4))
    return start, start + length, start + length + draw(st.integers(0, 30))


@given(_subtrees(), st.data())
@settings(max_examples=150, deadline=None)
def test_subtree_proofs_verify_and_their_damaged_forms_do_not(
    subtree: tuple[int, int, int], data: st.DataObject
) -> None:
    start, end, size = subtree
    leaves = _leaves(size)
    node = _nodes(leaves)
    part, root = slow_root(leaves[start:end]), slow_root(leaves)
    assert subtree_root(start, end, node) == part
    index = data.draw(st.integers(start, end - 1))
    inclusion = subtree_inclusion_proof(index, start, end, node)
    verify_subtree_inclusion(leaves[index], index, start, end, inclusion, part)
    consistency = subtree_consistency_proof(start, end, size, node)
    verify_subtree_consistency(start, end, size, consistency, part, root)
    for proof in _damaged(inclusion, data):
        with pytest.raises(MyceldError):
            verify_subtree_inclusion(leaves[index], index, start, end, proof, part)
    for proof in _damaged(consistency, data):
        with pytest.raises(MyceldError):
            verify_subtree_consistency(start, end, size, proof, part, root)


def _damaged(proof: list[bytes], data: st.DataObject) -> list[list[bytes]]:
    damaged = [[*proof, b"\x00" * 32], [b"\x00" * 32, *proof], [*proof, b""], [b"\x01" * 32] * 129]
    if proof:
        at = data.draw(st.integers(0, len(proof) - 1))
        bit = data.draw(st.integers(0, 255))
        flipped = bytearray(proof[at])
        flipped[bit >> 3] ^= 1 << (bit & 7)
        damaged += [
            proof[:-1],
            proof[1:],
            [*proof[:at], bytes(flipped), *proof[at + 1 :]],
            [*proof[:at], proof[at][:31], *proof[at + 1 :]],
            [*proof[:at], proof[at] + b"\x00", *proof[at + 1 :]],
        ]
    return damaged


def test_consistency_from_size_zero_always_fails() -> None:
    root = slow_root(_leaves(3))
    for size2, root1, root2 in (
        (0, EMPTY_ROOT, EMPTY_ROOT),
        (3, EMPTY_ROOT, root),
        (3, root, root),
    ):
        with pytest.raises(ProofRefused):
            verify_consistency(0, size2, [], root1, root2)


def test_an_empty_leaf_hash_never_equals_an_empty_root() -> None:
    for leaf, root in ((b"", b""), (b"", EMPTY_ROOT), (EMPTY_ROOT, b"")):
        with pytest.raises(NotAHash):
            verify_inclusion(leaf, 0, 1, [], root)
    with pytest.raises(ProofRefused):
        verify_inclusion(EMPTY_ROOT, 0, 0, [], EMPTY_ROOT)
    with pytest.raises(NotAHash):
        verify_consistency(1, 1, [], b"", b"")


def test_hashes_of_any_other_length_are_refused() -> None:
    a, b = _leaves(2)
    root = node_hash(a, b)
    for wrong in (b"", a[:31], a + b"\x00", a + b):
        with pytest.raises(NotAHash):
            verify_inclusion(wrong, 0, 2, [b], root)
        with pytest.raises(NotAHash):
            verify_inclusion(a, 0, 2, [wrong], root)
        with pytest.raises(NotAHash):
            verify_inclusion(a, 0, 2, [b], wrong)
        with pytest.raises(NotAHash):
            verify_consistency(1, 2, [b], wrong, root)
        with pytest.raises(NotAHash):
            verify_consistency(1, 2, [wrong], a, root)


def test_sizes_that_no_tree_has_are_refused() -> None:
    leaf = _leaves(1)[0]
    for index, size in ((0, -1), (-1, 1), (0, 2**63), (2**64, 2**64 + 1)):
        with pytest.raises(ProofRefused):
            verify_inclusion(leaf, index, size, [], leaf)
    with pytest.raises(ProofRefused):
        verify_subtree_consistency(2, 6, 8, [], leaf, leaf)
    with pytest.raises(ProofRefused):
        verify_consistency(-1, 2, [], leaf, leaf)
