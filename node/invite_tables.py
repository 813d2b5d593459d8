"""SQL of tickets: what the inviter keeps of each, and who used it.

invite       one row a ticket: hashes of its secret, terms, until when
invite_use   one row a cell that used it, written before the cell is told
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from core.ids import CellId, TransactionId
from gossip.discovery.ticket import TicketId, Verifier
from journal import Store
from node.tables import Statement

INVITE_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS invite (
  id BLOB PRIMARY KEY, stored_key BLOB NOT NULL, server_key BLOB NOT NULL, votes INTEGER NOT NULL,
  name TEXT NOT NULL, weight INTEGER NOT NULL, uses_max INTEGER NOT NULL,
  created_ns INTEGER NOT NULL, expires_ns INTEGER NOT NULL, revoked INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS invite_use (
  invite BLOB NOT NULL, cell_id TEXT NOT NULL, name TEXT NOT NULL, time_ns INTEGER NOT NULL,
  words TEXT NOT NULL, proposal BLOB, problem TEXT, PRIMARY KEY (invite, cell_id)) WITHOUT ROWID;
"""

_INVITE_COLUMNS: Final = (
    "id, stored_key, server_key, votes, name, weight, uses_max, created_ns, expires_ns, revoked"
)


@dataclass(frozen=True, slots=True)
class Terms:
    """What a ticket gives: a vote or none, a name (may be empty), a weight, how many uses."""

    votes: bool
    name: str
    weight: int
    uses_max: int


@dataclass(frozen=True, slots=True)
class Invite:
    """A ticket as its inviter keeps it."""

    id: TicketId
    verifier: Verifier
    terms: Terms
    created_ns: int
    expires_ns: int
    revoked: bool = False


@dataclass(frozen=True, slots=True)
class Use:
    """A cell that used a ticket."""

    invite: TicketId
    cell_id: CellId
    name: str
    """What it will be called as a member."""
    time_ns: int
    words: str
    """The four words, separated by spaces."""
    proposal: TransactionId | None = None
    problem: str | None = None
    """Why it could not be proposed."""


def add_invite(invite: Invite) -> Statement:
    """Return what makes a ticket durable."""
    terms, verifier = invite.terms, invite.verifier
    row = (
        invite.id,
        verifier.stored_key,
        verifier.server_key,
        int(terms.votes),
        terms.name,
        terms.weight,
        terms.uses_max,
        invite.created_ns,
        invite.expires_ns,
        int(invite.revoked),
    )
    return ("INSERT INTO invite VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", [row])


def revoke_invite(ticket: TicketId) -> Statement:
    """Return what takes a ticket back."""
    return ("UPDATE invite SET revoked = 1 WHERE id = ?", [(ticket,)])


def forget_invites(expired_before_ns: int) -> list[Statement]:
    """Return what deletes tickets that expired before a time, with their uses."""
    old = "SELECT id FROM invite WHERE expires_ns < ?"
    return [
        (f"DELETE FROM invite_use WHERE invite IN ({old})", [(expired_before_ns,)]),  # noqa: S608 - no input in it
        ("DELETE FROM invite WHERE expires_ns < ?", [(expired_before_ns,)]),
    ]


def record_use(use: Use) -> Statement:
    """Return what makes a use durable; of the same cell again, only its words are new."""
    row = (use.invite, use.cell_id, use.name, use.time_ns, use.words)
    sql = (
        "INSERT INTO invite_use VALUES (?, ?, ?, ?, ?, NULL, NULL) "
        "ON CONFLICT (invite, cell_id) DO UPDATE SET words = excluded.words"
    )
    return (sql, [row])


def record_proposal(use: Use, proposal: TransactionId | None, problem: str | None) -> Statement:
    """Return what notes that the cell was proposed, or why it can not be."""
    row = (proposal, problem, use.invite, use.cell_id)
    sql = "UPDATE invite_use SET proposal = ?, problem = ? WHERE invite = ? AND cell_id = ?"
    return (sql, [row])


def invites(store: Store, limit: int) -> list[Invite]:
    """Return the newest tickets."""
    rows = store.query(
        f"SELECT {_INVITE_COLUMNS} FROM invite ORDER BY created_ns DESC, id LIMIT ?",  # noqa: S608 - constant columns
        (limit,),
    )
    return [_invite(row) for row in rows]


def invite(store: Store, ticket: TicketId) -> Invite | None:
    """Return one ticket."""
    rows = store.query(f"SELECT {_INVITE_COLUMNS} FROM invite WHERE id = ?", (ticket,))  # noqa: S608 - as above
    return _invite(rows[0]) if rows else None


def invite_count(store: Store) -> int:
    """Return how many tickets are kept."""
    ((count,),) = store.query("SELECT count(*) FROM invite")
    return int(count)


def uses(store: Store, ticket: TicketId) -> list[Use]:
    """Return who used a ticket, in the order of their coming."""
    sql = (
        "SELECT invite, cell_id, name, time_ns, words, proposal, problem FROM invite_use "
        "WHERE invite = ? ORDER BY time_ns, cell_id"
    )
    return [_use(row) for row in store.query(sql, (ticket,))]


def is_guest(store: Store, cell_id: CellId) -> bool:
    """Return whether a cell came by a ticket of this one that was not taken back since."""
    rows = store.query(
        "SELECT 1 FROM invite_use u JOIN invite i ON i.id = u.invite "
        "WHERE u.cell_id = ? AND i.revoked = 0 LIMIT 1",
        (cell_id,),
    )
    return bool(rows)


def unproposed(store: Store, limit: int) -> list[tuple[Use, Terms]]:
    """Return who waits to be proposed as a member, the oldest first."""
    sql = (
        "SELECT u.invite, u.cell_id, u.name, u.time_ns, u.words, u.proposal, u.problem, i.weight, "
        "i.uses_max FROM invite_use u JOIN invite i ON i.id = u.invite WHERE i.votes = 1 AND "
        "i.revoked = 0 AND u.proposal IS NULL AND u.problem IS NULL ORDER BY u.time_ns LIMIT ?"
    )
    return [
        (_use(row[:7]), Terms(votes=True, name=row[2], weight=row[7], uses_max=row[8]))
        for row in store.query(sql, (limit,))
    ]


def _invite(row: Sequence[Any]) -> Invite:
    id_, stored_key, server_key, votes, name, weight, uses_max, created, expires, revoked = row
    return Invite(
        TicketId(id_),
        Verifier(stored_key, server_key),
        Terms(bool(votes), name, weight, uses_max),
        created,
        expires,
        bool(revoked),
    )


def _use(row: Sequence[Any]) -> Use:
    invite_id, cell_id, name, time_ns, words, proposal, problem = row
    known = None if proposal is None else TransactionId(proposal)
    return Use(TicketId(invite_id), CellId(cell_id), name, time_ns, words, known, problem)
