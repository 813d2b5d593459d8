"""A stock libp2p node of another implementation meets a real cell: js-libp2p, from npm, pinned.

Skipped, with the reason, where Node, npm or the registry is missing. The packages are installed
once per lock file, into the user's cache.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from core.ids import CellId, Epoch, NetworkId, public_key_of
from gossip.wire import WIRE_VERSION, FrameReader, Hello, Refuse, encode_frame
from myceld import VERSION, Client
from tests.network.devnet import ROOT, myceld, wait_until

pytestmark = pytest.mark.slow

HANG_S = 60.0
"""For what must happen."""
JS = Path(__file__).parent / "js"
NO_NETWORK = re.compile(
    r"E(NOTFOUND|AI_AGAIN|CONNREFUSED|CONNRESET|TIMEDOUT|NETUNREACH|HOSTUNREACH)"
)


@dataclass(frozen=True)
class RunningCell:
    cell_id: CellId
    network_id: NetworkId
    addresses: dict[str, str]
    """By transport: tcp, ws."""
    client: Client
    process: subprocess.Popen[str]


@pytest.fixture(scope="module")
def js() -> Path:
    """The folder with the installed packages and the script."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        pytest.skip("node or npm is not installed")
    version = subprocess.run([node, "--version"], capture_output=True, text=True, check=True)
    if int(version.stdout[1:].split(".")[0]) < 20:
        pytest.skip(f"node {version.stdout.strip()} is too old for js-libp2p")
    lock = (JS / "package-lock.json").read_bytes()
    caches = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    folder = caches / "myceld" / "interop" / hashlib.sha256(lock).hexdigest()[:16]
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("package.json", "package-lock.json", "peer.mjs"):
        shutil.copyfile(JS / name, folder / name)
    complete = folder / "complete"
    if not complete.exists():
        command = [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
        done = subprocess.run(
            command, cwd=folder, capture_output=True, text=True, timeout=600, check=False
        )
        if done.returncode != 0 and NO_NETWORK.search(done.stderr):
            pytest.skip(f"the npm registry is out of reach: {done.stderr[:200]}")
        assert done.returncode == 0, done.stderr
        complete.touch()
    return folder


@pytest.fixture
def cell(tmp_path: Path) -> Iterator[RunningCell]:
    """A network of one cell that listens on TCP and on WebSocket.

    One for each test: after garbage a cell is short with strangers from the same address.
    """
    home = tmp_path / "home"
    listen = ("/ip4/127.0.0.1/tcp/0", "/ip4/127.0.0.1/tcp/0/ws")
    options = [word for address in listen for word in ("--listen", address)]
    made = json.loads(
        myceld("init", "--home", str(home), "--network", "solo", *options, "--json").stdout
    )
    process = subprocess.Popen(
        [sys.executable, "-m", "cli.main", "run", "--home", str(home)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )
    assert process.stdout is not None
    try:
        for line in process.stdout:
            if line.strip() == "ready":
                break
        client = Client.from_home(home, timeout_s=HANG_S)
        addresses = client.status()["addresses"]
        yield RunningCell(
            cell_id=made["cell_id"],
            network_id=NetworkId(bytes.fromhex(made["network_id"])),
            addresses={"ws" if "/ws/" in text else "tcp": text for text in addresses},
            client=client,
            process=process,
        )
        client.close()
        process.send_signal(signal.SIGINT)
        assert process.wait(HANG_S) == 0
    finally:
        if process.poll() is None:
            process.kill()
            process.wait(HANG_S)
        process.stdout.close()


def _meet(js: Path, cell: RunningCell, address: str) -> dict[str, Any]:
    other_network = Hello(WIRE_VERSION, 1, NetworkId(bytes(32)), Epoch(0))
    wish = {
        "address": address,
        "gossip": f"/myceld/{cell.network_id.hex()}/gossip/1",
        "hello": encode_frame(other_network).hex(),
    }
    done = subprocess.run(
        ["node", "--experimental-websocket", "peer.mjs", json.dumps(wish)],
        cwd=js,
        capture_output=True,
        text=True,
        timeout=3 * HANG_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    report: dict[str, Any] = json.loads(done.stdout)
    return report


@pytest.mark.parametrize("transport", ["tcp", "ws"])
def test_a_js_libp2p_node_identifies_pings_and_is_refused_politely(
    js: Path, cell: RunningCell, transport: str
) -> None:
    report = _meet(js, cell, cell.addresses[transport])
    assert report["remotePeer"] == cell.cell_id
    assert (report["encryption"], report["multiplexer"]) == ("/noise", "/yamux/1.0.0")
    told = report["identify"]
    assert told["agentVersion"] == f"myceld/{VERSION}"
    assert told["protocolVersion"] == "myceld/1"
    assert bytes.fromhex(told["publicKey"])[-32:] == public_key_of(cell.cell_id)
    gossip = f"/myceld/{cell.network_id.hex()}/gossip/1"
    assert {gossip, "/ipfs/id/1.0.0", "/ipfs/ping/1.0.0"} <= set(told["protocols"])
    listening = {text.split("/p2p/")[0] for text in cell.addresses.values()}
    assert set(told["listenAddrs"]) == listening
    assert told["observedAddr"].startswith("/ip4/127.0.0.1/tcp/")
    assert all(0 <= ping < HANG_S * 1000 for ping in [*report["pingMs"], report["pingAfterMs"]])

    # A network that the cell is not in: the protocol itself is refused.
    assert report["foreign"] == {"error": "UnsupportedProtocolError"}
    # Its own protocol, but a HELLO of another network: a HELLO, then the reason, then the end.
    hello = report["hello"]["result"]
    assert hello["ended"]
    own, refusal = FrameReader().feed(bytes.fromhex(hello["bytes"]))
    assert isinstance(own, Hello)
    assert isinstance(refusal, Refuse)
    assert refusal.code.startswith("MYC-")
    # Garbage ends the session; the cell lives on and shows who was there.
    assert report["garbage"]["result"]["ended"]
    assert cell.process.poll() is None
    wait_until(lambda: not _connected(cell, report["peerIds"]), "a peer is still connected")
    wait_until(lambda: cell.client.status()["phase"] == "idle", "the cell is not idle")


def _connected(cell: RunningCell, peer_ids: list[str]) -> list[str]:
    peers = {peer["cell_id"]: peer for peer in cell.client.peers()["items"]}
    return [one for one in peer_ids if one in peers and peers[one]["connected"]]
