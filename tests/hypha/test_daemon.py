"""The process of a hypha: it is there when it says so, and ends when told, or when it must."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from gateway.listener import Listener
from hypha.daemon import HyphaDaemon
from hypha.errors import HyphaHomeUnusable
from hypha.home import HyphaHome
from ledger.genesis import to_json
from myceld import CellRefused, CellUnreachable, Client
from settings import HyphaConfig
from tests.hypha.fake_gateway import FakeGateway, story
from tests.ledger.test_roster_proof import SHORT
from tests.ledger.world import ALL_KEYS

_HANGS_S = 300.0


@pytest.fixture(autouse=True)
def _patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine that stands still for a while makes no gateway silent, and no head doubtful."""
    for bound in ("network.ASK_TIMEOUT_S", "network.QUESTION_TIMEOUT_S", "standing.CONFIRMED_S"):
        monkeypatch.setattr(f"hypha.{bound}", _HANGS_S)


async def _serve(folder: Path, talk: Callable[[], None]) -> list[str]:
    """Run a hypha over an honest gateway, and `talk` to it on a thread; return what it told."""
    home = HyphaHome(folder)
    home.make()
    home.write_text(home.genesis, to_json(SHORT))
    told: list[str] = []
    async with FakeGateway(story(3)).served() as gateway, asyncio.timeout(_HANGS_S):
        config = HyphaConfig((gateway.url,))
        daemon = HyphaDaemon(home, config, ALL_KEYS[7], told.append)

        async def use() -> None:
            while "ready" not in told:  # noqa: ASYNC110 - it has no event for this
                await asyncio.sleep(0.01)
            try:
                await asyncio.to_thread(talk)
            finally:
                daemon.stop()

        async with asyncio.TaskGroup() as group:
            group.create_task(use())
            await daemon.run()
    return told


def test_it_answers_as_a_cell_does_and_refuses_what_it_can_not(tmp_path: Path) -> None:
    def talk() -> None:
        with Client.from_home(tmp_path, timeout_s=_HANGS_S) as client:
            ask(client)

    def ask(client: Client) -> None:
        assert client.state_value("newest")["value_hex"] == "02"
        assert client.status()["role"] == "hypha"
        assert client.info()["role"] == "hypha"
        assert client.services()["items"][0]["name"] == "heads"
        assert client.health()["services"]["heads"]["status"] == "degraded"  # it is years old
        assert client.account(ALL_KEYS[0].public_key.hex())["next_nonce"] > 0
        assert client.round_proof()["about"] == "header"
        assert client.state_proof("nothing")["about"] == "state"
        for call in (client.peers, client.members, lambda: client.round_proof(roster=True)):
            with pytest.raises(CellRefused) as caught:
                call()
            assert caught.value.code == "MYC-HYPHA-010"
        with pytest.raises(CellRefused) as caught:
            client.state_value("nothing")
        assert (caught.value.status, caught.value.code) == (404, "MYC-GATEWAY-020")
        stranger = Client(client.url, "wrong")
        with pytest.raises(CellRefused) as caught:
            stranger.status()
        assert caught.value.status == 401
        stranger.close()

    told = asyncio.run(_serve(tmp_path, talk))
    assert told[-1] == "ready"
    assert not HyphaHome(tmp_path).run_file.exists()
    with pytest.raises(CellUnreachable):
        Client.from_home(tmp_path)


def test_a_disk_that_fails_ends_it_with_its_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_arguments: object) -> None:
        raise HyphaHomeUnusable("no room")

    monkeypatch.setattr(HyphaHome, "write_head", full)

    def until_it_ends() -> None:
        with suppress(CellUnreachable), Client.from_home(tmp_path) as client:
            while True:
                client.status()

    with pytest.raises(BaseExceptionGroup) as caught:
        asyncio.run(_serve(tmp_path, until_it_ends))
    assert caught.group_contains(HyphaHomeUnusable)


def test_a_gateway_that_does_not_close_holds_up_no_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def hangs(listener: Listener) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await closes(listener)

    closes = Listener.stop
    monkeypatch.setattr(Listener, "stop", hangs)
    monkeypatch.setattr("hypha.daemon.STOP_TIMEOUT_S", 0.2)
    assert asyncio.run(_serve(tmp_path, lambda: None))[-1] == "ready"
