"""Messages between real cells: the receiver is away, the sender is killed, and nothing is lost.

How long the receiver is away: MYCELD_AWAY_S seconds, 3 unless told otherwise.
"""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.network.devnet import COMMAND, ROOT, WAIT_S, Devnet, myceld, wait_until

pytestmark = pytest.mark.slow

AWAY_S = float(os.environ.get("MYCELD_AWAY_S", "3"))
COUNT = 1000
SECRET = "the treasure is below the old oak"  # noqa: S105 - a text that nobody else shall see
ALICE, BOB, RELAY = 1, 2, 3


@pytest.fixture(scope="module", name="devnet")
def _devnet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Devnet]:
    """Three running cells. Each test here has pairs of its own that talk, or a network."""
    yield from _three(tmp_path_factory.mktemp("messages") / "net")


@pytest.fixture(name="own_devnet")
def _own_devnet(tmp_path: Path) -> Iterator[Devnet]:
    yield from _three(tmp_path / "net")


def _three(directory: Path) -> Iterator[Devnet]:
    devnet = Devnet(directory, cells=3)
    try:
        devnet.up()
        yield devnet
    finally:
        devnet.down()


def memory_of(pid: int) -> bytes:
    """All that a process could write down; nothing where the system does not let others look."""
    found = bytearray()
    try:
        with Path(f"/proc/{pid}/mem").open("rb", buffering=0) as memory:
            for line in Path(f"/proc/{pid}/maps").read_text().splitlines():
                place, mode, *_ = line.split()
                start, end = (int(one, 16) for one in place.split("-"))
                if mode.startswith("rw"):
                    with suppress(OSError):  # given back meanwhile
                        found += os.pread(memory.fileno(), end - start, start)
    except (PermissionError, FileNotFoundError):
        return b""
    return bytes(found)


@pytest.mark.skipif(not Path("/proc/self/mem").exists(), reason="looks into Linux's /proc")
def test_the_memory_of_a_process_is_searched_where_the_system_allows_it() -> None:
    text = f"{SECRET} {os.getpid()}".encode()
    found = memory_of(os.getpid())
    assert not found or text in found


def test_each_message_arrives_once_in_order_though_both_ends_go_down(devnet: Devnet) -> None:
    bob = devnet.status(BOB)["cell_id"]
    texts = [f"{SECRET}, said {number} times" for number in range(COUNT)]

    def send(part: list[str]) -> int:
        ids = [devnet.client(ALICE).send_message(to=bob, text=text) for text in part]
        return int(ids[-1]["messages"][0]["id"])

    send(texts[:300])
    devnet.do("kill", BOB)
    began = time.monotonic()
    send(texts[300:600])
    devnet.do("kill", ALICE)
    devnet.do("restart", ALICE)
    last = send(texts[600:])
    wait_until(
        lambda: devnet.client(ALICE).message(last)["status"] == "sent",
        "no relay took the messages",
    )
    assert SECRET.encode() not in memory_of(devnet.process(RELAY).pid)
    time.sleep(max(0.0, AWAY_S - (time.monotonic() - began)))
    devnet.do("restart", BOB)
    wait_until(
        lambda: devnet.client(BOB).message_list(way="received", limit=1)["total"] >= COUNT,
        "messages are missing",
    )
    page = devnet.client(BOB).next_messages(limit=1000, way="received")
    assert [item["text"] for item in page["messages"]] == texts
    assert [item["number"] for item in page["messages"]] == list(range(1, COUNT + 1))
    wait_until(
        lambda: devnet.client(ALICE).message(last)["status"] == "delivered",
        "the sender was not told",
    )
    relayed = b"".join(path.read_bytes() for path in devnet.home(RELAY).glob("cell.db*"))
    assert SECRET.encode() not in relayed
    myceld("journal", "audit", "message", "--home", str(devnet.home(BOB)))


