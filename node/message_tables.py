"""SQL of messages: what was sent and taken, how far each conversation is, what is kept for others.

message         one row a message, by the index of its block in the journal `message`; bodies as
                they were before they were sealed, so the file is to be protected as the key is
message_pair    one row a cell: where its outbox and inbox stand; in these two, as in all others, a
                cell goes by the first id of its line of keys, so that a rotation changes no row
message_room    the rooms this cell knows
message_kept    envelopes that this cell keeps as a relay
message_word    receipts, refusals and floors that it keeps as a relay: the newest of each pair
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from core.ids import CellId
from identity.messages.chat import Room, decode_room, encode_room
from identity.messages.delivery import Change, Delivered, Failed, Waiting
from identity.messages.envelope import MessageType
from identity.messages.relay import Held
from journal import Store
from node.limits import MESSAGES_UNDONE_PAGE
from node.tables import Statement

MESSAGE_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS message (
  id INTEGER PRIMARY KEY, way TEXT NOT NULL, cell TEXT NOT NULL, number INTEGER NOT NULL,
  replay_id BLOB NOT NULL, origin INTEGER NOT NULL, type INTEGER NOT NULL,
  time_ms INTEGER NOT NULL, expires_ms INTEGER NOT NULL, size_bytes INTEGER NOT NULL,
  status TEXT NOT NULL, why TEXT, room BLOB, body BLOB NOT NULL, is_done INTEGER NOT NULL);
CREATE INDEX IF NOT EXISTS message_undone ON message (id) WHERE is_done = 0;
CREATE UNIQUE INDEX IF NOT EXISTS message_by_number ON message (way, cell, number);
CREATE INDEX IF NOT EXISTS message_by_room ON message (room, id) WHERE room IS NOT NULL;
CREATE TABLE IF NOT EXISTS message_pair (
  cell TEXT PRIMARY KEY, next_number INTEGER NOT NULL DEFAULT 1, floor INTEGER NOT NULL DEFAULT 1,
  confirmed INTEGER NOT NULL DEFAULT 0, confirmed_read INTEGER NOT NULL DEFAULT 0,
  taken INTEGER NOT NULL DEFAULT 0, read INTEGER NOT NULL DEFAULT 0) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS message_room (
  id BLOB PRIMARY KEY, room BLOB NOT NULL, is_left INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS message_kept (
  sender TEXT NOT NULL, receiver TEXT NOT NULL, number INTEGER NOT NULL,
  expires_ms INTEGER NOT NULL, size_bytes INTEGER NOT NULL, envelope BLOB NOT NULL,
  PRIMARY KEY (sender, receiver, number));
CREATE TABLE IF NOT EXISTS message_word (
  sender TEXT NOT NULL, receiver TEXT NOT NULL, kind TEXT NOT NULL, until_ms INTEGER NOT NULL,
  word BLOB NOT NULL, PRIMARY KEY (sender, receiver, kind)) WITHOUT ROWID;
"""

SENT: Final = "sent"
RECEIVED: Final = "received"

_COLUMNS: Final = (
    "id, way, cell, number, replay_id, origin, type, time_ms, expires_ms, size_bytes, status, why, "
    "room, body, is_done"
)


@dataclass(frozen=True, slots=True)
class MessageRow:
    """One message as it is stored; `cell` is the other end, by the first id it ever had."""

    id: int
    way: str
    cell: CellId
    number: int
    replay_id: bytes
    origin: int
    """Index in the sender's journal; of what was sealed anew, the newest."""
    type: MessageType
    time_ms: int
    expires_ms: int
    size_bytes: int
    """Of the signed message."""
    status: str
    """`queued`, `sent`, `delivered`, `read` or `failed`."""
    why: str | None
    room: bytes | None
    body: bytes
    is_done: bool = True
    """False while it asks for something that this cell has not done."""


