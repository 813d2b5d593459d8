"""History again from its events alone: whether a cell's journal gives the very headers it holds.

A fresh consensus and a fresh ledger are given all events of one cell, from the genesis on, each
signature checked; what they decide and apply has to be what the cell committed, byte for byte.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from core.ids import Epoch
from identity.keys import KeyPair, verify, verify_all
from ledger.genesis import Genesis
from ledger.machine import Applied
from ledger.roster import Roster
from node.stages.consensus import Consensus, Decided, Identity
from node.stages.execution import Execution
from node.stages.mempool import Mempool
from sim.once import decoded_event


class Replay:
    """One history, from the genesis on."""

    def __init__(self, genesis: Genesis, keys: Sequence[KeyPair]) -> None:
        """`keys` are those of the cell whose events come: its own have another way to be found."""
        self.problems: list[str] = []
        self._genesis = genesis
        first, *others = (Identity(key.public_key, key.sign) for key in keys)
        self._identity = replace(first, earlier=tuple(others))
        self._state: dict[bytes, bytes] = {}
        self._known: dict[bytes, int] = {}
        self._execution = Execution(genesis, self._identity, self._state.get)
        self._rosters: dict[Epoch, Roster] = {Epoch(0): genesis.roster}
        self._consensus = self._begin(genesis.roster)

    def headers(self, blocks: Iterable[bytes]) -> Iterator[bytes]:
        """Yield the encoded headers that these events lead to, in order."""
        for block in blocks:
            self._check_signature(block)
            for decided in self._consensus.replay(block):
                applied = self._apply(decided)
                if applied is None:
                    continue
                yield applied.header.encode()
                if applied.sealed is not None:
                    self._rosters[applied.sealed.epoch] = applied.sealed
                    self._consensus = self._begin(applied.sealed)

    def _begin(self, roster: Roster) -> Consensus:
        return Consensus(self._genesis, roster, self._identity, Mempool())

    def _apply(self, item: Decided) -> Applied | None:
        ledger = self._execution.ledger
        if item.epoch != ledger.roster.epoch or item.round.round <= ledger.applied_round:
            return None  # decided after the seal
        candidates = self._execution.candidates(item.round)
        invalid = {id(one) for one in candidates if not all(verify_all(one.signature_checks))}
        first = ledger.window_first_round
        known = {one for one, number in self._known.items() if number >= first}
        applied = self._execution.apply(
            item.round, candidates, lambda one: id(one) not in invalid, known
        ).applied
        for key, value in applied.changes:
            if value is None:
                self._state.pop(key, None)
            else:
                self._state[key] = value
        self._known.update((one.receipt.id, applied.header.round) for one in applied.entries)
        return applied

    def _check_signature(self, block: bytes) -> None:
        event, epoch = decoded_event(block, self._genesis.network_id)
        roster = self._rosters.get(epoch)
        if roster is None:
            self.problems.append(f"an event of epoch {epoch}, before that began")
        elif not verify(roster.members[event.creator].public_key, event.body, event.signature):
            self.problems.append(f"event {event.sequence} of member {event.creator} is not signed")
