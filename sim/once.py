"""What all cells of a run compute from the same bytes is computed once: they share a process.

Only what depends on nothing but its arguments, and on what no cell can change afterwards.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from functools import lru_cache

from core.ids import Epoch, NetworkId
from hashgraph.event import UnresolvedEvent, decode_any_event
from identity import keys
from sim.limits import EVENTS_KEPT_MAX, SIGNATURES_KEPT_MAX


@contextlib.contextmanager
def verifying() -> Iterator[None]:
    """Let a signature that was right be so without the work, until the end of the block.

    It is kept by message, signature and key; a wrong one is found to be so each time.
    """
    names = vars(keys)
    before = names["crypto_sign_open"]
    names["crypto_sign_open"] = lru_cache(SIGNATURES_KEPT_MAX)(before)
    try:
        yield
    finally:
        names["crypto_sign_open"] = before


@lru_cache(EVENTS_KEPT_MAX)
def decoded_event(block: bytes, network_id: NetworkId) -> tuple[UnresolvedEvent, Epoch]:
    """Return what `hashgraph.event.decode_any_event` does: of each event, one object for all."""
    return decode_any_event(block, network_id)
