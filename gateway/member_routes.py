"""The routes of members, of the cell's key, and of tickets for newcomers."""

from __future__ import annotations

from collections.abc import Sequence

from gateway.asks import WaitAsk
from gateway.cell import Cell
from gateway.errors import NoSuchCell, NoSuchInvite
from gateway.member_asks import InviteAsk, InvitePath, MembersAsk
from gateway.operations import INTAKE, Operation, Page, get, post
from gateway.views import InviteView, IssuedView, MembersView, ReceiptView, RotationView
from gateway.waiting import Waiting


class MemberRoutes:
    """Everything that a client can ask about who is in the network."""

    tag = "members"

    def __init__(self, cell: Cell, waits: Waiting) -> None:
        self._cell = cell
        self._waits = waits

    def operations(self) -> Sequence[Operation]:
        """See Family."""
        return [
            get("/api/v1/members", self.members),
            post("/api/v1/members", self.change_members, NoSuchCell, *INTAKE),
            post("/api/v1/key/rotate", self.rotate_key, *INTAKE),
            get("/api/v1/invites", self.invites),
            post("/api/v1/invites", self.create_invite),
            post("/api/v1/invites/{id}/revoke", self.revoke_invite, NoSuchInvite),
        ]

    async def members(self) -> MembersView:
        """Return who votes now, and what was proposed."""
        return await self._waits.read(self._cell.members())

    async def change_members(self, body: MembersAsk) -> ReceiptView:
        """Propose or approve a change of the members, or leave."""
        work = self._cell.change_members(body.change(), wait=body.wait, timeout_s=body.timeout_s)
        return await self._waits.reached(work, body.wait, body.timeout_s)

    async def rotate_key(self, body: WaitAsk) -> RotationView:
        """Give the cell's key up for a new one, which it makes itself."""
        work = self._cell.rotate_key(wait=body.wait, timeout_s=body.timeout_s)
        return await self._waits.reached(work, body.wait, body.timeout_s)

    async def invites(self) -> Page[InviteView]:
        """List the newest tickets, and who used them."""
        return Page(await self._waits.read(self._cell.invites()))

    async def create_invite(self, body: InviteAsk) -> IssuedView:
        """Make a ticket for a newcomer. Its text is shown this once."""
        return await self._waits.read(self._cell.create_invite(body.wish()))

    async def revoke_invite(self, path: InvitePath) -> InviteView:
        """Take a ticket back."""
        return await self._waits.read(self._cell.revoke_invite(path.id))
