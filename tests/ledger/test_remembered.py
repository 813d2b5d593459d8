"""What is remembered of the state is bounded, and never older than what the last round wrote."""

from __future__ import annotations

from ledger.remembered import Remembered


def test_what_a_round_wrote_is_held_until_it_is_durable_whatever_else_is_asked_for() -> None:
    disk = dict.fromkeys(range(100), 0)
    remembered = Remembered(disk.__getitem__, 4)
    remembered.put(1, 7)
    assert [remembered.get(number) for number in range(2, 50)] == [0] * 48
    assert remembered.get(1) == 7  # the disk still says 0
    disk[1] = 7
    remembered.settle()
    assert [remembered.get(number) for number in range(2, 50)] == [0] * 48
    assert remembered.get(1) == 7  # forgotten, and read again


def test_no_more_are_kept_than_may_be() -> None:
    reads: list[int] = []

    def read(number: int) -> int:
        reads.append(number)
        return number

    remembered = Remembered(read, 3)
    for number in (1, 2, 3, 1, 2, 3):
        assert remembered.get(number) == number
    assert reads == [1, 2, 3]
    assert remembered.get(4) == 4
    assert remembered.get(1) == 1
    assert reads == [1, 2, 3, 4, 1]
    for number in range(10):
        remembered.put(number, -number)
    remembered.settle()
    assert sum(remembered.get(number) < 0 for number in (7, 8, 9)) == 3
    assert len(reads) == 5
