"""The address book: where other cells listen, kept over restarts.

What a cell says of itself replaces what was known; what others say of it is taken only while
nothing better is known. An address is tried only with the cell id it must prove, so a wrong one
costs a dial and nothing else. Bounded in cells and in addresses a cell.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from core.errors import MyceldError
from core.ids import CellId
from gossip.host.addresses import parse_dial_address
from gossip.limits import ADDRESSES_MAX
from node.limits import ADDRESSES_KNOWN_MAX


class AddressBook:
    """Addresses by cell id. `take_changes` tells what is to be kept."""

    def __init__(self, bootstrap: Iterable[str], known: dict[CellId, tuple[str, ...]]) -> None:
        """Start with configured and remembered addresses; raises NotAMultiaddr for a bad one."""
        self._fixed: dict[CellId, tuple[str, ...]] = {}
        for address in bootstrap:
            cell_id = parse_dial_address(address).cell_id
            self._fixed[cell_id] = (*self._fixed.get(cell_id, ()), address)
        self._known = dict(known)
        self._changed: dict[CellId, tuple[str, ...]] = {}

    @property
    def bootstrap_cells(self) -> frozenset[CellId]:
        """The cells that the configuration names."""
        return frozenset(self._fixed)

    def addresses(self, cell_id: CellId) -> tuple[str, ...]:
        """Return where a cell may be dialled, the likeliest first."""
        return tuple(dict.fromkeys((*self._known.get(cell_id, ()), *self._fixed.get(cell_id, ()))))

    def all(self) -> list[tuple[CellId, tuple[str, ...]]]:
        """Return all cells with their addresses, in order of their ids."""
        cells = sorted({*self._fixed, *self._known})
        return [(cell_id, self.addresses(cell_id)[:ADDRESSES_MAX]) for cell_id in cells]

    def learn_own(self, cell_id: CellId, addresses: Iterable[str]) -> None:
        """Take what a connected cell says of itself."""
        valid = _valid(cell_id, addresses)
        room = cell_id in self._known or len(self._known) < ADDRESSES_KNOWN_MAX
        if valid and room and self._known.get(cell_id) != valid:
            self._known[cell_id] = valid
            self._changed[cell_id] = valid

    def take_changes(self) -> dict[CellId, tuple[str, ...]]:
        """Return what changed since the last call, to be made durable."""
        changed, self._changed = self._changed, {}
        return changed

    def learn_told(
        self, told: Iterable[tuple[CellId, tuple[str, ...]]], wanted: Collection[CellId]
    ) -> None:
        """Take what a peer says of cells that we want and know nothing of."""
        for cell_id, addresses in told:
            if cell_id in wanted and not self.addresses(cell_id):
                self.learn_own(cell_id, addresses)


def _valid(cell_id: CellId, addresses: Iterable[str]) -> tuple[str, ...]:
    """Return the addresses that can be dialled and name the cell."""
    valid = []
    for address in list(addresses)[:ADDRESSES_MAX]:
        try:
            if parse_dial_address(address).cell_id == cell_id:
                valid.append(address)
        except MyceldError:
            continue
    return tuple(valid)
