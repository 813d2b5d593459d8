"""The border between the gateway and the daemon: what a cell can be asked.

The gateway parses and authenticates requests and renders answers; everything else is the cell's.
Every method raises only errors of `core.errors`, which the gateway maps to HTTP.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from gateway.consensus_views import ConsensusCell
from gateway.doctor_routes import DoctorCell
from gateway.governance_views import GovernanceCell
from gateway.light_views import LightCell
from gateway.message_cell import MessageCell
from gateway.prana_views import PranaCell
from gateway.process_views import ProcessCell
from gateway.proof_views import ProofCell
from gateway.repair_views import RepairCell
from gateway.service_views import ServiceCell
from gateway.state_views import StateCell
from gateway.stream_cell import StreamCell
from gateway.trust_views import TrustCell
from gateway.views import (
    AccountView,
    AuditView,
    BlockView,
    EpochView,
    FollowView,
    InviteView,
    InviteWish,
    IssuedView,
    JournalView,
    MemberChange,
    MembersView,
    PeerView,
    ProofView,
    ReceiptView,
    RotationView,
    RoundView,
    SporeView,
    Stage,
    StatusView,
    TransactionView,
)


class Cell(
    TrustCell,
    MessageCell,
    ServiceCell,
    GovernanceCell,
    StateCell,
    PranaCell,
    ProofCell,
    RepairCell,
    LightCell,
    ProcessCell,
    DoctorCell,
    StreamCell,
    ConsensusCell,
    Protocol,
):
    """What the gateway needs of a running cell."""

    async def submit(
        self, transactions: Sequence[bytes], *, wait: Stage, timeout_s: float
    ) -> list[ReceiptView]:
        """Take encoded transactions (all or none) and answer when all have reached `wait`.

        Raises the intake's errors (malformed, wrong signature, used nonce, oversize, queue full,
        other network) before anything is queued, and NotReachedInTime when `timeout_s` passes
        first: the transactions are then still queued and may be ordered later.
        """
        ...

    async def put(
        self, key: str, value: bytes, *, nonce: int | None, wait: Stage, timeout_s: float
    ) -> ReceiptView:
        """Sign a put with the cell's own key (next free nonce unless given) and submit it."""
        ...

    async def receipt(
        self, transaction_id: bytes, *, wait: Stage | None, timeout_s: float
    ) -> ReceiptView:
        """Return the receipt, once it has reached `wait` if given; raises NoSuchReceipt."""
        ...

    def status(self) -> StatusView:
        """Return what the cell is doing."""
        ...

    def metrics(self) -> str:
        """Return all that the cell measures of itself, in the text format of Prometheus."""
        ...

    def peers(self) -> list[PeerView]:
        """Return the peers, members first."""
        ...

    async def transactions(self, *, start: int, limit: int) -> list[TransactionView]:
        """Return the agreed order from position `start`, at most `limit`."""
        ...

    async def rounds(self, *, start: int, limit: int) -> list[RoundView]:
        """Return decided rounds from number `start`, at most `limit`."""
        ...

    async def epochs(self, *, start: int, limit: int) -> list[EpochView]:
        """Return the epochs from number `start` up to the present one, at most `limit`."""
        ...

    async def members(self) -> MembersView:
        """Return the members of the present epoch and the proposals."""
        ...

    async def change_members(
        self, change: MemberChange, *, wait: Stage, timeout_s: float
    ) -> ReceiptView:
        """Sign a change of the members with the cell's key and submit it, as `submit` does.

        Raises NoSuchCell, TransactionRefused or what `submit` raises.
        """
        ...

    async def rotate_key(self, *, wait: Stage, timeout_s: float) -> RotationView:
        """Make a key, durably, sign a transaction that gives the cell's key up for it, submit that.

        Raises NoKeyFile, KeyFileChanged, KeyFileNotWritten, TransactionRefused or what `submit`
        raises.
        """
        ...

    async def create_invite(self, wish: InviteWish) -> IssuedView:
        """Make a ticket, durably.

        Raises BadOption, NoVoteToPropose, NothingToDial, NotAMultiaddr or TooManyInvites.
        """
        ...

    async def invites(self) -> list[InviteView]:
        """Return the newest tickets, and who used them."""
        ...

    async def revoke_invite(self, invite_id: bytes) -> InviteView:
        """Take a ticket back, durably; raises NoSuchInvite."""
        ...

    async def account(self, public_key: bytes) -> AccountView:
        """Return what the ledger knows of an account."""
        ...

    async def spore(self, *, seed: bool) -> SporeView:
        """Return what a peer is told that connects now, or a seed for a file."""
        ...

    async def journals(self) -> list[JournalView]:
        """Return the journals of this cell."""
        ...

    async def journal_blocks(self, name: str, *, start: int, limit: int) -> list[BlockView]:
        """Return blocks of a journal; raises NoSuchJournal."""
        ...

    async def journal_proof(self, name: str, index: int) -> ProofView:
        """Return the proof of one block as a file; raises NoSuchJournal, NoSuchBlock."""
        ...

    async def audit_journal(self, name: str) -> AuditView:
        """Begin to check every byte of a journal; raises NoSuchJournal."""
        ...

    async def audit_of_journal(self, name: str) -> AuditView:
        """Return how far the last audit of a journal has come; raises NoSuchJournal."""
        ...

    async def prune_journal(self, name: str, min_index: int) -> JournalView:
        """Delete the blocks before `min_index`, not their hashes; raises NoSuchJournal."""
        ...

    async def follows(self) -> list[FollowView]:
        """Return the journals of other cells that are followed, or were."""
        ...

    async def follow(self, cell: str, journal: str) -> FollowView:
        """Begin to follow a journal of a cell (its id, or a member's name); raises NoSuchCell."""
        ...

    async def stop_following(self, cell: str, journal: str) -> FollowView:
        """Follow a journal no longer; its copy stays. Raises NotFollowed."""
        ...
