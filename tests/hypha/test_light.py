"""A hypha is light: what it does not load, and that its directory survives kills at any write."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from hypha.daemon import open_heads
from hypha.errors import (
    HyphaRunsAlready,
    NoGatewayAnswers,
    NoHypha,
    OtherHyphaNetwork,
    TokenFileUnusable,
)
from hypha.founding import Wishes, found
from hypha.gateway_address import GatewayAddress
from hypha.heads import Heads
from hypha.home import HyphaHome
from ledger.genesis import to_json
from ledger.proof import HeaderClaim
from tests.hypha.fake_gateway import FakeGateway, Json, as_http, story, tail, told
from tests.ledger.test_roster_proof import SHORT

ROOT = Path(__file__).parents[2]
HEAVY = (
    *("libp2p", "trio", "multiaddr", "zeroconf", "google.protobuf", "fastecdsa", "cryptography"),
    *("prometheus_client", "sqlite3", "aiosqlite", "psutil", "node", "sim"),
    *("gossip.host", "gossip.sync", "journal.database", "journal.store"),
)
_LIST = (
    "import json, sys, hypha.__main__, hypha.daemon; "
    "print(json.dumps([sorted(sys.modules), open('/proc/self/statm').read().split()[1]]))"
)


def test_it_loads_nothing_of_a_full_cell() -> None:
    done = subprocess.run(
        [sys.executable, "-P", "-c", f"import sys; sys.path.insert(0, {str(ROOT)!r}); {_LIST}"],
        capture_output=True,
        text=True,
        check=True,
        timeout=300,
    )
    modules, pages = json.loads(done.stdout)
    assert "h11" in modules
    loaded = [name for name in modules if any(f"{name}.".startswith(f"{one}.") for one in HEAVY)]
    assert loaded == []
    if sys.platform == "linux":
        assert int(pages) * os.sysconf("SC_PAGE_SIZE") < 60 << 20


def _home(folder: Path) -> HyphaHome:
    home = HyphaHome(folder)
    home.make()
    home.write_text(home.genesis, to_json(SHORT))
    return home


def test_a_directory_has_one_hypha(tmp_path: Path) -> None:
    home = _home(tmp_path)
    with home.locked(), pytest.raises(HyphaRunsAlready), home.locked():
        pass


_WRITERS = """
import os, sys
sys.path.insert(0, {root!r})
from pathlib import Path
from hypha.home import HyphaHome
from hypha.heads import Heads
from ledger.proof import HeaderClaim
from tests.hypha.fake_gateway import story, tail
from tests.ledger.test_roster_proof import SHORT
home, heads = HyphaHome(Path({home!r})), Heads(SHORT)
proofs = [tail(story(at), HeaderClaim(), 0) for at in range(1, 6)]

def write(told):
    while True:
        heads = Heads(SHORT)
        for proof in proofs:
            news = heads.consider(proof).news
            home.write_head(news, SHORT)
            heads.adopt(news)
            if told is not None:
                told = os.close(told)

for line in sys.stdin:
    reading, writing = os.pipe()
    writer = os.fork()
    if not writer:
        write(writing)
    os.close(writing)
    os.read(reading, 1)  # it has written one
    os.close(reading)
    print(writer, flush=True)
    os.waitpid(writer, 0)
    print("ended", flush=True)
