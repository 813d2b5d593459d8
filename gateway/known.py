"""Addresses from which somebody with a good token or key has come."""

from __future__ import annotations

from collections import OrderedDict

from gateway.limits import KNOWN_MAX
from gateway.rates import block_of


class Known:
    """The last KNOWN_MAX of them; forgotten with the process."""

    def __init__(self, known_max: int = KNOWN_MAX) -> None:
        self._known_max = known_max
        self._blocks: OrderedDict[str, None] = OrderedDict()

    def note(self, address: str) -> None:
        """Remember one."""
        block = block_of(address)
        self._blocks[block] = None
        self._blocks.move_to_end(block)
        if len(self._blocks) > self._known_max:
            self._blocks.popitem(last=False)

    def __contains__(self, block: str) -> bool:
        return block in self._blocks