@pytest.mark.long
def test_each_message_arrives_once_in_order_though_the_receiver_and_the_sender_take_new_keys(
    own_devnet: Devnet,
) -> None:
    devnet = own_devnet
    first = {cell: devnet.status(cell)["cell_id"] for cell in (ALICE, BOB)}
    tried = iter(range(1_000_000))
    told: dict[str, int] = {}  # what was acknowledged: each try has a text of its own

    def say(count: int) -> None:
        for _ in range(count):
            wait_until(send, "the message was not taken")

    def send() -> bool:
        text = f"said {next(tried)} times"
        sent = devnet.client(ALICE).send_message(to=first[BOB], text=text)
        told[text] = sent["messages"][0]["id"]
        return True

    for cell in (BOB, ALICE):
        say(100)
        rotating = subprocess.Popen(
            [*COMMAND, "key", "rotate", "--home", str(devnet.home(cell)), "--timeout", str(WAIT_S)],
            cwd=ROOT,
        )
        say(100)
        assert rotating.wait(2 * WAIT_S) == 0
        say(100)
    now = {cell: devnet.status(cell)["cell_id"] for cell in (ALICE, BOB)}
    assert not set(now.values()) & set(first.values())
    *_, last = told.values()
    wait_until(
        lambda: devnet.client(ALICE).message(last)["status"] == "delivered",
        "the sender was not told",
    )
    assert devnet.client(ALICE).message_list(status="failed")["messages"] == []
    page = devnet.client(BOB).next_messages(limit=1000, way="received")["messages"]
    texts = [item["text"] for item in page]
    assert [text for text in texts if text in told] == list(told)
    assert [item["number"] for item in page] == list(range(1, len(page) + 1))
    assert {(item["cell"], item["first_cell"]) for item in page} == {(now[ALICE], first[ALICE])}
    listed = devnet.client(ALICE).message_list(cell=first[BOB], limit=1)
    assert (listed["total"], listed["messages"][0]["cell"]) == (len(page), now[BOB])
    at = ("--home", str(devnet.home(BOB)))
    assert f"cell-1 (first {first[ALICE][-8:]})" in myceld("inbox", "--limit", "1", *at).stdout
    for journal in ("message", "audit", "identity"):
        myceld("journal", "audit", journal, *at)


def test_a_member_has_what_another_one_declared_run_and_its_transactions_ordered(
    devnet: Devnet,
) -> None:
    asker, asked, third = RELAY, ALICE, BOB
    there, home = ("--home", str(devnet.home(asked))), ("--home", str(devnet.home(asker)))
    myceld("config", "set", "cell.commands", "greet=echo hello", *there)
    devnet.do("kill", asked)
    devnet.do("restart", asked)
    cell = devnet.status(asked)["cell_id"]
    denied = myceld("exec", cell, "greet", *home, expect=1).stderr
    assert "MYC-IDENTITY-307" in denied, "a member has limited access until somebody says more"
    refused = ("audit", "show", "--refused", "--json", *there)
    wait_until(
        lambda: [one["action"] for one in json.loads(myceld(*refused).stdout)["items"]] == ["exec"],
        "what was refused is not in the audit journal",
    )
    myceld("trust", "attest", devnet.status(asker)["cell_id"], "--score", "0.9", *there)
    assert myceld("exec", cell, "greet", *home).stdout == "hello\n"
    assert json.loads(myceld("challenge", cell, *home, "--json").stdout)["cell_id"] == cell
    assert "MYC-IDENTITY-313" in myceld("exec", cell, "rm", *home, expect=1).stderr
    signed = myceld("tx", "sign", *home, "--nonce", "1", "greeting", "good morning").stdout
    sent = devnet.client(asker).send_message(
        to=cell, type="TX", body_hex=signed.strip(), wait="delivered", timeout_s=WAIT_S
    )
    assert sent["messages"][0]["status"] == "delivered"
    for member in (third, asked):
        wait_until(
            lambda member=member: (  # type: ignore[misc]  # a bound default
                devnet.client(member).state_value("greeting")["value"] == "good morning"
            ),
            "the transaction was not ordered",
        )
    devnet.wait_settled()
    assert myceld("query", cell, "greeting", *home).stdout == "good morning\n"
    assert "no value, proven" in myceld("query", cell, "absent", *home).stdout
    (devnet.directory / "minutes").write_bytes(b"of May" * 10_000)
    posted = myceld("post", str(devnet.directory / "minutes"), *home).stdout.split()[0]
    wait_until(lambda: devnet.client(third).content(posted)["here"], "the content was not fetched")
