"""As long as a pen is out, nobody else appends to its journal or cuts it off."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from identity.keys import KeyPair
from journal import Batch, Pen, Store
from journal.errors import JournalHeld, NotAJournalName, PenVoid

KEY = KeyPair(b"\x05" * 32)


def test_who_holds_the_pen_writes_and_nobody_else(tmp_path: Path) -> None:
    async def story() -> None:
        refused: list[str] = []
        path = tmp_path / "s.db"
        async with await Store.open(path, signer=KEY.sign, cell_id=KEY.cell_id) as store:
            pen = store.pen("log", refused.append)
            assert await pen.write([b"one", b"two"]) == (0, 2)
            journal = await store.journal("log")
            forged = Pen(store, "log")
            for attempt in (
                journal.append(b"x"),
                journal.truncate(1),
                store.transaction({"other": [b"x"], "log": [b"x"]}),
                store.commit(Batch({"log": [b"x"]}, pen=object())),
                forged.write([b"x"]),
            ):
                with pytest.raises(JournalHeld):
                    await attempt
            with pytest.raises(JournalHeld):
                store.pen("log")
            assert refused == ["log"] * 6
            assert (journal.length, store.journals()) == (2, ["log"])
            await store.transaction({"other": [b"y"], "log": []})  # nothing is appended to it
            forged.give_back()
            with pytest.raises(JournalHeld):
                await journal.append(b"x")
            pen.give_back()
            pen.give_back()
            with pytest.raises(PenVoid):
                await pen.write([b"x"])
            assert await journal.append(b"three") == (2, 3)
            assert await store.pen("log").write([], [], durable=False) == (3, 3)
            with pytest.raises(NotAJournalName):
                store.pen("no/name")

    asyncio.run(story())
