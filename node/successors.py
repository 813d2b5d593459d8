"""Cells that took a new key, where others look for them: addresses go over to the cell's new id.

Who rotated dials its peers by itself. These are for those who dial it before it told its addresses
with the new key: it most likely listens where it did, and must prove the new key there.
"""

from __future__ import annotations

from core.ids import CellId, NotACellId, cell_id_of, public_key_of
from gossip.discovery.book import AddressBook
from ledger.roster import Roster
from ledger.succession import Read, current_key, origin_of

_TELLER = "rotation"


def keep_reachable(book: AddressBook, roster: Roster, read: Read) -> None:
    """Try members of whom no address is known where they were known under the key before."""
    for member in roster.members:
        if book.addresses(member.cell_id):
            continue
        origin = origin_of(read, member.public_key)
        if origin is not None:
            successor_hint(book, cell_id_of(origin.before), member.cell_id)


def successor_hint(book: AddressBook, before: CellId, after: CellId) -> None:
    """Try a cell where it was known under the key before, unless it told where it is."""
    if not book.addresses(after):
        book.hint(after, [_renamed(one, before, after) for one in book.addresses(before)], _TELLER)


def with_present_key(address: str, read: Read) -> str:
    """Return a dialled address with the id that the cell there has by now."""
    before = CellId(address.rpartition("/p2p/")[2])
    try:
        present = cell_id_of(current_key(read, public_key_of(before)))
    except NotACellId:
        return address
    return _renamed(address, before, present)


def _renamed(address: str, before: CellId, after: CellId) -> str:
    return address.removesuffix(before) + after if address.endswith(before) else address
