"""Answers about members. Made by scripts/docs-client: change nothing here."""

from __future__ import annotations

from typing import TypedDict

from myceld.views.light import ReceiptView
from myceld.views.transactions import VoterView


class InviteUseView(TypedDict):
    """A cell that used a ticket."""

    cell_id: str
    connected: bool
    joined_ns: int
    member: bool
    name: str
    problem: str | None
    """Why it was refused."""
    proposal: str | None
    """Id of the proposal to make it a member."""
    state: str
    """`joined` (no vote asked for), `waiting` (for it to come to the present epoch), `proposed`,
    `accepted` (and no member yet, or any more), `voting`, `expired` (the proposal) or `refused`.
    """
    words: list[str]
    """The four words that the newcomer sees too."""


class InviteView(TypedDict):
    """A ticket, without its secret."""

    created_ns: int
    expires_ns: int
    id: str
    name: str
    role: str
    """`sclerotium` or `rhizomorph`."""
    state: str
    """`open`, `used`, `expired` or `revoked`."""
    uses: list[InviteUseView]
    uses_max: int
    weight: int


class IssuedView(TypedDict):
    """A new ticket. Its text is shown this once: the cell keeps only a hash of its secret."""

    invite: InviteView
    ticket: str


class RotationView(TypedDict):
    """The cell gives its key up for another one, which is on its disk by now."""

    cell_id: str
    """What the cell will be once the rotation is applied."""
    old_cell_id: str
    receipt: ReceiptView
    """Of the transaction."""


class ForkView(TypedDict):
    """A member that signed two histories, as all cells agreed."""

    accuser: str
    """Public key (hex) of the account that brought the evidence."""
    cell_id: str
    epoch: int
    """In which it forked."""
    evidence_hash: str
    """SHA-256 of the evidence in the transaction."""
    round: int
    """In which that was proven; the round sealed its epoch if the key was still a member."""


class ProposalView(TypedDict):
    """A proposed change of the members."""

    action: str
    """`add`, `remove` or `weight`."""
    approvals: list[str]
    """Cell ids of members."""
    cell_id: str
    id: str
    name: str
    proposer: str
    """Cell id."""
    round: int
    state: str
    """`open`, `accepted`, `refused` or `expired`."""
    weight: int
    weight_approved: int
    weight_total: int


class MembersView(TypedDict):
    """Who votes now, and what was proposed."""

    epoch: int
    forks: list[ForkView]
    """The newest ones."""
    members: list[VoterView]
    proposals: list[ProposalView]
    """The newest ones, open ones first."""