@dataclass(frozen=True, slots=True)
class PairRow:
    """Where a conversation with a cell stands: what we send, and what we take."""

    cell: CellId
    next_number: int = 1
    floor: int = 1
    confirmed: int = 0
    confirmed_read: int = 0
    taken: int = 0
    read: int = 0


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which messages a list is of."""

    way: str | None = None
    cell: str | None = None
    room: bytes | None = None
    status: str | None = None
    after: int | None = None
    direct: bool = False
    """Only what was said outside of rooms."""


def add_message(row: MessageRow) -> list[Statement]:
    """Return what notes a message together with its block."""
    values = (
        *(row.id, row.way, row.cell, row.number, row.replay_id, row.origin, int(row.type)),
        *(row.time_ms, row.expires_ms, row.size_bytes, row.status, row.why, row.room, row.body),
        int(row.is_done),
    )
    column, value = ("next_number", row.number + 1) if row.way == SENT else ("taken", row.number)
    return [
        (f"INSERT INTO message ({_COLUMNS}) VALUES ({','.join('?' * 15)})", [values]),  # noqa: S608 - constant columns
        _put_pair(row.cell, column, value),
    ]


def note_sent(receiver: CellId, through: int) -> Statement:
    """Return what notes that messages up to a number are on their way."""
    sql = (
        "UPDATE message SET status = 'sent' WHERE way = 'sent' AND cell = ? AND number <= ? "
        "AND status = 'queued' AND number >= (SELECT coalesce(max(floor), 1) FROM message_pair "
        "WHERE cell = ?)"
    )
    return (sql, [(receiver, through, receiver)])


def note_change(change: Change, floor: int) -> list[Statement]:
    """Return what notes how messages went on, and the outbox's floor after that."""
    cell = change.receiver
    match change:
        case Delivered():
            sql = (
                "UPDATE message SET status = 'delivered' WHERE way = 'sent' AND cell = ? "
                "AND number <= ? AND status IN ('queued', 'sent')"
            )
            return [
                (sql, [(cell, change.through)]),
                _put_pair(cell, "confirmed", change.through),
                _put_pair(cell, "floor", floor),
            ]
        case Failed():
            sql = (
                "UPDATE message SET status = 'failed', why = ? WHERE way = 'sent' AND cell = ? "
                "AND number = ? AND status IN ('queued', 'sent')"
            )
            return [(sql, [(change.code, cell, change.number)]), _put_pair(cell, "floor", floor)]
        case _:
            sql = (
                "UPDATE message SET status = 'read' WHERE way = 'sent' AND cell = ? "
                "AND number <= ? AND status = 'delivered'"
            )
            return [
                (sql, [(cell, change.through)]),
                _put_pair(cell, "confirmed_read", change.through),
            ]


def note_next(cell: CellId, next_number: int) -> Statement:
    """Return what notes that smaller numbers were used in another life of this directory."""
    return _put_pair(cell, "next_number", next_number)


def note_rewritten(receiver: CellId, number: int, index: int) -> Statement:
    """Return what notes that a message was signed and sealed anew, in another block."""
    sql = "UPDATE message SET origin = ? WHERE way = 'sent' AND cell = ? AND number = ?"
    return (sql, [(index, receiver, number)])


def note_moved(before: CellId, number: int, after: CellId, waiting: Waiting) -> list[Statement]:
    """Return what notes that a message waits in another outbox of the same cell."""
    sql = (
        "UPDATE message SET cell = ?, number = ?, expires_ms = ? WHERE way = 'sent' AND cell = ? "
        "AND number = ? AND status IN ('queued', 'sent')"
    )
    row = (after, waiting.number, waiting.expires_ms, before, number)
    return [
        (sql, [row]),
        _put_pair(before, "floor", number + 1),
        note_next(after, waiting.number + 1),
    ]


def note_floor(cell: CellId, floor: int) -> Statement:
    """Return what notes that nothing below a number will be sent any more."""
    return _put_pair(cell, "floor", floor)


def note_taken(cell: CellId, taken: int) -> Statement:
    """Return what notes that a sender gave up all up to a number."""
    return _put_pair(cell, "taken", taken)


def note_read(cell: CellId, number: int) -> list[Statement]:
    """Return what notes that all of a sender up to a number were read."""
    sql = (
        "UPDATE message SET status = 'read' WHERE way = 'received' AND cell = ?1 "
        "AND number > (SELECT coalesce(max(read), 0) FROM message_pair WHERE cell = ?1) "
        "AND number <= ?2 AND status = 'delivered'"
    )
    return [(sql, [(cell, number)]), _put_pair(cell, "read", number)]


