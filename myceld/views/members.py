"""Answers about members. Made by scripts/docs-client: change nothing here."""

from __future__ import annotations

from typing import TypedDict

from myceld.views.transactions import ReceiptView, VoterView


class ProposalView(TypedDict):
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


class ForkView(TypedDict):
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


class MembersView(TypedDict):
    """Who votes now, and what was proposed."""

    epoch: int
    members: list[VoterView]
    proposals: list[ProposalView]
    """The newest ones, open ones first."""
    forks: list[ForkView]
    """The newest ones."""


class RotationView(TypedDict):
    """The cell gives its key up for another one, which is on its disk by now."""

    old_cell_id: str
    cell_id: str
    """What the cell will be once the rotation is applied."""
    receipt: ReceiptView
    """Of the transaction."""


class InviteUseView(TypedDict):
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
    `accepted` (and no member yet, or any more), `voting`, `expired` (the proposal) or `refused`.
    """
    problem: str | None
    """Why it was refused."""


class InviteView(TypedDict):
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


class IssuedView(TypedDict):
    """A new ticket. Its text is shown this once: the cell keeps only a hash of its secret."""

    ticket: str
    invite: InviteView
