"""Somebody on the wire, and a relay, see of messages between cells what the documents say.

Real cells, with everything that a cell has, over real sockets; between them a forwarder that keeps
all bytes. A relay's memory is searched in `test_messages`.
"""

from __future__ import annotations

import asyncio
import re
import sqlite3
from collections.abc import Callable, Iterator
from itertools import chain
from pathlib import Path
from typing import Any

import msgpack

from core.ids import CellId, public_key_of
from identity import keystore
from identity.keys import KeyPair
from identity.messages.chat import Chat, encode_chat
from identity.messages.envelope import MessageType, decode_envelope
from identity.messages.proof import decode_proof
from identity.messages.sealing import bucket_of
from ledger.genesis import to_json
from node.daemon import Daemon
from node.founding import Wishes, found, make_genesis
from node.home import Home
from node.services.message_desk import Desk
from settings import CellConfig, Config
from tests.ledger.world import KEYS
from tests.network.test_isolation import Cell, running
from tests.network.wire_tap import Tap, noise_frame_sizes
from tests.node.services.world import MessageCell

SECRET = "the treasure is below the old oak"  # noqa: S105 - a text that nobody else shall see
ROOM = "conspirators"
NETWORK = "mycelium-of-the-oaks"
ADA, GRACE = (KeyPair(bytes([number]) * 32) for number in (31, 32))
DOCUMENT = Path(__file__).parents[2] / "docs" / "adr" / "0024-messages.md"
NEGOTIATION = b"\x13/multistream/1.0.0\n\x07/noise\n"
"""All that is in the clear at the beginning of each direction."""
MESSAGE_FRAME_SIZE_MIN = 512
"""Everything else that two cells say to each other here is shorter."""
SEEN_BY_A_RELAY = (
    "network",
    "sender",
    "receiver",
    "round in which the key of each followed another",
    "type",
    "number",
    "time",
    "replay id",
    "bucket of the size",
    "place in the sender's journal",
    "length of that journal",
    "fork",
)


def _parts_of(text: bytes, size: int = 8) -> Iterator[bytes]:
    return (text[at : at + size] for at in range(len(text) - size + 1))


def _frames(direction: bytes) -> list[int]:
    """Return the sizes of the Noise messages, none while they are not whole."""
    assert direction.startswith(NEGOTIATION) or NEGOTIATION.startswith(direction)
    return noise_frame_sizes(direction, len(NEGOTIATION)) or []


def _message_frames(tap: Tap) -> list[int]:
    """Return the sizes of all messages that went there, in order; none while one is on its way."""
    streams = [_frames(bytes(there)) for there, _ in tap.connections]
    return [
        size for one in streams for size in one if size >= MESSAGE_FRAME_SIZE_MIN and all(streams)
    ]


async def _until(done: Callable[[], bool]) -> None:
    async with asyncio.timeout(180):
        while not done():  # noqa: ASYNC110 - the cells tell nobody outside of them
            await asyncio.sleep(0.02)


def _only_dialling(home: Home, tap: Tap) -> Cell:
    """A cell that nobody can dial, so that all it says and hears goes through the tap."""
    cell = Cell(home)
    bootstrap = (f"/ip4/127.0.0.1/tcp/{tap.port}/p2p/{ADA.cell_id}",)
    config = Config(CellConfig(listen=(), bootstrap=bootstrap))
    cell.daemon = Daemon(home, config, cell.lines.append)
    return cell


def _home(path: Path, pair: KeyPair, genesis: Path, name: str) -> Home:
    home = Home(path)
    home.make()
    keystore.create(home.key, pair.seed)
    found(home, Wishes(genesis=genesis, name=name, gateway_port=0))
    return home


def test_a_capture_between_two_cells_has_no_text_no_names_and_no_ids(tmp_path: Path) -> None:
    genesis = tmp_path / "genesis.json"
    members = (f"{ADA.cell_id}=ada-lovelace", f"{GRACE.cell_id}=grace-hopper")
    genesis.write_text(to_json(make_genesis(NETWORK, members)))
    homes = [
        _home(tmp_path / name, pair, genesis, name)
        for name, pair in (("ada-lovelace", ADA), ("grace-hopper", GRACE))
    ]

    async def main() -> Tap:
        async with (
            running(Cell(homes[0])) as ada,
            Tap().before(int(ada.address.split("/")[4])) as tap,
            running(_only_dialling(homes[1], tap)) as grace,
        ):
            await _until(lambda: bool(ada.parts.peers.connected()))
            before = tap.size_bytes
            for one, other in ((ada, GRACE), (grace, ADA)):
                messages = one.parts.messages
                room = await messages.create_room(ROOM, [other.cell_id])
                await messages.say(room.id, SECRET)
                await messages.chat(other.cell_id, SECRET * 20)
                await messages.send(other.cell_id, MessageType.AUTH, SECRET.encode())
            for one, other in ((ada, GRACE), (grace, ADA)):
                desk, sender = one.parts.messages.desk, other.cell_id
                await _until(lambda desk=desk, sender=sender: _taken(desk, sender) == 4)  # type: ignore[misc]  # bound defaults
            assert tap.size_bytes > before + 8 * 512, "they went another way"
            (*_, last) = tap.connections
            await _until(lambda: all(_frames(bytes(direction)) for direction in last))
            return tap

    tap = asyncio.run(main())
    shown = [SECRET, ROOM, NETWORK, "ada-lovelace", "grace-hopper", "myceld", ADA.cell_id]
    secrets = {part for text in (*shown, GRACE.cell_id) for part in _parts_of(text.encode(), 6)}
    secrets |= {part for pair in (ADA, GRACE) for part in _parts_of(pair.public_key)}
    for direction in map(bytes, chain.from_iterable(tap.connections)):
        assert not any(part in direction for part in secrets)
        assert direction.startswith(NEGOTIATION) or NEGOTIATION.startswith(direction)


