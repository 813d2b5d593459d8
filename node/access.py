"""The one place that decides what other cells may ask of this one, and has it written down.

A member's score is the better one of this cell's own view and the network's: so the members of a
new network, of whom nobody has said anything yet, have limited access. So does a cell that this
one let in by a ticket. The policy (`identity.trust.policy`, section `trust` of the configuration)
says what each kind of request needs. Whatever is refused gets a coded error, and a row in the audit
journal.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from core.ids import CellId, PublicKey, public_key_of
from identity.messages.policy import Decision as MessageDecision
from identity.messages.policy import Kind
from identity.trust import Decision, better_score
from journal import Store
from ledger.limits import SCORE_MILLIONTHS_MAX
from ledger.network_score import decode_score, score_key
from ledger.roster import Roster
from node.errors import AccessDenied
from node.invite_tables import is_guest
from node.services.audit import AuditTrail
from node.tables import EVENTS_JOURNAL, HEADERS_JOURNAL, state_value
from node.trust_view import TrustView

_REQUESTS: Final = {
    Kind.CHAT: "chat",
    Kind.AUTH: "auth",
    Kind.TX: "tx-forward",
    Kind.POST: "post",
    Kind.QUERY: "query",
    Kind.EXEC: "exec",
    Kind.RELAY: "message-relay",
    Kind.ROOM: "room-join",
}
"""What each kind of message is to the policy."""
_OPEN_JOURNALS: Final = (EVENTS_JOURNAL, HEADERS_JOURNAL)
"""Journals of what every cell of the network has anyway."""


class Access:
    """Decides for one cell. `roster` is that of the last applied round."""

    def __init__(
        self, store: Store, trust: TrustView, roster: Callable[[], Roster], audit: AuditTrail
    ) -> None:
        self._store = store
        self._trust = trust
        self._roster = roster
        self._audit = audit

    def score(self, peer: CellId) -> float:
        """Return the score that counts for a cell now."""
        key = public_key_of(peer)
        own = self._trust.score(key)
        if self._roster().index_of(key) is not None:
            return better_score(own, self._agreed(key))
        if any(is_guest(self._store, one) for one in self._trust.lines.ids(peer)):
            return better_score(own, self._trust.policy.guest_score)
        return own

    def decide(self, request: str, peer: CellId, subject: str = "") -> Decision:
        """Decide on a request; a refusal goes into the audit journal."""
        decision = self._trust.policy.decide(request, self.score(peer))
        if not decision.allowed:
            self._audit.refused(
                peer, request, subject, code=AccessDenied.code, reason=decision.reason
            )
        return decision

    def check(self, request: str, peer: CellId, subject: str = "") -> None:
        """Raise AccessDenied for what a cell may not ask."""
        decision = self.decide(request, peer, subject)
        if not decision.allowed:
            raise AccessDenied(decision.reason)

    def journal_refusal(self, peer: CellId, cell_id: str, journal: str) -> AccessDenied | None:
        """Return why a cell may not read a journal of this cell, or a copy that it has."""
        request = "journal-read" if journal in _OPEN_JOURNALS else "journal-read-private"
        decision = self.decide(request, peer, f"{cell_id}/{journal}")
        return None if decision.allowed else AccessDenied(decision.reason)

    def _agreed(self, member: PublicKey) -> float:
        return decode_score(state_value(self._store, score_key(member))) / SCORE_MILLIONTHS_MAX


class MessageAccess:
    """`identity.messages.policy.Policy` of a cell."""

    def __init__(self, access: Access) -> None:
        self._access = access

    def may(self, peer: CellId, kind: Kind) -> MessageDecision:
        """See `Policy.may`."""
        decision = self._access.decide(_REQUESTS[kind], peer)
        return MessageDecision(decision.allowed, decision.reason)
