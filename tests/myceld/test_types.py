"""What type checkers know of both clients: this file is a program that mypy --strict has to accept.

mypy runs over it with all our code; a wrong type here, or a comment that ignores an error which is
none, fails that run.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Iterator
from pathlib import Path
from typing import assert_type

import myceld
from myceld import AsyncClient, Client
from myceld.subscription import Frame
from myceld.verified_calls import ProvenReceipt, ProvenValue
from myceld.views import MessageView, Page, ReceiptView, StatusView, TransactionView


def program(cell: Client) -> None:
    assert_type(cell.status(), StatusView)
    assert_type(cell.put("k", b"v", wait="applied"), ReceiptView)
    assert_type(cell.transactions(limit=5)["items"], list[TransactionView])
    assert_type(cell.metrics(), str)
    assert_type(cell.verified_value("k").value, bytes | None)
    assert_type(cell.messages(after=-1), Iterator[MessageView])
    for frame in cell.subscribe("rounds"):
        assert_type(frame, Frame)
    cell.put("k")  # type: ignore[call-arg]  # the value is missing
    cell.put("k", "v")  # type: ignore[arg-type]  # bytes, not text
    cell.status()["phases"]  # type: ignore[misc]  # no such field


async def awaited(cell: AsyncClient) -> None:
    assert_type(await cell.status(), StatusView)
    assert_type(await cell.transactions(), Page[TransactionView])
    assert_type(await cell.verified_value("k"), ProvenValue)
    assert_type(await asyncio.create_task(cell.verified_receipt("00")), ProvenReceipt)
    cell.status()["phase"]  # type: ignore[index]  # not awaited
    async for message in cell.messages():
        assert_type(message["text"], str | None)


def test_the_package_says_that_it_is_typed() -> None:
    assert (Path(myceld.__file__).parent / "py.typed").exists()


def test_help_shows_the_real_parameters_and_what_it_is_for() -> None:
    for client in (Client("http://127.0.0.1:1"), AsyncClient("http://127.0.0.1:1")):
        assert list(inspect.signature(client.put).parameters)[:2] == ["key", "value"]
        assert "signed by the cell" in (inspect.getdoc(client.put) or "")
