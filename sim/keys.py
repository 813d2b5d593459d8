"""The key file of a simulated cell: in memory, written whole and durably as the real one is.

It never forgets a key: the disk may be put back to one that an older key owns, and in a real
directory the key file would be as old as that.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from identity.keys import KeyPair
from identity.keystore import OpenKeys
from node.keyring import KeyRing


class SimKeyRing(KeyRing):
    """All keys that a cell had, has or is to have."""

    def __init__(self, pair: KeyPair, on_key: Callable[[KeyPair], None]) -> None:
        """`on_key` is told of each new one, before anybody else is."""
        super().__init__(Path("/key.json"), OpenKeys(pair))
        self._all = [pair]
        self._on_key = on_key

    @property
    def pairs(self) -> tuple[KeyPair, ...]:
        """All keys, the present one first."""
        return (self._keys.pair, *(one for one in self._all if one is not self._keys.pair))

    def owns(self, public_key: bytes) -> bool:
        """Return whether a key is, was or will be the cell's."""
        return any(one.public_key == public_key for one in self._all)

    def _write(self, before: OpenKeys, after: OpenKeys) -> None:
        del before
        for pair in after.others:
            if not self.owns(pair.public_key):
                self._all.append(pair)
                self._on_key(pair)
