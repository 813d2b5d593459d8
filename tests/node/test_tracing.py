"""Cells that know nothing of each other's spans tell one trace of each transaction."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise

from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from core.ids import TransactionId
from gateway.views import Stage
from identity.keys import KeyPair
from node.limits import TRACES_OPEN_MAX
from node.receipts import Receipts
from node.tracing import Tracing

ONE = TransactionId(bytes(range(32)))
CELLS = [KeyPair(bytes([number]) * 32).cell_id for number in (1, 2)]


@contextmanager
def _tracing(at: int = 0, percent: int = 100) -> Iterator[tuple[Tracing, list[ReadableSpan]]]:
    """What it told is in the list behind the block."""
    exporter, told = InMemorySpanExporter(), list[ReadableSpan]()
    name = f"cell {at}"
    tracing = Tracing(exporter, cell_id=CELLS[at], name=name, network="n", percent=percent)
    try:
        yield tracing, told
    finally:
        tracing.close()
        told += exporter.get_finished_spans()


def _all_stages(tracing: Tracing, transaction: TransactionId, first: Stage) -> None:
    for stage in Stage:
        if stage >= first:
            tracing.note([transaction], stage, 1_000 * (stage.value + 1))


def test_the_cell_that_took_it_in_and_another_one_tell_one_trace_with_one_root() -> None:
    with _tracing(0) as (here, told):
        _all_stages(here, ONE, Stage.ACCEPTED)
    with _tracing(1) as (there, told_there):
        _all_stages(there, ONE, Stage.ORDERED)
    assert [span.name for span in told] == ["transaction", "store", "order", "apply", "certify"]
    assert [span.name for span in told_there] == ["apply", "certify"]
    root, *children = [*told, *told_there]
    assert root.context is not None
    assert root.parent is None
    assert root.context.trace_id.to_bytes(16, "big") == ONE[:16], "found by the transaction's id"
    for span in children:
        assert span.context is not None
        assert span.parent is not None
        assert span.context.trace_id == root.context.trace_id
        assert span.parent.span_id == root.context.span_id != span.context.span_id
    instances = {span.resource.attributes["service.instance.id"] for span in (root, *told_there)}
    assert instances == set(CELLS)


def test_a_span_lasts_from_one_stage_to_the_next_and_the_root_all_the_time() -> None:
    with _tracing() as (tracing, told):
        _all_stages(tracing, ONE, Stage.ACCEPTED)
    times = [(span.start_time, span.end_time) for span in told]
    begins = [1_000 * (stage.value + 1) for stage in Stage]
    assert times == [(begins[0], begins[-1]), *pairwise(begins)]


def test_all_cells_trace_the_same_share() -> None:
    ids = [
        TransactionId(bytes(28) + number.to_bytes(4, "big")) for number in range(0, 2**32, 2**25)
    ]
    chosen = []
    for at in (0, 1):
        with _tracing(at, percent=25) as (tracing, told):
            for transaction in ids:
                _all_stages(tracing, transaction, Stage.ORDERED)
        chosen.append(len(told) / 2)
    assert chosen[0] == chosen[1] == len(ids) / 4


def test_what_began_before_the_start_and_more_than_the_bound_are_not_told() -> None:
    with _tracing() as (tracing, told):
        tracing.note([ONE], Stage.APPLIED, 1)
        tracing.note([ONE], Stage.CERTIFIED, 2)
        for number in range(TRACES_OPEN_MAX + 1):
            identity = TransactionId(number.to_bytes(32, "little"))
            tracing.note([identity], Stage.ORDERED, 3)
        tracing.note([TransactionId(bytes(32))], Stage.CERTIFIED, 4)
        assert len(tracing._open) <= TRACES_OPEN_MAX
    assert told == []


def test_receipts_tell_of_transactions_that_nobody_waits_for() -> None:
    heard: list[tuple[list[TransactionId], Stage]] = []
    receipts = Receipts()
    receipts.trace = lambda ids, stage, _: heard.append((list(ids), stage))
    receipts.reached(iter([ONE]), Stage.ORDERED)
    assert heard == [([ONE], Stage.ORDERED)]
    assert receipts.track(ONE) is None
