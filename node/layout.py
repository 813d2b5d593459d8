"""The version of the daemon's tables: which stores this program reads, and which it converts."""

from __future__ import annotations

from typing import Final

from journal import Store
from node.errors import OtherLayout

LAYOUT: Final = 6
"""Version of the tables. 1 and 2 had the state's map in no table, 3 had no log of its pages; 4 and
5 had pages of other forms, and all else as it is now."""

OTHER_MAPS: Final = frozenset((4, 5))
"""Versions of which only the map has to be made anew (`map_rebuild`)."""


async def check_layout(store: Store) -> bool:
    """Return whether the state's map is to be made anew; note the version in a new store.

    Raises OtherLayout for a store that this program can not use.
    """
    rows = store.query("SELECT version FROM layout")
    if not rows:
        has_rounds = store.query("SELECT 1 FROM epoch UNION ALL SELECT 1 FROM state LIMIT 1")
        if has_rounds:
            raise OtherLayout(f"the store has layout 1, this version needs {LAYOUT}")
        await store.transaction({}, [("INSERT INTO layout VALUES (1, ?)", [(LAYOUT,)])])
        return False
    version = rows[0][0]
    if version != LAYOUT and version not in OTHER_MAPS:
        raise OtherLayout(f"the store has layout {version}, this version needs {LAYOUT}")
    return bool(version != LAYOUT)
