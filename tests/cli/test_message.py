"""`myceld send`, `inbox`, `message`, `chat` and `room` against a served fake cell."""

from __future__ import annotations

import asyncio
import dataclasses
import hashlib
import io
import json
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from myceld import AsyncClient, CellRefused, Client
from tests.gateway.fake_cell import FakeCell
from tests.gateway.fake_messages import PEER_ID

Run = Callable[..., tuple[int, str, str]]


def test_a_text_is_sent_from_the_command_line_a_file_or_a_pipe(
    call: Run, cell: FakeCell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "note").write_text("from a file\n")
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"from a pipe")))
    assert call("send", "grace", "hello")[:2] == (0, "message 0 to grace: delivered\n")
    assert call("send", "grace", "--file", str(tmp_path / "note"))[0] == 0
    assert call("send", "grace", "-", "--expires", "60")[0] == 0
    assert [item.text for item in cell.sent] == ["hello", "from a file\n", "from a pipe"]


def test_a_message_that_fails_or_waits_in_vain_has_its_own_exit_status(call: Run) -> None:
    status, _, err = call("send", "nobody", "hello", "--wait", "delivered")
    assert (status, "MYC-IDENTITY-308" in err) == (1, True)
    assert call("send", "later", "hello", "--wait", "read", "--timeout", "1")[0] == 4
    assert call("send", "grace")[0] == 2
    assert call("send", "grace", "")[0] == 1


def test_json_is_one_object_with_the_messages(call: Run) -> None:
    status, out, _ = call("send", "grace", "hello", "--json")
    assert status == 0
    assert json.loads(out)["messages"][0]["text"] == "hello"
    assert json.loads(call("message", "list", "--json")[1])["total"] == 1
    assert json.loads(call("message", "status", "0", "--json")[1])["status"] == "delivered"


def test_the_inbox_is_shown_safely_and_then_read(call: Run, cell: FakeCell) -> None:
    cell.receive("first")
    cell.receive("steers\x1b[2Jterminals\nsecond line")
    status, out, _ = call("inbox")
    assert status == 0
    assert out.splitlines()[0].endswith(": first")
    assert "\x1b" not in out
    assert "steers\\x1b[2Jterminals / second line" in out
    assert cell.sent[1].status == "read"
    assert call("inbox", "--unread")[1].count("\n") == 1  # the last of a sender covers the others


def test_the_inbox_can_be_looked_at_without_reading(call: Run, cell: FakeCell) -> None:
    cell.receive("first")
    page = json.loads(call("inbox", "--keep-unread", "--json")[1])
    assert [item["text"] for item in page["messages"]] == ["first"]
    assert cell.sent[0].status == "delivered"
    assert call("message", "read", "0")[:2] == (0, "read\n")


def test_rooms_are_made_changed_and_spoken_to_by_name(call: Run, cell: FakeCell) -> None:
    assert "garden" in call("room", "create", "garden", "grace")[1]
    call("room", "add", "garden", "alan")
    call("send", "garden", "hello all")
    assert [item.cell for item in cell.sent] == ["grace", "alan"]
    assert "garden" in call("room", "list")[1]
    assert call("message", "list", "--room", "garden")[1].endswith("2 of 2\n")
    assert "left" in call("room", "leave", "garden")[1]
    assert call("room", "add", "garden", "bob")[0] == 1


def test_content_is_posted_listed_and_fetched_by_its_hash(call: Run, tmp_path: Path) -> None:
    (tmp_path / "minutes").write_bytes(b"of\x00May")
    status, out, _ = call("post", str(tmp_path / "minutes"))
    identity = hashlib.sha256(b"of\x00May").hexdigest()
    assert (status, out.split()) == (0, [identity, "certified"])
    assert "minutes" in call("content", "list")[1]
    copy = tmp_path / "copy"
    assert call("content", "get", identity, "--out", str(copy))[0] == 0
    assert copy.read_bytes() == b"of\x00May"
    assert call("content", "get", "00" * 32)[0] == 1
    (tmp_path / "empty").write_bytes(b"")
    assert call("post", str(tmp_path / "empty"))[0] == 1


