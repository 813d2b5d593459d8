"""Which fork evidence this cell still has to bring into the order: pure, one object a cell.

Every member that sees a fork may prove it, and one proof is enough. So each waits for its turn,
which its place in the roster after the forker's gives it, and is silent when the proof is applied
by then. In the next epoch, the last one in which the proof counts, nobody waits. A transaction that
did not come through (its nonce was taken, say) is made again as long as its evidence counts.

Nothing here is durable: both events of a fork are in the consensus journal, and a restart finds
them there again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from core.ids import Epoch, MemberIndex, PublicKey, TransactionId
from ledger.forks import ForkProof
from ledger.roster import Roster
from node.limits import ACCUSE_CHECK_MS, ACCUSE_TURN_MS


@dataclass(frozen=True, slots=True)
class ForkSeen:
    """A member of an epoch forked; the events that prove it are these blocks of our journal."""

    roster: Roster
    creator: MemberIndex
    blocks: tuple[int, int]


@dataclass(frozen=True, slots=True)
class Accusation:
    """Evidence that is not proven yet as far as this cell knows."""

    proof: ForkProof
    accused: PublicKey
    due_ms: int
    had_turn: bool = False
    transaction: TransactionId | None = None
    """The one that brings it into the order, once it was made."""


class Accuser:
    """Accusations by epoch and member. Times are milliseconds of one monotonic clock."""

    def __init__(self, public_key: PublicKey) -> None:
        self._me = public_key
        self._open: dict[tuple[Epoch, PublicKey], Accusation] = {}

    def note(self, seen: ForkSeen, evidence: bytes, now_ms: int) -> None:
        """Take the evidence of a fork. A cell never accuses itself."""
        roster = seen.roster
        accused = roster.members[seen.creator].public_key
        if accused == self._me:
            return
        me, count = roster.index_of(self._me), len(roster.members)
        turn = count if me is None else (me - seen.creator - 1) % count
        self._open[roster.epoch, accused] = Accusation(
            ForkProof(roster.epoch, evidence), accused, now_ms + turn * ACCUSE_TURN_MS
        )

    def due(
        self,
        now_ms: int,
        epoch: Epoch,
        *,
        is_proven: Callable[[Epoch, PublicKey], bool],
        is_under_way: Callable[[TransactionId], bool],
    ) -> Iterator[Accusation]:
        """Yield what is to be put into a transaction now, and forget what needs none any more.

        `epoch` is the present one, `is_proven` asks the state, and `is_under_way` whether a
        transaction of ours has no outcome yet. The owner tells each transaction by `made`.
        """
        for key, accusation in list(self._open.items()):
            proof = accusation.proof
            if proof.epoch < epoch - 1 or is_proven(proof.epoch, accusation.accused):
                del self._open[key]
                continue
            made, last_chance = accusation.transaction, proof.epoch < epoch
            if now_ms >= accusation.due_ms or (last_chance and not accusation.had_turn):
                due_ms = now_ms + ACCUSE_CHECK_MS
                self._open[key] = replace(accusation, due_ms=due_ms, had_turn=True)
                if made is None or not is_under_way(made):
                    yield accusation

    def made(self, accusation: Accusation, transaction: TransactionId) -> None:
        """Note the transaction that brings an accusation into the order."""
        key = accusation.proof.epoch, accusation.accused
        if key in self._open:
            self._open[key] = replace(self._open[key], transaction=transaction)

    def wait_ms(self, now_ms: int) -> int | None:
        """Return after how long `due` may yield something; None if never."""
        dues = [accusation.due_ms for accusation in self._open.values()]
        return max(0, min(dues) - now_ms) if dues else None
