"""Signature checks beside the event loop: libsodium runs outside the interpreter lock."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeAlias

from core.ids import PublicKey
from identity.keys import verify_all
from node.limits import VERIFY_INLINE_MAX, VERIFY_THREADS
from node.metrics import Latency

SignatureCheck: TypeAlias = tuple[PublicKey, bytes, bytes]
"""Public key, message, signature."""


class Verifier:
    """A small thread pool that checks signatures."""

    def __init__(self) -> None:
        self.took = Latency()
        """Of each batch, the wait for a thread included."""
        self.signatures = 0
        """Checked so far."""
        self._pool = ThreadPoolExecutor(VERIFY_THREADS, thread_name_prefix="verify")

    async def verify(self, checks: Sequence[SignatureCheck]) -> list[bool]:
        """Return the verdict on each check, in order."""
        if not checks:
            return []
        began_ns = time.perf_counter_ns()
        verdicts = await self._verify(checks)
        self.took.note((time.perf_counter_ns() - began_ns) / 1e6)
        self.signatures += len(checks)
        return verdicts

    def close(self) -> None:
        """End the threads once they have finished what they do."""
        self._pool.shutdown(wait=True, cancel_futures=True)

    async def _verify(self, checks: Sequence[SignatureCheck]) -> list[bool]:
        if len(checks) <= VERIFY_INLINE_MAX:
            return verify_all(checks)
        loop = asyncio.get_running_loop()
        share = -(-len(checks) // VERIFY_THREADS)
        parts = [checks[at : at + share] for at in range(0, len(checks), share)]
        done = await asyncio.gather(
            *(loop.run_in_executor(self._pool, verify_all, part) for part in parts)
        )
        return [verdict for part in done for verdict in part]
