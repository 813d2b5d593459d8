"""What the gateway shows: frozen values that become the JSON documented in docs/api.md.

The node builds them, the gateway renders them. Field names are part of the public, stable API.
Hashes, ids of transactions and public keys are lower-case hex; cell ids are libp2p peer ids.
Times are integer nanoseconds of the Unix epoch when they end in `_ns`.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum


class Stage(IntEnum):
    """How far a transaction has come; each stage includes those before it."""

    ACCEPTED = 1
    """Checked and queued in memory: lost if the cell stops now."""
    STORED = 2
    """In a signed event on this cell's disk, fsynced: survives a crash of the cell."""
    ORDERED = 3
    """In the agreed order: its place can not change any more."""
    APPLIED = 4
    """The replicated state includes its effect, or its refusal, durably."""
    CERTIFIED = 5
    """A state that includes it is signed by more than 2/3 of the weight."""

    @property
    def word(self) -> str:
        """The lower-case name used in the API and on the command line."""
        return self.name.lower()


@dataclass(frozen=True, slots=True)
class RefusalView:
    """Why an ordered transaction did not change the state."""

    code: str
    message: str


@dataclass(frozen=True, slots=True)
class ReceiptView:
    """The life of one transaction as this cell knows it."""

    id: str
    stage: str
    stages_ns: dict[str, int]
    """When each stage was reached on this cell; only stages seen since its last start."""
    outcome: str | None
    """`applied` or `refused` from stage applied on, else null."""
    refusal: RefusalView | None
    kind: str | None
    sender: str | None
    nonce: int | None
    round: int | None
    position: int | None
    """Place in the total order of transactions, from 0."""
    consensus_time_ns: int | None
    event: str | None
    """Id of the event that carried it."""


@dataclass(frozen=True, slots=True)
class TransactionView:
    """One entry of the agreed order."""

    position: int
    id: str
    round: int
    consensus_time_ns: int
    event: str
    creator: str
    """Cell id of the member whose event carried it."""
    kind: str
    sender: str | None
    nonce: int | None
    outcome: str
    refusal: RefusalView | None
    size_bytes: int


@dataclass(frozen=True, slots=True)
class RoundView:
    """One decided round and the state after it."""

    round: int
    header_hash: str
    state_root: str
    receipts_root: str
    transactions: int
    """How many transactions this round added to the order."""
    transactions_total: int
    consensus_time_ns: int
    certified: bool
    """True when this round, or a later one that includes it by hash, has a certificate."""


@dataclass(frozen=True, slots=True)
class StateValueView:
    """The value of one key after `round`."""

    key: str
    value: str | None
    """The value as text; null when it is not UTF-8."""
    value_hex: str
    updated_round: int
    updated_by: str
    """Public key (hex) of the account that last put it."""
    round: int
    state_root: str
    certified_round: int


@dataclass(frozen=True, slots=True)
class MemberView:
    """A member of the roster as seen from this cell."""

    cell_id: str
    name: str
    weight: int
    is_self: bool
    reachable: bool


@dataclass(frozen=True, slots=True)
class VoterView:
    """A member of an epoch's roster; its place in the list is its number in events."""

    cell_id: str
    public_key: str
    name: str
    weight: int


@dataclass(frozen=True, slots=True)
class ProposalView:
    """A proposed change of the members."""

    id: str
    action: str
    """`add`, `remove` or `weight`."""
    cell_id: str
    name: str
    weight: int
    proposer: str
    """Cell id."""
    round: int
    approvals: list[str]
    """Cell ids of members."""
    weight_approved: int
    weight_total: int
    state: str
    """`open`, `accepted`, `refused` or `expired`."""


@dataclass(frozen=True, slots=True)
class ForkView:
    """A member that signed two histories, as all cells agreed."""

    epoch: int
    """In which it forked."""
    cell_id: str
    round: int
    """In which that was proven; the round sealed its epoch if the key was still a member."""
    accuser: str
    """Public key (hex) of the account that brought the evidence."""
    evidence_hash: str
    """SHA-256 of the evidence in the transaction."""


@dataclass(frozen=True, slots=True)
class MembersView:
    """Who votes now, and what was proposed."""

    epoch: int
    members: list[VoterView]
    proposals: list[ProposalView]
    """The newest ones, open ones first."""
    forks: list[ForkView]
    """The newest ones."""


