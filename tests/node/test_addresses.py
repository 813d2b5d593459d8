"""A cell's own word on where it listens is taken; hearsay only while nothing is known."""

from __future__ import annotations

import pytest

from core.ids import CellId
from gossip.host.errors import NotAMultiaddr
from gossip.limits import ADDRESSES_MAX
from node import addresses as addresses_module
from node.addresses import AddressBook
from tests.ledger.world import KEYS

A, B, C = (key.cell_id for key in KEYS[:3])


def at(cell: CellId, port: int = 1) -> str:
    """Return an address of a cell."""
    return f"/ip4/127.0.0.1/tcp/{port}/p2p/{cell}"


def book_of(*bootstrap: str, known: dict[CellId, tuple[str, ...]] | None = None) -> AddressBook:
    """Return a book with configured and remembered addresses."""
    return AddressBook(bootstrap, known or {})


def test_configured_and_remembered_addresses_are_known_the_remembered_first() -> None:
    book = book_of(at(A), at(A, 2), at(B), known={A: (at(A, 3), at(A, 2)), C: (at(C),)})
    assert book.addresses(A) == (at(A, 3), at(A, 2), at(A))
    assert book.addresses(B) == (at(B),)
    assert book.addresses(KEYS[3].cell_id) == ()
    assert book.bootstrap_cells == {A, B}
    assert book.all() == sorted((cell, book.addresses(cell)) for cell in (A, B, C))


@pytest.mark.parametrize(
    "text", ["", "127.0.0.1:80", "/ip4/127.0.0.1/tcp/1", at(A)[:-1], at(A) + " "]
)
def test_a_bad_bootstrap_address_is_refused(text: str) -> None:
    with pytest.raises(NotAMultiaddr):
        book_of(text)


def test_what_a_cell_says_of_itself_replaces_what_was_known_and_is_kept_once() -> None:
    told = book_of(known={A: (at(A),)})
    told.learn_own(A, [at(A, 2), at(A, 3)])
    told.learn_own(A, [at(A, 2), at(A, 3)])
    assert told.addresses(A) == (at(A, 2), at(A, 3))
    assert told.take_changes() == {A: (at(A, 2), at(A, 3))}
    told.learn_own(A, [at(A, 2), at(A, 3)])
    assert told.take_changes() == {}


def test_addresses_that_can_not_be_dialled_or_name_another_cell_are_left_out() -> None:
    told = book_of()
    told.learn_own(A, ["", at(B), "/ip4/1.2.3.4/udp/1", at(A), "/ip4/0.0.0.0/tcp/0"])
    assert told.addresses(A) == (at(A),)
    told.learn_own(A, [at(B)])
    told.learn_own(A, [])
    assert told.addresses(A) == (at(A),)
    assert told.take_changes() == {A: (at(A),)}


def test_hearsay_is_taken_of_wanted_cells_of_which_nothing_is_known() -> None:
    told = book_of(at(A))
    hearsay = [(cell, (at(cell, 9),)) for cell in (A, B, C)]
    told.learn_told(hearsay, wanted={A, B})
    assert told.addresses(A) == (at(A),)
    assert told.addresses(B) == (at(B, 9),)
    assert told.addresses(C) == ()
    told.learn_told([(B, (at(B, 10),))], wanted={B})
    assert told.addresses(B) == (at(B, 9),)


def test_the_book_is_bounded_in_addresses_and_in_cells(monkeypatch: pytest.MonkeyPatch) -> None:
    told = book_of(*(at(B, port) for port in range(1, 40)))
    told.learn_own(A, [at(A, port) for port in range(1, 100)])
    assert len(told.addresses(A)) == ADDRESSES_MAX
    assert [len(found) for _, found in told.all()] == [ADDRESSES_MAX] * 2
    monkeypatch.setattr(addresses_module, "ADDRESSES_KNOWN_MAX", 1)
    told.learn_own(C, [at(C)])
    assert told.addresses(C) == ()
    told.learn_own(A, [at(A)])
    assert told.addresses(A) == (at(A),)
