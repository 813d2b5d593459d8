"""The address book: own words beat hearsay, what worked is kept, nobody pushes anybody out."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from core.ids import CellId
from gossip.discovery.address import Reach
from gossip.discovery.book import (
    AddressBook,
    Source,
    decode_entry,
    encode_entry,
    read_entries,
)
from gossip.discovery.errors import BadAddress
from gossip.discovery.limits import (
    BOOK_ADDRESSES_MAX,
    BOOK_CELLS_MAX,
    BOOK_HINTS_MAX,
    BOOK_KEPT_MAX,
    BOOK_TOLD_BY_ONE_MAX,
    CELL_ADDRESSES_MAX,
    TRUST_AT_FIRST,
    TRUST_MAX,
)
from tests.gossip.discovery.spore_world import NOW_NS, announced, at, many
from tests.ledger.world import ALL_KEYS, NETWORK

A, B, C, D = ALL_KEYS[:4]
OWN = ALL_KEYS[7].cell_id
TELLER = ALL_KEYS[6].cell_id


def _book(*bootstrap: str, cells_max: int = BOOK_CELLS_MAX) -> AddressBook:
    return AddressBook(OWN, bootstrap, cells_max=cells_max)


def _again(book: AddressBook, *bootstrap: str) -> AddressBook:
    """A book after a restart."""
    rows = [(cell, data) for cell, data in book.take_changes().items() if data is not None]
    return AddressBook(OWN, bootstrap, read_entries(rows, NETWORK))


def test_configured_addresses_are_known_and_their_cells_kept() -> None:
    book = _book(at(A.cell_id), at(A.cell_id, 2), at(B.cell_id), at(OWN))
    assert book.addresses(A.cell_id) == (at(A.cell_id, 2), at(A.cell_id))
    assert book.bootstrap_cells == {A.cell_id, B.cell_id}
    assert book.addresses(OWN) == ()
    assert book.cells() == sorted([A.cell_id, B.cell_id])
    assert book.all() == [(cell, book.addresses(cell)) for cell in book.cells()]


@pytest.mark.parametrize(
    "text", ["", "127.0.0.1:80", "/ip4/127.0.0.1/tcp/1", at(A.cell_id)[:-1], at(A.cell_id) + " "]
)
def test_a_bad_configured_address_is_refused(text: str) -> None:
    with pytest.raises(BadAddress):
        _book(text)


def test_a_newer_word_of_a_cell_replaces_the_older_whoever_brings_it() -> None:
    book = _book()
    old, new = announced(A, issued_ns=1), announced(A, at(A.cell_id, 2), issued_ns=2)
    assert book.learn(old, A.cell_id) == old
    assert book.learn(new, TELLER) == new
    assert book.learn(new, B.cell_id) == []
    assert book.learn(old, A.cell_id) == []
    assert book.addresses(A.cell_id) == (at(A.cell_id, 2),)
    assert book.holds(new[0])
    assert not book.holds(old[0])


def test_own_announcements_are_not_taken_from_others() -> None:
    book = _book()
    assert book.learn(announced(ALL_KEYS[7]), TELLER) == []
    book.worked(OWN, None, NOW_NS)
    assert book.cells() == []


def test_an_address_that_worked_outlives_its_announcement_one_that_never_did_does_not() -> None:
    book = _book()
    worked, never, new = (at(A.cell_id, port) for port in (1, 2, 3))
    book.learn(announced(A, worked, never, issued_ns=1), TELLER)
    book.worked(A.cell_id, worked, NOW_NS)
    book.learn(announced(A, new, issued_ns=2), TELLER)
    assert set(book.addresses(A.cell_id)) == {worked, new}
    for port in range(10, 30):
        address = at(A.cell_id, port)
        book.learn(announced(A, address, issued_ns=port), TELLER)
        book.worked(A.cell_id, address, NOW_NS + port)
    assert len(book.addresses(A.cell_id)) == BOOK_KEPT_MAX + 1


def test_an_address_that_fails_is_tried_after_the_others_and_returns_when_it_works() -> None:
    book = _book()
    one, two = at(A.cell_id, 1), at(A.cell_id, 2)
    book.learn(announced(A, one, two), TELLER)
    assert book.addresses(A.cell_id) == (one, two)
    book.failed(A.cell_id, one, NOW_NS)
    assert book.addresses(A.cell_id) == (two, one)
    book.failed(A.cell_id, two, NOW_NS)
    book.failed(A.cell_id, two, NOW_NS)
    assert book.addresses(A.cell_id) == (one, two)
    book.worked(A.cell_id, two, NOW_NS)
    assert book.addresses(A.cell_id) == (two, one)
    book.failed(A.cell_id, at(A.cell_id, 9), NOW_NS)
    book.failed(B.cell_id, one, NOW_NS)


def test_hints_are_a_few_more_addresses_and_never_replace_signed_ones() -> None:
    book = _book()
    signed = [at(A.cell_id, port) for port in range(1, 17)]
    book.learn(announced(A, *signed), TELLER)
    hints = [at(A.cell_id, port) for port in range(100, 120)]
    assert book.hint(A.cell_id, hints[:4], "mdns")
    assert not book.hint(A.cell_id, hints[:4], "mdns")
    assert book.hint(A.cell_id, hints[4:8], "dht")
    assert set(book.addresses(A.cell_id)) == {*signed, *hints[4:8]}
    assert set(book.addresses(A.cell_id)[:CELL_ADDRESSES_MAX]) == set(signed)
    assert not book.hint(B.cell_id, [at(A.cell_id), "", "/ip4/1.2.3.4/udp/1"], "mdns")
    assert book.addresses(B.cell_id) == ()


def test_addresses_of_transports_that_the_host_lacks_are_kept_but_not_dialled() -> None:
    quic = f"/ip4/10.0.0.1/udp/1/quic-v1/p2p/{A.cell_id}"
    tcp = at(A.cell_id, 1, "10.0.0.1")
    book = AddressBook(OWN, can_dial=lambda text: "quic" not in text)
    book.learn(announced(A, quic, tcp), TELLER)
    assert book.addresses(A.cell_id) == (tcp,)
    assert book.nodes(Reach.SITE)[0].addresses == (tcp, quic)


def test_a_peer_that_invents_ten_thousand_cells_pushes_out_nobody() -> None:
    book = _book(at(D.cell_id))
    book.protect([C.cell_id])
    book.learn(announced(A), A.cell_id)
    book.worked(A.cell_id, at(A.cell_id), NOW_NS)
    honest = many(100, first=50_000)
    for key in honest:
        book.learn(announced(key), B.cell_id)
    for key in many(10_000):
        book.hint(key.cell_id, [at(key.cell_id)], TELLER)
    assert len(book.cells()) == 2 + len(honest) + BOOK_TOLD_BY_ONE_MAX
    assert {A.cell_id, D.cell_id, *(key.cell_id for key in honest)} <= set(book.cells())
    assert book.learn(announced(C), TELLER) != []


def test_cells_that_were_reached_are_forgotten_last_and_members_never() -> None:
    book = _book(at(D.cell_id), cells_max=4)
    book.protect([C.cell_id])
    book.learn(announced(C), TELLER)
    book.worked(A.cell_id, None, NOW_NS)
    for key in many(50):
        book.learn(announced(key), key.cell_id)
    assert len(book.cells()) == 4
    assert {A.cell_id, C.cell_id, D.cell_id} <= set(book.cells())
    book.worked(B.cell_id, None, NOW_NS)
    book.worked(B.cell_id, None, NOW_NS)
    assert {B.cell_id, C.cell_id, D.cell_id} <= set(book.cells())
    assert None in book.take_changes().values()


def test_a_cell_that_connects_by_itself_has_an_entry_and_gains_trust() -> None:
    book = _book()
    book.worked(A.cell_id, None, NOW_NS)
    entry = book.entry(A.cell_id)
    assert entry is not None
    assert (entry.reached_ns, entry.last_seen_ns) == (NOW_NS, NOW_NS)
    assert entry.trust == TRUST_AT_FIRST + 10_000
    book.misbehaved(A.cell_id)
    assert entry.trust == TRUST_AT_FIRST - 40_000
    for _ in range(100):
        book.misbehaved(A.cell_id)
    assert entry.trust == 0
    for _ in range(200):
        book.worked(A.cell_id, None, NOW_NS)
    assert entry.trust == TRUST_MAX
    book.misbehaved(B.cell_id)


def test_peers_are_told_only_of_what_they_can_reach() -> None:
    book = _book()
    book.learn(announced(A), TELLER)
    book.learn(announced(B, at(B.cell_id, 1, "10.0.0.1"), at(B.cell_id, 1, "8.8.8.8")), TELLER)
    told = {reach: {n.cell_id: n.addresses for n in book.nodes(reach)} for reach in Reach}
    assert set(told[Reach.LOOPBACK]) == {A.cell_id, B.cell_id}
    assert set(told[Reach.SITE]) == {B.cell_id}
    assert len(told[Reach.SITE][B.cell_id]) == 2
    assert told[Reach.WORLD] == {B.cell_id: (at(B.cell_id, 1, "8.8.8.8"),)}


def test_members_and_reached_cells_are_told_first() -> None:
    book = _book()
    for key in (A, B, C):
        book.learn(announced(key), TELLER)
    book.protect([C.cell_id])
    book.worked(B.cell_id, None, NOW_NS)
    assert [found.cell_id for found in book.nodes(Reach.LOOPBACK)] == [
        C.cell_id,
        B.cell_id,
        A.cell_id,
    ]


def test_the_book_survives_a_restart() -> None:
    book = _book(at(A.cell_id, 9))
    book.learn(announced(A, at(A.cell_id, 1), at(A.cell_id, 2)), TELLER)
    book.worked(A.cell_id, at(A.cell_id, 2), NOW_NS)
    book.worked(A.cell_id, at(A.cell_id, 9), NOW_NS - 1)
    book.failed(A.cell_id, at(A.cell_id, 1), NOW_NS)
    book.seen(A.cell_id, NOW_NS + 5)
    again = _again(book)
    assert again.addresses(A.cell_id) == book.addresses(A.cell_id)
    entry, before = again.entry(A.cell_id), book.entry(A.cell_id)
    assert entry is not None
    assert before is not None
    assert entry.addresses[at(A.cell_id, 9)].source is Source.FORMER
    assert (entry.trust, entry.last_seen_ns, entry.announcements) == (
        before.trust,
        before.last_seen_ns,
        before.announcements,
    )
    assert entry.addresses[at(A.cell_id, 1)].failures == 1
    assert again.take_changes() == {}


def test_a_long_silence_of_a_cell_is_written_down_a_few_times_only() -> None:
    book = _book(at(A.cell_id))
    book.take_changes()
    writes = 0
    for _ in range(1000):
        book.failed(A.cell_id, at(A.cell_id), NOW_NS)
        writes += bool(book.take_changes())
    assert writes == 10
    assert book.addresses(A.cell_id) == (at(A.cell_id),)


def test_an_address_nobody_vouches_for_is_forgotten_when_it_keeps_failing() -> None:
    book = _book()
    book.hint(A.cell_id, [at(A.cell_id)], "mdns")
    for _ in range(16):
        book.failed(A.cell_id, at(A.cell_id), NOW_NS)
    assert book.addresses(A.cell_id) == ()


def test_rows_that_can_not_be_read_are_left_out() -> None:
    book = _book()
    book.learn(announced(A), TELLER)
    good = book.take_changes()[A.cell_id]
    assert good is not None
    rows = [(A.cell_id, good), (B.cell_id, b"\x00"), (C.cell_id, good[:-1])]
    assert list(read_entries(rows, NETWORK)) == [A.cell_id]


@given(st.integers(0), st.integers(1, 255))
@settings(deadline=None)
def test_a_damaged_row_gives_an_entry_or_nothing(place: int, change: int) -> None:
    book = _book()
    book.learn(announced(A, at(A.cell_id, 1), at(A.cell_id, 2)), TELLER)
    raw = bytearray(book.take_changes()[A.cell_id] or b"")
    raw[place % len(raw)] ^= change
    for entry in read_entries([(A.cell_id, bytes(raw))], NETWORK).values():
        assert decode_entry(encode_entry(entry), NETWORK) == entry


class BookMachine(RuleBasedStateMachine):
    """Whatever happens in whatever order, the bounds hold and the book can be stored."""

    def __init__(self) -> None:
        super().__init__()
        self.book = AddressBook(OWN, [at(D.cell_id)], cells_max=6)
        self.book.protect([C.cell_id])
        self.stored: dict[CellId, bytes] = {}
        self.newest: dict[CellId, int] = {}
        self.now_ns = NOW_NS

    @rule(cell=st.integers(0, 12), port=st.integers(1, 40), age=st.integers(0, 9))
    def learn(self, cell: int, port: int, age: int) -> None:
        key = many(9)[cell] if cell < 9 else (A, B, C, D)[cell - 9]
        items = announced(key, at(key.cell_id, port), at(key.cell_id, port + 1), issued_ns=age)
        if self.book.learn(items, TELLER):
            self.newest[key.cell_id] = age

    @rule(cell=st.integers(0, 8), port=st.integers(1, 60))
    def hint(self, cell: int, port: int) -> None:
        cell_id = many(9)[cell].cell_id
        self.book.hint(cell_id, [at(cell_id, port)], "mdns")

    @rule(cell=st.integers(0, 8), failed=st.booleans())
    def dial(self, cell: int, *, failed: bool) -> None:
        cell_id = many(9)[cell].cell_id
        self.now_ns += 1
        for address in self.book.addresses(cell_id)[:1]:
            if failed:
                self.book.failed(cell_id, address, self.now_ns)
            else:
                self.book.worked(cell_id, address, self.now_ns)
                assert self.book.addresses(cell_id)[0] == address or not failed

    @rule()
    def store(self) -> None:
        for cell_id, data in self.book.take_changes().items():
            if data is None:
                self.stored.pop(cell_id, None)
            else:
                self.stored[cell_id] = data
        read = read_entries(list(self.stored.items()), NETWORK)
        assert len(read) == len(self.stored)

    @invariant()
    def bounds_hold(self) -> None:
        assert len(self.book.cells()) <= 6
        assert D.cell_id in self.book.cells()
        for cell_id in self.book.cells():
            entry = self.book.entry(cell_id)
            assert entry is not None
            assert len(entry.addresses) <= BOOK_ADDRESSES_MAX + 1
            sources = [record.source for record in entry.addresses.values()]
            assert sources.count(Source.HINT) <= BOOK_HINTS_MAX
            assert sources.count(Source.FORMER) <= BOOK_KEPT_MAX
            announced_now = {text for item in entry.announcements for text in item.addresses}
            assert announced_now <= set(entry.addresses)


TestBookMachine = BookMachine.TestCase
TestBookMachine.settings = settings(max_examples=40, stateful_step_count=30, deadline=None)
