"""SQL of conversations: what was said last in each, and how much of it is unread.

message_conversation   one row a cell that was written to or wrote (outside of rooms), by its first
                       id, and one a room; `newest` is the id of a message, -1 before there is one

Triggers keep the rows, so that no statement about messages can forget them, and each answer costs
what it shows, however many messages there are. `message_direct` finds what was said outside of
rooms. Conversations of a database that has none yet are made of its messages.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from core.ids import CellId
from journal import Store

CONVERSATION_SCHEMA: Final = """
CREATE INDEX IF NOT EXISTS message_direct ON message (cell, id) WHERE room IS NULL;
CREATE TABLE IF NOT EXISTS message_conversation (
  cell TEXT NOT NULL, room BLOB NOT NULL, newest INTEGER NOT NULL, unread INTEGER NOT NULL,
  PRIMARY KEY (cell, room)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS message_conversation_newest ON message_conversation (newest);

INSERT INTO message_conversation
SELECT iif(room IS NULL, cell, ''), coalesce(room, x''), max(id),
  sum(way = 'received' AND status = 'delivered')
FROM (SELECT 1 WHERE NOT EXISTS (SELECT 1 FROM message_conversation)) CROSS JOIN message
GROUP BY 1, 2;
INSERT INTO message_conversation
SELECT '', id, -1, 0 FROM message_room WHERE NOT EXISTS (
  SELECT 1 FROM message_conversation WHERE cell = '' AND room = message_room.id);

CREATE TRIGGER IF NOT EXISTS message_came AFTER INSERT ON message BEGIN
  INSERT INTO message_conversation
  VALUES (iif(NEW.room IS NULL, NEW.cell, ''), coalesce(NEW.room, x''), NEW.id,
    NEW.way = 'received' AND NEW.status = 'delivered')
  ON CONFLICT (cell, room) DO UPDATE SET
    newest = max(newest, excluded.newest), unread = unread + excluded.unread;
END;
CREATE TRIGGER IF NOT EXISTS message_was_read AFTER UPDATE OF status ON message
WHEN OLD.way = 'received' AND OLD.status = 'delivered' AND NEW.status <> 'delivered' BEGIN
  UPDATE message_conversation SET unread = unread - 1
  WHERE cell = iif(NEW.room IS NULL, NEW.cell, '') AND room = coalesce(NEW.room, x'');
END;
CREATE TRIGGER IF NOT EXISTS message_was_moved AFTER UPDATE OF cell ON message
WHEN NEW.room IS NULL BEGIN
  INSERT INTO message_conversation VALUES (NEW.cell, x'', NEW.id, 0)
  ON CONFLICT (cell, room) DO UPDATE SET newest = max(newest, excluded.newest);
  DELETE FROM message_conversation WHERE cell = OLD.cell AND room = x''
  AND NOT EXISTS (SELECT 1 FROM message WHERE cell = OLD.cell AND room IS NULL);
  UPDATE message_conversation
  SET newest = (SELECT max(id) FROM message WHERE cell = OLD.cell AND room IS NULL)
  WHERE cell = OLD.cell AND room = x'';
END;
CREATE TRIGGER IF NOT EXISTS message_room_known AFTER INSERT ON message_room
WHEN NOT EXISTS (SELECT 1 FROM message_conversation WHERE cell = '' AND room = NEW.id) BEGIN
  INSERT INTO message_conversation VALUES ('', NEW.id, -1, 0);
END;
"""
"""To be run after `node.message_tables.MESSAGE_SCHEMA`."""


@dataclass(frozen=True, slots=True)
class ConversationRow:
    """One conversation: with a cell, by its first id, or in a room."""

    cell: CellId | None
    room: bytes | None
    newest: int | None
    """Id of the message that came or went last."""
    unread: int


def conversations(
    store: Store, *, cell: CellId | None, room: bytes | None, offset: int, limit: int
) -> list[ConversationRow]:
    """Return a page of all conversations, or the one with a cell or in a room, the newest first."""
    columns = (
        "SELECT nullif(cell, ''), nullif(room, x''), nullif(newest, -1), unread "
        "FROM message_conversation "
    )
    if cell is None and room is None:
        page = "ORDER BY newest DESC, room LIMIT ? OFFSET ?"
        rows = store.query(columns + page, (limit, offset))
    else:
        one = "WHERE cell = ? AND room = ? LIMIT ? OFFSET ?"
        rows = store.query(columns + one, (cell or "", room or b"", limit, offset))
    return [ConversationRow(*row) for row in rows]
