"""What a cell without a vote hands to members, and for how long."""

from __future__ import annotations

import pytest

from core.ids import TransactionId
from ledger.transaction import opaque_transaction, transaction_id
from node.errors import MempoolFull
from node.limits import HOMELESS_INTERVAL_MS, HOMELESS_TRIES_MAX, MEMPOOL_COUNT_MAX
from node.stages.homeless import Homeless


def _item(text: str) -> tuple[TransactionId, bytes]:
    raw = opaque_transaction(text.encode())
    return transaction_id(raw), raw


def test_a_clients_transaction_is_handed_out_again_after_a_while_until_it_has_a_place() -> None:
    homeless, (identity, raw) = Homeless(), _item("a")
    homeless.hand_on([(identity, raw)], 0)
    assert homeless.due(HOMELESS_INTERVAL_MS - 1) == ([], [])
    assert homeless.due(HOMELESS_INTERVAL_MS) == ([raw], [])
    assert homeless.due(HOMELESS_INTERVAL_MS) == ([], [])
    homeless.pop(identity)
    assert homeless.due(2 * HOMELESS_INTERVAL_MS) == ([], [])
    assert homeless.wait_ms(0) is None


def test_a_clients_transaction_that_nobody_places_is_given_up_and_what_was_promised_never() -> None:
    homeless, (mine, promised), (theirs, accepted) = (
        Homeless(),
        _item("promised"),
        _item("client's"),
    )
    homeless.keep([(mine, promised)])
    homeless.hand_on([(theirs, accepted)], 0)
    for number in range(HOMELESS_TRIES_MAX):
        assert homeless.due(number * HOMELESS_INTERVAL_MS) == ([promised, accepted], [])
    last_ms = HOMELESS_TRIES_MAX * HOMELESS_INTERVAL_MS
    assert homeless.due(last_ms) == ([promised], [theirs])
    assert homeless.due(last_ms + HOMELESS_INTERVAL_MS) == ([promised], [])


def test_clients_transactions_are_bounded_and_what_was_promised_always_has_room() -> None:
    homeless, item = Homeless(), _item("a")
    homeless.check_room(MEMPOOL_COUNT_MAX, 0)
    homeless.keep([item])
    with pytest.raises(MempoolFull):
        homeless.check_room(MEMPOOL_COUNT_MAX, 0)
    homeless.keep([_item("b")])
    assert len(homeless) == 2


def test_what_was_promised_stays_promised_when_a_client_gives_it_again() -> None:
    homeless, item = Homeless(), _item("a")
    homeless.keep([item])
    homeless.hand_on([item], 0)
    for number in range(HOMELESS_TRIES_MAX + 2):
        assert homeless.due(number * HOMELESS_INTERVAL_MS) == ([item[1]], [])


def test_a_transaction_that_can_have_no_effect_any_more_is_taken_out() -> None:
    homeless, (mine, promised), (theirs, accepted) = (
        Homeless(),
        _item("promised"),
        _item("client's"),
    )
    homeless.keep([(mine, promised)])
    homeless.hand_on([(theirs, accepted)], 0)
    assert homeless.take_spent(lambda _: False) == []
    assert homeless.take_spent(lambda identity: identity == mine) == [mine]
    assert homeless.all() == [accepted]
    assert homeless.take_spent(lambda _: True) == [theirs]
    assert homeless.all() == []
