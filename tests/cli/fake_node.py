"""A stand-in for `python -m node` that keeps its contract with the command line.

`run` answers on the port that `init` was given what the commands of a devnet ask a cell for; it is
no gateway, which would take a second to load. A file `refuse` in the home makes it stop at once;
`deaf` makes it ignore SIGTERM.
"""

# ruff: noqa: T201 - a command-line program, it prints

from __future__ import annotations

import hashlib
import json
import os
import signal
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import NoReturn


def main(arguments: list[str]) -> int:
    match arguments:
        case ["init", *_]:
            return _init(arguments)
        case ["genesis", "create", *_]:
            Path(_option(arguments, "--out")).write_text(json.dumps(_all(arguments, "--member")))
            return 0
        case ["run", *_]:
            return _run(Path(_option(arguments, "--home")))
        case ["sign", *_]:
            print(arguments[-2].encode().hex() + arguments[-1])
            return 0
    print("error MYC-TEST-009: what? — read the contract", file=sys.stderr)
    return 2


def _init(arguments: list[str]) -> int:
    home = Path(_option(arguments, "--home"))
    home.mkdir(parents=True, exist_ok=True)
    if _option(arguments, "--name") == "cell-9":
        print("error MYC-TEST-008: nine is not liked — use less", file=sys.stderr)
        return 1
    cell_id = "12D3Koo" + hashlib.sha256(str(home).encode()).hexdigest()[:12]
    (home / "config.json").write_text(json.dumps(arguments))
    print(json.dumps({"cell_id": cell_id, "home": str(home), "addresses": []}))
    return 0


class Answers(BaseHTTPRequestHandler):
    """Says that all is well, and certifies whatever is put."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """Tell the health, or the status of a cell that misses another one."""
        members = {"members_reachable": 1, "members_total": 2}
        self._say({"phase": "idle", "summary": "nothing to order", "round_decided": 9, **members})

    def do_POST(self) -> None:
        """Tell of something certified."""
        data = self.rfile.read(int(self.headers["Content-Length"]))
        self._say({"id": hashlib.sha256(data).hexdigest(), "stage": "certified"})

    def log_message(self, *_: object) -> None:
        """Log nothing."""

    def _say(self, answer: dict[str, object]) -> None:
        data = json.dumps(answer).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


def _run(home: Path) -> int:
    if (home / "refuse").exists():
        print("error MYC-TEST-007: it said no — remove the file", flush=True)
        return 1
    signal.signal(signal.SIGTERM, _stop)
    if (home / "deaf").exists():
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    config = json.loads((home / "config.json").read_text())
    server = ThreadingHTTPServer(("127.0.0.1", int(_option(config, "--gateway-port"))), Answers)
    url = f"http://127.0.0.1:{server.server_port}"
    run = {"pid": os.getpid(), "url": url, "cell_id": "12D3KooW", "addresses": []}
    (home / "gateway.token").write_text("a-token")
    (home / "run.json.new").write_text(json.dumps({**run, "started_ns": time.time_ns()}))
    (home / "run.json.new").rename(home / "run.json")
    print("ready", flush=True)
    server.serve_forever()
    return 0


def _stop(*_: object) -> NoReturn:
    raise SystemExit(0)


def _option(arguments: list[str], name: str) -> str:
    return arguments[arguments.index(name) + 1]


def _all(arguments: list[str], name: str) -> list[str]:
    return [arguments[i + 1] for i, word in enumerate(arguments) if word == name]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
