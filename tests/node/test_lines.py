"""A cell is found under any of its keys, as far as the state knows of them."""

from __future__ import annotations

from core.ids import PublicKey, Round
from identity.keys import KeyPair
from node.lines import Lines
from tests.ledger.world import GENESIS, KEYS, NEWCOMERS, Cell, candidates, rotation, signed

A, B = KEYS[:2]
E, F = NEWCOMERS[:2]
Told = list[tuple[PublicKey, PublicKey]]


def rotate(cell: Cell, lines: Lines, old: KeyPair, new: KeyPair) -> None:
    applied = cell.apply(candidates([signed(old, 1, rotation(old, new))]))
    lines.applied(applied)


def lines_of(cell: Cell) -> Lines:
    return Lines(cell.state.get)


def test_any_key_of_a_cell_leads_to_its_first_and_its_present_one() -> None:
    cell = Cell()
    lines, told = lines_of(cell), Told()
    lines.listen(lambda old, new: told.append((old, new)))
    assert lines.present(A.cell_id) == lines.first(A.cell_id) == A.cell_id
    assert (lines.since(A.public_key), lines.round_given_up(A.public_key)) == (0, None)
    rotate(cell, lines, A, E)
    while cell.ledger.applied_round < 80:
        lines.applied(cell.apply([]))
    rotate(cell, lines, E, F)
    assert told == [(A.public_key, E.public_key), (E.public_key, F.public_key)]
    for one in (A, E, F):
        assert (lines.first(one.cell_id), lines.present(one.cell_id)) == (A.cell_id, F.cell_id)
        assert lines.first_key(one.public_key) == A.public_key
        assert lines.present_key(one.cell_id) == F.public_key
        assert lines.is_present(one.public_key) == (one is F)
    assert [lines.since(one.public_key) for one in (A, E, F)] == [0, 1, 81]
    assert lines.round_given_up(E.public_key) == Round(81)
    assert lines.ids(F.cell_id) == [F.cell_id, E.cell_id, A.cell_id]
    assert lines.ids(A.cell_id) == [A.cell_id]


def test_a_member_is_one_under_each_of_its_keys_in_the_roster_before_and_after() -> None:
    cell = Cell()
    lines, before = lines_of(cell), GENESIS.roster
    assert not lines.is_member(E.cell_id, before)
    rotate(cell, lines, A, E)
    for roster in (before, cell.ledger.roster):
        assert lines.is_member(A.cell_id, roster)
        assert lines.is_member(E.cell_id, roster)
        assert not lines.is_member(F.cell_id, roster)
