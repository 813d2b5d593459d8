"""Spores: everything that is wrong with one is refused, before anything of it is used."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.codec import decode, encode
from core.ids import NetworkId
from gossip.discovery.address import Reach
from gossip.discovery.errors import (
    BadAnnouncement,
    BadSpore,
    SporeForged,
    SporeOfOtherNetwork,
    SporeTimeImpossible,
)
from gossip.discovery.limits import (
    CLOCK_TOLERANCE_NS,
    SPORE_NODES_MAX,
    SPORE_PROOF_SIZE_BYTES_MAX,
    SPORE_SIZE_BYTES_MAX,
)
from gossip.discovery.spore import Spore, Variant, decode_spore, make_spore, verify
from identity.keys import verify_all
from tests.gossip.discovery.spore_world import (
    NETWORK_IDENTITY,
    NOW_NS,
    announced,
    at,
    many,
    node,
    spore,
)
from tests.ledger.world import ALL_KEYS, START_NS

VECTORS: dict[str, str] = json.loads(
    (Path(__file__).resolve().parents[2] / "vectors" / "spore.json").read_text(encoding="utf-8")
)["spores"]
KEY = ALL_KEYS[0]
SITE_AND_WORLD = (at(KEY.cell_id, 1, "10.0.0.1"), at(KEY.cell_id, 1, "8.8.8.8"))
SPORES = {
    "latent": spore(),
    "latent of nobody": make_spore(
        Variant.LATENT,
        NETWORK_IDENTITY,
        [],
        updated_ns=NOW_NS,
        issuer=KEY.public_key,
        sign=KEY.sign,
    ),
    "seed with two versions": spore([node(KEY, *SITE_AND_WORLD)], variant=Variant.SEED),
    "primary": spore(variant=Variant.PRIMARY, proof=encode([])),
}


def _decoded(made: Spore) -> Spore:
    return decode_spore(made.encoded, NETWORK_IDENTITY)


@pytest.mark.parametrize("name", SPORES)
def test_a_spore_has_these_bytes(name: str) -> None:
    assert SPORES[name].encoded.hex() == VECTORS[name]
    assert _decoded(SPORES[name]) == SPORES[name]


def test_every_vector_is_used() -> None:
    assert set(VECTORS) == set(SPORES)


@pytest.mark.parametrize("made", SPORES.values(), ids=list(SPORES))
def test_a_good_spore_passes_all_checks(made: Spore) -> None:
    found = _decoded(made)
    found.check_times(NOW_NS)
    verify(found, verify_all)


@given(st.data())
@settings(max_examples=300, deadline=None)
def test_every_mutated_byte_is_refused_with_a_declared_error(data: st.DataObject) -> None:
    raw = bytearray(data.draw(st.sampled_from(list(SPORES.values()))).encoded)
    raw[data.draw(st.integers(0, len(raw) - 1))] ^= data.draw(st.integers(1, 255))
    with pytest.raises((BadSpore, BadAnnouncement, SporeOfOtherNetwork, SporeForged)):
        verify(decode_spore(bytes(raw), NETWORK_IDENTITY), verify_all)


@given(st.data())
@settings(deadline=None)
def test_a_spore_that_was_cut_or_made_longer_is_refused(data: st.DataObject) -> None:
    raw = spore().encoded
    cut = data.draw(st.integers(0, len(raw) - 1))
    for wrong in (raw[:cut], raw + data.draw(st.binary(min_size=1, max_size=9))):
        with pytest.raises(BadSpore):
            decode_spore(wrong, NETWORK_IDENTITY)


@given(st.binary(max_size=300))
def test_any_bytes_give_the_declared_error(data: bytes) -> None:
    with pytest.raises(BadSpore):
        decode_spore(data, NETWORK_IDENTITY)


def _change(made: Spore, change: Callable[[list[Any]], object]) -> bytes:
    body, signature = decode(made.encoded)  # type: ignore[misc] # an array of two
    change(body)  # type: ignore[arg-type] # an array
    return encode([body, signature])


@pytest.mark.parametrize(
    "change",
    [
        lambda body: body.__setitem__(0, "myceld/spore/2"),
        lambda body: body.__setitem__(1, "service"),
        lambda body: body.__setitem__(2, "ancient"),
        lambda body: body[3].__setitem__(1, "another name"),
        lambda body: body[3].__setitem__(2, START_NS + 1),
        lambda body: body[3].__setitem__(3, []),
        lambda body: body[3].__setitem__(4, "2"),
        lambda body: body[4].reverse(),
        lambda body: body[4].append(body[4][-1]),
        lambda body: body[4].extend([body[4][-1]] * SPORE_NODES_MAX),
        lambda body: body[4][0].__setitem__(0, []),
        lambda body: body[4][0][0].append(body[4][0][0][0]),
        lambda body: body[4][0][0].append(body[4][1][0][0]),
        lambda body: body[4][0].__setitem__(1, NOW_NS + 1),
        lambda body: body[4][0].__setitem__(2, 1_000_001),
        lambda body: body[5].append(["a service"]),
        lambda body: body.__setitem__(8, b"a proof"),
        lambda body: body.__setitem__(2, "primary"),
    ],
)
def test_what_contradicts_itself_is_refused(change: Callable[[list[Any]], object]) -> None:
    with pytest.raises(BadSpore):
        decode_spore(_change(spore(), change), NETWORK_IDENTITY)


def test_announcements_of_one_cell_are_of_one_time() -> None:
    early = announced(KEY, SITE_AND_WORLD[1], issued_ns=NOW_NS - 1)
    mixed = (announced(KEY, *SITE_AND_WORLD)[0], *early)
    with pytest.raises(BadSpore):
        _decoded(spore([replace(node(KEY), announcements=mixed)]))


def test_a_spore_of_another_network_is_refused_whatever_else_it_says() -> None:
    other = replace(NETWORK_IDENTITY, network_id=NetworkId(bytes(32)))
    with pytest.raises(SporeOfOtherNetwork):
        decode_spore(spore().encoded, other)


def test_times_that_can_not_be_are_refused() -> None:
    tolerance = CLOCK_TOLERANCE_NS
    ahead = tuple(announced(KEY, issued_ns=NOW_NS + tolerance + 1))
    spore(updated_ns=NOW_NS + tolerance).check_times(NOW_NS)
    spore().check_times(NOW_NS)
    for wrong in (
        spore(updated_ns=NOW_NS + tolerance + 1),
        spore([node(KEY, seen_ns=0)]),
        spore([node(KEY, seen_ns=START_NS - tolerance - 1)]),
        spore([replace(node(KEY), announcements=ahead)]),
    ):
        with pytest.raises(SporeTimeImpossible):
            wrong.check_times(NOW_NS)
    before = make_spore(
        Variant.LATENT,
        NETWORK_IDENTITY,
        [],
        updated_ns=START_NS - tolerance - 1,
        issuer=KEY.public_key,
        sign=KEY.sign,
    )
    with pytest.raises(SporeTimeImpossible):
        before.check_times(NOW_NS)


def test_known_announcements_are_not_verified_again() -> None:
    made = spore()
    assert len(made.signature_checks(lambda _: False)) == 4
    assert len(made.signature_checks(lambda _: True)) == 1


def test_a_forged_announcement_in_a_well_signed_spore_is_noticed() -> None:
    stolen = replace(announced(ALL_KEYS[1])[0], issued_ns=NOW_NS - 5)
    made = spore([replace(node(ALL_KEYS[1]), announcements=(stolen,))])
    with pytest.raises(SporeForged):
        verify(_decoded(made), verify_all)


def test_the_largest_spore_fits_its_bound() -> None:
    nodes = [
        node(key, *(at(key.cell_id, port, "192.168.100.200") for port in range(50_001, 50_006)))
        for key in many(SPORE_NODES_MAX)
    ]
    made = spore([*nodes, node(KEY)])
    assert len(made.nodes) == SPORE_NODES_MAX
    assert len(made.encoded) < SPORE_SIZE_BYTES_MAX
    assert _decoded(made) == made


def test_cells_that_announce_as_much_as_they_can_do_not_make_a_spore_too_long() -> None:
    name = "a" * 63
    hosts = [f"{name}.{name}{number:02}.example" for number in range(16)]
    greedy = [
        node(key, *(f"/dns/{host}/tcp/1/p2p/{key.cell_id}" for host in hosts)) for key in many(256)
    ]
    made = spore(greedy, variant=Variant.SEED, proof=bytes(SPORE_PROOF_SIZE_BYTES_MAX))
    assert 0 < len(made.nodes) < len(greedy)
    assert len(made.encoded) <= SPORE_SIZE_BYTES_MAX
    assert _decoded(made) == made


def test_the_reach_of_a_spore_is_that_of_its_nearest_address() -> None:
    assert spore().reach is Reach.LOOPBACK
    assert SPORES["seed with two versions"].reach is Reach.SITE
    assert SPORES["latent of nobody"].reach is Reach.WORLD