@dataclass(frozen=True, slots=True)
class MemberChange:
    """What a cell is asked to do about the members, signed with its key.

    `action`: `add` (cell, weight, name), `remove` (cell), `weight` (cell, weight), `approve`
    (proposal) or `leave`.
    """

    action: str
    cell: str = ""
    weight: int = 0
    name: str = ""
    proposal: bytes = b""


@dataclass(frozen=True, slots=True)
class RotationView:
    """The cell gives its key up for another one, which is on its disk by now."""

    old_cell_id: str
    cell_id: str
    """What the cell will be once the rotation is applied."""
    receipt: ReceiptView
    """Of the transaction."""


@dataclass(frozen=True, slots=True)
class EpochView:
    """An epoch, and the rules and members by which it votes."""

    epoch: int
    first_round: int
    last_time_ns: int
    """Consensus times of the epoch come after this one."""
    rule_set: int
    coin_period: int
    first_block: int
    """The journal `consensus` holds no event of the epoch before this block."""
    members: list[VoterView]


@dataclass(frozen=True, slots=True)
class LatencyView:
    """How long something took, over the newest 1,024 times."""

    count: int
    """How often it was measured since the cell started."""
    p50_ms: float | None
    p99_ms: float | None


@dataclass(frozen=True, slots=True)
class MetricsView:
    """What a cell measures of itself since it started; `GET /api/v1/metrics` has more."""

    created_to_ordered: LatencyView
    """From making an own event to its place in the order, as seen here."""
    received_to_ordered: LatencyView
    """The same from the arrival of another's event."""
    commit: LatencyView
    """Commits with an fsync."""
    verify: LatencyView
    """Batches of signatures."""
    signatures: int
    peers: int
    """Connected now."""
    bytes_in: int
    bytes_out: int
    events_in: int
    events_out: int
    events_repeated: int
    """Of those that came in, how many were here already."""
    orphans: int
    """Events that wait for their parents now."""
    mempool: int
    consensus_queue: int
    execution_queue: int
    outbound_bytes: int
    """Waiting for all peers together, now."""
    ends: dict[str, int]
    """Ends of sessions by the code of their reason."""
    silent_because: str | None
    """Why no event was made when it was last considered, `no-work` for instance; else null."""
    refusals: dict[str, int]
    """How often none was made in this epoch, by the same reasons."""


@dataclass(frozen=True, slots=True)
class UpgradeView:
    """An upgrade that was decided and has not begun."""

    epoch: int
    """From the first one on, at or after this, for which enough members know the versions."""
    rule_set: int
    wire_version: int
    transaction_version: int
    release: str
    """What to install."""
    is_known: bool
    """Whether this build knows the versions: else it stops before that epoch."""
    weight_knowing: int
    weight_total: int
    missing: list[str]
    """Names of members who have not announced that they know the versions."""


@dataclass(frozen=True, slots=True)
class StatusView:
    """One screen of what the cell is doing and what it waits for."""

    version: str
    cell_id: str
    name: str
    role: str
    """`sclerotium` (member) or `rhizomorph` (full copy, no vote)."""
    network_id: str
    network_name: str
    uptime_s: float
    phase: str
    """`starting`, `observing`, `forked`, `waiting`, `ordering` or `idle`."""
    summary: str
    """The phase in plain words, with what is waited for."""
    members_total: int
    members_reachable: int
    """Counts this cell itself when it is a member."""
    members_needed: int
    silent: list[str]
    """Names (or cell ids) of members not reachable."""
    members: list[MemberView]
    epoch: int
    round_decided: int
    round_applied: int
    round_certified: int
    state_root: str
    events_total: int
    events_own: int
    transactions_ordered: int
    transactions_pending: int
    addresses: list[str]
    gateway_url: str
    metrics: MetricsView
    upgrade: UpgradeView | None = None
    fault_budget: str = ""
    """How many members may fail or lie, in words."""
    faults_left: int = 0
    """So many more members may fail or lie, whichever they are."""
    round_time_ns: int | None = None
    """Consensus time of the last applied round; null before the first."""
    database_bytes: int | None = None
    """What the store and its log take on the disk."""
    disk_free_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class PeerView:
    """Another cell that this one is connected to, or knows how to reach."""

    cell_id: str
    name: str
    member: bool
    connected: bool
    direction: str | None
    """`inbound` or `outbound` while connected."""
    addresses: list[str]
    rtt_ms: float | None
    bytes_in: int
    bytes_out: int
    events_in: int
    events_out: int
    last_error: str | None
    agent: str = ""
    """Software and version, as the peer names itself over libp2p's identify; empty if unknown."""
    protocol_version: str = ""


