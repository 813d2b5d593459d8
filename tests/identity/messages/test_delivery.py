"""The rules of delivery one by one: windows, retries, older copies, floors, a relay's bounds."""

from __future__ import annotations

from dataclasses import replace

import pytest

from core.ids import CellId
from identity.messages import relay as relay_module
from identity.messages.delivery import Delivered, Failed, Inbox, Outbox, Read, Verdict, Waiting
from identity.messages.errors import MessageExpired, NumberUsed, OutboxFull, RelayFull
from identity.messages.limits import (
    KEPT_PER_CELL_SIZE_BYTES_MAX,
    KEPT_PER_PAIR_MAX,
    NUMBER_MAX,
    RETRY_MS_MIN,
    WAITING_COUNT_MAX,
    WINDOW_COUNT_MAX,
)
from identity.messages.relay import Held, Keeping

BOB = CellId("bob")
HELD = Held(CellId("alice"), BOB, 1, 100, 1_000)


def message(number: int, *, size_bytes: int = 500, expires_ms: int = 10**9) -> Waiting:
    return Waiting(number, b"%016d" % number, number + 100, size_bytes, expires_ms)


def outbox(count: int) -> Outbox:
    box = Outbox(BOB)
    for number in range(1, count + 1):
        box.add(message(number))
    return box


def numbers(sent: list[Waiting]) -> list[int]:
    return [one.number for one in sent]


def test_no_more_goes_out_than_the_window_until_it_is_confirmed() -> None:
    box = outbox(WINDOW_COUNT_MAX + 10)
    assert numbers(box.take_due(0)) == list(range(1, WINDOW_COUNT_MAX + 1))
    assert box.take_due(1) == []
    assert box.confirmed(4, message(4).replay_id, 0) == [Delivered(BOB, 4)]
    assert numbers(box.take_due(2)) == list(range(WINDOW_COUNT_MAX + 1, WINDOW_COUNT_MAX + 5))


def test_the_window_counts_bytes_but_always_lets_one_through() -> None:
    box = Outbox(BOB)
    for number in range(1, 5):
        box.add(message(number, size_bytes=900_000))
    assert numbers(box.take_due(0)) == [1]


def test_what_nobody_confirms_is_sent_again_at_growing_pauses() -> None:
    box = outbox(2)
    assert numbers(box.take_due(0)) == [1, 2]
    assert box.take_due(RETRY_MS_MIN - 1) == []
    assert numbers(box.take_due(RETRY_MS_MIN)) == [1, 2]
    assert box.due_in_ms(RETRY_MS_MIN) == 2 * RETRY_MS_MIN


def test_a_new_connection_begins_at_the_first_that_waits() -> None:
    box = outbox(3)
    box.take_due(0)
    box.confirmed(1, message(1).replay_id, 0)
    box.connected()
    assert numbers(box.take_due(1)) == [2, 3]


def test_receipts_that_come_late_or_twice_say_nothing_new() -> None:
    box = outbox(3)
    assert box.confirmed(3, message(3).replay_id, 2) == [Delivered(BOB, 3), Read(BOB, 2)]
    assert box.confirmed(3, message(3).replay_id, 2) == []
    assert box.confirmed(1, message(1).replay_id, 1) == []


def test_an_older_copy_of_a_directory_fails_what_has_used_numbers_and_goes_on_above() -> None:
    box = outbox(2)
    assert box.confirmed(9, b"x" * 16, 0) == [
        Failed(BOB, 1, NumberUsed.code),
        Failed(BOB, 2, NumberUsed.code),
    ]
    assert (box.next_number, box.floor, len(box), box.needs_floor) == (10, 10, 0, False)


def test_a_number_that_was_used_fails_what_is_on_its_way_to_the_disk() -> None:
    box = outbox(0)
    number, expires_ms = box.reserve(10**9)
    assert box.confirmed(number, b"x" * 16, 0) == []
    waiting = message(number, expires_ms=expires_ms)
    assert box.add(waiting) == [Failed(BOB, number, NumberUsed.code)]
    assert (box.floor, len(box)) == (2, 0)


def test_a_receipt_for_another_message_of_the_same_number_delivers_nothing() -> None:
    box = outbox(3)
    assert box.confirmed(2, b"x" * 16, 0) == [
        Failed(BOB, 1, NumberUsed.code),
        Failed(BOB, 2, NumberUsed.code),
    ]
    assert numbers(list(box)) == [3]


def test_a_refusal_counts_only_for_the_message_it_names() -> None:
    box = outbox(2)
    assert box.refused(1, b"x" * 16, "MYC-X") == []
    assert box.refused(1, message(1).replay_id, "MYC-X") == [Failed(BOB, 1, "MYC-X")]
    assert box.needs_floor
    assert box.floor == 2


def test_messages_expire_in_order_and_the_floor_rises_over_them() -> None:
    box = Outbox(BOB)
    box.add(message(1, expires_ms=50))
    assert box.reserve(10) == (2, 50)
    box.add(message(2, expires_ms=50))
    assert box.reserve(70) == (3, 70)
    box.add(message(3, expires_ms=70))
    assert box.expire(49) == []
    assert box.expire(50) == [
        Failed(BOB, 1, MessageExpired.code),
        Failed(BOB, 2, MessageExpired.code),
    ]
    assert (box.floor, box.needs_floor, box.expires_ms()) == (3, True, 70)


