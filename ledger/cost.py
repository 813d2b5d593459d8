"""What a transaction costs, in units that governance puts a price on.

A cost depends on the arguments alone, so that a client knows it before it signs, and is an upper
bound of what the transaction leaves behind: a line of the order, the bytes of its texts and values,
the state keys that it writes.
"""

from __future__ import annotations

from ledger.limits import COST_BASE, COST_PER_BYTE, COST_PER_CHECK, COST_PER_WRITE


def cost_of(*, writes: int, size_bytes: int = 0, checks: int = 0) -> int:
    """Return a cost. `checks` are the signatures inside of the arguments."""
    return (
        COST_BASE + COST_PER_WRITE * writes + COST_PER_BYTE * size_bytes + COST_PER_CHECK * checks
    )


def text_size_bytes(text: str) -> int:
    """Return the size of checked text."""
    return len(text.encode("utf-8"))
