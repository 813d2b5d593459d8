"""Liars whose events are right, and what they carry is not."""

from __future__ import annotations

from core.ids import MemberIndex
from gossip.creator import Plan
from ledger.kinds import Put
from ledger.transaction import sign_transaction
from sim.adversaries.adversary import Adversary
from sim.adversaries.stage import LyingEpoch

_NONCES = 4
"""The lowest nonces are forged: an honest cell that gives them out loses them if it succeeds."""
_SHARE = 0.3


class _ForgingEpoch(LyingEpoch):
    liar: ForgesTransactions

    def lie(self, plan: Plan) -> None:
        payload = self.take_payload()
        if self.liar.chance.random() < _SHARE:
            payload.append(self._forged())
            self.liar.note("forged transactions")
        self.make(plan.self_parent, plan.other_parents, self.time_ns, payload)

    def _forged(self) -> bytes:
        """Return a transaction that another member should have signed."""
        chance = self.liar.chance
        others = [at for at in range(len(self.roster.members)) if at != self.me]
        victim = MemberIndex(chance.choice(others))
        return sign_transaction(
            network_id=self._network_id,
            sender=self.roster.members[victim].public_key,
            nonce=chance.randrange(_NONCES),
            arguments=Put(f"forged/{victim}", chance.randbytes(8)),
            sign=self._sign,
        )


class ForgesTransactions(Adversary):
    """Puts transactions into its events that others should have signed.

    It hopes that somebody applies one, or refuses it otherwise than the others do.
    """

    epoch_kind = _ForgingEpoch