def test_the_floor_does_not_rise_over_what_is_on_its_way_to_the_disk() -> None:
    box = outbox(1)
    number, expires_ms = box.reserve(10**9)
    box.confirmed(1, message(1).replay_id, 0)
    assert box.floor == number
    box.add(message(number, expires_ms=expires_ms))
    assert numbers(box.take_due(0)) == [2]


def test_an_outbox_has_a_bound() -> None:
    with pytest.raises(OutboxFull):
        outbox(WAITING_COUNT_MAX).check_room()


def test_a_receiver_that_claims_too_much_only_stops_what_is_sent_to_it() -> None:
    box = outbox(1)
    assert box.confirmed(NUMBER_MAX, b"x" * 16, 0) == [Failed(BOB, 1, NumberUsed.code)]
    with pytest.raises(OutboxFull):
        box.check_room()


def test_a_number_is_taken_once_and_only_after_the_one_before() -> None:
    inbox = Inbox(BOB, {1: b"a" * 16}.get, taken=1)
    assert inbox.judge(3, b"c" * 16) is Verdict.EARLY
    assert inbox.judge(2, b"b" * 16) is Verdict.TAKE
    inbox.accept(2, b"b" * 16)
    assert inbox.judge(2, b"b" * 16) is Verdict.AGAIN
    assert inbox.judge(2, b"x" * 16) is Verdict.CONFLICT
    assert inbox.receipt == (1, b"a" * 16, 0)
    inbox.stored(2)
    assert inbox.taken == 2
    assert inbox.judge(1, b"a" * 16) is Verdict.AGAIN


def test_a_floor_waits_while_something_is_on_its_way_to_the_disk() -> None:
    inbox = Inbox(BOB, lambda _: None)
    inbox.accept(1, b"a" * 16)
    assert not inbox.skip_to(5)
    inbox.stored(1)
    assert inbox.skip_to(5)
    assert (inbox.taken, inbox.receipt[1]) == (4, b"")
    assert not inbox.skip_to(3)
    assert inbox.judge(5, b"e" * 16) is Verdict.TAKE


def test_only_what_was_taken_is_read() -> None:
    inbox = Inbox(BOB, lambda _: None, taken=3)
    assert not inbox.mark_read(4)
    assert inbox.mark_read(3)
    assert not inbox.mark_read(2)


def test_a_relay_hands_out_in_order_and_drops_what_is_covered() -> None:
    held = [replace(HELD, number=number) for number in (3, 1, 2)]
    keeping = Keeping(held)
    assert [one.number for one in keeping.kept_for(BOB)] == [1, 2, 3]
    assert keeping.receivers() == [BOB]
    assert keeping.kept_for(HELD.sender) == keeping.kept_for(CellId("eve")) == []
    assert [one.number for one in keeping.drop_through(HELD.sender, BOB, 2)] == [1, 2]
    assert keeping.drop(HELD.sender, BOB, 3) == [replace(HELD, number=3)]
    assert (len(keeping), keeping.size_bytes, keeping.receivers()) == (0, 0, [])


def test_a_relay_forgets_what_is_too_old() -> None:
    keeping = Keeping([HELD, replace(HELD, number=2, expires_ms=2_000)])
    assert keeping.expire(1_000) == [HELD]
    assert len(keeping) == 1


def test_a_relay_is_full_for_a_pair_for_a_cell_and_in_all(monkeypatch: pytest.MonkeyPatch) -> None:
    keeping = Keeping(replace(HELD, number=at) for at in range(KEPT_PER_PAIR_MAX))
    with pytest.raises(RelayFull):
        keeping.keep(replace(HELD, number=KEPT_PER_PAIR_MAX))
    keeping.keep(replace(HELD, sender=CellId("carol")))
    large = replace(HELD, size_bytes=KEPT_PER_CELL_SIZE_BYTES_MAX)
    with pytest.raises(RelayFull):
        Keeping([HELD]).keep(replace(large, number=2, receiver=CellId("dora")))
    with pytest.raises(RelayFull):
        Keeping([HELD]).keep(replace(large, sender=CellId("carol")))
    monkeypatch.setattr(relay_module, "KEPT_COUNT_MAX", 1)
    with pytest.raises(RelayFull):
        Keeping([HELD]).keep(Held(CellId("x"), CellId("y"), 1, 1, 1))


def test_a_message_that_was_sealed_anew_is_the_same_one_in_another_block() -> None:
    box = outbox(2)
    box.take_due(0)
    box.rewritten(2, 900)
    box.rewritten(7, 901)  # it is confirmed or given up since
    assert [one.id for one in box] == [101, 900]
    assert box.waiting(2) == replace(message(2), id=900)
    assert box.waiting(7) is None
    assert box.confirmed(2, message(2).replay_id, 0) == [Delivered(BOB, 2)]


def test_what_waits_under_another_id_of_a_cell_goes_behind_what_waits_for_it() -> None:
    box, stray = outbox(2), Outbox(CellId("bob, later"))
    for number in (1, 2):
        stray.add(replace(message(number + 50, expires_ms=5), number=number))
    moved = stray.hand_over(box)
    assert [(before.number, after.number) for before, after in moved] == [(1, 3), (2, 4)]
    assert [one.replay_id for one in box] == [message(at).replay_id for at in (1, 2, 51, 52)]
    assert not len(stray)
    assert all(after.expires_ms == 10**9 for _, after in moved)  # they expire in order
    assert box.next_number == 5
    assert numbers(box.take_due(0)) == [1, 2, 3, 4]