def _taken(desk: Desk, sender: CellId) -> int:
    return desk.inbox(sender).taken


def test_two_texts_of_one_bucket_look_alike_on_the_wire(tmp_path: Path) -> None:
    """All that is to be seen of a message is how long its frame is, and that is the bucket."""

    async def frame_of(place: Path, text: str) -> int:
        alice, bob = (MessageCell(place, key) for key in KEYS[:2])
        await alice.start()
        await bob.start()
        try:
            async with Tap().before(bob.port) as tap:
                alice.known[bob.cell_id] = f"/ip4/127.0.0.1/tcp/{tap.port}/p2p/{bob.cell_id}"
                await alice.stop()
                await alice.start()
                (sent,) = await alice.chat(bob, "good morning")
                await alice.until_status(sent.id, "delivered")
                (sent,) = await alice.chat(bob, text)
                await alice.until_status(sent.id, "delivered")
                # After the greeting; each of them once more where its answer took too long.
                await _until(lambda: len(_message_frames(tap)) >= 2)
                return _message_frames(tap)[-1]
        finally:
            await alice.stop()
            await bob.stop()

    places = [tmp_path / size for size in ("1", "200", "300")]
    for place in places:
        place.mkdir()

    async def main() -> None:
        short, long, longer = [await frame_of(place, "x" * int(place.name)) for place in places]
        assert short == long
        assert longer - short in range(256, 260)

    asyncio.run(main())


async def _kept_by_a_relay(tmp: Path) -> tuple[bytes, bytes, list[tuple[Any, ...]]]:
    """Return an envelope that a relay keeps, its database, and the row of the envelope."""
    alice, bob, relay = (MessageCell(tmp, key) for key in KEYS[:3])
    cells = (alice, bob, relay)
    try:
        for cell in cells:
            await cell.start()
        for cell in cells:
            cell.meet(*(other for other in cells if other is not cell))
        await bob.stop()
        alice.linked.add(relay.cell_id)
        room = await alice.messages.create_room(ROOM, [bob.cell_id])
        (sent,) = await alice.messages.say(room.id, SECRET)
        await alice.until_status(sent.id, "sent")
        await relay.until(lambda: len(relay.messages.desk.keeping) == 2)
    finally:
        for cell in cells:
            await cell.stop()
    with sqlite3.connect(relay.path) as database:
        rows = list(database.execute("SELECT * FROM message_kept ORDER BY number"))
        tables = [name for (name,) in database.execute("SELECT name FROM sqlite_master")]
        assert {"message", "message_pair"} <= set(tables)
        for table in ("message", "message_pair", "message_room", "message_word"):
            assert not list(database.execute(f"SELECT * FROM {table}")), table  # noqa: S608 - constant names
    disk = b"".join(path.read_bytes() for path in relay.path.parent.glob(f"{relay.path.name}*"))
    return rows[-1][-1], disk, rows


def test_a_relay_keeps_what_the_documents_say_and_no_more(tmp_path: Path) -> None:
    data, disk, rows = asyncio.run(_kept_by_a_relay(tmp_path))
    alice, bob = KEYS[0], KEYS[1]
    for text in (SECRET, ROOM):
        assert not any(part in disk for part in _parts_of(text.encode()))
    envelope = decode_envelope(data)
    header = envelope.message.header
    assert rows[-1][:3] == (alice.cell_id, bob.cell_id, 2)
    # The whole envelope, taken apart: there is no place in it that is not accounted for.
    signed, proof = msgpack.unpackb(data)
    content, signature = msgpack.unpackb(signed)
    domain, *fields = msgpack.unpackb(content)
    assert (domain, len(signature)) == ("myceld/message/2", 64)
    assert fields == [
        header.network_id,
        header.timestamp_ms,
        public_key_of(alice.cell_id),
        0,
        public_key_of(bob.cell_id),
        0,
        MessageType.CHAT,
        2,
        header.replay_id,
        envelope.message.body,
    ]
    assert len(header.replay_id) == 16
    largest = len(encode_chat(Chat(SECRET))) + 4
    assert bucket_of(largest) <= len(envelope.message.body) - 48 in (256, 512)
    index, hashes, head = msgpack.unpackb(proof)
    origin, size, _root, *_signature = head.splitlines()
    assert (index, len(hashes)) == (decode_proof(proof).index, 1)
    assert (origin, int(size)) == (f"{alice.cell_id}/message/0", 2)
    said = DOCUMENT.read_text(encoding="utf-8").replace("\n", " ")
    (metadata,) = re.findall(r"\*\*Metadata\.\*\*(.*?)- \*\*Nothing at rest", said)
    assert [what for what in SEEN_BY_A_RELAY if what not in " ".join(metadata.split())] == []
