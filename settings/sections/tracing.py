"""Section `tracing`: traces of transactions for OpenTelemetry. Off unless there is an endpoint."""

from __future__ import annotations

from dataclasses import dataclass

from settings.checks import wrong_trace_endpoint
from settings.keys import key


@dataclass(frozen=True, slots=True)
class TracingConfig:
    """The values of the section."""

    endpoint: str = key(
        "",
        "where traces are sent, by OTLP over HTTP: `http://127.0.0.1:4318/v1/traces` of a collector"
        " on this machine; empty: nowhere. The collector sees ids and times of transactions, never"
        " what is in them",
        check=wrong_trace_endpoint,
    )
    percent: int = key(
        100,
        "share of the transactions that are traced: with the same share, every cell traces the same"
        " ones",
        unit="percent",
        least=1,
        most=100,
    )
