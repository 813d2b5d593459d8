"""Finds a key by which two maps differ, with nothing but proofs of single keys from both.

Whoever computed another state than the network has two maps that are alike almost everywhere. A
proof of any key shows, beside its way down, the digests of all that is left aside. What one side
has and the other has not leads on: to a key that is shown, or into a subtree that is hidden there,
by a proof of the lowest key that it can have. So each step opens a subtree that differs, and the
search costs about as many proofs as the maps are deep. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from ledger.map_proof import Opened

_FIRST: Final = b"\x00"
"""Where to begin is all the same: the way down to any key shows whether the maps differ."""


class Comparison:
    """Ask for proofs of `key` from both maps, give them to `take`, until that names a key."""

    def __init__(self) -> None:
        self._asked: set[bytes] = set()
        self._stack = [_FIRST]

    @property
    def key(self) -> bytes | None:
        """What to ask both for next, None when nothing is left to ask: the maps are the same."""
        return self._stack[-1] if self._stack else None

    def take(self, theirs: Opened, ours: Opened) -> bytes | None:
        """Take proofs of `key`; return it if its values differ, None if the search goes on.

        Raises BadMapProof when a proof does not tell of `key`.
        """
        key = self._stack.pop()
        self._asked.add(key)
        if theirs.get(key) != ours.get(key):
            return key
        digests = [dict(_digests(one)) for one in (theirs, ours)]
        # The deepest last, so first: it is nearest to an entry.
        for places in reversed(digests):
            other = digests[0] if places is digests[1] else digests[1]
            found = [(depth, low) for digest, (depth, low) in places.items() if digest not in other]
            self._push(low for _, low in sorted(found))
        shown = [set(one.leaves()) for one in (theirs, ours)]
        self._push(sorted(leaf for leaf, _ in shown[0] ^ shown[1]))
        return None

    def _push(self, keys: Iterable[bytes]) -> None:
        self._stack += [key for key in keys if key and key not in self._asked]


def _digests(proof: Opened) -> Iterator[tuple[bytes, tuple[int, bytes]]]:
    for place, digest in proof.hidden():
        yield digest, (place.depth, place.low)