def pairs(store: Store) -> list[PairRow]:
    """Return every conversation."""
    rows = store.query(
        "SELECT cell, next_number, floor, confirmed, confirmed_read, taken, read FROM message_pair"
    )
    return [PairRow(*row) for row in rows]


def waiting(store: Store, row: PairRow) -> list[Waiting]:
    """Return what a cell has not confirmed, in order."""
    rows = store.query(
        "SELECT number, replay_id, origin, size_bytes, expires_ms FROM message WHERE way = 'sent' "
        "AND cell = ? AND number >= ? AND status IN ('queued', 'sent') ORDER BY number",
        (row.cell, row.floor),
    )
    return [Waiting(*values) for values in rows]


def replay_id_of(store: Store, sender: CellId, number: int) -> bytes | None:
    """Return the replay id of a message that was taken."""
    rows = store.query(
        "SELECT replay_id FROM message WHERE way = 'received' AND cell = ? AND number = ?",
        (sender, number),
    )
    return bytes(rows[0][0]) if rows else None


def message(store: Store, message_id: int) -> MessageRow | None:
    """Return one message."""
    rows = store.query(f"SELECT {_COLUMNS} FROM message WHERE id = ?", (message_id,))  # noqa: S608 - constant columns
    return _row_from(rows[0]) if rows else None


def sent_row(store: Store, receiver: CellId, number: int) -> MessageRow | None:
    """Return a message that was sent, by its number."""
    rows = store.query(
        f"SELECT {_COLUMNS} FROM message WHERE way = 'sent' AND cell = ? AND number = ?",  # noqa: S608 - constant columns
        (receiver, number),
    )
    return _row_from(rows[0]) if rows else None


def undone(store: Store) -> list[MessageRow]:
    """Return messages that ask for something that was not done, in their order."""
    rows = store.query(
        f"SELECT {_COLUMNS} FROM message WHERE is_done = 0 ORDER BY id LIMIT ?",  # noqa: S608 - constant columns
        (MESSAGES_UNDONE_PAGE,),
    )
    return [_row_from(row) for row in rows]


def note_done(message_id: int) -> Statement:
    """Return what notes that a message's request was done, or begun."""
    return ("UPDATE message SET is_done = 1 WHERE id = ?", [(message_id,)])


def unread(store: Store) -> list[tuple[CellId, int]]:
    """Return how many bytes of each sender's messages nobody has read."""
    return store.query(
        "SELECT cell, sum(size_bytes) FROM message WHERE way = 'received' "
        "AND status = 'delivered' GROUP BY cell"
    )


def unread_of(store: Store, cell: CellId) -> int:
    """Return how many bytes of one sender's messages nobody has read."""
    ((size_bytes,),) = store.query(
        "SELECT coalesce(sum(size_bytes), 0) FROM message WHERE way = 'received' AND cell = ? "
        "AND status = 'delivered'",
        (cell,),
    )
    return int(size_bytes)


def messages(
    store: Store, wanted: Wanted, *, offset: int, limit: int, oldest_first: bool = False
) -> list[MessageRow]:
    """Return a page of the messages that are wanted, the newest first unless told otherwise."""
    where, values = _where(wanted)
    order = "id" if oldest_first else "id DESC"
    rows = store.query(
        f"SELECT {_COLUMNS} FROM message WHERE {where} ORDER BY {order} LIMIT ? OFFSET ?",  # noqa: S608 - constant parts
        (*values, limit, offset),
    )
    return [_row_from(row) for row in rows]


def message_count(store: Store, wanted: Wanted) -> int:
    """Return how many messages are wanted in all."""
    where, values = _where(wanted)
    ((count,),) = store.query(f"SELECT count(*) FROM message WHERE {where}", values)  # noqa: S608 - constant parts
    return int(count)


def messages_end(store: Store) -> int:
    """Return what is greater than the id of every message, and will be of none before it."""
    ((end,),) = store.query("SELECT coalesce(max(id) + 1, 0) FROM message")
    return int(end)


def put_room(room: Room, *, is_left: bool) -> Statement:
    """Return what notes a room as it is now."""
    row = (room.id, encode_room(room), int(is_left))
    return ("INSERT OR REPLACE INTO message_room VALUES (?, ?, ?)", [row])


def rooms(store: Store) -> list[tuple[Room, bool]]:
    """Return all rooms, and whether this cell left each."""
    rows = store.query("SELECT room, is_left FROM message_room ORDER BY id")
    return [(decode_room(room), bool(is_left)) for room, is_left in rows]


