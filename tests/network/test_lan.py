"""Two machines on one LAN, as network namespaces: a cell finds the network by mDNS alone."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.network.devnet import ROOT, WAIT_S, wait_until

pytestmark = pytest.mark.slow
_NAMES = (f"myceld-{os.getpid()}-a", f"myceld-{os.getpid()}-b")
_HOSTS = ("10.77.0.1", "10.77.0.2")


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, capture_output=True, timeout=WAIT_S)


@pytest.fixture(scope="module", autouse=True)
def _lan() -> Iterator[None]:
    """Two namespaces joined by a cable; skipped where this process may not make them."""
    if os.geteuid() != 0 or shutil.which("ip") is None:
        pytest.skip("making network namespaces takes root and the command `ip`")
    try:
        for name in _NAMES:
            _ip("netns", "add", name)
        ends = ("netns", _NAMES[0], "type", "veth", "peer", "cable", "netns", _NAMES[1])
        _ip("link", "add", "cable", *ends)
        for name, host in zip(_NAMES, _HOSTS, strict=True):
            _ip("-n", name, "address", "add", f"{host}/24", "dev", "cable")
            _ip("-n", name, "link", "set", "lo", "up")
            _ip("-n", name, "link", "set", "cable", "up")
            _ip("-n", name, "route", "add", "default", "dev", "cable")
    except subprocess.CalledProcessError as error:
        _remove()
        pytest.skip(f"network namespaces can not be made here: {error.stderr!r}")
    yield
    _remove()


def _remove() -> None:
    for name in _NAMES:
        subprocess.run(
            ["ip", "netns", "del", name], check=False, capture_output=True, timeout=WAIT_S
        )


class Machine:
    """A cell in one of the namespaces."""

    def __init__(self, number: int, home: Path) -> None:
        self.home = home
        self._enter = ("ip", "netns", "exec", _NAMES[number], sys.executable, "-m", "cli.main")
        self.process: subprocess.Popen[str] | None = None

    def run(self, *arguments: str) -> str:
        command = [*self._enter, *arguments, "--home", str(self.home)]
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=WAIT_S, cwd=ROOT, check=True
        )
        return done.stdout

    def start(self) -> None:
        command = [*self._enter, "run", "--home", str(self.home)]
        self.process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, cwd=ROOT
        )
        assert self.process.stdout is not None
        assert any(line.strip() == "ready" for line in self.process.stdout)

    def stop(self) -> None:
        if self.process is not None:
            self.process.send_signal(signal.SIGINT)
            assert self.process.wait(WAIT_S) == 0
            assert self.process.stdout is not None
            self.process.stdout.close()

    def peers(self) -> dict[str, list[str]]:
        items = json.loads(self.run("peers", "--json"))["items"]
        return {item["cell_id"]: item["addresses"] for item in items if item["connected"]}


def test_a_cell_with_no_address_at_all_finds_its_network_and_not_another_one(
    tmp_path: Path,
) -> None:
    writer, other, reader = (
        Machine(number, tmp_path / name)
        for number, name in ((0, "writer"), (0, "other"), (1, "reader"))
    )
    anywhere = ("--gateway-port", "0", "--listen")
    made = json.loads(
        writer.run("init", "--network", "lan", *anywhere, "/ip4/0.0.0.0/tcp/4710", "--json")
    )
    other.run("init", "--network", "another", *anywhere, "/ip4/0.0.0.0/tcp/4711")
    genesis = str(writer.home / "genesis.json")
    reader.run("init", "--genesis", genesis, *anywhere, "/ip4/0.0.0.0/tcp/4710")
    cells = (writer, other, reader)
    try:
        for cell in cells:
            cell.start()
        wait_until(lambda: made["cell_id"] in reader.peers(), "nobody was found")
        # What it is told is where the other machine really is.
        wait_until(
            lambda: (
                f"/ip4/10.77.0.1/tcp/4710/p2p/{made['cell_id']}"
                in reader.peers().get(made["cell_id"], [])
            ),
            "the address was never told",
        )
        addresses = [address for found in reader.peers().values() for address in found]
        assert not any("0.0.0.0" in text or "127.0.0.1" in text for text in addresses)  # noqa: S104 - looked for
        wait_until(lambda: set(reader.peers()) == {made["cell_id"]}, "it has another peer")
        assert other.peers() == {}
    finally:
        for cell in cells:
            cell.stop()
