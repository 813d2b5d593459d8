"""What a running cell measures of itself, for people and for Prometheus.

Everything is asked of the parts at the moment of the question; nothing is kept here. Names and
units follow Prometheus: seconds, bytes, `_total` for what only grows.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.metrics_core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from gateway.views import LatencyView, MetricsView
from node.metrics import Latency
from node.parts import Parts


def metrics_view(parts: Parts) -> MetricsView:
    """Return the measures for one screen."""
    counters = [info.counters for info in parts.peers.infos.values()]
    return MetricsView(
        created_to_ordered=_view(parts.metrics.created_to_ordered),
        received_to_ordered=_view(parts.metrics.received_to_ordered),
        commit=_view(parts.metrics.commit),
        verify=_view(parts.verifier.took),
        signatures=parts.verifier.signatures,
        peers=len(parts.peers.connected()),
        bytes_in=sum(counter.bytes_in for counter in counters),
        bytes_out=sum(counter.bytes_out for counter in counters),
        events_in=sum(counter.events_in for counter in counters),
        events_out=sum(counter.events_out for counter in counters),
        events_repeated=parts.metrics.repeats,
        orphans=parts.consensus.orphans,
        mempool=len(parts.mempool),
        consensus_queue=parts.consensus_inbox.qsize(),
        execution_queue=parts.execution_inbox.qsize(),
        outbound_bytes=sum(size for _, size in _outbound(parts)),
        ends=dict(sorted(parts.peers.ends.items())),
        silent_because=_silent_because(parts),
        refusals={why.value: count for why, count in parts.consensus.refusals.items()},
    )


def metrics_text(parts: Parts) -> str:
    """Return everything in the text format of Prometheus."""
    registry = CollectorRegistry(auto_describe=False)
    ProcessCollector(registry=registry)
    registry.register(_Cell(parts))
    return generate_latest(registry).decode()


class _Cell(Collector):
    """Yields the metric families of a cell."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    def collect(self) -> Iterable[Metric]:
        """See `prometheus_client.registry.Collector`."""
        yield from self._progress()
        yield from self._queues()
        yield from self._peers()
        yield from self._messages()
        yield from self._latencies()

    def _progress(self) -> Iterator[Metric]:
        parts = self._parts
        header = parts.execution.ledger.header
        ordered = 0 if header is None else header.transactions_total
        yield _gauge("epoch", "The epoch that the cell takes part in.", parts.consensus.epoch)
        rounds = GaugeMetricFamily("myceld_round", "The last round.", labels=["stage"])
        for stage, number in (
            ("decided", parts.consensus.engine.last_decided_round),
            ("applied", parts.execution.ledger.applied_round),
            ("certified", parts.execution.certified_round),
        ):
            rounds.add_metric([stage], number)
        yield rounds
        yield _counter("transactions_ordered", "Transactions in the order.", ordered)
        yield _gauge("epoch_events", "Events of the epoch here.", len(parts.consensus.index))
        yield _gauge("epoch_events_own", "Own ones among them.", parts.consensus.own_count())
        yield _gauge("member", "1 if the cell has a vote.", parts.consensus.me is not None)
        yield _gauge("observing", "1 if it may not vote yet.", parts.consensus.is_observing)
        yield _gauge("forked", "1 if its key signs elsewhere too.", parts.consensus.has_forked)

    def _queues(self) -> Iterator[Metric]:
        view = metrics_view(self._parts)
        queues = GaugeMetricFamily("myceld_queue", "What waits, by queue.", labels=["queue"])
        for name, depth in (
            ("mempool", view.mempool),
            ("consensus", view.consensus_queue),
            ("execution", view.execution_queue),
            ("orphans", view.orphans),
        ):
            queues.add_metric([name], depth)
        yield queues
        yield _counter("signatures", "Signatures checked.", view.signatures)
        yield _counter("events_repeated", "Received events known before.", view.events_repeated)
        refusals = CounterMetricFamily(
            "myceld_events_not_made", "By why, in this epoch.", labels=["reason"]
        )
        for reason, count in view.refusals.items():
            refusals.add_metric([reason], count)
        yield refusals
        ends = CounterMetricFamily("myceld_sessions_ended", "By reason.", labels=["code"])
        for code, count in view.ends.items():
            ends.add_metric([code], count)
        yield ends

    def _messages(self) -> Iterator[Metric]:
        desk = self._parts.messages.desk
        text = "Blocks of the journal of messages: sent and received."
        yield _gauge("messages", text, desk.journal.length)
        text = "Own messages that are not delivered."
        yield _gauge("messages_waiting", text, desk.waiting_total())
        yield _gauge("messages_kept", "Messages kept for other cells.", len(desk.keeping))
        text = "Bytes of messages kept for other cells."
        yield _gauge("messages_kept_bytes", text, desk.keeping.size_bytes)
        yield _counter("messages_refused", "Messages that were not genuine.", desk.refused)

    def _peers(self) -> Iterator[Metric]:
        peers = self._parts.peers
        yield _gauge("peers", "Connected peers.", len(peers.connected()))
        waiting = GaugeMetricFamily(
            "myceld_peer_outbound_bytes", "Bytes that wait for a peer.", labels=["peer"]
        )
        for peer, size in _outbound(self._parts):
            waiting.add_metric([peer], size)
        yield waiting
        rtt = GaugeMetricFamily("myceld_peer_rtt_seconds", "Newest round trip.", labels=["peer"])
        for peer in peers.connected():
            session = peers.session(peer)
            if session is not None and session.rtt_ms is not None:
                rtt.add_metric([peer], session.rtt_ms / 1000)
        yield rtt
        for name in ("bytes_in", "bytes_out", "events_in", "events_out"):
            what, way = name.split("_")
            family = CounterMetricFamily(
                f"myceld_peer_{name}", f"{what.capitalize()} {way}, by peer.", labels=["peer"]
            )
            for peer, info in sorted(peers.infos.items()):
                family.add_metric([peer], getattr(info.counters, name))
            yield family

    def _latencies(self) -> Iterator[Metric]:
        metrics = self._parts.metrics
        for name, text, latency in (
            ("created_to_ordered", "Own event made to its place.", metrics.created_to_ordered),
            ("received_to_ordered", "Event received to its place.", metrics.received_to_ordered),
            ("commit", "Commits with an fsync.", metrics.commit),
            ("verify", "Batches of signatures.", self._parts.verifier.took),
        ):
            yield HistogramMetricFamily(
                f"myceld_{name}_seconds",
                text,
                buckets=[(_bound(bound), count) for bound, count in latency.buckets()],
                sum_value=latency.sum_ms / 1000,
            )


