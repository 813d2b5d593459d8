"""Section `storage`: how much disk a cell gives to what it does not need for consensus."""

from __future__ import annotations

from dataclasses import dataclass

from settings.keys import key
from settings.limits import AUDIT_ROWS_MIN, CONTENT_MIB_MAX


@dataclass(frozen=True, slots=True)
class StorageConfig:
    """The values of the section."""

    content_mib: int = key(
        4096,
        "copies of posted content that are kept; without room, copies go that are neither pinned"
        " nor the cell's own, the one served longest ago first",
        unit="MiB",
        most=CONTENT_MIB_MAX,
        reload=True,
    )
    audit_rows: int = key(
        1_000_000,
        "rows of the audit journal that are kept, some 300 bytes each; older ones are deleted, and"
        " the proofs of the others stay valid",
        unit="rows",
        least=AUDIT_ROWS_MIN,
        reload=True,
    )
