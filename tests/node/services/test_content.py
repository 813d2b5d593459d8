"""Content is fetched from whoever has it, known by its hash, and goes when its post has ended."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from core.ids import Hash, Round
from gateway.errors import NoSuchContent
from ledger.content import Content, content_key
from ledger.limits import CONTENT_SIZE_BYTES_MAX
from node.errors import ContentPinned, ContentTooLarge, NoRoomForContent
from node.services import content as module
from node.services import content_shelf as shelf
from node.services.content import Contents
from node.services.content_shelf import CONTENT_SCHEMA
from node.tables import SCHEMA
from tests.ledger.world import GENESIS, KEYS
from tests.node.services.world import MessageCell
from tests.waiting import PATIENCE_S, until

pytestmark = pytest.mark.usefixtures("patient")

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

    async def applies(
        self, identity: Hash, size_bytes: int, poster: int = 0, *, expires: int = 0, gone: int = 0
    ) -> None:
        made = Content(
            size_bytes, "a title", Round(1), KEYS[poster].public_key, Round(expires), Round(gone)
        )
        row = (content_key(identity), made.encode())
        await self.cell.store.transaction(
            {}, [("INSERT OR REPLACE INTO state VALUES (?, ?)", [row])]
        )
        self.goes_on(content_key(identity))

    def goes_on(self, *changed: bytes) -> None:
        self.applied += 1
        self.contents.changed(changed)

    def here(self, *identities: Hash) -> list[bool]:
        return [self.contents.view(one, with_body=False).here for one in identities]

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
            async with asyncio.timeout(PATIENCE_S):
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

    run(tmp_path, monkeypatch, talk)


def _small(monkeypatch: pytest.MonkeyPatch, sizes: int) -> list[tuple[Hash, bytes]]:
    """Leave room for so many contents of 100 bytes, and return five of them."""
    monkeypatch.setattr(shelf, "CONTENT_KEPT_SIZE_BYTES_MAX", 100 * sizes)
    bodies = [bytes([number]) * 100 for number in range(5)]
    return [(Hash(hashlib.sha256(body).digest()), body) for body in bodies]


def test_without_room_copies_go_that_were_not_served_for_longest_and_never_what_is_own_or_pinned(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (own, own_body), *rest = _small(monkeypatch, 3)

    async def talk(one: Holder, other: Holder) -> None:
        for (_, body), room in zip(rest, (5, 5, 5, 5), strict=True):
            one.contents.keep_at_most(100 * room)
            await one.contents.keep(body)
        one.contents.keep_at_most(300)
        other.contents.keep_at_most(300)
        hashes = [own, *(identity for identity, _ in rest)]
        await other.contents.keep(own_body)
        await other.applies(own, 100, 1)
        for identity, _ in rest[:2]:
            await other.applies(identity, 100)
            await other.until_here(identity)
        assert other.here(*hashes[:3]) == [True, True, True]
        # The older copy was of use to somebody: so the younger one goes.
        address = next(iter(one.cell.peers.book.addresses(other.cell.peers.host.cell_id)))
        assert await one.contents._fetch_from(address, hashes[1], 100) == rest[0][1]
        await until(lambda: other.contents._shelf._served == 4)
        await other.applies(hashes[3], 100)
        await other.until_here(hashes[3])
        assert other.here(*hashes[:4]) == [True, True, False, True]
        # What went is not fetched again, unless somebody pins it; then it stays.
        await other.contents.pin(hashes[2])
        await other.until_here(hashes[2])
        assert other.here(*hashes[:4]) == [True, False, True, True]
        await other.applies(hashes[4], 100)
        await other.until_here(hashes[4])
        assert other.here(*hashes) == [True, False, True, False, True]
        await other.contents.pin(hashes[4])
        with pytest.raises(NoRoomForContent):
            await other.contents.keep(b"one more of our own")
        await other.contents.unpin(hashes[2])
        assert await other.contents.keep(b"one more of our own")
        assert other.here(*hashes) == [True, False, False, False, True]
        assert other.contents._shelf.size_bytes == 219

    run(tmp_path, monkeypatch, talk)


def test_what_is_removed_is_not_fetched_again_and_what_is_pinned_is_not_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def talk(one: Holder, other: Holder) -> None:
        await one.contents.keep(BODY)
        await other.applies(IDENTITY, len(BODY))
        await other.until_here(IDENTITY)
        await other.contents.pin(IDENTITY)
        with pytest.raises(ContentPinned):
            await other.contents.remove(IDENTITY)
        assert not (await other.contents.unpin(IDENTITY)).pinned
        assert not (await other.contents.remove(IDENTITY)).here
        await other.applies(IDENTITY, len(BODY))
        other.contents._is_whole = False  # as after a start
        other.goes_on()
        await until(lambda: other.contents._is_whole)
        await until(lambda: not other.contents._news.is_set())
        assert other.here(IDENTITY) == [False]
        await other.contents.pin(IDENTITY)
        await other.until_here(IDENTITY)
        for act in (other.contents.pin, other.contents.unpin, other.contents.remove):
            with pytest.raises(NoSuchContent):
                await act(Hash(bytes(32)))

    run(tmp_path, monkeypatch, talk)


@pytest.mark.parametrize("how", ["withdrawn", "expired"])
def test_what_has_ended_is_let_go_and_served_and_fetched_no_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    async def ends(holder: Holder) -> None:
        if how == "withdrawn":
            await holder.applies(IDENTITY, len(BODY), expires=9, gone=holder.applied)
        else:
            holder.applied = 9
            holder.goes_on()

    async def talk(one: Holder, other: Holder) -> None:
        await one.contents.keep(BODY)
        for holder in (one, other):
            await holder.applies(IDENTITY, len(BODY), expires=9)
        await other.until_here(IDENTITY)
        await ends(other)
        await until(lambda: other.here(IDENTITY) == [False])
        view = other.contents.view(IDENTITY, with_body=False)
        assert (view.status, view.expires_round) == (how, 9)
        assert other.contents._shelf.size_bytes == 0
        with pytest.raises(NoSuchContent):
            await other.contents.pin(IDENTITY)
        # Who posted it keeps it, and gives it to nobody.
        address = next(iter(other.cell.peers.book.addresses(one.cell.peers.host.cell_id)))
        assert await other.contents._fetch_from(address, IDENTITY, len(BODY)) == BODY
        await ends(one)
        assert await other.contents._fetch_from(address, IDENTITY, len(BODY)) is None
        assert one.here(IDENTITY) == [True]

    run(tmp_path, monkeypatch, talk)


def test_a_round_has_only_what_it_changed_looked_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def talk(one: Holder, other: Holder) -> None:
        looked: list[Hash] = []
        look = other.contents._look

        async def noted(identity: Hash) -> None:
            looked.append(identity)
            await look(identity)

        monkeypatch.setattr(other.contents, "_look", noted)
        contents = _small(monkeypatch, 9)
        for identity, body in contents:
            await one.contents.keep(body)
            await other.applies(identity, 100)
            await other.until_here(identity)
        other.goes_on(b"value/k")
        await until(lambda: not other.contents._news.is_set())
        assert looked == [identity for identity, _ in contents]
        monkeypatch.setattr(module, "CONTENT_NOTED_MAX", 2)
        for identity, _ in contents[:3]:
            other.contents._note(identity)
        assert not other.contents._is_whole, "too many to note: all are looked at"
        other.goes_on()
        await until(lambda: len(looked) == 10)
        assert sorted(looked[5:]) == sorted(looked[:5])

    run(tmp_path, monkeypatch, talk)