@dataclass(frozen=True, slots=True)
class JournalView:
    """One Merkle journal of this cell."""

    name: str
    length: int
    root: str
    checkpoint: str
    """Signed head, C2SP checkpoint text."""


@dataclass(frozen=True, slots=True)
class BlockView:
    """One block of a journal with what it holds, decoded as far as it is known."""

    index: int
    size_bytes: int
    leaf_hash: str
    summary: str
    data_hex: str


@dataclass(frozen=True, slots=True)
class ProofView:
    """The proof of one block as a file that `myceld journal verify` checks offline."""

    name: str
    index: int
    origin: str
    """`<cell id>/<journal>/<fork>` of the signed head."""
    size: int
    file: str
    """C2SP tlog-proof text with the block in it."""


@dataclass(frozen=True, slots=True)
class AuditView:
    """How far the check of a whole journal against its signed head has come."""

    name: str
    state: str
    """`running`, `ok` or `failed`."""
    done: int
    """Blocks that were checked."""
    length: int
    cleared: int
    """Blocks whose bytes were deleted; their hashes were checked."""
    size_bytes: int
    error: str | None
    """What is wrong, with its code."""


@dataclass(frozen=True, slots=True)
class EvidenceView:
    """Two heads that one cell signed, of which neither continues the other."""

    known: str
    other: str
    proof: str
    """Hashes in hex: which root the smaller size has under the larger head; may be empty."""
    found_ns: int


@dataclass(frozen=True, slots=True)
class FollowView:
    """A journal of another cell that this one follows, or has a copy of."""

    cell_id: str
    journal: str
    state: str
    """`following`, `waiting` (for a connection), `stopped`, or `conflict`."""
    fork: int
    length: int
    """Blocks that are here, all checked."""
    size: int
    """Blocks of the newest head that was checked."""
    whole: int
    """Blocks of the newest head of which every block is here."""
    head: str | None
    """The newest head, signed by the other cell."""
    copy: str | None
    """The journal of this cell that holds the blocks."""
    evidence: list[EvidenceView]
    """Kept if the other cell contradicted itself."""
    last_error: str | None


@dataclass(frozen=True, slots=True)
class SporeView:
    """A signed record from which other cells find this one and those that it knows."""

    spore_type: str
    """`primary`, `seed` or `latent`."""
    file: str
    """The record as a file: JSON that `myceld spore check` checks offline."""


@dataclass(frozen=True, slots=True)
class AccountView:
    """What the ledger knows of one account (Ed25519 public key)."""

    public_key: str
    next_nonce: int
    """Smallest nonce above all that are used or queued on this cell."""


@dataclass(frozen=True, slots=True)
class InviteWish:
    """What a ticket is to give, and for how long."""

    votes: bool
    """Whether the newcomer is proposed as a member."""
    name: str
    """What the newcomer will be called; empty: as it says itself."""
    weight: int
    expires_s: int
    """Seconds from now."""
    uses_max: int
    addresses: tuple[str, ...]
    """Where this cell can be dialled, beside what it knows itself."""


@dataclass(frozen=True, slots=True)
class InviteUseView:
    """A cell that used a ticket."""

    cell_id: str
    name: str
    joined_ns: int
    words: list[str]
    """The four words that the newcomer sees too."""
    connected: bool
    member: bool
    proposal: str | None
    """Id of the proposal to make it a member."""
    state: str
    """`joined` (no vote asked for), `waiting` (for it to come to the present epoch), `proposed`,
    `accepted` (and no member yet, or any more), `voting`, `expired` (the proposal) or `refused`."""
    problem: str | None
    """Why it was refused."""


@dataclass(frozen=True, slots=True)
class InviteView:
    """A ticket, without its secret."""

    id: str
    role: str
    """`sclerotium` or `rhizomorph`."""
    name: str
    weight: int
    created_ns: int
    expires_ns: int
    uses_max: int
    state: str
    """`open`, `used`, `expired` or `revoked`."""
    uses: list[InviteUseView]


@dataclass(frozen=True, slots=True)
class IssuedView:
    """A new ticket. Its text is shown this once: the cell keeps only a hash of its secret."""

    ticket: str
    invite: InviteView
