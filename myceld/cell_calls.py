"""The clients' calls about the cell, the order, members, trust and journals."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from myceld.question import (
    JsonObject,
    Question,
    at,
    call,
    get,
    get_at,
    get_text,
    send,
    submit,
)

if TYPE_CHECKING:
    from myceld.views import (
        AccountView,
        AuditView,
        BlockView,
        EndpointsView,
        EpochView,
        FollowView,
        HealthView,
        InfoView,
        InteractionsView,
        InviteView,
        IssuedView,
        JournalView,
        MembersView,
        Page,
        PeerView,
        ProofView,
        PublicStatusView,
        ReceiptView,
        RotationView,
        RoundView,
        SporeView,
        StatusView,
        TransactionView,
        TrustGraphView,
        TrustWhyView,
    )


class CellCalls:
    """The part of both clients that is about these."""

    @call
    def health(self) -> Question[HealthView]:
        """Return status, timestamp_ns, uptime_s, version and services; needs no token."""
        return get("/api/public/health")

    @call
    def info(self) -> Question[InfoView]:
        """Return who the cell is; needs no token."""
        return get("/api/public/info")

    @call
    def public_status(self) -> Question[PublicStatusView]:
        """Return what everybody may know of the cell's state; needs no token."""
        return get("/api/public/status")

    @call
    def endpoints(self) -> Question[EndpointsView]:
        """Return what can be asked, and with which scope; needs no token."""
        return get("/api/public/endpoints")

    @call
    def metrics(self) -> Question[str]:
        """Return all that the cell measures of itself, in the text format of Prometheus."""
        return get_text("/api/v1/metrics")

    @call
    def status(self) -> Question[StatusView]:
        """Return a StatusView."""
        return get("/api/v1/status")

    @call
    def peers(self) -> Question[Page[PeerView]]:
        """Return the list of PeerViews."""
        return get("/api/v1/peers")

    @call
    def spore(self, *, seed: bool = False) -> Question[SporeView]:
        """Return the SporeView of what a peer is told that connects now, or of a seed."""
        return get("/api/v1/spore", {"type": "seed"} if seed else None)

    @call
    def submit(
        self, transactions: Sequence[bytes], *, wait: str = "stored", timeout_s: float = 30.0
    ) -> Question[Page[ReceiptView]]:
        """Hand in encoded, signed transactions, all or none; return the list of ReceiptViews."""
        body = {"transactions": [data.hex() for data in transactions]}
        return submit("/api/v1/transactions", body, wait, timeout_s)

    @call
    def put(
        self,
        key: str,
        value: bytes,
        *,
        nonce: int | None = None,
        wait: str = "stored",
        timeout_s: float = 30.0,
    ) -> Question[ReceiptView]:
        """Put a value, signed by the cell's own key; return the ReceiptView."""
        body: JsonObject = {"key": key, "value_hex": value.hex()}
        if nonce is not None:
            body["nonce"] = nonce
        return submit("/api/v1/state/put", body, wait, timeout_s)

    @call
    def transactions(self, *, start: int = 0, limit: int = 100) -> Question[Page[TransactionView]]:
        """Return a page of the agreed order: TransactionViews from position `start`."""
        return get("/api/v1/transactions", {"start": start, "limit": limit})

    @call
    def receipt(
        self, transaction_id: str, *, wait: str | None = None, timeout_s: float = 30.0
    ) -> Question[ReceiptView]:
        """Return a ReceiptView, once it has reached `wait` if that is given."""
        return get_at(at("/api/v1/receipts/{id}", id=transaction_id), wait, timeout_s)

    @call
    def rounds(self, *, start: int = 0, limit: int = 100) -> Question[Page[RoundView]]:
        """Return a page of decided rounds: RoundViews from number `start`."""
        return get("/api/v1/rounds", {"start": start, "limit": limit})

    @call
    def epochs(self, *, start: int = 0, limit: int = 100) -> Question[Page[EpochView]]:
        """Return epochs from number `start` on, with their members and rules."""
        return get("/api/v1/epochs", {"start": start, "limit": limit})

    @call
    def members(self) -> Question[MembersView]:
        """Return the MembersView: who votes now, and what was proposed."""
        return get("/api/v1/members")

    @call
    def change_members(
        self, /, action: str, *, wait: str = "stored", timeout_s: float = 30.0, **fields: object
    ) -> Question[ReceiptView]:
        """Have the cell sign a change of the members and submit it; return its ReceiptView.

        `action`: `add` (fields cell, weight, name), `remove` (cell), `weight` (cell, weight),
        `approve` (proposal) or `leave`.
        """
        return submit("/api/v1/members", {"action": action, **fields}, wait, timeout_s)

    @call
    def rotate_key(
        self, *, wait: str = "stored", timeout_s: float = 30.0
    ) -> Question[RotationView]:
        """Have the cell give its key up for a new one; return the RotationView.

        The cell starts again as the new one once that is applied: who is connected must reconnect.
        """
        return submit("/api/v1/key/rotate", {}, wait, timeout_s)

    @call
    def create_invite(self, /, **fields: object) -> Question[IssuedView]:
        """Make a ticket; return the IssuedView, the only place where its text is told.

        Fields: role (`rhizomorph` or `sclerotium`), name, weight, expires_s, uses_max, addresses.
        """
        return send("/api/v1/invites", fields)

    @call
    def invites(self) -> Question[Page[InviteView]]:
        """Return the list of InviteViews, the newest first."""
        return get("/api/v1/invites")

    @call
    def revoke_invite(self, invite_id: str) -> Question[InviteView]:
        """Take a ticket back; return its InviteView."""
        return send(at("/api/v1/invites/{id}/revoke", id=invite_id))

    @call
    def account(self, public_key: str) -> Question[AccountView]:
        """Return the AccountView of a public key (hex)."""
        return get(at("/api/v1/accounts/{public_key}", public_key=public_key))

    @call
    def attest(
        self,
        cell: str,
        score: float,
        *,
        scope: str = "general",
        expires_round: int = 0,
        wait: str = "stored",
        timeout_s: float = 30.0,
    ) -> Question[ReceiptView]:
        """Say how far a cell (its id, or a member's name) is to be trusted; return the ReceiptView.

        `score` is 0 to 1. It counts up to `expires_round`, without an end if that is 0.
        """
        fields = {"cell": cell, "score": score, "scope": scope, "expires_round": expires_round}
        return submit("/api/v1/trust/attest", fields, wait, timeout_s)

    @call
    def revoke_attestation(
        self, cell: str, *, scope: str = "general", wait: str = "stored", timeout_s: float = 30.0
    ) -> Question[ReceiptView]:
        """Take back what the cell said of another one; return the ReceiptView."""
        return submit("/api/v1/trust/revoke", {"cell": cell, "scope": scope}, wait, timeout_s)

    @call
    def trust_of(
        self, cell: str, *, paths_max: int = 8, scope: str = "general"
    ) -> Question[TrustWhyView]:
        """Return the TrustWhyView of a cell: its score, and what makes it."""
        return get("/api/v1/trust/cell", {"cell": cell, "limit": paths_max, "scope": scope})

    @call
    def interactions(
        self, cell: str = "", *, of: str = "", before: int | None = None, limit: int = 100
    ) -> Question[InteractionsView]:
        """Return an InteractionsView: what this cell, or the cell `of`, signed with a cell."""
        asked = {"cell": cell or None, "of": of or None, "before": before, "limit": limit}
        fields = {name: value for name, value in asked.items() if value is not None}
        return get("/api/v1/trust/interactions", fields)

    @call
    def trust_graph(
        self, *, limit: int = 100, scope: str = "general", start: int = 0
    ) -> Question[TrustGraphView]:
        """Return the TrustGraphView of cells by score, without the first `start`."""
        return get("/api/v1/trust/graph", {"limit": limit, "scope": scope, "start": start})

    @call
    def journals(self) -> Question[Page[JournalView]]:
        """Return the list of JournalViews."""
        return get("/api/v1/journals")

    @call
    def journal_blocks(
        self, name: str, *, start: int = 0, limit: int = 100
    ) -> Question[Page[BlockView]]:
        """Return a page of a journal: BlockViews from index `start`."""
        path = at("/api/v1/journals/{name}/blocks", name=name)
        return get(path, {"start": start, "limit": limit})

    @call
    def journal_proof(self, name: str, index: int) -> Question[ProofView]:
        """Return the ProofView of a block."""
        return get(at("/api/v1/journals/{name}/proof", name=name), {"index": index})

    @call
    def audit_journal(self, name: str) -> Question[AuditView]:
        """Begin to check a whole journal; return the AuditView."""
        return send(at("/api/v1/journals/{name}/audit", name=name))

    @call
    def audit_of_journal(self, name: str) -> Question[AuditView]:
        """Return the AuditView of the last audit of a journal."""
        return get(at("/api/v1/journals/{name}/audit", name=name))

    @call
    def prune_journal(self, name: str, min_index: int) -> Question[JournalView]:
        """Delete the blocks before `min_index`; return the JournalView."""
        return send(at("/api/v1/journals/{name}/prune", name=name), {"min_index": min_index})

    @call
    def follows(self) -> Question[Page[FollowView]]:
        """Return the list of FollowViews."""
        return get("/api/v1/follows")

    @call
    def follow(self, cell: str, journal: str) -> Question[FollowView]:
        """Begin to follow a journal of another cell; return the FollowView."""
        return send("/api/v1/follows", {"cell": cell, "journal": journal})

    @call
    def stop_following(self, cell: str, journal: str) -> Question[FollowView]:
        """Follow a journal no longer; return the FollowView."""
        return send("/api/v1/follows/stop", {"cell": cell, "journal": journal})
