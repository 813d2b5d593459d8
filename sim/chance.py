"""Chance from one seed, one generator for each purpose: one more draw here shifts none there."""

from __future__ import annotations

import hashlib
import random


def chance(seed: int, purpose: str) -> random.Random:
    """Return a generator that depends on nothing but the seed and the purpose's name."""
    digest = hashlib.sha256(f"myceld/sim/{seed}/{purpose}".encode()).digest()
    return random.Random(int.from_bytes(digest, "big"))