def _silent_because(parts: Parts) -> str | None:
    """Return why this cell makes no event, in one word; None if it made one when it last could."""
    stage = parts.consensus
    if stage.me is None:
        return "no-vote"
    if stage.has_forked:
        return "forked"
    return None if stage.why_silent is None else stage.why_silent.value


def _view(latency: Latency) -> LatencyView:
    return LatencyView(
        latency.count, _rounded(latency.quantile_ms(0.5)), _rounded(latency.quantile_ms(0.99))
    )


def _rounded(duration_ms: float | None) -> float | None:
    return None if duration_ms is None else round(duration_ms, 3)


def _bound(bound_ms: float) -> str:
    return "+Inf" if bound_ms == float("inf") else repr(bound_ms / 1000)


def _outbound(parts: Parts) -> list[tuple[str, int]]:
    """Return (cell id, bytes that wait for it) of each connected peer."""
    sessions = [(peer, parts.peers.session(peer)) for peer in parts.peers.connected()]
    return [(peer, session.outbound_bytes) for peer, session in sessions if session is not None]


def _gauge(name: str, text: str, value: float) -> Metric:
    return GaugeMetricFamily(f"myceld_{name}", text, value)


def _counter(name: str, text: str, value: float) -> Metric:
    return CounterMetricFamily(f"myceld_{name}", text, value)
