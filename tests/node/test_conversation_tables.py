"""What is kept of each conversation is what its messages say, whatever happens to them."""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from random import Random
from typing import Any, cast

import pytest

from core.ids import CellId
from identity.messages.chat import make_room
from identity.messages.delivery import Waiting
from identity.messages.envelope import MessageType
from journal import Store
from node import message_tables as tables
from node.conversation_tables import CONVERSATION_SCHEMA, ConversationRow, conversations
from node.message_tables import MESSAGE_SCHEMA, MessageRow, Wanted
from node.tables import Statement
from tests.ledger.world import KEYS

CELLS = [key.cell_id for key in KEYS]
ROOMS = [make_room(bytes([at]) * 16, f"room {at}", 1, {KEYS[0].public_key}) for at in range(3)]
ROOM_IDS = [room.id for room in ROOMS]


@dataclass
class Base:
    """A database with the tables of messages, as the store has them."""

    connection: sqlite3.Connection
    ids: int = 0
    numbers: dict[tuple[str, CellId], int] = field(default_factory=lambda: defaultdict(int))

    @property
    def store(self) -> Store:
        """As those see it who only ask."""
        return cast("Store", self)

    def query(self, sql: str, parameters: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        return self.connection.execute(sql, parameters).fetchall()

    def write(self, statements: Sequence[Statement]) -> None:
        for sql, rows in statements:
            self.connection.executemany(sql, rows)

    def add(self, way: str, cell: CellId, room: bytes | None = None) -> MessageRow:
        self.numbers[way, cell] += 1
        row = MessageRow(
            id=self.ids,
            way=way,
            cell=cell,
            number=self.numbers[way, cell],
            replay_id=bytes(16),
            origin=self.ids,
            type=MessageType.CHAT,
            time_ms=0,
            expires_ms=0,
            size_bytes=100,
            status="queued" if way == tables.SENT else "delivered",
            why=None,
            room=room,
            body=b"",
        )
        self.ids += 1 + self.ids % 2  # other blocks are in the journal, too
        self.write(tables.add_message(row))
        return row

    def steps_of(self, work: Callable[[], object]) -> int:
        """Return how many steps of SQLite's machine a read takes."""
        steps = 0

        def count() -> None:
            nonlocal steps
            steps += 1

        self.connection.set_progress_handler(count, 1)
        work()
        self.connection.set_progress_handler(None, 0)
        return steps


@contextmanager
def base_of(schema: str = MESSAGE_SCHEMA + CONVERSATION_SCHEMA) -> Iterator[Base]:
    connection = sqlite3.connect(":memory:")
    try:
        connection.executescript(schema)
        yield Base(connection)
    finally:
        connection.close()


def kept(base: Base) -> list[ConversationRow]:
    return conversations(base.store, cell=None, room=None, offset=0, limit=1000)


def counted(base: Base) -> set[ConversationRow]:
    """Return the conversations by a look at every message."""
    found: dict[tuple[CellId | None, bytes | None], list[tuple[Any, ...]]] = {
        (None, room.id): [] for room, _ in tables.rooms(base.store)
    }
    for row in base.query("SELECT cell, room, id, way, status FROM message"):
        found.setdefault((None if row[1] else row[0], row[1]), []).append(row)
    return {
        ConversationRow(
            cell,
            room,
            max((row[2] for row in rows), default=None),
            sum(row[3:] == ("received", "delivered") for row in rows),
        )
        for (cell, room), rows in found.items()
    }


def happen(base: Base, dice: Random) -> None:
    """Have one thing happen to messages."""
    cell, room = dice.choice(CELLS), dice.choice([None, None, *ROOM_IDS])
    match dice.randrange(8):
        case 0 | 1 | 2:
            base.add(tables.RECEIVED, cell, room)
        case 3 | 4:
            base.add(tables.SENT, cell, room)
        case 5:
            taken = base.numbers[tables.RECEIVED, cell]
            base.write(tables.note_read(cell, dice.randint(0, taken)))
        case 6:
            base.write([tables.put_room(dice.choice(ROOMS), is_left=dice.random() < 0.5)])
        case _:
            before, after = dice.sample(CELLS, 2)
            number = dice.randint(0, base.numbers[tables.SENT, before])
            base.numbers[tables.SENT, after] += 1
            there = Waiting(base.numbers[tables.SENT, after], bytes(16), 0, 100, 0)
            base.write(tables.note_moved(before, number, after, there))


@pytest.mark.parametrize("seed", range(20))
def test_each_conversation_is_kept_as_its_messages_say(seed: int) -> None:
    dice = Random(seed)  # noqa: S311 - a seed that can be repeated
    with base_of() as base:
        for _ in range(120):
            happen(base, dice)
            assert set(kept(base)) == counted(base)
        newest = [-1 if row.newest is None else row.newest for row in kept(base)]
        assert newest == sorted(newest, reverse=True)
        for row in kept(base):
            one = conversations(base.store, cell=row.cell, room=row.room, offset=0, limit=9)
            assert one == [row]


@pytest.mark.parametrize("seed", range(5))
def test_conversations_of_an_older_database_are_made_of_its_messages_once(seed: int) -> None:
    dice = Random(seed)  # noqa: S311 - a seed that can be repeated
    with base_of(MESSAGE_SCHEMA) as base:
        for _ in range(100):
            happen(base, dice)
        for _ in range(2):  # and nothing is counted twice by the next start
            base.connection.executescript(MESSAGE_SCHEMA + CONVERSATION_SCHEMA)
            assert set(kept(base)) == counted(base)
            happen(base, dice)
            assert set(kept(base)) == counted(base)


def test_an_answer_takes_no_longer_with_more_messages() -> None:
    def steps(messages: int) -> list[int]:
        with base_of() as base:
            base.add(tables.RECEIVED, CELLS[2])
            for at in range(messages):
                base.add(tables.RECEIVED, CELLS[at % 2], ROOM_IDS[0] if at % 5 == 0 else None)
            page = Wanted(cell=CELLS[2], direct=True)
            work = (
                lambda: kept(base),
                lambda: conversations(base.store, cell=CELLS[1], room=None, offset=0, limit=1),
                lambda: tables.messages(base.store, page, offset=0, limit=10),
                lambda: base.connection.executescript(CONVERSATION_SCHEMA),
            )
            return [base.steps_of(read) for read in work]

    few, many = steps(100), steps(5_000)
    assert all(after < 2 * before for before, after in zip(few, many, strict=True)), (few, many)


def test_what_was_read_before_is_not_looked_at_again() -> None:
    def steps(messages: int) -> int:
        with base_of() as base:
            for _ in range(messages):
                base.add(tables.RECEIVED, CELLS[1])
            base.write(tables.note_read(CELLS[1], messages - 1))
            return base.steps_of(lambda: base.write(tables.note_read(CELLS[1], messages)))

    assert steps(5_000) < 2 * steps(100)


def test_what_is_said_in_a_room_is_not_in_the_conversation_with_who_said_it() -> None:
    with base_of() as base:
        direct = base.add(tables.RECEIVED, CELLS[1])
        base.add(tables.RECEIVED, CELLS[1], ROOM_IDS[0])
        wanted = Wanted(cell=CELLS[1], direct=True)
        found = tables.messages(base.store, wanted, offset=0, limit=10)
        assert [row.id for row in found] == [direct.id]
        assert tables.message_count(base.store, wanted) == 1
