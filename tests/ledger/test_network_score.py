"""The network's score: moved once an epoch, by what its rounds say of each member."""

from __future__ import annotations

import dataclasses

import pytest

from core.codec import WrongShape, encode
from core.ids import Epoch, MemberIndex
from ledger.forks import fork_key
from ledger.header import APPLIED
from ledger.limits import EPOCH_ROUNDS_MIN
from ledger.members import MemberLeave
from ledger.network_score import (
    EPOCH_RECORD_KEY,
    EpochRecord,
    decode_record,
    decode_score,
    score_key,
)
from tests.ledger.test_forks import proof
from tests.ledger.world import GENESIS, KEYS, NEWCOMERS, Cell, rotation

A, B, C, D = KEYS
EVERYBODY = range(4)
SHORT = dataclasses.replace(GENESIS, epoch_rounds=EPOCH_ROUNDS_MIN)


def scores(cell: Cell) -> list[int]:
    return [decode_score(cell.state.get(score_key(pair.public_key))) for pair in KEYS]


def epoch(cell: Cell, *present: int) -> None:
    """Let an epoch pass, in which events of these are received."""
    number = cell.ledger.roster.epoch
    cell.apply([], present)
    while cell.ledger.roster.epoch == number:
        cell.apply([])


def test_scores_move_at_the_seal_and_not_before() -> None:
    cell = Cell(SHORT)
    for _ in range(EPOCH_ROUNDS_MIN - 1):
        cell.apply([], (0, 1, 2))
        assert scores(cell) == [500_000] * 4
    applied = cell.apply([], (0,))
    assert applied.sealed is not None
    assert scores(cell) == [510_000, 510_000, 510_000, 480_000]


def test_one_event_in_any_round_of_the_epoch_is_enough() -> None:
    cell = Cell(SHORT)
    for number in range(EPOCH_ROUNDS_MIN):
        cell.apply([], (3,) if number == EPOCH_ROUNDS_MIN - 1 else (0, 1, 2))
    assert scores(cell) == [510_000] * 4


def test_who_was_present_in_one_epoch_has_to_be_in_the_next_too() -> None:
    cell = Cell(SHORT)
    epoch(cell, *EVERYBODY)
    epoch(cell, 0, 1)
    assert scores(cell) == [520_000, 520_000, 490_000, 490_000]


def test_scores_stay_between_nothing_and_one() -> None:
    cell = Cell(SHORT)
    for _ in range(52):
        epoch(cell, 0, 1, 2)
    assert scores(cell) == [1_000_000, 1_000_000, 1_000_000, 0]
    epoch(cell, *EVERYBODY)
    assert scores(cell) == [1_000_000, 1_000_000, 1_000_000, 10_000]


def test_a_proven_fork_takes_more_and_once() -> None:
    cell = Cell()
    cell.apply([], EVERYBODY)
    assert cell.act((A, proof(D, 3))) == [APPLIED]
    assert scores(cell) == [510_000, 510_000, 510_000, 450_000]


def test_a_fork_of_the_epoch_before_counts_for_one_who_is_no_member_any_more() -> None:
    cell = Cell()
    cell.apply([], EVERYBODY)
    cell.act((D, MemberLeave()))
    assert [member.public_key for member in cell.ledger.roster.members] == [
        pair.public_key for pair in (A, B, C)
    ]
    cell.apply([], (0, 1, 2))
    assert cell.act((A, proof(D, 3))) == [APPLIED]
    assert cell.ledger.roster.epoch == 1
    assert scores(cell) == [510_000, 510_000, 510_000, 510_000]
    cell.act((C, MemberLeave()))
    assert scores(cell) == [520_000, 520_000, 520_000, 460_000]


def test_a_new_key_has_the_score_of_the_one_before_and_pays_for_its_forks() -> None:
    cell, new = Cell(), NEWCOMERS[0]
    cell.apply([], EVERYBODY)
    cell.act((C, MemberLeave()))
    assert scores(cell)[3] == 510_000
    cell.apply([], range(3))
    cell.act((D, rotation(D, new)))
    assert decode_score(cell.state.get(score_key(new.public_key))) == 520_000
    cell.apply([], range(3))
    assert cell.act((A, proof(D, 2, epoch=1))) == [APPLIED]
    assert cell.ledger.roster.index_of(new.public_key) is None
    assert decode_score(cell.state.get(score_key(new.public_key))) == 470_000
    assert scores(cell)[3] == 510_000


def test_a_short_epoch_says_nothing_of_who_was_absent() -> None:
    cell = Cell(SHORT)
    cell.apply([], (0, 1))
    cell.act((C, MemberLeave()))
    assert cell.ledger.roster.epoch == 1
    assert scores(cell) == [510_000, 510_000, 500_000, 500_000]


def test_a_cell_that_restarts_within_an_epoch_comes_to_the_same_scores() -> None:
    steady = Cell(SHORT)
    for number in range(3 * EPOCH_ROUNDS_MIN):
        restarted = steady.restarted()
        present = (number % 5, 0) if number % 5 < 4 else ()
        one, other = steady.apply([], present), restarted.apply([], present)
        assert one.header == other.header
        assert one.changes == other.changes


def test_the_record_is_written_only_when_it_changes() -> None:
    cell = Cell(SHORT)
    first, again = cell.apply([], (1,)), cell.apply([], (1,))
    assert [key for key, _ in first.changes] == [EPOCH_RECORD_KEY]
    assert again.changes == ()
    assert again.header.state_root == first.header.state_root
    epoch(cell)
    assert cell.state[EPOCH_RECORD_KEY] == EpochRecord().encode()


def test_an_absent_score_is_that_of_the_start() -> None:
    assert decode_score(None) == 500_000


def test_a_record_comes_back_as_it_was() -> None:
    record = EpochRecord(
        frozenset({MemberIndex(3), MemberIndex(0)}), frozenset({A.public_key, B.public_key})
    )
    assert decode_record(record.encode()) == record


@pytest.mark.parametrize(
    "value",
    [
        [[1, 0], []],
        [[0, 0], []],
        [[128], []],
        [[], [bytes(31)]],
        [[], [bytes([2]) * 32, bytes([1]) * 32]],
    ],
)
def test_a_record_has_one_form(value: list[object]) -> None:
    with pytest.raises(WrongShape):
        decode_record(encode(value))  # type: ignore[arg-type]  # values that a decoder may meet


def test_only_written_proofs_of_forks_count() -> None:
    written = [b"value/fork/x", fork_key(Epoch(3), D.public_key), b"account/" + A.public_key]
    assert EpochRecord().after((), written) == EpochRecord(wrong=frozenset({D.public_key}))
