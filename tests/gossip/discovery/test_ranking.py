"""Ranking is total, merging does not depend on who told what in which order."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import permutations

from hypothesis import given, settings
from hypothesis import strategies as st

from gossip.discovery.ranking import Nodes, merge, nodes_of, rank
from gossip.discovery.spore import Spore, Variant
from tests.gossip.discovery.spore_world import NOW_NS, announced, at, node, spore
from tests.ledger.world import ALL_KEYS

_CELLS = ALL_KEYS[:3]


def _addresses(cell: int, choice: int) -> tuple[str, ...]:
    cell_id = _CELLS[cell].cell_id
    places = ("127.0.0.1", "10.0.0.1", "8.8.8.8")
    return tuple(at(cell_id, 1, host) for host in places[choice:])


_NODES = st.builds(
    lambda cell, choice, seen, trust, age: type(node(_CELLS[cell]))(
        tuple(announced(_CELLS[cell], *_addresses(cell, choice), issued_ns=NOW_NS - age)),
        NOW_NS - seen,
        trust,
    ),
    st.integers(0, 2),
    st.integers(0, 2),
    st.integers(0, 2),
    st.sampled_from([0, 500_000, 1_000_000]),
    st.integers(0, 2),
)


def _by_cell(nodes: Iterable[object]) -> list[object]:
    return list({item.cell_id: item for item in nodes}.values())  # type: ignore[attr-defined] # nodes


_SPORES = st.builds(
    lambda nodes, variant, age, issuer: spore(
        _by_cell(nodes),  # type: ignore[arg-type] # nodes
        variant=variant,
        updated_ns=NOW_NS + age,
        issuer=ALL_KEYS[issuer],
        proof=b"\x90" if variant is Variant.PRIMARY else b"",
    ),
    st.lists(_NODES, min_size=1, max_size=3),
    st.sampled_from(Variant),
    st.integers(0, 2),
    st.integers(0, 3),
)
_MAPS = _SPORES.map(nodes_of)


@given(_MAPS, _MAPS, _MAPS)
@settings(deadline=None, max_examples=60)
def test_merging_is_commutative_associative_and_idempotent(a: Nodes, b: Nodes, c: Nodes) -> None:
    assert merge([a, b]) == merge([b, a])
    assert merge([a, merge([b, c])]) == merge([merge([a, b]), c])
    assert merge([a, a]) == dict(a)
    assert merge([a]) == merge([a, {}]) == dict(a)


@given(st.lists(_SPORES, min_size=2, max_size=4))
@settings(deadline=None, max_examples=60)
def test_ranking_is_total_and_the_same_in_every_order(spores: list[Spore]) -> None:
    best = {max(order, key=rank).encoded for order in permutations(spores)}
    assert len(best) == 1
    for one in spores:
        for other in spores:
            assert (rank(one) == rank(other)) == (one.encoded == other.encoded)


def test_authority_comes_before_age_and_age_before_trust() -> None:
    old_primary = spore(variant=Variant.PRIMARY, proof=b"\x90", updated_ns=NOW_NS)
    new_seed = spore(variant=Variant.SEED, updated_ns=NOW_NS + 2)
    newest_latent = spore(updated_ns=NOW_NS + 3)
    assert sorted([newest_latent, old_primary, new_seed], key=rank) == [
        newest_latent,
        new_seed,
        old_primary,
    ]
    older = spore(variant=Variant.SEED, updated_ns=NOW_NS + 1)
    assert rank(new_seed, trust=0) > rank(older, trust=1_000_000)
    assert rank(new_seed, trust=2) > rank(new_seed, trust=1)


def test_the_newest_word_of_a_cell_counts_even_from_the_lowest_authority() -> None:
    key = ALL_KEYS[0]
    old = spore([node(key)], variant=Variant.PRIMARY, proof=b"\x90")
    moved = tuple(announced(key, at(key.cell_id, 2), issued_ns=NOW_NS + 1))
    new = spore([type(old.nodes[0])(moved, NOW_NS, 0)], updated_ns=NOW_NS + 1)
    merged = merge([nodes_of(old), nodes_of(new)])[key.cell_id]
    assert merged.announcements == moved
    assert merged.sighting.authority is Variant.PRIMARY
