"""The table of everything that a cell measures, and what is drawn and watched of it.

`node.exposition` shows exactly these. `scripts/docs-metrics` makes docs/metrics.md, the dashboard
of Grafana and the alert rules of Prometheus from it (`node.dashboard`), so none of them can name
what no cell has. Names and units follow Prometheus: seconds, bytes, `_total` for what only grows.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

PREFIX: Final = "myceld_"
"""Before the name of each row, but for those of the process."""


class Type(StrEnum):
    """As Prometheus has them."""

    GAUGE = "gauge"
    COUNTER = "counter"
    HISTOGRAM = "histogram"


class Group(StrEnum):
    """A part of the cell: a row of the dashboard, a section of the document."""

    CONSENSUS = "Consensus"
    GOSSIP = "Gossip"
    JOURNAL = "Journals and disk"
    LEDGER = "Ledger"
    MESSAGES = "Messages"
    GATEWAY = "Gateway"
    PROCESS = "Process"


@dataclass(frozen=True, slots=True)
class Measure:
    """One row."""

    name: str
    """Without prefix, and without the `_total` of counters."""
    type: Type
    group: Group
    text: str
    labels: tuple[str, ...] = ()
    is_of_process: bool = False
    """Shown by the Prometheus library, under its usual name."""

    @property
    def family(self) -> str:
        """The name as it is shown, without the `_total` of counters."""
        return self.name if self.is_of_process else PREFIX + self.name

    @property
    def shown(self) -> str:
        """The name by which it is queried; that of a histogram is the beginning of its series."""
        return f"{self.family}_total" if self.type is Type.COUNTER else self.family


_G, _C, _H = Type.GAUGE, Type.COUNTER, Type.HISTOGRAM
_CO, _GO, _JO, _LE = Group.CONSENSUS, Group.GOSSIP, Group.JOURNAL, Group.LEDGER
_ME, _GA, _PR = Group.MESSAGES, Group.GATEWAY, Group.PROCESS

MEASURES: Final = (
    Measure("epoch", _G, _CO, "The epoch that the cell takes part in."),
    Measure("round", _G, _CO, "The last round that is decided, applied, certified.", ("stage",)),
    Measure("transactions_ordered", _C, _CO, "Transactions in the order."),
    Measure("epoch_events", _G, _CO, "Events of the epoch here."),
    Measure("epoch_events_own", _G, _CO, "Own ones among them."),
    Measure("member", _G, _CO, "1 if the cell has a vote."),
    Measure("observing", _G, _CO, "1 if it may not vote yet."),
    Measure("forked", _G, _CO, "1 if its key signs elsewhere too."),
    Measure("members", _G, _CO, "Members of the epoch."),
    Measure("members_connected", _G, _CO, "Members that are connected, this cell among them."),
    Measure("quorum", _G, _CO, "1 if connected members have more than 2/3 of the weight."),
    Measure("queue", _G, _CO, "What waits, by queue.", ("queue",)),
    Measure("events_not_made", _C, _CO, "By why, in this epoch.", ("reason",)),
    Measure("created_to_ordered_seconds", _H, _CO, "Own event made to its place in the order."),
    Measure("received_to_ordered_seconds", _H, _CO, "Event received to its place in the order."),
    Measure("signatures", _C, _CO, "Signatures checked."),
    Measure("verify_seconds", _H, _CO, "Checking a batch of signatures."),
    Measure("peers", _G, _GO, "Connected peers."),
    Measure("peer_rtt_seconds", _G, _GO, "Newest round trip.", ("peer",)),
    Measure("peer_outbound_bytes", _G, _GO, "Bytes that wait for a peer.", ("peer",)),
    Measure("peer_bytes_in", _C, _GO, "Bytes in, by peer.", ("peer",)),
    Measure("peer_bytes_out", _C, _GO, "Bytes out, by peer.", ("peer",)),
    Measure("peer_events_in", _C, _GO, "Events in, by peer.", ("peer",)),
    Measure("peer_events_out", _C, _GO, "Events out, by peer.", ("peer",)),
    Measure("events_repeated", _C, _GO, "Received events that were known before."),
    Measure("sessions_ended", _C, _GO, "Connections that ended, by reason.", ("code",)),
    Measure("commit_seconds", _H, _JO, "Commits of own events, each with an fsync."),
    Measure("journal_blocks", _G, _JO, "Blocks of a journal.", ("journal",)),
    Measure("database_bytes", _G, _JO, "Size of the database and of its log.", ("file",)),
    Measure("disk_free_bytes", _G, _JO, "Room that is left where the database is."),
    Measure("apply_seconds", _H, _LE, "Applying a decided round, and making it durable."),
    Measure("diverged", _G, _LE, "1 if the network certified another state."),
    Measure("supply_prana", _G, _LE, "PRANA that there is, in whole units."),
    Measure("messages", _G, _ME, "Blocks of the journal of messages: sent and received."),
    Measure("messages_waiting", _G, _ME, "Own messages that are not delivered."),
    Measure("messages_kept", _G, _ME, "Messages kept for other cells."),
    Measure("messages_kept_bytes", _G, _ME, "Bytes of messages kept for other cells."),
    Measure("messages_refused", _C, _ME, "Messages that were not genuine."),
    Measure("gateway_connections", _C, _GA, "New connections, listened to or not.", ("end",)),
    Measure("gateway_handshakes", _C, _GA, "TLS handshakes, by how far they came.", ("stage",)),
    Measure("gateway_handshakes_waiting", _G, _GA, "Connections that wait for a TLS handshake."),
    Measure("process_resident_memory_bytes", _G, _PR, "Memory in use.", is_of_process=True),
    Measure("process_virtual_memory_bytes", _G, _PR, "Address space.", is_of_process=True),
    Measure("process_cpu_seconds", _C, _PR, "Processor time used.", is_of_process=True),
    Measure("process_open_fds", _G, _PR, "Open file descriptors.", is_of_process=True),
    Measure("process_max_fds", _G, _PR, "Descriptors that may be open.", is_of_process=True),
    Measure("process_start_time_seconds", _G, _PR, "When it started.", is_of_process=True),
)

BY_NAME: Final = {row.name: row for row in MEASURES}


@dataclass(frozen=True, slots=True)
class Panel:
    """A picture of the dashboard."""

    title: str
    group: Group
    unit: str
    """As Grafana names units."""
    lines: tuple[tuple[str, str], ...]
    """(expression, legend) of each."""
    text: str = ""


def _quantile(share: float, name: str) -> str:
    rate = f"rate({PREFIX}{name}_bucket[$__rate_interval])"
    return f"histogram_quantile({share}, sum by (le, cell) ({rate}))"


PANELS: Final = (
    Panel(
        "Transactions ordered",
        _CO,
        "ops",
        (("rate(myceld_transactions_ordered_total[$__rate_interval])", "{{cell}}"),),
        "By every cell, so all lines should be one.",
    ),
    Panel(
        "From an event to its place in the order",
        _CO,
        "s",
        (
            (_quantile(0.5, "created_to_ordered_seconds"), "{{cell}} median"),
            (_quantile(0.99, "created_to_ordered_seconds"), "{{cell}} 99 %"),
        ),
    ),
    Panel(
        "Rounds",
        _CO,
        "short",
        (("myceld_round", "{{cell}} {{stage}}"),),
        "What is applied and not certified waits for signatures of others.",
    ),
    Panel(
        "Members connected",
        _CO,
        "short",
        (
            ("myceld_members_connected", "{{cell}}"),
            ("max(myceld_members)", "members"),
        ),
        "More than two thirds of the weight take part, or nothing is ordered.",
    ),
    Panel("What waits", _CO, "short", (("myceld_queue", "{{cell}} {{queue}}"),)),
    Panel(
        "Signatures checked",
        _CO,
        "ops",
        (("rate(myceld_signatures_total[$__rate_interval])", "{{cell}}"),),
    ),
    Panel(
        "Traffic",
        _GO,
        "Bps",
        (
            ("sum by (cell) (rate(myceld_peer_bytes_in_total[$__rate_interval]))", "{{cell}} in"),
            ("sum by (cell) (rate(myceld_peer_bytes_out_total[$__rate_interval]))", "{{cell}} out"),
        ),
    ),
    Panel("Round trips", _GO, "s", (("myceld_peer_rtt_seconds", "{{cell}} to {{peer}}"),)),
    Panel(
        "Connections that ended",
        _GO,
        "short",
        (("increase(myceld_sessions_ended_total[$__rate_interval])", "{{cell}} {{code}}"),),
        "The codes are explained by `myceld explain CODE`.",
    ),
    Panel(
        "Waiting for a peer", _GO, "bytes", (("myceld_peer_outbound_bytes", "{{cell}} {{peer}}"),)
    ),
    Panel(
        "Commits with an fsync",
        _JO,
        "s",
        (
            (_quantile(0.5, "commit_seconds"), "{{cell}} median"),
            (_quantile(0.99, "commit_seconds"), "{{cell}} 99 %"),
        ),
    ),
    Panel("Database", _JO, "bytes", (("myceld_database_bytes", "{{cell}} {{file}}"),)),
    Panel("Room that is left", _JO, "bytes", (("myceld_disk_free_bytes", "{{cell}}"),)),
    Panel("Journals", _JO, "short", (("myceld_journal_blocks", "{{cell}} {{journal}}"),)),
    Panel(
        "Applying a round",
        _LE,
        "s",
        (
            (_quantile(0.5, "apply_seconds"), "{{cell}} median"),
            (_quantile(0.99, "apply_seconds"), "{{cell}} 99 %"),
        ),
    ),
    Panel("PRANA that there is", _LE, "short", (("myceld_supply_prana", "{{cell}}"),)),
    Panel("Messages not delivered", _ME, "short", (("myceld_messages_waiting", "{{cell}}"),)),
    Panel(
        "New connections",
        _GA,
        "short",
        (("rate(myceld_gateway_connections_total[$__rate_interval])", "{{cell}} {{end}}"),),
    ),
    Panel(
        "TLS handshakes",
        _GA,
        "short",
        (("rate(myceld_gateway_handshakes_total[$__rate_interval])", "{{cell}} {{stage}}"),),
        "Begun and not done: clients that go away, or that want the cell busy.",
    ),
    Panel("Memory", _PR, "bytes", (("process_resident_memory_bytes", "{{cell}}"),)),
    Panel(
        "Processor",
        _PR,
        "percentunit",
        (("rate(process_cpu_seconds_total[$__rate_interval])", "{{cell}}"),),
        "1 is a whole core; consensus, gateway and gossip share one.",
    ),
    Panel("Open files", _PR, "short", (("process_open_fds", "{{cell}}"),)),
)


@dataclass(frozen=True, slots=True)
class Alert:
    """A rule of Prometheus."""

    name: str
    expression: str
    for_: str
    """How long it has to hold, as Prometheus writes durations."""
    severity: str
    """`page` is for now, `ticket` for today."""
    summary: str
    remedy: str


ALERTS: Final = (
    Alert(
        "MyceldDown",
        'up{job="myceld"} == 0',
        "2m",
        "page",
        "No answer from the cell {{ $labels.cell }}.",
        "Look at its log (`myceld logs`, or that of the service), then `myceld doctor`.",
    ),
    Alert(
        "MyceldNoQuorum",
        "myceld_quorum == 0 and myceld_member == 1",
        "2m",
        "page",
        "{{ $labels.cell }} is connected to too few members: nothing is ordered.",
        "`myceld why stall` names who is missing. Nothing is lost; it goes on by itself.",
    ),
    Alert(
        "MyceldStalled",
        'myceld_queue{queue="mempool"} > 0 and increase(myceld_round{stage="decided"}[5m]) == 0',
        "5m",
        "page",
        "{{ $labels.cell }} has transactions that wait, and no round was decided in 5 minutes.",
        "`myceld why stall`",
    ),
    Alert(
        "MyceldNotCertified",
        'myceld_round{stage="applied"} - ignoring(stage) myceld_round{stage="certified"} > 100',
        "10m",
        "ticket",
        "{{ $labels.cell }} applied rounds that too few members sign.",
        "Members may be behind or diverged: `myceld doctor` at each of them.",
    ),
    Alert(
        "MyceldDiverged",
        "myceld_diverged == 1",
        "0m",
        "page",
        "{{ $labels.cell }} computed another state than the network certified, and stopped.",
        "`myceld status` says where; keep the report, then `myceld repair`.",
    ),
    Alert(
        "MyceldForked",
        "myceld_forked == 1",
        "0m",
        "page",
        "The key of {{ $labels.cell }} signs elsewhere too: a copy of its directory runs.",
        "Stop one of them at once; `myceld explain MYC-NODE-009`.",
    ),
    Alert(
        "MyceldDiskFull",
        "myceld_disk_free_bytes < 1e9",
        "5m",
        "page",
        "{{ $labels.cell }} has less than 1 GB of disk left.",
        "`myceld space` says what takes it, and what can go.",
    ),
    Alert(
        "MyceldDiskFillsUp",
        "predict_linear(myceld_disk_free_bytes[6h], 4 * 86400) < 0 "
        "and (myceld_disk_free_bytes offset 6h) > 0",
        "1h",
        "ticket",
        "The disk of {{ $labels.cell }} will be full within four days, at this rate.",
        "`myceld space` says what takes it, and what can go.",
    ),
    Alert(
        "MyceldSlowDisk",
        "histogram_quantile(0.99, sum by (le, cell) "
        "(rate(myceld_commit_seconds_bucket[10m]))) > 0.5",
        "15m",
        "ticket",
        "Commits of {{ $labels.cell }} take more than half a second.",
        "`myceld doctor` measures the disk; another one, or another neighbour on it.",
    ),
    Alert(
        "MyceldSlowOrder",
        "histogram_quantile(0.99, sum by (le, cell) "
        "(rate(myceld_created_to_ordered_seconds_bucket[10m]))) > 10",
        "15m",
        "ticket",
        "Transactions of {{ $labels.cell }} wait more than 10 s for their place.",
        "`myceld peers` shows slow links, `myceld top` a busy processor.",
    ),
    Alert(
        "MyceldMessagesWait",
        "min_over_time(myceld_messages_waiting[1h]) > 100",
        "1h",
        "ticket",
        "More than 100 messages of {{ $labels.cell }} were not delivered for an hour.",
        "`myceld message list --status sent` says to whom.",
    ),
    Alert(
        "MyceldFilesRunOut",
        "process_open_fds / process_max_fds > 0.8",
        "10m",
        "ticket",
        "{{ $labels.cell }} has most of its file descriptors open.",
        "Raise the limit (`LimitNOFILE=` of the service), or lower `gateway` limits.",
    ),
    Alert(
        "MyceldMemory",
        "process_resident_memory_bytes > 1e9",
        "30m",
        "ticket",
        "{{ $labels.cell }} uses more than 1 GB of memory.",
        "`myceld support-bundle` when it does, and tell us: it should stay below.",
    ),
)