def put_kept(held: Held, envelope: bytes) -> Statement:
    """Return what keeps an envelope for a cell that is away."""
    row = (
        *(held.sender, held.receiver, held.number),
        *(held.expires_ms, held.size_bytes, envelope),
    )
    return ("INSERT OR REPLACE INTO message_kept VALUES (?, ?, ?, ?, ?, ?)", [row])


def drop_kept(dropped: Sequence[Held]) -> list[Statement]:
    """Return what forgets envelopes; nothing if there are none."""
    rows = [(held.sender, held.receiver, held.number) for held in dropped]
    sql = "DELETE FROM message_kept WHERE sender = ? AND receiver = ? AND number = ?"
    return [(sql, rows)] if rows else []


def kept(store: Store) -> list[Held]:
    """Return what is kept for other cells, without the envelopes."""
    rows = store.query("SELECT sender, receiver, number, size_bytes, expires_ms FROM message_kept")
    return [Held(*row) for row in rows]


def kept_envelope(store: Store, held: Held) -> bytes | None:
    """Return the envelope itself."""
    rows = store.query(
        "SELECT envelope FROM message_kept WHERE sender = ? AND receiver = ? AND number = ?",
        (held.sender, held.receiver, held.number),
    )
    return bytes(rows[0][0]) if rows else None


def put_word(sender: CellId, receiver: CellId, kind: str, until_ms: int, word: bytes) -> Statement:
    """Return what keeps a statement, in place of an older one of its kind."""
    row = (sender, receiver, kind, until_ms, word)
    return ("INSERT OR REPLACE INTO message_word VALUES (?, ?, ?, ?, ?)", [row])


def words_for(store: Store, cell: CellId) -> list[tuple[str, str, str, bytes]]:
    """Return the statements that are kept for a cell: sender, receiver, kind and the statement."""
    return [
        (sender, receiver, kind, bytes(word))
        for sender, receiver, kind, word in store.query(
            "SELECT sender, receiver, kind, word FROM message_word WHERE "
            "(receiver = ?1 AND kind = 'floor') OR (sender = ?1 AND kind <> 'floor') "
            "ORDER BY sender, receiver, kind",
            (cell,),
        )
    ]


def word_cells(store: Store) -> set[CellId]:
    """Return for which cells statements are kept."""
    rows = store.query(
        "SELECT DISTINCT CASE kind WHEN 'floor' THEN receiver ELSE sender END FROM message_word"
    )
    return {CellId(cell) for (cell,) in rows}


def word_count(store: Store) -> int:
    """Return how many statements are kept."""
    ((count,),) = store.query("SELECT count(*) FROM message_word")
    return int(count)


def drop_word(sender: str, receiver: str, kind: str) -> Statement:
    """Return what forgets a statement that was handed over."""
    sql = "DELETE FROM message_word WHERE sender = ? AND receiver = ? AND kind = ?"
    return (sql, [(sender, receiver, kind)])


def drop_old_words(wall_ms: int) -> Statement:
    """Return what forgets statements that nobody fetched."""
    return ("DELETE FROM message_word WHERE until_ms <= ?", [(wall_ms,)])


def _put_pair(cell: CellId, column: str, value: int) -> Statement:
    sql = (
        f"INSERT INTO message_pair (cell, {column}) VALUES (?, ?) "  # noqa: S608 - our own columns
        f"ON CONFLICT (cell) DO UPDATE SET {column} = max({column}, excluded.{column})"
    )
    return (sql, [(cell, value)])


def _where(wanted: Wanted) -> tuple[str, tuple[Any, ...]]:
    parts = {
        "way = ?": wanted.way,
        "cell = ?": wanted.cell,
        "room = ?": wanted.room,
        "status = ?": wanted.status,
        "id > ?": wanted.after,
    }
    given = {part: value for part, value in parts.items() if value is not None}
    bare = ["room IS NULL"] if wanted.direct else []
    return " AND ".join([*given, *bare]) or "1", tuple(given.values())


def _row_from(row: Sequence[Any]) -> MessageRow:
    values = list(row)
    values[6] = MessageType(values[6])
    values[14] = bool(values[14])
    return MessageRow(*values)
