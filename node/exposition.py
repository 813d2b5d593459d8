"""What a running cell measures of itself, for people and for Prometheus.

Everything is asked of the parts at the moment of the question; nothing is kept here. What there is,
says `node.metric_table`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.metrics_core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from gateway.views import LatencyView, MetricsView
from ledger.limits import DECIMALS
from ledger.supply import SUPPLY_KEY, decode_supply
from node.disk_use import disk_use
from node.metric_table import BY_NAME, Type
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
    """Yields the metric families of a cell: the rows of the table, in its order by group."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    def collect(self) -> Iterable[Metric]:
        """See `prometheus_client.registry.Collector`."""
        yield from self._progress()
        yield from self._members()
        yield from self._work()
        yield from self._peers()
        yield from self._disk()
        yield from self._ledger()
        yield from self._messages()
        yield from self._gateway()

    def _progress(self) -> Iterator[Metric]:
        parts = self._parts
        header = parts.execution.ledger.header
        yield _one("epoch", parts.consensus.epoch)
        yield _many(
            "round",
            {
                "decided": parts.consensus.engine.last_decided_round,
                "applied": parts.execution.ledger.applied_round,
                "certified": parts.execution.certified_round,
            },
        )
        yield _one("transactions_ordered", 0 if header is None else header.transactions_total)
        yield _one("epoch_events", len(parts.consensus.index))
        yield _one("epoch_events_own", parts.consensus.own_count())
        yield _latency("created_to_ordered_seconds", parts.metrics.created_to_ordered)
        yield _latency("received_to_ordered_seconds", parts.metrics.received_to_ordered)

    def _members(self) -> Iterator[Metric]:
        parts = self._parts
        roster = parts.execution.ledger.roster
        here = {parts.cell_id, *parts.peers.connected()}
        present = [member for member in roster.members if member.cell_id in here]
        weight = sum(member.weight for member in present)
        yield _one("member", parts.consensus.me is not None)
        yield _one("observing", parts.consensus.is_observing)
        yield _one("forked", parts.consensus.has_forked)
        yield _one("members", len(roster.members))
        yield _one("members_connected", len(present))
        yield _one("quorum", roster.is_supermajority(weight))

    def _work(self) -> Iterator[Metric]:
        view = metrics_view(self._parts)
        yield _many(
            "queue",
            {
                "mempool": view.mempool,
                "consensus": view.consensus_queue,
                "execution": view.execution_queue,
                "orphans": view.orphans,
            },
        )
        yield _many("events_not_made", view.refusals)
        yield _one("signatures", view.signatures)
        yield _latency("verify_seconds", self._parts.verifier.took)
        yield _one("events_repeated", view.events_repeated)
        yield _many("sessions_ended", view.ends)

    def _peers(self) -> Iterator[Metric]:
        peers = self._parts.peers
        yield _one("peers", len(peers.connected()))
        yield _many("peer_outbound_bytes", dict(_outbound(self._parts)))
        sessions = {peer: peers.session(peer) for peer in peers.connected()}
        yield _many(
            "peer_rtt_seconds",
            {
                peer: session.rtt_ms / 1000
                for peer, session in sessions.items()
                if session is not None and session.rtt_ms is not None
            },
        )
        for name in ("bytes_in", "bytes_out", "events_in", "events_out"):
            infos = sorted(peers.infos.items())
            yield _many(f"peer_{name}", {str(p): getattr(i.counters, name) for p, i in infos})

    def _disk(self) -> Iterator[Metric]:
        store = self._parts.store
        yield _latency("commit_seconds", self._parts.metrics.commit)
        yield _many("journal_blocks", store.lengths())
        sizes, free = disk_use(store.path)
        yield _many("database_bytes", sizes)
        yield _one("disk_free_bytes", free)

    def _ledger(self) -> Iterator[Metric]:
        execution = self._parts.execution
        yield _latency("apply_seconds", execution.took)
        yield _one("diverged", execution.divergence is not None)
        supply = decode_supply(execution.ledger.read(SUPPLY_KEY))
        yield _one("supply_prana", supply.total / 10**DECIMALS)

    def _messages(self) -> Iterator[Metric]:
        desk = self._parts.messages.desk
        yield _one("messages", desk.journal.length)
        yield _one("messages_waiting", desk.waiting_total())
        yield _one("messages_kept", len(desk.keeping))
        yield _one("messages_kept_bytes", desk.keeping.size_bytes)
        yield _one("messages_refused", desk.refused)

    def _gateway(self) -> Iterator[Metric]:
        came = self._parts.comings
        yield _many("gateway_connections", {"taken in": came.taken_in, "closed": came.closed})
        yield _many("gateway_handshakes", {"begun": came.begun, "done": came.done})
        yield _one("gateway_handshakes_waiting", came.waiting)


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


def _one(name: str, value: float) -> Metric:
    """Return the family of a row without labels."""
    family = _family(name)
    family.add_metric([], float(value))
    return family


def _many(name: str, values: Mapping[str, float]) -> Metric:
    """Return the family of a row with one label, by the values of that."""
    family = _family(name)
    for label, value in values.items():
        family.add_metric([label], float(value))
    return family


def _family(name: str) -> GaugeMetricFamily | CounterMetricFamily:
    row = BY_NAME[name]
    kind = CounterMetricFamily if row.type is Type.COUNTER else GaugeMetricFamily
    return kind(row.family, row.text, labels=row.labels)


def _latency(name: str, latency: Latency) -> Metric:
    """Return the family of a row that is a histogram."""
    row = BY_NAME[name]
    buckets = [(_bound(bound), count) for bound, count in latency.buckets()]
    return HistogramMetricFamily(
        row.family, row.text, buckets=buckets, sum_value=latency.sum_ms / 1000
    )
