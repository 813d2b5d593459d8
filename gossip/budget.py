"""What one peer may ask of this cell: token buckets for frames, bytes, answers and transactions.

A bucket that is empty tells how long to wait: the peer's stream is then read more slowly, and its
own connection pushes back on it. Pure; times are milliseconds of one monotonic clock.
"""

from __future__ import annotations

from collections import OrderedDict

from gossip.limits import (
    ANNOUNCEMENTS_BURST,
    ANNOUNCEMENTS_PER_S,
    MEMBER_CHECKPOINTS_BURST,
    MEMBER_CHECKPOINTS_PER_S,
    MEMBER_FRAMES_BURST,
    MEMBER_FRAMES_PER_S,
    REPEATS_BURST,
    REPEATS_PER_S,
    STRANGER_BULK_BYTES_BURST,
    STRANGER_BULK_BYTES_PER_S,
    STRANGER_BYTES_BURST,
    STRANGER_BYTES_PER_S,
    STRANGER_CHECKPOINTS_BURST,
    STRANGER_CHECKPOINTS_PER_S,
    STRANGER_FORWARDS_BURST,
    STRANGER_FORWARDS_PER_S,
    STRANGER_FRAMES_BURST,
    STRANGER_FRAMES_PER_S,
    WANTS_BURST,
    WANTS_PER_S,
)


class Bucket:
    """Tokens that come back at a steady rate, up to a burst. Can go into debt."""

    def __init__(self, rate_per_s: float, burst: float, now_ms: int) -> None:
        self._rate_per_ms = rate_per_s / 1000
        self._burst = burst
        self._tokens = burst
        self._at_ms = now_ms

    def has(self, now_ms: int) -> bool:
        """Return whether anything is left."""
        self._refill(now_ms)
        return self._tokens > 0

    def spend(self, amount: float, now_ms: int) -> float:
        """Take `amount`, whether it is there or not; return how much of it was not.

        The debt is at most one burst, so that nobody is held up for long after a flood.
        """
        self._refill(now_ms)
        short = min(amount, max(0.0, amount - max(0.0, self._tokens)))
        self._tokens = max(-self._burst, self._tokens - amount)
        return short

    def wait_ms(self, now_ms: int) -> int:
        """Return how long it takes to pay all debt back, 0 without any."""
        self._refill(now_ms)
        return 0 if self._tokens >= 0 else int(-self._tokens / self._rate_per_ms) + 1

    def _refill(self, now_ms: int) -> None:
        passed_ms = max(0, now_ms - self._at_ms)
        self._tokens = min(self._burst, self._tokens + passed_ms * self._rate_per_ms)
        self._at_ms = max(self._at_ms, now_ms)


class Buckets:
    """A bucket for each key, such as an IP address; the key used longest ago is forgotten first."""

    def __init__(self, rate_per_s: float, burst: float, *, keys_max: int) -> None:
        self._rate_per_s = rate_per_s
        self._burst = burst
        self._keys_max = keys_max
        self._buckets: OrderedDict[str, Bucket] = OrderedDict()

    def __len__(self) -> int:
        return len(self._buckets)

    def take(self, key: str, now_ms: int) -> bool:
        """Take one token of a key; False when none is left."""
        bucket = self._buckets.get(key)
        if bucket is None:
            if len(self._buckets) >= self._keys_max:
                self._buckets.popitem(last=False)
            bucket = self._buckets[key] = Bucket(self._rate_per_s, self._burst, now_ms)
        self._buckets.move_to_end(key)
        return bucket.spend(1, now_ms) == 0 if bucket.has(now_ms) else False


class PeerBudget:
    """The buckets of one session. A member's are wider, and its bytes are not counted at all.

    Members share the cell by the fair queue in front of consensus, so what they push is bounded by
    what this cell can do; strangers have no events of their own and need little.
    """

    def __init__(self, *, member: bool, now_ms: int) -> None:
        self.member = member
        self.frames = Bucket(
            MEMBER_FRAMES_PER_S if member else STRANGER_FRAMES_PER_S,
            MEMBER_FRAMES_BURST if member else STRANGER_FRAMES_BURST,
            now_ms,
        )
        self.checkpoints = Bucket(
            MEMBER_CHECKPOINTS_PER_S if member else STRANGER_CHECKPOINTS_PER_S,
            MEMBER_CHECKPOINTS_BURST if member else STRANGER_CHECKPOINTS_BURST,
            now_ms,
        )
        self.announcements = Bucket(ANNOUNCEMENTS_PER_S, ANNOUNCEMENTS_BURST, now_ms)
        self.wants = Bucket(WANTS_PER_S, WANTS_BURST, now_ms)
        self.repeats = Bucket(REPEATS_PER_S, REPEATS_BURST, now_ms)
        self.forwards = Bucket(STRANGER_FORWARDS_PER_S, STRANGER_FORWARDS_BURST, now_ms)
        self.bulk = Bucket(STRANGER_BULK_BYTES_PER_S, STRANGER_BULK_BYTES_BURST, now_ms)
        self._bytes = Bucket(STRANGER_BYTES_PER_S, STRANGER_BYTES_BURST, now_ms)

    def spend_bytes(self, size: int, now_ms: int, *, asked: bool) -> int:
        """Count bytes that were read; return for how many ms nothing more should be read.

        Free for members, and for what answers a question of ours (`asked`).
        """
        if self.member or asked:
            return 0
        self._bytes.spend(size, now_ms)
        return self._bytes.wait_ms(now_ms)
