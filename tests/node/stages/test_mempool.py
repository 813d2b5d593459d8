"""Transactions wait in a bounded queue: first in, first out, each once."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from core.ids import TransactionId
from ledger.transaction import transaction_id
from node.errors import MempoolFull
from node.limits import MEMPOOL_COUNT_MAX, MEMPOOL_SIZE_BYTES_MAX
from node.stages.mempool import Mempool


class _Model(RuleBasedStateMachine):
    """The queue against a plain list."""

    def __init__(self) -> None:
        super().__init__()
        self.pool = Mempool()
        self.waiting: list[tuple[TransactionId, bytes]] = []

    @rule(raw=st.binary(max_size=6))
    def add(self, raw: bytes) -> None:
        item = (transaction_id(raw), raw)
        self.pool.add(*item)
        if item not in self.waiting:
            self.waiting.append(item)

    @rule(count=st.integers(0, 4), size=st.integers(0, 12))
    def take(self, count: int, size: int) -> None:
        taken = self.pool.take(count_max=count, size_bytes_max=size)
        assert taken == self.waiting[: len(taken)]
        del self.waiting[: len(taken)]
        assert len(taken) <= count
        sizes = sum(len(raw) for _, raw in taken)
        assert sizes <= size or len(taken) == 1
        if self.waiting and len(taken) < count:
            assert taken, "the oldest is never left for ever"
            assert sizes + len(self.waiting[0][1]) > size

    @invariant()
    def it_knows_what_waits(self) -> None:
        assert len(self.pool) == len(self.waiting)
        assert all(identity in self.pool for identity, _ in self.waiting)
        assert self.pool._size_bytes == sum(len(raw) for _, raw in self.waiting)


_Model.TestCase.settings = settings(deadline=None, max_examples=40, stateful_step_count=25)
TestModel = _Model.TestCase


@given(st.integers(0, 3), st.integers(0, 3))
@settings(deadline=None)
def test_room_is_counted_in_transactions_and_in_bytes(count: int, size: int) -> None:
    pool = Mempool()
    pool.add(TransactionId(bytes(32)), b"1234")
    pool.check_room(MEMPOOL_COUNT_MAX - 1 - count, MEMPOOL_SIZE_BYTES_MAX - 4 - size)
    with pytest.raises(MempoolFull, match="1 transactions wait"):
        pool.check_room(MEMPOOL_COUNT_MAX + count, 0)
    with pytest.raises(MempoolFull):
        pool.check_room(1, MEMPOOL_SIZE_BYTES_MAX - 3 + size)


def test_a_full_queue_is_worth_trying_again() -> None:
    assert MempoolFull.retryable
