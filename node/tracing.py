"""Traces of transactions for OpenTelemetry: one trace across all cells, and nothing on the wire.

A trace needs an id that every cell knows, and a transaction has one: the trace's is its first 16
bytes, the root span's the 8 that follow. So each cell tells its own part, and a collector puts them
together; whoever has a transaction's id finds its trace. Which ones are traced follows from the id
too, so that all cells choose the same.

The cell that took a transaction in tells the root `transaction`, with `store` and `order` in it;
every cell tells `apply` and `certify`. Loaded only by a cell that has tracing switched on: the SDK
sends from a thread of its own, out of a queue with a bound, and drops what does not fit.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from typing import Final

from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter
from opentelemetry.sdk.trace.id_generator import IdGenerator, RandomIdGenerator
from opentelemetry.sdk.trace.sampling import ALWAYS_ON
from opentelemetry.trace import (
    NonRecordingSpan,
    SpanContext,
    SpanKind,
    TraceFlags,
    set_span_in_context,
)

from core.ids import CellId, TransactionId
from gateway.views import Stage
from myceld import VERSION
from node.limits import TRACE_EXPORT_S, TRACES_OPEN_MAX, TRACES_QUEUED_MAX

_PARTS: Final = (
    ("store", Stage.ACCEPTED, Stage.STORED),
    ("order", Stage.STORED, Stage.ORDERED),
    ("apply", Stage.ORDERED, Stage.APPLIED),
    ("certify", Stage.APPLIED, Stage.CERTIFIED),
)
"""Spans, by the stages between which they are."""


class Tracing:
    """Hears of the stages of transactions, and tells a collector when one is certified."""

    def __init__(
        self, exporter: SpanExporter, *, cell_id: CellId, name: str, network: str, percent: int
    ) -> None:
        resource = Resource.create(
            {
                "service.name": "myceld",
                "service.version": VERSION,
                "service.namespace": network,
                "service.instance.id": cell_id,
                "myceld.cell.name": name,
            }
        )
        self._ids = _Ids()
        self._provider = TracerProvider(
            sampler=ALWAYS_ON, resource=resource, id_generator=self._ids, shutdown_on_exit=False
        )
        self._provider.add_span_processor(
            BatchSpanProcessor(
                exporter,
                max_queue_size=TRACES_QUEUED_MAX,
                export_timeout_millis=TRACE_EXPORT_S * 1000,
            )
        )
        self._tracer = self._provider.get_tracer("myceld", VERSION)
        self._bound = percent * (1 << 32) // 100
        self._open: OrderedDict[TransactionId, dict[Stage, int]] = OrderedDict()

    def note(self, transactions: Iterable[TransactionId], stage: Stage, now_ns: int) -> None:
        """Take the time at which transactions reached a stage."""
        for transaction in transactions:
            # Other bytes than those of the ids: whoever filters by these sees all alike.
            if int.from_bytes(transaction[28:32], "big") >= self._bound:
                continue
            stages = self._open.get(transaction)
            if stages is None:
                if stage > Stage.ORDERED:
                    continue  # from before the start
                stages = self._open[transaction] = {}
                if len(self._open) > TRACES_OPEN_MAX:
                    self._open.popitem(last=False)
            stages.setdefault(stage, now_ns)
            if stage is Stage.CERTIFIED:
                self._tell(self._open.pop(transaction), transaction)

    def close(self) -> None:
        """Send what waits, for a bounded time."""
        self._provider.shutdown()

    def _tell(self, stages: dict[Stage, int], transaction: TransactionId) -> None:
        context = _context(transaction)
        began_ns, ended_ns = min(stages.values()), max(stages.values())
        if Stage.ACCEPTED in stages:
            self._ids.root = (_trace_id(transaction), _root_id(transaction))
            root = self._tracer.start_span(
                "transaction",
                Context(),
                kind=SpanKind.SERVER,
                start_time=began_ns,
                attributes={"myceld.transaction": transaction.hex()},
            )
            self._ids.root = None
            root.end(ended_ns)
        for name, since, until in _PARTS:
            if since in stages and until in stages:
                span = self._tracer.start_span(
                    name, context, start_time=stages[since], kind=SpanKind.INTERNAL
                )
                span.end(stages[until])


class _Ids(IdGenerator):
    """Random ids, but for a root span, whose ids are given."""

    def __init__(self) -> None:
        self.root: tuple[int, int] | None = None
        """Of the trace and of the span, while that is made."""
        self._random = RandomIdGenerator()

    def generate_trace_id(self) -> int:
        """See `IdGenerator`."""
        return self._random.generate_trace_id() if self.root is None else self.root[0]

    def generate_span_id(self) -> int:
        """See `IdGenerator`."""
        return self._random.generate_span_id() if self.root is None else self.root[1]


def exporter_of(endpoint: str) -> SpanExporter:
    """Return what sends to an endpoint by OTLP over HTTP."""
    return OTLPSpanExporter(endpoint=endpoint, timeout=TRACE_EXPORT_S)


def _context(transaction: TransactionId) -> Context:
    parent = SpanContext(
        _trace_id(transaction),
        _root_id(transaction),
        is_remote=True,
        trace_flags=TraceFlags(TraceFlags.SAMPLED),
    )
    return set_span_in_context(NonRecordingSpan(parent), Context())


def _trace_id(transaction: TransactionId) -> int:
    return int.from_bytes(transaction[:16], "big")


def _root_id(transaction: TransactionId) -> int:
    return int.from_bytes(transaction[16:24], "big")
