"""The one place that decides what other cells may ask of this one, and has it written down.

A member's score is the better one of this cell's own view and the network's: so the members of a
new network, of whom nobody has said anything yet, have limited access. So does a cell that this
one let in by a ticket. The policy (`identity.trust.policy`, section `trust` of the configuration)
says what each kind of request needs; `node.requests` lists all that there are. What members need
for consensus is not asked of it: nobody's opinion of a member may keep the network from agreeing.
Whatever is refused gets a coded error, and a row in the audit journal.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final, TypeAlias

from core.errors import MyceldError
from core.ids import CellId, NotACellId, PublicKey, cell_id_of, public_key_of, short
from gossip.host import PeerStream
from identity.messages.policy import Decision as MessageDecision
from identity.messages.policy import Kind
from identity.trust import GENERAL_SCOPE, Decision, better_score
from journal import Store
from ledger.limits import SCORE_MILLIONTHS_MAX
from ledger.network_score import decode_score, score_key
from ledger.roster import Roster
from node.errors import AccessDenied, ProofNeeded
from node.invite_tables import is_guest
from node.services.audit import AuditTrail
from node.tables import EVENTS_JOURNAL, HEADERS_JOURNAL, state_value
from node.trust_scopes import TrustScopes

MESSAGE_REQUESTS: Final = {
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

IsProven: TypeAlias = Callable[[CellId, bytes], bool]
"""A cell and the key of the process at its end: whether it has proven its key within the hour."""
Handler: TypeAlias = Callable[[PeerStream], Awaitable[None]]


class Access:
    """Decides for one cell. `roster` is that of the last applied round."""

    def __init__(
        self,
        store: Store,
        trust: TrustScopes,
        roster: Callable[[], Roster],
        audit: AuditTrail,
        is_proven: IsProven,
    ) -> None:
        self._store = store
        self._trust = trust
        self._roster = roster
        self._audit = audit
        self._is_proven = is_proven

    def score(self, peer: CellId, scope: str = GENERAL_SCOPE) -> float:
        """Return the score that counts for a cell now."""
        key = public_key_of(peer)
        own = self._trust.score_in(scope, key)
        if self._roster().index_of(key) is not None:
            return better_score(own, self._agreed(key))
        if any(is_guest(self._store, one) for one in self._trust.lines.ids(peer)):
            return better_score(own, self._trust.policy.guest_score)
        return own

    def decide(
        self, request: str, peer: CellId, subject: str = "", *, channel: bytes = b""
    ) -> Decision:
        """Decide on a request; a refusal goes into the audit journal.

        `channel` is the key of the process that asks (`PeerStream.peer_key`), empty for what came
        through somebody else.
        """
        decision = self.judge(request, peer, channel=channel)
        if not decision.allowed:
            self.note(decision, peer, subject)
        return decision

    def judge(self, request: str, peer: CellId, *, channel: bytes = b"") -> Decision:
        """Decide on a request, and write nothing down."""
        is_proven, policy = self._is_proven(peer, channel), self._trust.policy
        score = self.score(peer, policy.scope(request))
        return policy.decide(request, score, is_proven=is_proven)

    def allows_signed(self, request: str, public_key: bytes) -> bool:
        """Decide on a request over HTTP that a key signed as a whole: that is its proof.

        A refusal is noted where the request was refused.
        """
        try:
            peer = cell_id_of(PublicKey(public_key))
        except NotACellId:
            return False
        policy = self._trust.policy
        score = self.score(peer, policy.scope(request))
        return policy.decide(request, score, is_proven=True).allowed

    def note(self, decision: Decision, peer: CellId, subject: str = "") -> None:
        """Write a refusal down."""
        code, reason = error_of(decision).code, decision.reason
        self._audit.refused(peer, decision.request, subject, code=code, reason=reason)

    def check(self, request: str, peer: CellId, subject: str = "", *, channel: bytes = b"") -> None:
        """Raise AccessDenied or ProofNeeded for what a cell may not ask."""
        if self._trust.policy.is_open(request):
            return
        decision = self.decide(request, peer, subject, channel=channel)
        if not decision.allowed:
            raise error_of(decision)

    def check_outsider(self, request: str, peer: CellId) -> None:
        """Raise AccessDenied for what a cell without a vote may not ask, and members always may."""
        if self._roster().index_of(public_key_of(peer)) is None:
            self.check(request, peer)

    def check_proof(self, peer: CellId) -> None:
        """Raise AccessDenied for a cell that no proof of its key would let do more."""
        policy = self._trust.policy
        decisions = [
            policy.decide(request, self.score(peer, policy.scope(request)), is_proven=True)
            for request in sorted(policy.fresh)
        ]
        if not any(decision.allowed for decision in decisions):
            raise AccessDenied("a proof would not let this cell do more")

    def journal_refusal(
        self, peer: CellId, cell_id: str, journal: str, channel: bytes
    ) -> MyceldError | None:
        """Return why a cell may not read a journal of this cell, or a copy that it has."""
        request = "journal-read" if journal in _OPEN_JOURNALS else "journal-read-private"
        try:
            self.check(request, peer, f"{cell_id}/{journal}", channel=channel)
        except (AccessDenied, ProofNeeded) as error:
            return error
        return None

    def _agreed(self, member: PublicKey) -> float:
        return decode_score(state_value(self._store, score_key(member))) / SCORE_MILLIONTHS_MAX


class MessageAccess:
    """`identity.messages.policy.Policy` of a cell."""

    def __init__(self, access: Access) -> None:
        self._access = access

    def may(self, peer: CellId, kind: Kind, channel: bytes) -> MessageDecision:
        """See `Policy.may`. A proof that is still missing is waited for, so it is no refusal."""
        decision = self._access.judge(MESSAGE_REQUESTS[kind], peer, channel=channel)
        if not decision.allowed and not decision.needs_proof:
            self._access.note(decision, peer)
        return MessageDecision(decision.allowed, decision.reason, decision.needs_proof)

    def unproven(self, peer: CellId, kind: Kind) -> None:
        """See `Policy.unproven`."""
        decision = self._access.judge(MESSAGE_REQUESTS[kind], peer)
        self._access.note(decision, peer)


def error_of(decision: Decision) -> AccessDenied | ProofNeeded:
    """Return the error of a refusal."""
    return (ProofNeeded if decision.needs_proof else AccessDenied)(decision.reason)


def describe_denial(peer: CellId, code: str) -> str:
    """Return what is said of a cell that does not let us."""
    return f"{short(peer)} does not let this cell: {code}"
