"""Real cells find each other from one address, from a seed, and after others moved."""

from __future__ import annotations

import http.server
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import yaml

from myceld import Client
from tests.network.devnet import myceld, wait_until
from tests.network.test_one_cell import Cell
from tests.ports import held_port

FIVE = range(1, 6)


def configure(cell: Cell, section: str, **keys: object) -> None:
    """Change keys of a stopped cell's configuration."""
    path = cell.home / "config.yaml"
    content = yaml.safe_load(path.read_text())
    content.setdefault(section, {}).update(keys)
    path.write_text(yaml.safe_dump(content))


def move(cell: Cell) -> str:
    """Let a stopped cell listen on another port from now on; return its new address."""
    port = held_port()
    configure(cell, "cell", listen=[f"/ip4/127.0.0.1/tcp/{port}"])
    identity = json.loads(cell.run("init", "--json").stdout)["cell_id"]
    return f"/ip4/127.0.0.1/tcp/{port}/p2p/{identity}"


def connected(cell: Cell) -> set[str]:
    with Client.from_home(cell.home) as client:
        return {peer["cell_id"] for peer in client.peers()["items"] if peer["connected"]}


@contextmanager
def running(*cells: Cell) -> Iterator[None]:
    """Start cells at the same time, and stop those that still run at the end."""
    threads = [threading.Thread(target=cell.start) for cell in cells]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    try:
        yield
    finally:
        for cell in cells:
            if cell.process is not None:
                cell.stop()


@pytest.fixture
def five(tmp_path: Path) -> dict[int, Cell]:
    """Five members; each knows the address of the one before it and no other."""
    cells = {number: Cell(tmp_path / f"cell-{number}") for number in FIVE}
    identities, addresses = {}, {}
    for number, cell in cells.items():
        made = json.loads(cell.run("init", "--gateway-port", "0", "--json").stdout)
        identities[number] = made["cell_id"]
        addresses[number] = move(cell)
    members = [f"--member={identity}=m{number}" for number, identity in identities.items()]
    genesis = tmp_path / "genesis.json"
    myceld("genesis", "create", "--name", "five", *members, "--out", str(genesis))
    for number, cell in cells.items():
        known = [f"--bootstrap={addresses[number - 1]}"] if number > 1 else []
        cell.run("init", "--genesis", str(genesis), *known)
    return cells


@pytest.mark.slow
def test_cells_that_know_one_address_find_all_others_and_again_after_all_but_one_moved(
    five: dict[int, Cell],
) -> None:
    everybody = {json.loads(cell.run("init", "--json").stdout)["cell_id"] for cell in five.values()}

    def all_found() -> bool:
        return all(len(connected(cell)) == len(everybody) - 1 for cell in five.values())

    with running(*five.values()):
        wait_until(all_found, "not everybody was found")
        five[1].run("tx", "put", "hello", "world", "--wait", "certified")
        shown = five[5].json("spore", "show")
        nodes: list[dict[str, object]] = shown["active_nodes"]  # type: ignore[assignment] # the API
        assert {node["node_id"] for node in nodes} == everybody
        assert shown["spore_type"] == "master/primary"

    for number in (1, 2, 4, 5):
        move(five[number])
    # The third is the only one where it was. The others know each other by old addresses only,
    # and the configured one of each but the fourth is wrong now.
    with running(*five.values()):
        wait_until(all_found, "not everybody was found again")


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """Serve a folder over HTTP on loopback."""

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *arguments: object) -> None:
            super().__init__(*arguments, directory=str(folder))  # type: ignore[arg-type] # passed on

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Quiet)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.mark.slow
def test_a_cell_finds_the_network_from_a_seed_file_and_from_a_seed_on_a_server(
    tmp_path: Path,
) -> None:
    writer, by_file, by_url = (Cell(tmp_path / name) for name in ("writer", "file", "url"))
    writer.run("init", "--network", "seeded", "--gateway-port", "0")
    writer.start()
    seed, genesis = tmp_path / "seed.json", writer.home / "genesis.json"
    wait_until(
        lambda: len(writer.json("spore", "show")["active_nodes"]) == 1,  # type: ignore[arg-type] # a list
        "no announcement was made",
    )
    writer.run("spore", "export", str(seed))
    checked = json.loads(
        myceld("spore", "check", str(seed), "--genesis", str(genesis), "--json").stdout
    )
    identity = writer.json("status")["cell_id"]
    assert (checked["valid"], checked["issuer"]) == (True, identity)
    assert checked["member_of_epoch"] == 0

    with served(tmp_path) as url:
        for reader, location in ((by_file, str(seed)), (by_url, f"{url}/seed.json")):
            reader.run("init", "--genesis", str(genesis), "--gateway-port", "0")
            move(reader)
            configure(reader, "discovery", seeds=[location])
        with running(by_file, by_url):
            for reader in (by_file, by_url):
                wait_until(lambda: identity in connected(reader), "it was not found")  # noqa: B023 - waited for here
    assert writer.stop() == 0


def test_a_changed_seed_and_one_of_another_network_are_refused_offline(tmp_path: Path) -> None:
    one, other = Cell(tmp_path / "one"), Cell(tmp_path / "other")
    one.run("init", "--network", "one")
    other.run("init", "--network", "other")
    one.start()
    seed, changed = tmp_path / "seed.json", tmp_path / "changed.json"
    one.run("spore", "export", str(seed))
    assert one.stop() == 0
    changed.write_text(seed.read_text().replace('"master/seed"', '"master/primary"'))
    for file, home, code in (
        (changed, one.home, "MYC-SPORE-008"),
        (seed, other.home, "MYC-SPORE-005"),
        (tmp_path / "none", one.home, "MYC-CLI-002"),
    ):
        arguments = ("spore", "check", str(file), "--genesis", str(home / "genesis.json"))
        refused = myceld(*arguments, expect=1)
        assert refused.stderr.startswith(f"error {code}: ")


@pytest.mark.slow
def test_a_member_that_comes_back_alone_says_that_it_waits_and_takes_no_transactions(
    five: dict[int, Cell],
) -> None:
    with running(*five.values()):
        five[1].run("tx", "put", "hello", "world", "--wait", "certified")
    with running(five[2]):
        wait_until(lambda: five[2].json("status")["phase"] == "waiting", "it does not wait")
        alone = five[2].json("status")
        assert "1 of 5 members reachable, 4 needed" in str(alone["summary"])
        assert "reads only" in str(alone["summary"])
        assert five[2].json("state", "get", "hello")["value"] == "world"
        refused = five[2].run("tx", "put", "no", "way", "--timeout", "2", expect=4)
        assert "reads only" in refused.stderr
        assert five[2].json("status")["transactions_pending"] == 0
