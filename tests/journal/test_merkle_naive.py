"""The checks of proofs decide as the definitions do, read word by word, on proofs of every kind.

The definitions are recursive (RFC 6962, section 2.1, and the subtrees of
draft-ietf-plants-merkle-tree-certs); the checks walk bits. Each case here is given to both.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import pytest

from journal.errors import NotAHash, ProofRefused
from journal.merkle import (
    EMPTY_ROOT,
    full_root,
    subtree_consistency_proof,
    subtree_inclusion_proof,
    verify_consistency,
    verify_inclusion,
    verify_subtree_consistency,
    verify_subtree_inclusion,
)
from tests.journal.world import slow_leaf, slow_root

_LEAVES = [slow_leaf(b"%d" % n) for n in range(70)]
_ROOTS = [slow_root(_LEAVES[:n]) for n in range(71)]


class _Refused(Exception):
    """What the definition does not allow."""


def _node(left: bytes, right: bytes) -> bytes:
    return slow_root([left, right])


def _split(size: int) -> int:
    k = 1
    while k * 2 < size:
        k *= 2
    return k


def _last(proof: list[bytes]) -> tuple[list[bytes], bytes]:
    if not proof:
        raise _Refused
    return proof[:-1], proof[-1]


def _root_of_path(leaf: bytes, index: int, size: int, proof: list[bytes]) -> bytes:
    """PATH(m, D[n]) read backwards."""
    if size == 1:
        if proof:
            raise _Refused
        return leaf
    k = _split(size)
    rest, last = _last(proof)
    if index < k:
        return _node(_root_of_path(leaf, index, k, rest), last)
    return _node(last, _root_of_path(leaf, index - k, size - k, rest))


def _roots_of_subproof(
    start: int, end: int, size: int, proof: list[bytes], known: bytes | None
) -> tuple[bytes, bytes]:
    """SUBTREE_SUBPROOF(start, end, D[n], b) read backwards: both roots. `known` is None for !b."""
    if (start, end) == (0, size):
        if known is not None:
            if proof:
                raise _Refused
            return known, known
        rest, last = _last(proof)
        if rest:
            raise _Refused
        return last, last
    k = _split(size)
    rest, last = _last(proof)
    if end <= k:
        small, large = _roots_of_subproof(start, end, k, rest, known)
        return small, _node(large, last)
    if k <= start:
        small, large = _roots_of_subproof(start - k, end - k, size - k, rest, known)
        return small, _node(last, large)
    small, large = _roots_of_subproof(0, end - k, size - k, rest, None)
    return _node(last, small), _node(last, large)


def _is_subtree(start: int, end: int) -> bool:
    width = 1
    while width < end - start:
        width *= 2
    return 0 <= start < end and start % width == 0


@dataclass(frozen=True)
class _Case:
    """A proof of either kind; `index` None: of consistency."""

    index: int | None
    start: int
    end: int
    size: int
    proof: tuple[bytes, ...]
    small: bytes
    large: bytes

    def allowed(self) -> bool:
        """Decide as the definitions do."""
        if any(len(value) != 32 for value in (*self.proof, self.small, self.large)):
            return False
        if not _is_subtree(self.start, self.end):
            return False
        if self.index is None and self.end > self.size:
            return False
        try:
            if self.index is None:
                return (self.small, self.large) == _roots_of_subproof(
                    self.start, self.end, self.size, list(self.proof), self.small
                )
            if not self.start <= self.index < self.end:
                return False
            return self.large == _root_of_path(
                self.small, self.index - self.start, self.end - self.start, list(self.proof)
            )
        except _Refused:
            return False

    def checks(self) -> Iterator[Callable[[], None]]:
        """Yield the functions of ours that take this case."""
        proof = list(self.proof)
        small, large = self.small, self.large
        if self.index is not None:
            at, start, end = self.index, self.start, self.end
            yield lambda: verify_subtree_inclusion(small, at, start, end, proof, large)
            if self.start == 0:
                yield lambda: verify_inclusion(small, at, end, proof, large)
        else:
            yield lambda: verify_subtree_consistency(
                self.start, self.end, self.size, proof, small, large
            )
            if self.start == 0:
                yield lambda: verify_consistency(self.end, self.size, proof, small, large)


def _source(level: int, number: int) -> bytes:
    return full_root(_LEAVES[number << level : (number + 1) << level])


def _honest(chance: random.Random) -> _Case:
    width = 1 << chance.randrange(6)
    start = width * chance.randrange(64 // width)
    end = min(68, start + chance.randint(width // 2 + 1, width))
    size = chance.randint(end, 70)
    part = slow_root(_LEAVES[start:end])
    if chance.random() < 0.5:
        index = chance.randrange(start, end)
        proof = subtree_inclusion_proof(index, start, end, _source)
        return _Case(index, start, end, size, tuple(proof), _LEAVES[index], part)
    proof = subtree_consistency_proof(start, end, size, _source)
    return _Case(None, start, end, size, tuple(proof), part, _ROOTS[size])


def _mutated(case: _Case, chance: random.Random) -> _Case:
    proof = list(case.proof)
    other = chance.choice([*_LEAVES[:3], *_ROOTS[:5], b"\x00" * 32, b"", b"\x01" * 31, *proof])
    at = chance.randrange(len(proof) + 1)
    kind = chance.randrange(11)
    if kind == 0:
        proof.insert(at, other)
    elif kind == 1 and proof:
        del proof[at % len(proof)]
    elif kind == 2 and proof:
        proof[at % len(proof)] = other
    elif kind == 3 and len(proof) > 1:
        first, second = chance.sample(range(len(proof)), 2)
        proof[first], proof[second] = proof[second], proof[first]
    elif kind == 4:
        proof.reverse()
    elif kind == 5 and case.index is not None:
        return replace(case, index=case.index + chance.choice([-64, -1, 1, 2, 64, 2**64]))
    elif kind == 6:
        return replace(case, size=case.size + chance.choice([-64, -2, -1, 1, 2, 2**40]))
    elif kind == 7:
        return replace(case, end=case.end + chance.choice([-64, -2, -1, 1, 2]))
    elif kind == 8:
        return replace(case, start=case.start + chance.choice([-64, -8, -1, 1, 8, 64]))
    elif kind == 9:
        return replace(case, small=other)
    elif kind == 10:
        return replace(case, large=other)
    return replace(case, proof=tuple(proof))


def _accepts(check: Callable[[], None]) -> bool:
    try:
        check()
    except (NotAHash, ProofRefused):
        return False
    return True


@pytest.mark.parametrize("seed", range(8))
def test_damaged_proofs_are_judged_as_the_definitions_do(seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311 - repeatable, not secret
    refused = 0
    for _ in range(400):
        case = honest = _honest(chance)
        assert case.allowed()
        for _ in range(4):
            for check in case.checks():
                assert _accepts(check) == case.allowed(), case
            refused += not case.allowed()
            case = _mutated(case if chance.random() < 0.3 else honest, chance)
    assert refused > 800


def test_every_proof_between_small_trees_is_judged_as_the_definitions_do() -> None:
    """All sizes and places against each other, each with the proof of all others."""
    proofs = {
        (start, end, size): tuple(subtree_consistency_proof(start, end, size, _source))
        for size in range(1, 9)
        for end in range(1, size + 1)
        for start in range(end)
        if _is_subtree(start, end)
    }
    for (_, _, size1), proof in proofs.items():
        for start, end, size in proofs:
            part = slow_root(_LEAVES[start:end])
            case = _Case(None, start, end, size, proof, part, _ROOTS[size1])
            for check in case.checks():
                assert _accepts(check) == case.allowed(), case


@pytest.mark.parametrize(
    ("size1", "size2", "root1", "root2", "proof"),
    [
        (0, 0, EMPTY_ROOT, EMPTY_ROOT, []),
        (0, 1, EMPTY_ROOT, _ROOTS[1], []),
        (0, 8, EMPTY_ROOT, _ROOTS[8], [_ROOTS[8]]),
        (1, 0, _ROOTS[1], EMPTY_ROOT, []),
        (2, 1, _ROOTS[2], _ROOTS[1], [_LEAVES[1]]),
        (5, 5, _ROOTS[5], _ROOTS[5], [_ROOTS[5]]),
        (5, 5, _ROOTS[5], _ROOTS[4], []),
        (5, 5, b"", b"", []),
        (5, 5, "root", "root", []),
        (5, 5, bytearray(_ROOTS[5]), bytearray(_ROOTS[5]), []),
        (4, 8, _ROOTS[4], _ROOTS[8], []),
        (4, 8, _ROOTS[4], _ROOTS[8], [_ROOTS[4], slow_root(_LEAVES[4:8])]),
        (4, 8, b"", b"", [slow_root(_LEAVES[4:8])]),
        (2**62, 2**63, _ROOTS[4], _ROOTS[8], [_ROOTS[4]]),
        (-1, 8, _ROOTS[4], _ROOTS[8], [_ROOTS[4]]),
        (4, -8, _ROOTS[4], _ROOTS[8], [_ROOTS[4]]),
        (4, 8, _ROOTS[4], _ROOTS[8], [bytearray(slow_root(_LEAVES[4:8]))]),
        (4, 8, bytearray(_ROOTS[4]), _ROOTS[8], [slow_root(_LEAVES[4:8])]),
        (4, 8, _ROOTS[4], memoryview(_ROOTS[8]), [slow_root(_LEAVES[4:8])]),
        (4, 8, _ROOTS[4].hex(), _ROOTS[8], [slow_root(_LEAVES[4:8])]),
    ],
)
def test_consistency_of_what_no_tree_has_is_refused(
    size1: int,
    size2: int,
    root1: Any,  # noqa: ANN401 - of wrong types too
    root2: Any,  # noqa: ANN401 - of wrong types too
    proof: list[Any],
) -> None:
    with pytest.raises((NotAHash, ProofRefused)):
        verify_consistency(size1, size2, proof, root1, root2)
