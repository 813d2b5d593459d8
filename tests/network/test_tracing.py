"""Real cells send one trace of a transaction to a collector, and none without being told."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.network.devnet import Devnet, wait_until


class Collector(ThreadingHTTPServer):
    """Takes traces as OTLP over HTTP, and keeps what each cell told."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.spans: list[tuple[str, bytes, str]] = []
        """(cell id, trace id, name)."""

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/v1/traces"


class _Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        asked = ExportTraceServiceRequest()
        asked.ParseFromString(self.rfile.read(int(self.headers["Content-Length"])))
        assert isinstance(self.server, Collector)
        for resource in asked.resource_spans:
            attributes = {one.key: one.value.string_value for one in resource.resource.attributes}
            self.server.spans += [
                (attributes["service.instance.id"], span.trace_id, span.name)
                for scope in resource.scope_spans
                for span in scope.spans
            ]
        self.send_response(200)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name above
        pass


@contextmanager
def _collector() -> Iterator[Collector]:
    with Collector() as collector:
        thread = threading.Thread(target=collector.serve_forever)
        thread.start()
        try:
            yield collector
        finally:
            collector.shutdown()
            thread.join()


@pytest.mark.slow
def test_both_cells_of_a_network_tell_one_trace_of_a_transaction(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with _collector() as collector:
        monkeypatch.setenv("MYCELD_TRACING__ENDPOINT", collector.endpoint)
        net = Devnet(tmp_path / "net", cells=2)
        try:
            net.up()
            made = str(net.client(1).put("traced", b"v", wait="certified")["id"])
            trace = bytes.fromhex(made)[:16]

            def told() -> dict[str, set[str]]:
                by_cell: dict[str, set[str]] = {}
                for cell, trace_id, name in list(collector.spans):
                    if trace_id == trace:
                        by_cell.setdefault(cell, set()).add(name)
                return by_cell

            ids = [str(net.status(cell)["cell_id"]) for cell in (1, 2)]
            all_of_it = {
                ids[0]: {"transaction", "store", "order", "apply", "certify"},
                ids[1]: {"apply", "certify"},
            }
            wait_until(lambda: told() == all_of_it, "not all cells told all of it")
        finally:
            net.down()
