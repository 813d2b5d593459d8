"""Content is fetched from whoever has it, known by its hash, and nothing else is kept."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from core.codec import encode
from core.ids import Hash
from gateway.errors import NoSuchContent
from ledger.content import content_key
from ledger.limits import CONTENT_SIZE_BYTES_MAX
from node.errors import ContentTooLarge
from node.services import content as module
from node.services.content import CONTENT_SCHEMA, Contents
from node.tables import SCHEMA
from tests.ledger.world import GENESIS, KEYS
from tests.node.services.world import MessageCell

BODY = bytes(range(256)) * 4096
IDENTITY = Hash(hashlib.sha256(BODY).digest())


class Holder:
    """A cell with contents, whose ledger is whatever the test writes."""

    def __init__(self, cell: MessageCell) -> None:
        self.cell = cell
        self.applied = 0
        self.contents: Contents

    def listen(self) -> None:
        """Before the host starts."""
        self.contents = Contents(
            self.cell.store,
            GENESIS.network_id,
            self.cell.peers,
            lambda: self.applied,
            lambda _cell, _hash: None,
            self.cell.lines,
        )

    async def applies(self, identity: Hash, size_bytes: int, poster: int = 0) -> None:
        value = encode([size_bytes, "a title", 1, KEYS[poster].public_key])
        statement = ("INSERT INTO state VALUES (?, ?)", [(content_key(identity), value)])
        await self.cell.store.transaction({}, [statement])
        self.applied += 1

    async def until_here(self, identity: Hash) -> bytes:
        while True:
            view = self.contents.view(identity, with_body=True)
            if view.body_hex is not None:
                return bytes.fromhex(view.body_hex)
            await asyncio.sleep(0.02)


def run(
    tmp: Path, monkeypatch: pytest.MonkeyPatch, talk: Callable[[Holder, Holder], Awaitable[None]]
) -> None:
    monkeypatch.setattr(module, "CONTENT_CHECK_S", 0.02)
    monkeypatch.setattr(module, "CONTENT_RETRY_S", 0.05)

    async def main() -> None:
        holders = [Holder(MessageCell(tmp, KEYS[at])) for at in range(2)]
        cells = [holder.cell for holder in holders]
        tasks = []
        try:
            async with asyncio.timeout(60):
                for holder in holders:
                    await holder.cell.start(SCHEMA + CONTENT_SCHEMA, holder.listen)
                cells[0].meet(cells[1])
                cells[1].meet(cells[0])
                tasks = [asyncio.create_task(holder.contents.run()) for holder in holders]
                await talk(*holders)
        finally:
            for task in tasks:
                task.cancel()
            for cell in cells:
                await cell.stop()

    asyncio.run(main())


def test_what_was_posted_is_fetched_by_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def talk(one: Holder, other: Holder) -> None:
        assert await one.contents.keep(BODY) == IDENTITY
        for holder in (one, other):
            await holder.applies(IDENTITY, len(BODY))
        assert await other.until_here(IDENTITY) == BODY
        (view,) = other.contents.views(0, 10)
        assert (view.here, view.title, view.body_hex) == (True, "a title", None)

    run(tmp_path, monkeypatch, talk)


def test_what_nobody_has_yet_is_asked_for_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def talk(one: Holder, other: Holder) -> None:
        await other.applies(IDENTITY, len(BODY))
        await asyncio.sleep(0.2)
        assert not other.contents.view(IDENTITY, with_body=False).here
        await one.contents.keep(BODY)
        assert await other.until_here(IDENTITY) == BODY

    run(tmp_path, monkeypatch, talk)


def test_other_bytes_than_the_hash_says_are_not_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def talk(one: Holder, other: Holder) -> None:
        row = (IDENTITY, len(BODY), b"x" * len(BODY))
        await one.cell.store.transaction({}, [("INSERT INTO content VALUES (?, ?, ?)", [row])])
        fetched = asyncio.Event()
        fetch = other.contents._fetch_from

        async def noted(*arguments: object) -> bytes | None:
            body = await fetch(*arguments)  # type: ignore[arg-type]  # passed on
            fetched.set()
            return body

        monkeypatch.setattr(other.contents, "_fetch_from", noted)
        await other.applies(IDENTITY, len(BODY))
        await fetched.wait()
        assert not other.contents.view(IDENTITY, with_body=False).here

    run(tmp_path, monkeypatch, talk)


def test_content_has_bounds_and_what_was_not_posted_is_unknown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def talk(one: Holder, _: Holder) -> None:
        for body in (b"", bytes(CONTENT_SIZE_BYTES_MAX + 1)):
            with pytest.raises(ContentTooLarge):
                await one.contents.keep(body)
        with pytest.raises(NoSuchContent):
            one.contents.view(IDENTITY, with_body=True)
        monkeypatch.setattr(module, "CONTENT_KEPT_SIZE_BYTES_MAX", 10)
        await one.applies(IDENTITY, len(BODY), poster=1)
        await asyncio.sleep(0.1)
        assert not one.contents.view(IDENTITY, with_body=False).here

    run(tmp_path, monkeypatch, talk)
