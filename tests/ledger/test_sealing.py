"""An epoch ends where all cells see it end, and the header that ends it names who votes next."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import InvariantBroken
from core.ids import Epoch, Round
from identity.keys import verify
from ledger.certificate import verify_certificate
from ledger.errors import BadCertificate
from ledger.genesis import Genesis
from ledger.limits import EPOCH_ROUNDS_MIN
from ledger.machine import Applied
from ledger.network_score import score_key
from ledger.patches import decode_log
from ledger.roster import Roster, decode_roster, roster_key
from tests.ledger.world import GENESIS, START_NS, Cell, candidates, certified, opaque, put

SHORT = Genesis("short", GENESIS.members, START_NS, epoch_rounds=EPOCH_ROUNDS_MIN)


def _until_sealed(cell: Cell) -> Applied:
    """Apply rounds of one opaque transaction each up to the last one of the epoch."""
    while True:
        number = cell.ledger.applied_round + 1
        raws = [opaque(f"{number}")]
        applied = cell.apply(candidates(raws, time_ns=START_NS + number))
        if applied.sealed is not None:
            return applied


def test_an_epoch_of_the_same_members_has_its_full_number_of_rounds() -> None:
    cell = Cell(SHORT)
    for epoch in range(3):
        applied = _until_sealed(cell)
        assert applied.header.round == EPOCH_ROUNDS_MIN * (epoch + 1)
        assert applied.header.epoch == epoch
        assert applied.sealed == Roster(
            Epoch(epoch + 1),
            Round(applied.header.round + 1),
            applied.header.consensus_time_ns,
            SHORT.members,
            SHORT.roster.rules,
        )


def test_the_round_that_seals_is_the_last_of_the_old_epoch_and_names_the_next_roster() -> None:
    cell = Cell(SHORT)
    applied = _until_sealed(cell)
    sealing, following = applied.header, cell.apply([]).header
    assert (sealing.epoch, following.epoch) == (0, 1)
    assert applied.sealed is not None
    assert sealing.roster == following.roster == applied.sealed.hash
    assert following.previous == sealing.hash
    assert {header.roster for header in cell.headers[:15]} == {SHORT.roster.hash}


def test_each_roster_after_the_first_is_part_of_the_state() -> None:
    cell = Cell(SHORT)
    for _ in range(2):
        applied = _until_sealed(cell)
        assert applied.sealed is not None
        key = roster_key(applied.sealed.epoch)
        scores = {score_key(member.public_key) for member in SHORT.members}
        assert dict(applied.changes).keys() == {key, *scores}
        assert cell.state[key] == applied.sealed.encode()
        assert decode_roster(cell.state[key]) == cell.ledger.roster == applied.sealed
    assert roster_key(Epoch(0)) not in cell.state


def test_consensus_times_and_totals_go_on_over_the_seal() -> None:
    cell = Cell(SHORT)
    sealing = _until_sealed(cell).header
    empty = cell.apply([]).header
    assert empty.consensus_time_ns == sealing.consensus_time_ns == START_NS + EPOCH_ROUNDS_MIN
    later = cell.apply(candidates([opaque("x")], time_ns=START_NS + 99)).header
    assert later.consensus_time_ns == START_NS + 99
    assert later.transactions_total == sealing.transactions_total + 1


def test_an_epoch_that_ends_without_events_ends_at_the_time_of_the_last_one() -> None:
    cell = Cell(SHORT)
    cell.apply(candidates([opaque("x")]))
    applied = [cell.apply([]) for _ in range(EPOCH_ROUNDS_MIN - 1)][-1]
    assert applied.sealed is not None
    assert applied.sealed.last_time_ns == applied.header.consensus_time_ns == START_NS


def test_a_transaction_is_applied_once_over_a_seal() -> None:
    cell = Cell(SHORT)
    raw = put(0)
    cell.apply(candidates([raw]))
    _until_sealed(cell)
    again = cell.apply(candidates([raw]))
    assert (again.entries, again.changes) == ((), ())


@given(st.integers(1, 3 * EPOCH_ROUNDS_MIN))
@settings(deadline=None, max_examples=30)
def test_a_cell_restarts_in_any_round_with_the_roster_of_that_round(rounds: int) -> None:
    cell = Cell(SHORT)
    for number in range(rounds):
        cell.apply(candidates([opaque(f"{number}")]))
    again = cell.restarted()
    assert again.ledger.roster == cell.ledger.roster
    for _ in range(EPOCH_ROUNDS_MIN + 1):
        one, other = cell.apply([]), again.apply([])
        assert (one.header.hash, one.changes, one.sealed) == (
            other.header.hash,
            other.changes,
            other.sealed,
        )


def test_another_roster_than_that_of_the_last_header_is_noticed() -> None:
    cell = Cell(SHORT)
    applied = _until_sealed(cell)
    sealed = applied.sealed
    assert sealed is not None
    wrong = [
        SHORT.roster,
        dataclasses.replace(sealed, epoch=Epoch(2)),
        dataclasses.replace(sealed, first_round=Round(1)),
        dataclasses.replace(sealed, last_time_ns=0),
        dataclasses.replace(sealed, members=sealed.members[::-1]),
    ]
    for roster in wrong:
        with pytest.raises(InvariantBroken, match="roster on disk"):
            Cell(SHORT).ledger.restore(applied.header, roster, cell.pages.heads())
    again = Cell(SHORT)
    again.pages = cell.pages
    again.ledger.restore(applied.header, sealed, cell.pages.heads())


def test_the_old_roster_certifies_the_seal_and_the_new_one_what_follows() -> None:
    cell = Cell(SHORT)
    applied = _until_sealed(cell)
    following = cell.apply([]).header
    old, new = SHORT.roster, cell.ledger.roster
    sealing = certified(applied.header, (0, 1, 2))
    first = certified(following, (0, 1, 2))
    verify_certificate(sealing, SHORT.network_id, old, verify=verify)
    verify_certificate(first, SHORT.network_id, new, verify=verify)
    for certificate, roster in ((sealing, new), (first, old)):
        with pytest.raises(BadCertificate, match="of epoch"):
            verify_certificate(certificate, SHORT.network_id, roster, verify=verify)


def test_a_signature_for_another_epoch_is_no_signature() -> None:
    cell = Cell(SHORT)
    header = _until_sealed(cell).header
    signed = certified(header, (0, 1, 2), epoch=1)
    renamed = dataclasses.replace(signed, epoch=Epoch(0))
    with pytest.raises(BadCertificate, match="member 0"):
        verify_certificate(renamed, SHORT.network_id, SHORT.roster, verify=verify)


def test_an_id_is_listed_once_in_its_epoch_and_the_next() -> None:
    cell = Cell(SHORT)
    raws = [opaque("again"), put(0)]
    assert len(cell.apply(candidates(raws)).entries) == 2
    assert cell.apply(candidates(raws)).entries == ()
    _until_sealed(cell)
    for _ in range(EPOCH_ROUNDS_MIN):
        assert cell.apply(candidates(raws)).entries == ()
    assert cell.ledger.roster.epoch == 2


def test_the_window_is_the_same_whatever_a_cell_remembers_beyond_it_and_after_a_restart() -> None:
    cell = Cell(SHORT)
    raws = [opaque("again"), put(0)]
    cell.apply(candidates(raws))
    _until_sealed(cell)
    assert cell.ledger.window_first_round == 1
    _until_sealed(cell)
    assert cell.ledger.window_first_round == EPOCH_ROUNDS_MIN + 1
    again = cell.restarted()
    assert again.ledger.window_first_round == cell.ledger.window_first_round
    headers = []
    for one in (cell, again):
        applied = one.apply(candidates(raws))
        outcomes = [entry.receipt.outcome for entry in applied.entries]
        assert outcomes == ["applied", "MYC-LEDGER-014"]
        headers.append(applied.header)
    assert headers[0] == headers[1]
    assert cell.value("k") == again.value("k")


def test_the_tree_at_the_end_of_the_newest_two_epochs_is_kept() -> None:
    cell = Cell(SHORT)
    roots = [_until_sealed(cell).header.state_root for _ in range(4)]
    cell.apply(candidates([put(0)]))
    kept = [cell.ledger.snapshot(Epoch(epoch)) for epoch in range(5)]
    assert [snapshot and snapshot.root for snapshot in kept] == [None, None, *roots[2:], None]


def test_pages_are_written_in_place_but_for_those_that_the_end_of_an_epoch_needs() -> None:
    cell = Cell(SHORT)
    (page,) = cell.apply(candidates([put(0)])).pages.put
    again = cell.apply(candidates([put(1, "k", b"w")])).pages
    assert again.gone == ()
    assert [row.id for row in again.put] in ([], [page.id])
    assert again.put or [number for number, _ in decode_log(again.log)] == [page.id]
    sealing = _until_sealed(cell).pages
    assert {row.born for row in sealing.put} == {0}
    assert sealing.died == ()
    following = cell.apply(candidates([put(2)])).pages
    assert {row.born for row in following.put} == {1}
    assert following.died == ((page.id, 1),)
    assert page.id not in [row.id for row in following.put]
