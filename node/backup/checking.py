"""Checks that the files of a backup hold a cell that agrees with itself. Needs no passphrase.

(1) Every block of every journal leads to its signed head, and SQLite finds its file in order.
(2) Key file, store and network belong together. (3) Headers are of the network and each names the
one before, but where the cell jumped to a checkpoint. (4) The roster is the one that the last
header names. (5) The newest certificate is of one of these headers, signed by more than 2/3 of
its epoch's weight. (6) The state's root, computed from all its keys and values, is the one of the
last header.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path

from core.codec import decode
from core.errors import MyceldError
from core.ids import CellId, Epoch, Hash, cell_id_of
from identity import keystore
from identity.keys import verify
from journal.checkup import StoreAtRest
from ledger.certificate import Certificate, parse_certificate, verify_certificate
from ledger.genesis import Genesis
from ledger.header import RoundHeader, decode_header
from ledger.roster import Roster, decode_roster
from ledger.tree import StateTree
from ledger.trie import EMPTY_ROOT
from node.errors import BackupDamaged
from node.founding import read_genesis
from node.home import Home
from node.tables import HEADERS_JOURNAL

_KEYS_STEP = 2_000


@dataclass(frozen=True, slots=True)
class Checked:
    """A cell at rest that was checked."""

    cell_id: CellId
    genesis: Genesis
    heads: dict[str, str]
    blocks: int
    """Of all journals together."""
    header: RoundHeader | None
    """Of the last applied round."""
    round_certified: int
    keys: int
    """In the state."""
    is_alone: bool
    """Whether it has more than 2/3 of the weight: nobody else then holds what it loses."""


def check_cell(directory: Path, *, deeply: bool = True) -> Checked:
    """Check the cell in a directory, which nobody may run; raises BackupDamaged.

    What takes long is left out unless it is to be done `deeply`: (1) but the heads, and (6).
    """
    try:
        return _check(Home(directory), deeply=deeply)
    except BackupDamaged:
        raise
    except MyceldError as error:
        raise BackupDamaged(str(error)) from error


def _check(home: Home, *, deeply: bool) -> Checked:
    genesis = read_genesis(home.genesis)
    store = StoreAtRest(home.database)
    try:
        _check_owner(home, store.cell_id)
        audits = asyncio.run(store.audit()) if deeply else []
        headers = _headers(store, genesis)
        newest = headers[-1] if headers else None
        rosters = _rosters(store, genesis)
        roster = rosters[max(rosters)]
        if newest is not None and roster.hash != newest.roster:
            raise BackupDamaged("the roster is not the one that the last header names")
        certified = _check_certificate(store, genesis, rosters, headers)
        keys = _check_state(store, newest) if deeply else 0
        seat = [one.weight for one in roster.members if one.cell_id == store.cell_id]
        return Checked(
            cell_id=store.cell_id,
            genesis=genesis,
            heads=store.heads,
            blocks=sum(audit.blocks for audit in audits),
            header=newest,
            round_certified=certified,
            keys=keys,
            is_alone=roster.is_supermajority(sum(seat)),
        )
    finally:
        store.close()


def _check_owner(home: Home, owner: CellId) -> None:
    stored = keystore.inspect(home.key)
    others = [cell_id_of(other.public_key) for other in stored.others]
    if owner not in (keystore.cell_id_in(stored), *others):
        raise BackupDamaged(f"the store is of cell {owner}, the key file of another")


def _headers(store: StoreAtRest, genesis: Genesis) -> list[RoundHeader]:
    jumps = {index for (index,) in store.query("SELECT first_index FROM history")}
    headers: list[RoundHeader] = []
    for index, block in enumerate(store.blocks(HEADERS_JOURNAL)):
        if block is None:
            raise BackupDamaged(f"header {index} was cleared")
        header = decode_header(block)
        before = headers[-1] if headers else None
        if header.network_id != genesis.network_id:
            raise BackupDamaged(f"the header of round {header.round} is of another network")
        if before is not None and index not in jumps and header.previous != before.hash:
            raise BackupDamaged(f"round {header.round} does not follow round {before.round}")
        headers.append(header)
    return headers


def _rosters(store: StoreAtRest, genesis: Genesis) -> dict[Epoch, Roster]:
    rosters = [decode_roster(raw) for (raw,) in store.query("SELECT roster FROM epoch")]
    return {one.epoch: one for one in (genesis.roster, *rosters)}


def _check_certificate(
    store: StoreAtRest,
    genesis: Genesis,
    rosters: dict[Epoch, Roster],
    headers: list[RoundHeader],
) -> int:
    """Check the newest certificate of a header that is here; return its round, 0 for none."""
    if not headers:
        return 0
    rows = store.query(
        "SELECT value FROM certificate WHERE round <= ? ORDER BY round DESC LIMIT 1",
        (headers[-1].round,),
    )
    if not rows:
        return 0
    certificate: Certificate = parse_certificate(decode(rows[0][0]))
    header = next((one for one in reversed(headers) if one.round == certificate.round), None)
    if header is None or header.hash != certificate.header_hash:
        raise BackupDamaged(f"the network certified another header of round {certificate.round}")
    verify_certificate(certificate, genesis.network_id, rosters[header.epoch], verify=verify)
    return certificate.round


def _check_state(store: StoreAtRest, header: RoundHeader | None) -> int:
    """Compare the state's root with the header's; return how many keys there are."""
    tree, keys, last = StateTree(), 0, b""
    while rows := store.query(
        "SELECT key, value FROM state WHERE key > ? ORDER BY key LIMIT ?", (last, _KEYS_STEP)
    ):
        tree.update(rows)
        keys, last = keys + len(rows), rows[-1][0]
    expected = Hash(EMPTY_ROOT) if header is None else header.state_root
    if tree.root() != expected:
        raise BackupDamaged("the state is not the one of the last header: its root differs")
    return keys
