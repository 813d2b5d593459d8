"""Routing table, provider records and lookups: what they find, and that nothing grows."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from core.ids import CellId, PublicKey, cell_id_of
from gossip.host.kademlia import (
    Contact,
    Lookup,
    ProviderRecords,
    RoutingTable,
    position,
    position_of,
)
from gossip.host.limits import (
    DHT_BUCKET_HINTS_MAX,
    DHT_BUCKET_MAX,
    DHT_KEYS_MAX,
    DHT_KEYS_PER_PROVIDER_MAX,
    DHT_LOOKUP_PARALLEL,
    DHT_LOOKUP_QUERIES_MAX,
    DHT_PROVIDERS_PER_KEY_MAX,
    DHT_RECORD_LIFE_S,
)


def contact(number: int) -> Contact:
    cell_id = cell_id_of(PublicKey(number.to_bytes(32, "big")))
    return Contact(cell_id, (f"/ip4/127.0.0.1/tcp/{1 + number % 65535}/p2p/{cell_id}",))


OWN = contact(0).cell_id


@given(st.lists(st.tuples(st.sampled_from(["hint", "answer", "fail"]), st.integers(0, 400))))
@settings(max_examples=50)
def test_a_table_stays_bounded_and_never_holds_ourselves(steps: list[tuple[str, int]]) -> None:
    table = RoutingTable(OWN)
    for step, number in steps:
        one = contact(number)
        if step == "hint":
            table.hint(one)
        elif step == "answer":
            table.answered(one)
        else:
            table.failed(one.cell_id)
    target = position(b"somewhere")
    nearest = table.closest(target, 1000)
    distances = [position_of(c.cell_id) ^ target for c in nearest]
    assert distances == sorted(distances)
    assert len({c.cell_id for c in nearest}) == len(nearest) == len(table)
    assert OWN not in {c.cell_id for c in nearest}


def test_hints_push_out_hints_and_never_those_that_answered() -> None:
    table = RoutingTable(OWN)
    good = [contact(number) for number in range(1, 2000)][:DHT_BUCKET_MAX]
    for one in good:
        table.answered(one)
    for number in range(5000, 9000):
        table.hint(contact(number))
    kept = {c.cell_id for c in table.closest(0, 10_000)}
    assert {c.cell_id for c in good} <= kept
    assert len(table) <= 14 * DHT_BUCKET_HINTS_MAX + len(good)


def test_a_failed_contact_is_forgotten() -> None:
    table = RoutingTable(OWN)
    table.answered(contact(1))
    table.hint(contact(2))
    table.failed(contact(1).cell_id)
    table.failed(contact(2).cell_id)
    assert len(table) == 0


def test_records_are_replaced_expire_and_are_bounded_by_key_and_provider() -> None:
    records = ProviderRecords()
    assert records.add(b"key", contact(1), 0.0)
    assert records.add(b"key", contact(1), 5.0)
    assert records.get(b"key", 6.0) == [contact(1)]
    assert records.get(b"key", 5.0 + DHT_RECORD_LIFE_S) == []
    assert len(records) == 0
    added = [records.add(b"full", contact(n), 0.0) for n in range(1, 200)]
    assert sum(added) == DHT_PROVIDERS_PER_KEY_MAX
    assert len(records.get(b"full", 1.0)) == DHT_PROVIDERS_PER_KEY_MAX
    one = contact(9999)
    added = [records.add(b"of one %d" % n, one, 0.0) for n in range(100)]
    assert sum(added) == DHT_KEYS_PER_PROVIDER_MAX
    for number in range(200):
        for key in range(DHT_KEYS_PER_PROVIDER_MAX):
            records.add(b"%d %d" % (number, key), contact(10_000 + number), 0.0)
    keys_full = DHT_KEYS_MAX - 1 + DHT_PROVIDERS_PER_KEY_MAX
    assert len(records) == keys_full


def _search(nodes: dict[CellId, list[Contact]], target: int, start: Contact) -> Lookup:
    """Run a lookup in which every node answers with its nearest known ones."""
    lookup = Lookup(OWN, target, [start])
    while not lookup.done:
        asking = []
        while (one := lookup.next()) is not None:
            asking.append(one)
        assert 0 < len(asking) <= DHT_LOOKUP_PARALLEL
        for one in asking:
            known = sorted(nodes[one.cell_id], key=lambda c: position_of(c.cell_id) ^ target)
            lookup.answered(one, known[:DHT_BUCKET_MAX])
    return lookup


def test_a_lookup_finds_the_nearest_nodes_of_a_big_network_from_one_contact() -> None:
    everybody = [contact(number) for number in range(1, 301)]
    nodes = {}
    for one in everybody:
        table = RoutingTable(one.cell_id)
        for other in everybody:
            table.answered(other)
        nodes[one.cell_id] = table.closest(0, 1000)
    for key in (b"a", b"b", b"c"):
        target = position(key)
        lookup = _search(nodes, target, everybody[0])
        nearest = sorted(everybody, key=lambda c: position_of(c.cell_id) ^ target)
        assert lookup.closest[:3] == nearest[:3]


def test_a_liar_that_names_ever_nearer_nodes_ends_at_the_budget() -> None:
    lookup = Lookup(OWN, 0, [contact(1)])
    asked = 0
    number = 10
    while not lookup.done:
        one = lookup.next()
        assert one is not None
        asked += 1
        closer = sorted(
            (contact(n) for n in range(number, number + 40)), key=lambda c: position_of(c.cell_id)
        )
        number += 40
        lookup.answered(one, closer)
    assert asked <= DHT_LOOKUP_QUERIES_MAX


def test_a_lookup_among_nodes_that_do_not_answer_ends() -> None:
    lookup = Lookup(OWN, 0, [contact(number) for number in range(1, 100)])
    while not lookup.done:
        one = lookup.next()
        assert one is not None
        lookup.failed(one)
    assert lookup.closest == []