def test_content_is_pinned_removed_and_withdrawn(call: Run, tmp_path: Path) -> None:
    (tmp_path / "minutes").write_bytes(b"of May")
    identity = call("post", str(tmp_path / "minutes"), "--expires", "99")[1].split()[0]
    shown = call("content", "show", identity)[1]
    assert "posted, up to round 99" in shown
    assert "yes (own)" in shown
    assert "yes (pinned, own)" in call("content", "pin", identity)[1]
    assert json.loads(call("content", "unpin", identity, "--json")[1])["pinned"] is False
    assert call("content", "withdraw", identity)[1].split() == [identity, "certified"]
    assert "withdrawn in round 8" in call("content", "remove", identity)[1]
    assert "withdrawn" in call("content", "list")[1]
    for act in ("show", "pin", "unpin", "remove", "withdraw"):
        assert call("content", act, "00" * 32)[0] == 1


def test_a_chat_from_a_pipe_sends_each_line(
    call: Run, cell: FakeCell, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("one\n\ntwo"))
    assert call("chat", "grace")[0] == 0
    assert [item.text for item in cell.sent] == ["one", "two"]


def test_a_chat_at_a_terminal_shows_what_was_said_before_and_nothing_of_rooms(
    call: Run, cell: FakeCell, monkeypatch: pytest.MonkeyPatch
) -> None:
    cell.receive("are you there?")
    cell.receive("all of you in the garden")
    cell.sent[1] = dataclasses.replace(cell.sent[1], room="ab" * 16)
    lines = iter(["yes"])

    def say(_: str) -> str:
        try:
            return next(lines)
        except StopIteration as over:
            raise EOFError from over

    monkeypatch.setattr("builtins.input", say)
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True, raising=False)
    status, out, _ = call("chat", PEER_ID)
    assert (status, "are you there?" in out, "garden" in out) == (0, True, False)
    assert [one.status for one in cell.sent[:2]] == ["read", "delivered"]
    assert cell.sent[-1].text == "yes"


def test_a_service_iterates_over_the_messages_that_come(cell: FakeCell, tmp_path: Path) -> None:
    async def listen() -> list[str | None]:
        texts: list[str | None] = []
        async with AsyncClient.from_home(tmp_path) as client:
            async for item in client.messages(after=-1):
                texts.append(item["text"])
                if len(texts) == 3:
                    break
        return texts

    for text in ("one", "two", "three"):
        cell.receive(text)
    assert asyncio.run(listen()) == ["one", "two", "three"]


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"text": "x"}, "to"),
        ({"to": "a", "room": "00" * 16, "text": "x"}, "to"),
        ({"to": "a"}, "text"),
        ({"to": "a", "text": ""}, "text"),
        ({"to": "a", "text": "x", "type": "SHOUT"}, "type"),
        ({"to": "a", "text": "x", "type": "AUTH"}, "text"),
        ({"to": "a", "body_hex": "0g", "type": "AUTH"}, "body_hex"),
        ({"room": "00" * 16, "body_hex": "00", "type": "AUTH"}, "room"),
        ({"room": "00", "text": "x"}, "room"),
        ({"to": "a", "text": "x", "expires_s": 0}, "expires_s"),
        ({"to": "a", "text": "x", "colour": "red"}, "colour"),
    ],
)
def test_a_message_that_makes_no_sense_is_refused_with_the_field(
    cell: FakeCell, tmp_path: Path, fields: Mapping[str, Any], field: str
) -> None:
    with Client.from_home(tmp_path) as client, pytest.raises(CellRefused) as refusal:
        client.send_message(**fields)
    assert refusal.value.code == "MYC-GATEWAY-014"
    assert f"`{field}`" in str(refusal.value)
    assert cell.sent == []


def test_pages_of_messages_have_bounds(cell: FakeCell, tmp_path: Path) -> None:
    for number in range(3):
        cell.receive(str(number))
    with Client.from_home(tmp_path) as client:
        page = client.message_list(offset=1, limit=1)
        assert [item["text"] for item in page["messages"]] == ["1"]
        assert (page["total"], page["offset"], page["limit"]) == (3, 1, 1)
        assert client.message_list()["limit"] == 100
        assert client.next_messages(after=2, timeout_s=0.05)["messages"] == []
        for limit in (0, 1001):
            with pytest.raises(CellRefused):
                client.message_list(limit=limit)
        with pytest.raises(CellRefused) as refusal:
            client.message(99)
        assert refusal.value.status == 404
