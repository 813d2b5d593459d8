"""A stand-in for `python -m node` that keeps its contract with the command line.

`run` serves a FakeCell on the port that `init` was given. A file `refuse` in the home makes it
stop at once; `deaf` makes it ignore SIGTERM.
"""

# ruff: noqa: T201 - a command-line program, it prints

from __future__ import annotations

import asyncio
import hashlib
import json
import signal
import sys
from pathlib import Path


def main(arguments: list[str]) -> int:
    match arguments:
        case ["init", *_]:
            return _init(arguments)
        case ["genesis", "create", *_]:
            Path(_option(arguments, "--out")).write_text(json.dumps(_all(arguments, "--member")))
            return 0
        case ["run", *_]:
            return asyncio.run(_run(Path(_option(arguments, "--home"))))
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


async def _run(home: Path) -> int:
    # Imported here, as the other commands start faster without.
    from gateway.server import Gateway
    from tests.gateway.fake_cell import TOKEN, FakeCell, write_home

    if (home / "refuse").exists():
        print("error MYC-TEST-007: it said no — remove the file", flush=True)
        return 1
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, stopped.set)
    if (home / "deaf").exists():
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    config = json.loads((home / "config.json").read_text())
    cell = FakeCell()
    gateway = Gateway(cell, port=int(_option(config, "--gateway-port")), token=TOKEN)
    cell.gateway_url = await gateway.start()
    write_home(home, cell.gateway_url)
    print("ready", flush=True)
    await stopped.wait()
    await gateway.stop()
    return 0


def _option(arguments: list[str], name: str) -> str:
    return arguments[arguments.index(name) + 1]


def _all(arguments: list[str], name: str) -> list[str]:
    return [arguments[i + 1] for i, word in enumerate(arguments) if word == name]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
