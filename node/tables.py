"""The daemon's SQL: tables beside the journals in the cell's one database file.

They share the journals' write-ahead log, so a crash leaves a prefix of everything: never a state
without the events that made it.

    layout        the version of all this (`layout`)
    state, page, page_log, dead_page, change, told_from
                  the replicated state: `state_tables`
    ordered       the agreed order of transactions, one row a position; an id that was listed again
                  after two epochs has several
    history       where HEADERS_JOURNAL goes on after rounds that this cell never had (`headers`)
    certificate   the certificate of every round that has one
    epoch         the roster of each epoch, and from where on EVENTS_JOURNAL can hold its events
    unplaced      transactions that this cell stored and a seal voided, or whose fate it did not
                  know at a jump, until they are in the order or another one took their nonce
    known_cell    the address book: one encoded entry a cell
    seal          headers of the ends of epochs that a jump left out of HEADERS_JOURNAL
    staged        verified pieces of a checkpoint that is being fetched, by their hash (`transfer`)
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from core.codec import decode, encode
from core.ids import CellId, Epoch, PublicKey, Round, TransactionId
from core.limits import INT_MAX, PUBLIC_KEY_SIZE_BYTES
from journal import Store
from ledger.certificate import Certificate, parse_certificate
from ledger.forks import FORK_PREFIX
from ledger.genesis import Genesis
from ledger.governance import PROPOSAL_PREFIX, PROPOSER_PREFIX, listed_proposals, proposal_key
from ledger.header import APPLIED, RoundHeader, decode_header
from ledger.machine import Applied, Entry
from ledger.roster import Roster, decode_roster
from ledger.transaction import OPAQUE_KIND, SignedTransaction, transaction_id
from ledger.trust import ATTESTATION_PREFIX
from node.errors import NotInHistory
from node.state_tables import STATE_SCHEMA, state_statements

EVENTS_JOURNAL: Final = "consensus"
"""All events of the hashgraph, in the order they arrived."""
HEADERS_JOURNAL: Final = "state"
"""Round headers, one after the other; see `node.headers` for which index holds which round."""

STAGED_TABLE: Final = (
    "CREATE TABLE staged (id BLOB PRIMARY KEY, epoch INTEGER NOT NULL, body BLOB NOT NULL)"
)

SCHEMA: Final = f"""{STATE_SCHEMA}
CREATE TABLE IF NOT EXISTS layout (one INTEGER PRIMARY KEY, version INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS ordered (
  position INTEGER PRIMARY KEY, id BLOB NOT NULL, round INTEGER NOT NULL, event BLOB NOT NULL,
  creator BLOB, time_ns INTEGER NOT NULL, kind TEXT NOT NULL, sender BLOB,
  nonce INTEGER, outcome TEXT NOT NULL, refusal TEXT, size_bytes INTEGER NOT NULL);
CREATE INDEX IF NOT EXISTS ordered_by_id ON ordered (id);
CREATE TABLE IF NOT EXISTS history (
  first_index INTEGER PRIMARY KEY, first_round INTEGER NOT NULL, epoch INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS seal (epoch INTEGER PRIMARY KEY, header BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS staged (id BLOB PRIMARY KEY, epoch INTEGER NOT NULL, body BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS certificate (round INTEGER PRIMARY KEY, value BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS epoch (
  number INTEGER PRIMARY KEY, roster BLOB NOT NULL, first_block INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS unplaced (id BLOB PRIMARY KEY, raw BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS known_cell (cell_id TEXT PRIMARY KEY, entry BLOB NOT NULL) WITHOUT ROWID;
"""

_PUT_ORDERED: Final = "INSERT INTO ordered VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
_PUT_EPOCH: Final = "INSERT OR REPLACE INTO epoch VALUES (?, ?, ?)"
_PUT_CERTIFICATE: Final = "INSERT OR REPLACE INTO certificate VALUES (?, ?)"
_DROP_STAGED: Final = "DELETE FROM staged WHERE epoch < ?"
_PUT_STAGED: Final = "INSERT OR REPLACE INTO staged VALUES (?, ?, ?)"
_IDS_PER_QUERY: Final = 500
_ORDERED_COLUMNS: Final = (
    "position, id, round, event, creator, time_ns, kind, sender, nonce, outcome, refusal, "
    "size_bytes"
)

Statement = tuple[str, Sequence[tuple[Any, ...]]]

UNKNOWN_KIND: Final = "unknown"
"""Of a transaction whose receipt was fetched with a checkpoint: receipts are certified, the
transactions themselves stay in other cells' journals."""


@dataclass(frozen=True, slots=True)
class OrderedRow:
    """One line of the agreed order as it is stored."""

    position: int
    id: bytes
    round: Round
    event: bytes
    creator: PublicKey | None
    """None, with `kind` UNKNOWN_KIND, for a line that was fetched with a checkpoint."""
    time_ns: int
    kind: str
    sender: bytes | None
    nonce: int | None
    outcome: str
    refusal: str | None
    size_bytes: int


def applied_statements(
    applied: Applied, roster: Roster, events: int, kept_from: int = 0
) -> list[Statement]:
    """Return what makes the effects of a round durable (its header goes to HEADERS_JOURNAL).

    `roster` is that of the round, `events` the length of EVENTS_JOURNAL: no event of an epoch that
    begins now is before that. `kept_from` is the first round whose state is to be told from now on.
    """
    rows = [_row(entry, applied.header.round, roster) for entry in applied.entries]
    statements: list[Statement] = [
        *state_statements(applied, kept_from),
        (_PUT_ORDERED, rows),
    ]
    if applied.sealed is not None:
        sealed = applied.sealed
        statements.append((_PUT_EPOCH, [(sealed.epoch, sealed.encode(), events)]))
    return statements


def unplaced_statements(transactions: Iterable[bytes]) -> list[Statement]:
    """Return what keeps transactions until they are in the order, and forgets those that are."""
    rows = [(transaction_id(raw), raw) for raw in transactions]
    return [
        ("DELETE FROM unplaced WHERE id IN (SELECT id FROM ordered)", [()]),
        ("INSERT OR IGNORE INTO unplaced VALUES (?, ?)", rows),
    ]


def no_longer_unplaced(transactions: Iterable[TransactionId]) -> list[Statement]:
    """Return what forgets transactions that can never have a place in the order."""
    return [("DELETE FROM unplaced WHERE id = ?", [(identity,) for identity in transactions])]


def certificate_statement(certificate: Certificate) -> Statement:
    """Return what makes a certificate durable."""
    return (_PUT_CERTIFICATE, [(certificate.round, encode(certificate.to_value()))])


def known_cells_statements(changes: Mapping[CellId, bytes | None]) -> list[Statement]:
    """Return what brings the stored address book up to date; None: the cell is forgotten."""
    kept = [(cell_id, entry) for cell_id, entry in changes.items() if entry is not None]
    gone = [(cell_id,) for cell_id, entry in changes.items() if entry is None]
    return [
        ("DELETE FROM known_cell WHERE cell_id = ?", gone),
        ("INSERT OR REPLACE INTO known_cell VALUES (?, ?)", kept),
    ]


def newest_rosters(store: Store, genesis: Genesis) -> tuple[list[Roster], int]:
    """Return the rosters of the newest epochs, and the first block of events of the last two."""
    epochs = [(genesis.roster, 0), *newest_epochs(store, 3)][-3:]
    return [roster for roster, _ in epochs], epochs[-2:][0][1]


def certificate_of(store: Store, round_number: Round) -> Certificate | None:
    """Return the certificate of a round."""
    rows = store.query("SELECT value FROM certificate WHERE round = ?", (round_number,))
    return parse_certificate(decode(rows[0][0])) if rows else None


def staged_body(store: Store, identity: bytes) -> bytes | None:
    """Return a verified piece of the checkpoint that is being fetched."""
    rows = store.query("SELECT body FROM staged WHERE id = ?", (identity,))
    return bytes(rows[0][0]) if rows else None


def staged_statement(epoch: Epoch, kept: Iterable[tuple[bytes, bytes]]) -> Statement:
    """Return what keeps verified pieces of the checkpoint at the end of an epoch."""
    return (_PUT_STAGED, [(identity, epoch, body) for identity, body in kept])


def old_staged_statement(epoch: Epoch) -> Statement:
    """Return what drops pieces that were kept for much older checkpoints than this epoch's."""
    return (_DROP_STAGED, [(epoch - 2,)])


def known_ids(store: Store, ids: Sequence[bytes], first_round: int = 0) -> set[bytes]:
    """Return which of the transaction ids were listed by a round from `first_round` on."""
    found: set[bytes] = set()
    for start in range(0, len(ids), _IDS_PER_QUERY):
        part = ids[start : start + _IDS_PER_QUERY]
        marks = ", ".join("?" * len(part))
        sql = f"SELECT id FROM ordered WHERE id IN ({marks}) AND round >= ?"  # noqa: S608 - only question marks
        found.update(row[0] for row in store.query(sql, (*part, first_round)))
    return found


def unplaced(store: Store) -> list[bytes]:
    """Return the kept transactions that are not in the order yet, oldest first."""
    sql = "SELECT raw FROM unplaced WHERE id NOT IN (SELECT id FROM ordered) ORDER BY rowid"
    return [bytes(raw) for (raw,) in store.query(sql)]


def ordered_by_id(store: Store, transaction: bytes) -> OrderedRow | None:
    """Return a transaction's line of the agreed order: that in which it was applied, or the first.

    Several lines are rare: whoever puts a transaction again after two epochs makes another.
    """
    sql = (
        f"SELECT {_ORDERED_COLUMNS} FROM ordered WHERE id = ? "  # noqa: S608 - constant columns
        "ORDER BY outcome != ?, position LIMIT 1"
    )
    rows = store.query(sql, (transaction, APPLIED))
    return OrderedRow(*rows[0]) if rows else None


def ordered_from(store: Store, start: int, limit: int) -> list[OrderedRow]:
    """Return lines of the agreed order from a position on, without a gap.

    Raises NotInHistory when a checkpoint that the cell began with left out that position.
    """
    sql = f"SELECT {_ORDERED_COLUMNS} FROM ordered WHERE position >= ? ORDER BY position LIMIT ?"  # noqa: S608 - constant columns
    rows = [OrderedRow(*row) for row in store.query(sql, (start, limit))]
    if rows and rows[0].position != start:
        raise NotInHistory(f"position {start} is not held here", rows[0].position)
    return [row for at, row in enumerate(rows, start) if row.position == at]


def state_value(store: Store, key: bytes) -> bytes | None:
    """Return the stored value of a state key."""
    rows = store.query("SELECT value FROM state WHERE key = ?", (key,))
    return bytes(rows[0][0]) if rows else None


def proposals(store: Store, limit: int) -> list[tuple[bytes, bytes]]:
    """Return (id, state value) of at most `limit` proposals."""
    size = len(PROPOSAL_PREFIX)
    rows = store.query(
        "SELECT key, value FROM state WHERE key >= ? AND key < ? LIMIT ?",
        (PROPOSAL_PREFIX, PROPOSAL_PREFIX[:-1] + b"0", limit),
    )
    return [(key[size:], value) for key, value in rows]


def proposals_after(store: Store, behind: bytes, limit: int) -> list[tuple[bytes, bytes]]:
    """Return (id, state value) of at most `limit` proposals in the order of ids, after another."""
    size = len(PROPOSAL_PREFIX)
    rows = store.query(
        "SELECT key, value FROM state WHERE key > ? AND key < ? ORDER BY key LIMIT ?",
        (PROPOSAL_PREFIX + behind, PROPOSAL_PREFIX[:-1] + b"0", limit),
    )
    return [(key[size:], value) for key, value in rows]


def open_proposals(store: Store) -> list[tuple[bytes, bytes]]:
    """Return (id, state value) of what members proposed and may still be voted on."""
    lists = store.query(
        "SELECT value FROM state WHERE key >= ? AND key < ?",
        (PROPOSER_PREFIX, PROPOSER_PREFIX[:-1] + b"0"),
    )
    ids = [identity for (value,) in lists for identity in listed_proposals(bytes(value))]
    found = [(identity, state_value(store, proposal_key(identity))) for identity in ids]
    return [(identity, value) for identity, value in found if value is not None]


def entries_with_prefix(store: Store, prefix: bytes, limit: int) -> list[tuple[bytes, bytes]]:
    """Return (state key, state value) of at most `limit` keys, in their order.

    `prefix` ends with "/".
    """
    rows = store.query(
        "SELECT key, value FROM state WHERE key >= ? AND key < ? ORDER BY key LIMIT ?",
        (prefix, prefix[:-1] + b"0", limit),
    )
    return [(bytes(key), bytes(value)) for key, value in rows]


def proven_forks(store: Store, limit: int) -> list[tuple[bytes, bytes]]:
    """Return (state key, state value) of at most `limit` proven forks, the newest epochs first."""
    return store.query(
        "SELECT key, value FROM state WHERE key >= ? AND key < ? ORDER BY key DESC LIMIT ?",
        (FORK_PREFIX, FORK_PREFIX[:-1] + b"0", limit),
    )


def attestations_of(
    store: Store, issuer: PublicKey, *, subject: bytes = b"", after: bytes = b"", limit: int
) -> list[tuple[bytes, bytes]]:
    """Return (state key, state value) of attestations, revoked ones included, in order of keys.

    Those of an issuer, or of one subject by it, whose keys come after `after`.
    """
    first = ATTESTATION_PREFIX + issuer + subject
    # No UTF-8 has this byte, so no scope reaches the end, whatever the subject's key is.
    end = first + b"\xff" * (PUBLIC_KEY_SIZE_BYTES + 1)
    sql = "SELECT key, value FROM state WHERE key >= ? AND key > ? AND key < ? ORDER BY key LIMIT ?"
    rows = store.query(sql, (first, after, end, limit))
    return [(bytes(key), bytes(value)) for key, value in rows]


def newest_certificates(store: Store, rosters: Sequence[Roster]) -> list[Certificate]:
    """Return the newest certificate of each of these epochs, which follow each other."""
    found: list[Certificate] = []
    end: int = INT_MAX
    for roster in reversed(rosters):
        rows = store.query(
            "SELECT value FROM certificate WHERE round >= ? AND round < ? "
            "ORDER BY round DESC LIMIT 1",
            (roster.first_round, end),
        )
        found += [parse_certificate(decode(value)) for (value,) in rows]
        end = roster.first_round
    return found


def newest_epochs(store: Store, count: int = 2) -> list[tuple[Roster, int]]:
    """Return the last rosters after the genesis's, two unless told, and where events begin."""
    rows = store.query(
        "SELECT roster, first_block FROM epoch ORDER BY number DESC LIMIT ?", (count,)
    )
    return [(decode_roster(roster), first_block) for roster, first_block in reversed(rows)]


def epochs_from(store: Store, genesis: Genesis, start: int, limit: int) -> list[tuple[Roster, int]]:
    """Return the rosters of epochs from number `start` on, and where their events begin."""
    found = [(genesis.roster, 0)] if start == 0 else []
    rows = store.query(
        "SELECT roster, first_block FROM epoch WHERE number >= ? ORDER BY number LIMIT ?",
        (start, limit - len(found)),
    )
    return [*found, *((decode_roster(roster), first_block) for roster, first_block in rows)]


def roster_of_epoch(store: Store, genesis: Genesis, epoch: Epoch) -> Roster | None:
    """Return the roster of any epoch up to the present one."""
    found = epochs_from(store, genesis, epoch, 1)
    return found[0][0] if found else None


def certificate_of_round(store: Store, round_number: Round) -> Certificate | None:
    """Return the certificate of exactly this round."""
    rows = store.query("SELECT value FROM certificate WHERE round = ?", (round_number,))
    return parse_certificate(decode(rows[0][0])) if rows else None


def next_certificate(store: Store, round_number: Round) -> Certificate | None:
    """Return the certificate of the lowest round from this one on."""
    rows = store.query(
        "SELECT value FROM certificate WHERE round >= ? ORDER BY round LIMIT 1", (round_number,)
    )
    return parse_certificate(decode(rows[0][0])) if rows else None


def seal_header(store: Store, epoch: Epoch, round_number: Round) -> RoundHeader | None:
    """Return the header of the round that sealed an epoch, if a jump left it out."""
    rows = store.query("SELECT header FROM seal WHERE epoch = ?", (epoch,))
    header = decode_header(rows[0][0]) if rows else None
    return header if header is not None and header.round == round_number else None


def newest_certificate(store: Store, last_round: int) -> Certificate | None:
    """Return the certificate of the highest round up to this one."""
    rows = store.query(
        "SELECT value FROM certificate WHERE round <= ? ORDER BY round DESC LIMIT 1", (last_round,)
    )
    return parse_certificate(decode(rows[0][0])) if rows else None


def known_cells(store: Store, limit: int) -> list[tuple[str, bytes]]:
    """Return the stored address book: cell ids and encoded entries."""
    return store.query("SELECT cell_id, entry FROM known_cell ORDER BY cell_id LIMIT ?", (limit,))


def _row(entry: Entry, round_number: Round, roster: Roster) -> tuple[Any, ...]:
    receipt, candidate, parsed = entry.receipt, entry.candidate, entry.candidate.parsed
    kind, sender, nonce = OPAQUE_KIND, None, None
    if isinstance(parsed, SignedTransaction):
        kind, sender, nonce = parsed.kind, parsed.sender, parsed.nonce
    elif isinstance(parsed, Exception):
        kind = "invalid"
    return (
        receipt.position,
        receipt.id,
        round_number,
        receipt.event,
        roster.members[candidate.creator].public_key,
        receipt.consensus_time_ns,
        kind,
        sender,
        nonce,
        receipt.outcome,
        None if entry.refusal is None else entry.refusal.detail,
        candidate.size_bytes,
    )
