"""Message services of a few cells over real hosts on loopback, each on a store of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from core.ids import CellId, Round, Signature
from gossip.discovery.book import AddressBook
from gossip.host import HostConfig
from identity.keys import KeyPair
from identity.messages.envelope import MessageType
from identity.messages.policy import AllowMembers
from identity.messages.proof import MESSAGE_JOURNAL
from journal import Store
from ledger.succession import (
    Origin,
    Succession,
    first_key,
    origin_key,
    present_key,
    rotated_key,
)
from node.conversation_tables import CONVERSATION_SCHEMA
from node.inbox import ConsensusInbox
from node.lines import Lines
from node.message_tables import MESSAGE_SCHEMA, MessageRow, Wanted
from node.peers import Peers, PeersConfig, PeersLinks
from node.services.message import Messages
from node.services.message_desk import Former, Owner
from tests.ledger.world import GENESIS, KEYS
from tests.node.silent import SilentIntroducer
from tests.ports import held_port

ALL = Wanted()


async def _nothing(*_: object) -> None:
    return None


class MessageCell:
    """A cell that does nothing but talk. Start and stop it as often as you like."""

    def __init__(self, tmp: Path, key: KeyPair) -> None:
        self.key = key
        self.cell_id = key.cell_id
        self.port = held_port()
        self.path = tmp / f"{key.cell_id}.db"
        self.peers: Peers
        self.messages: Messages
        self.store: Store
        self.known: dict[CellId, str] = {}
        self.linked: set[CellId] = set()
        self.state: dict[bytes, bytes] = {}
        """What this cell has applied, as far as messages ask for it."""
        self.ahead: set[bytes] = set()
        """Keys that were given up in a round that is on its way to the disk."""
        self.lines = Lines(self.state.get, self.ahead.__contains__)
        self.former: Former | None = None
        self._before: CellId | None = None
        self._running: asyncio.Task[None] | None = None

    @property
    def address(self) -> str:
        return f"/ip4/127.0.0.1/tcp/{self.port}/p2p/{self.cell_id}"

    async def start(self, tables: str = "", before_host: Callable[[], None] = lambda: None) -> None:
        self.store = await Store.open(
            self.path,
            signer=self.key.sign,
            cell_id=self.cell_id,
            former=self._before,
            durability="power",
        )
        self._before = None
        await self.store.create_tables(MESSAGE_SCHEMA + CONVERSATION_SCHEMA + tables)
        config = PeersConfig(
            HostConfig(self.key.seed, (f"/ip4/127.0.0.1/tcp/{self.port}",), "/myceld/test/1"),
            GENESIS.network_id,
            GENESIS.rule_set,
            GENESIS.roster,
        )
        links = PeersLinks(
            ConsensusInbox(), asyncio.Queue(8), list, _nothing, _nothing, SilentIntroducer()
        )
        book = AddressBook(self.cell_id, self.known.values())
        self.peers = Peers(config, links, book)
        self.peers.connected = lambda: sorted(self.linked)  # type: ignore[method-assign]  # no gossip runs here
        members = {key.cell_id for key in KEYS}
        owner = Owner(
            self.key,
            GENESIS.network_id,
            AllowMembers(members.__contains__),
            self.lines,
            lambda cell: self.lines.first(cell) in members,
            self.former,
        )
        pen = self.store.pen(MESSAGE_JOURNAL)
        self.messages = await Messages.open(self.store, owner, self.peers, pen)
        before_host()
        await self.peers.start()
        self._running = asyncio.create_task(self.messages.run())

    async def stop(self) -> None:
        if self._running is not None:
            self._running.cancel()
            with suppress(asyncio.CancelledError):
                await self._running
            self._running = None
            await self.peers.stop()
            await self.store.close()

    def learn(self, old: KeyPair, new: KeyPair, round_number: int) -> None:
        """Apply the round in which a cell took its next key."""
        first = first_key(self.state.get, old.public_key)
        number, signature = Round(round_number), Signature(b"s" * 64)
        step = Succession(new.public_key, number, signature, signature)
        changes = [
            (rotated_key(old.public_key), step.encode()),
            (origin_key(new.public_key), Origin(first, old.public_key, number).encode()),
            (present_key(first), bytes(new.public_key)),
        ]
        self.state.update(changes)
        self.lines.changed(changes)

    async def rotate(self, new: KeyPair, round_number: int, *, opens_ms: int = 1 << 50) -> None:
        """Go on with another key, as a cell does when its own state says so."""
        running = self._running is not None
        await self.stop()
        old, self._before = self.key, self.cell_id
        self.key, self.cell_id = new, new.cell_id
        self.lines = Lines(self.state.get, self.ahead.__contains__)
        self.learn(old, new, round_number)
        self.former = Former(old, opens_ms)
        if running:
            await self.start()

    def meet(self, *others: MessageCell) -> None:
        """Learn where others listen, for the next start and now."""
        for other in others:
            self.known[other.cell_id] = other.address
            if self._running is not None:
                self.peers.book._entries.update(AddressBook(self.cell_id, [other.address])._entries)

    async def chat(self, to: MessageCell, *texts: str) -> list[MessageRow]:
        return list(await asyncio.gather(*(self.messages.chat(to.cell_id, text) for text in texts)))

    async def received(self) -> list[MessageRow]:
        rows, _ = await self.messages.messages(
            Wanted(way="received"), offset=0, limit=100_000, oldest_first=True
        )
        return rows

    async def until(self, done: Callable[[], bool | Sequence[object]]) -> None:
        """Wait for news of messages until something holds."""
        while not done():
            try:
                async with asyncio.timeout(0.2):
                    await self.messages.news()
            except TimeoutError:
                continue

    async def until_status(self, message_id: int, status: str) -> MessageRow:
        while True:
            row = await self.messages.message(message_id)
            if row.status == status:
                return row
            with suppress(TimeoutError):
                async with asyncio.timeout(0.2):
                    await self.messages.news()


def texts_of(rows: Sequence[MessageRow]) -> list[str]:
    from identity.messages.chat import decode_chat

    return [decode_chat(row.body).text for row in rows if row.type is MessageType.CHAT]
