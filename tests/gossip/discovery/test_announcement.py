"""A cell's own word: versions for near and far peers, the newest one counts, none is forged."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.codec import Value, decode, encode
from core.errors import MyceldError
from core.ids import NetworkId
from gossip.discovery.address import Reach
from gossip.discovery.announcement import Announcement, announce, decode_announcement, join
from gossip.discovery.errors import BadAnnouncement, SporeOfOtherNetwork, SporeTimeImpossible
from gossip.discovery.limits import CELL_ADDRESSES_MAX, CLOCK_TOLERANCE_NS
from identity.keys import verify
from tests.gossip.discovery.spore_world import NOW_NS, announced, at
from tests.ledger.world import KEYS, NETWORK, START_NS

KEY, OTHER = KEYS[0], KEYS[1]
LOOPBACK, SITE, WORLD = (at(KEY.cell_id, 1, host) for host in ("127.0.0.1", "10.0.0.1", "8.8.8.8"))


def _versions(*addresses: str) -> dict[Reach, tuple[str, ...]]:
    return {item.reach: item.addresses for item in announced(KEY, *addresses)}


def test_each_reach_has_a_version_and_loopback_is_told_only_when_there_is_nothing_else() -> None:
    assert _versions(LOOPBACK) == {Reach.LOOPBACK: (LOOPBACK,)}
    assert _versions(LOOPBACK, SITE) == {Reach.SITE: (SITE,)}
    assert _versions(LOOPBACK, WORLD) == {Reach.WORLD: (WORLD,)}
    assert _versions(LOOPBACK, SITE, WORLD) == {Reach.SITE: (SITE, WORLD), Reach.WORLD: (WORLD,)}


def test_public_addresses_do_not_fall_to_the_bound() -> None:
    many = [at(KEY.cell_id, port, "10.0.0.1") for port in range(1, 40)]
    versions = _versions(*many, WORLD)
    assert len(versions[Reach.SITE]) == CELL_ADDRESSES_MAX
    assert WORLD in versions[Reach.SITE]


def test_an_announcement_reads_back_and_its_signature_holds() -> None:
    for item in announced(KEY, SITE, WORLD):
        again = decode_announcement(item.encoded, NETWORK)
        assert again == item
        assert verify(*again.signature_check)
        assert again.cell_id == KEY.cell_id


@given(st.data())
@settings(max_examples=200, deadline=None)
def test_every_mutated_byte_is_noticed(data: st.DataObject) -> None:
    raw = bytearray(announced(KEY, SITE, WORLD)[0].encoded)
    raw[data.draw(st.integers(0, len(raw) - 1))] ^= data.draw(st.integers(1, 255))
    try:
        item = decode_announcement(bytes(raw), NETWORK)
    except (BadAnnouncement, SporeOfOtherNetwork):
        return
    assert not verify(*item.signature_check)


@given(st.binary(max_size=200))
def test_any_bytes_give_the_declared_error(data: bytes) -> None:
    with pytest.raises(BadAnnouncement):
        decode_announcement(data, NETWORK)


def _changed(place: int, value: Value) -> bytes:
    body, signature = decode(announced(KEY, SITE)[0].encoded)  # type: ignore[misc] # an array of two
    body[place] = value  # type: ignore[index] # an array
    return encode([body, signature])


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (0, "myceld/announcement/2"),
        (3, "hypha"),
        (4, -1),
        (5, []),
        (5, [SITE, SITE]),
        (5, [WORLD, SITE]),
        (5, [SITE, LOOPBACK]),
        (5, [LOOPBACK, SITE]),
        (5, [at(OTHER.cell_id, 1, "10.0.0.1")]),
        (5, sorted(at(KEY.cell_id, port, "10.0.0.1") for port in range(1, 18))),
        (5, [at(KEY.cell_id, 1, "0.0.0.0")]),  # noqa: S104 - told, not bound to
    ],
)
def test_what_no_honest_cell_says_is_refused(place: int, value: Value) -> None:
    with pytest.raises(BadAnnouncement):
        decode_announcement(_changed(place, value), NETWORK)


def test_an_announcement_of_another_network_is_refused() -> None:
    with pytest.raises(SporeOfOtherNetwork):
        decode_announcement(announced(KEY)[0].encoded, NetworkId(bytes(32)))


def test_only_possible_times_are_taken() -> None:
    for issued_ns in (START_NS - CLOCK_TOLERANCE_NS, NOW_NS + CLOCK_TOLERANCE_NS):
        announced(KEY, issued_ns=issued_ns)[0].check_time(START_NS, NOW_NS)
    for issued_ns in (START_NS - CLOCK_TOLERANCE_NS - 1, NOW_NS + CLOCK_TOLERANCE_NS + 1):
        with pytest.raises(SporeTimeImpossible):
            announced(KEY, issued_ns=issued_ns)[0].check_time(START_NS, NOW_NS)


def test_a_bad_own_address_is_refused() -> None:
    with pytest.raises(MyceldError):
        announce(
            network_id=NETWORK,
            public_key=KEY.public_key,
            node_type="sclerotium",
            issued_ns=1,
            addresses=["/ip4/0.0.0.0/tcp/1"],
            sign=KEY.sign,
        )


_POOL = [
    item
    for issued_ns in (1, 2)
    for addresses in ((SITE,), (SITE, WORLD), (WORLD,), (LOOPBACK,))
    for item in announced(KEY, *addresses, issued_ns=issued_ns)
]
_SETS = st.lists(st.sampled_from(_POOL), max_size=4).map(lambda items: join(items, ()))


@given(_SETS, _SETS, _SETS)
@settings(deadline=None)
def test_joining_is_commutative_associative_and_idempotent(
    a: tuple[Announcement, ...], b: tuple[Announcement, ...], c: tuple[Announcement, ...]
) -> None:
    assert join(a, b) == join(b, a)
    assert join(a, join(b, c)) == join(join(a, b), c)
    assert join(a, a) == a
    assert join(a, ()) == a


def test_a_later_statement_replaces_all_versions_of_an_earlier_one() -> None:
    early, late = announced(KEY, SITE, WORLD, issued_ns=1), announced(KEY, WORLD, issued_ns=2)
    assert join(tuple(early), tuple(late)) == tuple(late)
    assert join(tuple(late), tuple(early)) == tuple(late)