"""


@pytest.mark.slow
def test_a_kill_at_any_write_leaves_a_whole_head(tmp_path: Path) -> None:
    """And no half-written file stays once the directory is locked again."""
    home = _home(tmp_path)
    code = _WRITERS.format(root=str(ROOT), home=str(tmp_path))
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        for at in range(12):
            process.stdin.write(b"another one\n")
            process.stdin.flush()
            writer = int(process.stdout.readline())
            time.sleep(0.007 * at)  # somewhere in the middle: where does not matter
            os.kill(writer, signal.SIGKILL)
            assert process.stdout.readline() == b"ended\n"
            assert open_heads(home).round > 0
            with home.locked():
                assert list(tmp_path.glob(".head.proof.*")) == []


def test_evidence_is_kept_once_and_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home, heads = _home(tmp_path), Heads(SHORT)
    proof = tail(story(2), HeaderClaim(), 0)
    assert heads.consider(proof).news is not None
    assert home.write_evidence("1", proof, proof)
    assert not home.write_evidence("1", proof, proof)
    monkeypatch.setattr("hypha.home.EVIDENCE_MAX", 2)
    assert home.write_evidence("2", proof, proof)
    assert not home.write_evidence("3", proof, proof)
    assert len(home.evidence_files()) == 4


def test_founding_can_be_repeated_and_keeps_the_key(tmp_path: Path) -> None:
    genesis = tmp_path / "genesis.json"
    genesis.write_text(to_json(SHORT))
    home = HyphaHome(tmp_path / "hypha")
    address = GatewayAddress("http://127.0.0.1:1")
    first = found(home, Wishes(genesis, (address,), "phone"))
    assert first.created
    other = GatewayAddress("http://127.0.0.1:2")
    again = found(home, Wishes(gateways=(other,)))
    assert again.key.public_key == first.key.public_key
    assert (again.config.gateways, again.config.name) == ((other.text,), "phone")
    assert home.key.stat().st_mode & 0o777 == 0o600
    genesis.write_text(to_json(story(0).genesis.__class__("other", SHORT.members, 1)))
    with pytest.raises(OtherHyphaNetwork):
        found(home, Wishes(genesis))


def test_founding_without_what_it_needs_leaves_nothing(tmp_path: Path) -> None:
    home = HyphaHome(tmp_path / "hypha")
    genesis = tmp_path / "genesis.json"
    genesis.write_text(to_json(SHORT))
    address = GatewayAddress("http://127.0.0.1:1", "no.token")
    with pytest.raises(NoHypha):
        found(home, Wishes(genesis))
    with pytest.raises(NoHypha):
        found(home, Wishes(gateways=(address,)))
    with pytest.raises(TokenFileUnusable):
        found(home, Wishes(genesis, (address,)))
    assert not home.path.exists()


def test_a_hypha_is_made_of_the_networks_id_by_whichever_gateway_tells_its_genesis(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of another network, silent, and without a round: none of them stops it, none deceives it."""
    monkeypatch.setattr("hypha.genesis_asking.ASK_TIMEOUT_S", 300.0)
    home, other = HyphaHome(tmp_path / "hypha"), replace(SHORT, name="another network")

    async def of_another(gateway: FakeGateway, path: str, query: Json) -> bytes:
        del path, query
        proof = replace(tail(gateway.network, HeaderClaim(), 0), genesis=other)
        return as_http(told(gateway.network, proof, 0))

    async def empty(gateway: FakeGateway, path: str, query: Json) -> bytes:
        del path, query
        return as_http(told(gateway.network, None, 0))

    async def run() -> None:
        made = story(1)
        fakes = [FakeGateway(made, of_another), FakeGateway(made, empty), FakeGateway(made)]
        async with AsyncExitStack() as stack:
            for fake in fakes:
                await stack.enter_async_context(fake.served())
            urls = ["http://127.0.0.1:1", *(fake.url for fake in fakes)]
            addresses = tuple(map(GatewayAddress, urls))
            deceived = Wishes(gateways=addresses[:3], network_id=SHORT.network_id)
            with pytest.raises(NoGatewayAnswers, match=r"another network.*no certified round"):
                await asyncio.to_thread(found, home, deceived)
            assert not home.path.exists()
            wishes = Wishes(gateways=addresses, network_id=SHORT.network_id)
            founded = await asyncio.to_thread(found, home, wishes)
            assert founded.genesis == home.read_genesis() == SHORT
            asked = len(fakes[2].asked)
            assert not (await asyncio.to_thread(found, home, wishes)).created
            assert len(fakes[2].asked) == asked
            elsewhere = replace(deceived, network_id=other.network_id, gateways=addresses[1:2])
            with pytest.raises(OtherHyphaNetwork):
                await asyncio.to_thread(found, home, elsewhere)

    asyncio.run(run())
