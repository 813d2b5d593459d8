"""Which cells' next messages wait for a proof of their key, and since when. Pure, and bounded.

Whoever may, but has not proven its key of late, is asked for that and sends again. It holds up only
its own later messages, and not for long: then the message is refused.
"""

from __future__ import annotations

from collections import OrderedDict

from core.ids import CellId
from node.limits import PROOF_PATIENCE_MS, PROOFS_AWAITED_MAX


class Unproven:
    """Of one cell's inboxes. Times are of a clock that never goes back."""

    def __init__(self) -> None:
        self._since: OrderedDict[CellId, tuple[int, int]] = OrderedDict()

    def may_wait(self, sender: CellId, number: int, now_ms: int) -> bool:
        """Return whether a message is waited for once more."""
        known = self._since.get(sender)
        if known is None or known[0] != number:
            for cell, (_, since_ms) in tuple(self._since.items()):
                if now_ms - since_ms <= 2 * PROOF_PATIENCE_MS:
                    break
                del self._since[cell]
            if len(self._since) >= PROOFS_AWAITED_MAX:
                return False
            self._since.pop(sender, None)
            known = self._since[sender] = (number, now_ms)
        if now_ms - known[1] < PROOF_PATIENCE_MS:
            return True
        del self._since[sender]
        return False

    def forget(self, sender: CellId) -> None:
        """Note that a cell's next message was taken."""
        self._since.pop(sender, None)
