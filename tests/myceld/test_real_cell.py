"""Both clients against one real cell, over TLS: the same body for each."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from identity.keys import KeyPair
from ledger.errors import NotProven
from myceld import (
    AsyncClient,
    CellRefused,
    CellTooLate,
    Client,
    NoNetworkTrusted,
    ProofOfOther,
    ProofTooOld,
)
from myceld.home import RunFile, read_token
from myceld.question import Question
from tests.gateway.certificates import Authority
from tests.myceld.driven import KINDS, Driven
from tests.network.devnet import myceld, wait_until
from tests.network.test_one_cell import Cell

pytestmark = pytest.mark.slow

WAIT_S = 300
"""For a call to be answered, unless the test is about that."""

_PAGE = Path(__file__).parents[2] / "docs" / "python.md"


def _reached(kind: type[Client | AsyncClient], home: Path, **more: Any) -> Client | AsyncClient:  # noqa: ANN401 - what a client takes
    """Return a client that is told all, as of a cell of another machine."""
    return kind(RunFile.read(home).url, ca=home / "authority.pem", timeout_s=WAIT_S, **more)


def _blocks() -> list[str]:
    return re.findall(r"^```python\n(.*?)^```", _PAGE.read_text(), re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def cell(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cell]:
    started = Cell(tmp_path_factory.mktemp("clients") / "ada")
    myceld("init", "--home", str(started.home), "--name", "ada")
    files = Authority.made(started.home, "authority").issue(started.home, "127.0.0.1")
    with started.config.open("a") as config:
        tls = f"  tls_certificate: {files.certificate.name}\n  tls_key: {files.key.name}\n"
        config.write(f"gateway:\n{tls}")
    started.start()
    with Client.from_home(started.home, timeout_s=WAIT_S) as client:
        # So that there is something to verify, whichever test comes first.
        client.put("first", b"value", wait="certified", timeout_s=WAIT_S)
    yield started
    if started.process is not None:
        started.stop()


@pytest.fixture(params=[Client, AsyncClient])
def both(request: pytest.FixtureRequest, cell: Cell) -> Iterator[Driven]:
    with Driven(request.param.from_home(cell.home, timeout_s=WAIT_S)) as driven:
        yield driven


def test_a_value_comes_back_and_can_be_proven(both: Driven) -> None:
    key = f"proven/{both.client.__class__.__name__}"
    receipt = both.put(key, b"value", wait="certified", timeout_s=WAIT_S)
    assert both.state_value(key)["value"] == "value"
    value = both.verified_value(key, min_round=receipt["round"])
    assert (value.value, value.updated_round) == (b"value", receipt["round"])
    assert [one.name for one in value.signers] == ["ada"]
    assert value.weight == value.weight_total
    assert both.verified_value("proven/nothing").value is None
    outcome = both.verified_receipt(receipt["id"])
    assert (outcome.outcome, outcome.position) == ("applied", receipt["position"])
    values = both.verified_values("proven/", limit=10)
    assert (key, b"value") in values.values
    assert values.is_complete
    assert both.verified_round().header.round >= receipt["round"]


def test_what_is_not_proven_is_refused_with_its_code(both: Driven, cell: Cell) -> None:
    both.put("refused/a", b"1", wait="certified", timeout_s=WAIT_S)
    for genesis, expected in ((None, NoNetworkTrusted), (bytes(32), NotProven)):
        token = read_token(cell.home)
        with Driven(_reached(type(both.client), cell.home, token=token, genesis=genesis)) as other:
            with pytest.raises(expected) as caught:
                other.verified_value("refused/a")
            assert caught.value.code.startswith("MYC-")
    with pytest.raises(ProofTooOld):
        both.verified_value("refused/a", min_round=1 << 40)
    asked = both.client.__class__.verified_value.describe(both.client, "refused/a")
    other_key = both.client.__class__.verified_value.describe(both.client, "refused/b")
    swapped: Question[Any] = Question("GET", other_key.target, read=asked.read)
    with pytest.raises(ProofOfOther):
        both.ask(swapped)


def test_a_refusal_has_the_cell_s_own_code(both: Driven) -> None:
    with pytest.raises(CellRefused) as caught:
        both.receipt("00")
    assert caught.value.code == "MYC-GATEWAY-014"
    assert caught.value.status == 400
    with pytest.raises(CellRefused, match="MYC"):
        both.put("", b"")
    assert both.status()["phase"], "the connection is good for more"


def test_a_call_ends_at_its_deadline(both: Driven) -> None:
    both.client.timeout_s = 0.0001
    with pytest.raises(CellTooLate):
        both.status()
    both.client.timeout_s = WAIT_S
    assert both.health()["status"]


def test_a_subscription_goes_on_behind_a_round_and_behind_a_cursor(both: Driven) -> None:
    prefix = f"stream/{both.client.__class__.__name__}/"
    rounds = [both.put(f"{prefix}{n}", b"v", wait="applied")["round"] for n in range(3)]
    frames = both.first(3, "subscribe", f"state:{prefix}", after_round=rounds[0] - 1)
    assert [one["item"]["key"] for one in frames] == [f"{prefix}{n}" for n in range(3)]
    (last,) = both.first(1, "subscribe", f"state:{prefix}", after=frames[1]["cursor"])
    assert last == frames[2]
    changes = both.first(2, "watch", prefix, after_round=rounds[0])
    assert [one["key"] for one in changes] == [f"{prefix}1", f"{prefix}2"]
    with pytest.raises(CellRefused):
        both.first(1, "subscribe", "nothing")


def test_streams_go_on_after_a_restart_of_the_cell(both: Driven, cell: Cell) -> None:
    """It ends while a program is between two items: nothing is missed, nothing comes twice."""
    prefix = f"restart/{both.client.__class__.__name__}/"
    begin = both.put(f"{prefix}0", b"v", wait="applied")["round"] - 1

    def restart() -> None:
        cell.stop()
        cell.start()
        with Client.from_home(cell.home, timeout_s=WAIT_S) as other:
            other.put(f"{prefix}1", b"v", wait="applied")

    if both.runner is None:
        with both.client.subscribe(f"state:{prefix}", after_round=begin) as stream:
            frames = iter(stream)
            keys = [next(frames)["item"]["key"]]
            restart()
            keys.append(next(frames)["item"]["key"])
        changes = both.client.watch(prefix, after_round=begin)
        keys += [next(changes)["key"]]
    else:
        keys = both.runner.run(_across_restart(both.client, prefix, begin, restart))
    assert keys == [f"{prefix}0", f"{prefix}1", f"{prefix}0"]


async def _across_restart(
    client: AsyncClient, prefix: str, begin: int, restart: Callable[[], None]
) -> list[str]:
    async with client.subscribe(f"state:{prefix}", after_round=begin) as stream:
        keys = [(await anext(stream))["item"]["key"]]
        await asyncio.to_thread(restart)
        keys.append((await anext(stream))["item"]["key"])
    changes = client.watch(prefix, after_round=begin)
    keys.append((await anext(changes))["key"])
    await changes.aclose()
    return keys


def test_a_key_that_is_allowed_signs_instead_of_a_token(both: Driven, cell: Cell) -> None:
    key = KeyPair(os.urandom(32))
    both.allow_key(key.public_key.hex(), "signer", ["read"])
    with Driven(_reached(type(both.client), cell.home, key=key)) as signing:

        def is_let_in() -> bool:
            with contextlib.suppress(CellRefused):
                return bool(signing.status()["name"] == "ada")
            return False  # in the first seconds after a start no signature is taken

        wait_until(is_let_in, "the signatures were never taken", WAIT_S)
        assert signing.state_values("no such/", limit=5)["items"] == []
        with pytest.raises(CellRefused) as caught:
            signing.put("k", b"v")
        assert caught.value.status == 403


@KINDS
def test_a_client_is_made_from_the_environment(
    kind: type[Client | AsyncClient], cell: Cell
) -> None:
    run = RunFile.read(cell.home)
    given = {
        "MYCELD_URL": run.url,
        "MYCELD_TOKEN": read_token(cell.home),
        "MYCELD_CA": str(cell.home / "authority.pem"),
    }
    for environment in (given, {"MYCELD_HOME": str(cell.home)}):
        with Driven(kind.from_environment(environment)) as driven:
            assert driven.status()["name"] == "ada"


def test_many_tasks_ask_one_asynchronous_client(cell: Cell) -> None:
    async def main() -> list[str]:
        async with AsyncClient.from_home(cell.home, timeout_s=WAIT_S) as client:
            answers = await asyncio.gather(*(client.status() for _ in range(40)))
        return [answer["name"] for answer in answers]

    assert asyncio.run(main()) == ["ada"] * 40


def test_a_cancelled_stream_leaves_nothing_behind(cell: Cell) -> None:
    async def main() -> int:
        async with AsyncClient.from_home(cell.home, timeout_s=WAIT_S) as client:
            begun = asyncio.Event()

            async def follow() -> None:
                async with client.subscribe("transactions", after_round=0) as stream:
                    async for _ in stream:
                        begun.set()

            await client.put("cancelled", b"v", wait="applied")
            task = asyncio.create_task(follow())
            await begun.wait()
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
        return len(asyncio.all_tasks()) - 1

    assert asyncio.run(main()) == 0


@pytest.mark.parametrize(
    "code",
    [pytest.param(text, id=f"block {n}") for n, text in enumerate(_blocks(), 1)],
)
def test_the_code_in_the_documentation_runs(
    code: str, cell: Cell, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("MYCELD_URL", "MYCELD_TOKEN", "MYCELD_CA"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("MYCELD_HOME", str(cell.home))
    exec(compile(code, "docs/python.md", "exec"), {})  # noqa: S102 - our own documentation


def test_text_is_not_read_as_json(both: Driven) -> None:
    assert "myceld_" in both.metrics()


def test_a_proof_checks_by_a_genesis_file_its_bytes_and_the_network_id(cell: Cell) -> None:
    genesis: Path = cell.home / "genesis.json"
    with Client.from_home(cell.home, timeout_s=WAIT_S) as client:
        network_id = client.info()["network_id"]
    for trusted in (genesis, str(genesis), genesis.read_bytes(), network_id):
        token = read_token(cell.home)
        with Driven(_reached(Client, cell.home, token=token, genesis=trusted)) as client:
            assert client.verified_round().weight_total > 0
