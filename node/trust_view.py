"""Keeps the cell's view of trust in step with the state: the owner of its `TrustGraph`.

Only what can be reached from the cell itself matters to its view, so attestations are read from
the state outwards: those of the cell, then those of the cells they name, and so on. Strangers who
attest each other cost nothing until somebody lets them in. What a round changed is taken in once
it is durable. Reading and computing go in slices, between which everything else in the cell runs.

The graph can be made anew from the state at any time, so nothing of it is stored.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable

from core.ids import PublicKey, Round
from identity.trust import GENERAL_SCOPE, InteractionProof, Policy, TrustGraph
from journal import Store
from ledger.machine import Applied
from ledger.trust import ATTESTATION_PREFIX, attestation_of_key, decode_attestation
from node.clock import wall_ns
from node.limits import TRUST_ISSUERS_PER_SLICE, TRUST_ROWS_PER_SLICE, TRUST_STEPS_PER_SLICE
from node.lines import Lines
from node.tables import attestations_of

_MILLION = 1_000_000


class TrustView:
    """The graph and what has still to be read. `run` is its only task; others ask."""

    def __init__(
        self,
        store: Store,
        own: PublicKey,
        applied_round: Callable[[], Round],
        policy: Policy | None = None,
        *,
        scope: str = GENERAL_SCOPE,
        lines: Lines,
    ) -> None:
        own = lines.first_key(own)
        self.graph = TrustGraph(own, scope)
        """By the first key of each cell, as the state names them."""
        self.lines = lines
        self.policy = policy or Policy()
        self._store = store
        self._applied_round = applied_round
        self._unread: deque[tuple[PublicKey, bytes]] = deque([(own, b"")])
        """Issuers to be read, and the state key up to which they are."""
        self._reached = {own}
        self._read: set[PublicKey] = set()
        self._work = asyncio.Event()
        self._work.set()
        self._idle = asyncio.Event()

    @property
    def is_read(self) -> bool:
        """Whether all that the state says, as far as it can be reached, was read."""
        return not self._unread

    def applied(self, applied: Applied) -> None:
        """Take in what a round changed, after that became durable."""
        header = applied.header
        self.graph.advance(time_s=header.consensus_time_ns // 10**9, round_number=header.round)
        for key, value in applied.changes:
            if value is not None and key.startswith(ATTESTATION_PREFIX):
                self._take(key, value)
        self._wake()

    def score(self, key: PublicKey) -> float:
        """Return the score of the cell that has or had a key."""
        return self.graph.score(self.lines.first_key(key))

    def interacted(self, proof: InteractionProof) -> None:
        """Take in an interaction of this cell, whose signatures were checked."""
        found = proof.interaction
        one, other = (self.lines.first_key(key) for key in (found.one, found.other))
        if one == other:
            return  # what a cell did with its own next key, before that was its own
        time_s = found.time_ns // 10**9
        self.graph.interact(one, other, time_s=time_s, identity=found.identity)
        for cell in (one, other):
            if cell not in self._reached:
                self._reached.add(cell)
                self._unread.append((cell, b""))
        self._wake()

    async def settled(self) -> TrustGraph:
        """Return the graph once it holds all that was applied until now, as of the present time.

        Waits for slices of the cell's own work only; the caller has a deadline all the same.
        """
        self.graph.advance(time_s=wall_ns() // 10**9, round_number=self._applied_round())
        self._wake()
        await self._idle.wait()
        return self.graph

    async def run(self) -> None:
        """Read and compute whenever there is something to do, until cancelled."""
        while True:
            await self._work.wait()
            if self._slice():
                await asyncio.sleep(0)  # everything else has its turn
            else:
                self._work.clear()
                self._idle.set()

    def _slice(self) -> bool:
        """Do a little; return whether more is left."""
        left = TRUST_ROWS_PER_SLICE
        for _ in range(TRUST_ISSUERS_PER_SLICE):
            if not self._unread or left <= 0:
                break
            issuer, after = self._unread[0]
            self._read.add(issuer)
            rows = attestations_of(self._store, issuer, after=after, limit=left)
            for key, value in rows:
                self._take(key, value)
            if len(rows) < left:
                self._unread.popleft()
            else:
                self._unread[0] = (issuer, rows[-1][0])
            left -= len(rows)
        return bool(self._unread) or not self.graph.settle(TRUST_STEPS_PER_SLICE)

    def _take(self, key: bytes, value: bytes) -> None:
        """Take in an attestation, unless its issuer is out of reach or still to be read."""
        issuer, subject, scope = attestation_of_key(key)
        if issuer not in self._read:
            return
        found = decode_attestation(value)
        if not found.counts(self._applied_round()):
            self.graph.revoke(issuer, subject, scope)
            return
        is_in = self.graph.attest(
            issuer,
            subject,
            score=found.score_millionths / _MILLION,
            made_s=found.time_ns // 10**9,
            scope=scope,
            expires_round=found.expires_round,
        )
        if is_in and subject not in self._reached:
            self._reached.add(subject)
            self._unread.append((subject, b""))

    def _wake(self) -> None:
        if self._unread or not self.graph.is_settled:
            self._idle.clear()
            self._work.set()
