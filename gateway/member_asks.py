"""What is asked about members and tickets: request models, and the wishes that they come to."""

from __future__ import annotations

from typing import Annotated, Final, Self

from pydantic import ConfigDict, Field, model_validator

from core.limits import INT_MAX
from gateway.asks import WaitAsk
from gateway.kinds import Hex, Items, OneOf, Text, Whole
from gateway.limits import INVITE_ADDRESSES_MAX, INVITE_EXPIRES_S, JOURNAL_NAME_LENGTH_MAX
from gateway.reading import Ask
from gateway.variants import Variants, fields
from gateway.views import InviteWish, MemberChange
from gossip.discovery.limits import TICKET_ID_SIZE_BYTES

_CHANGES: Final = Variants(
    "action",
    {
        "add": fields("cell", "weight", "name"),
        "remove": fields("cell"),
        "weight": fields("cell", "weight"),
        "approve": fields("proposal"),
        "leave": fields(),
    },
)
_ROLES: Final = ("rhizomorph", "sclerotium")
_NAME: Final = Text(1, JOURNAL_NAME_LENGTH_MAX)
_COUNT: Final = Whole(1, INT_MAX)


class InvitePath(Ask):
    """The id of a ticket, in the path."""

    id: Annotated[bytes, Hex(TICKET_ID_SIZE_BYTES)]
    """In hex."""


class MembersAsk(WaitAsk):
    """A change of the members that this cell is to sign."""

    model_config = ConfigDict(json_schema_extra=_CHANGES.schema())

    action: Annotated[str, OneOf(_CHANGES.words)]
    """What is to change; this says which of the other fields there are."""
    cell: Annotated[str, _NAME] = ""
    """A cell id, or the name of a member."""
    weight: Annotated[int, Whole()] = 0
    """Its votes."""
    name: Annotated[str, _NAME] = ""
    """Of a new member."""
    proposal: Annotated[bytes, Hex()] = b""
    """Id of the proposal that is approved, in hex."""

    @model_validator(mode="after")
    def _sound(self) -> Self:
        _CHANGES.check(self.action, self.model_fields_set)
        return self

    def change(self) -> MemberChange:
        """Return the change."""
        return MemberChange(self.action, self.cell, self.weight, self.name, self.proposal)


class InviteAsk(Ask):
    """What a ticket is to give, and for how long."""

    role: Annotated[str, OneOf(_ROLES)] = _ROLES[0]
    """A sclerotium is proposed as a member, a rhizomorph has no vote."""
    name: Annotated[str, Text(0, JOURNAL_NAME_LENGTH_MAX)] = ""
    """What the newcomer will be called; as it says itself unless given."""
    weight: Annotated[int, _COUNT] = 1
    """Its votes."""
    expires_s: Annotated[int, _COUNT] = INVITE_EXPIRES_S
    """For how many seconds the ticket is good."""
    uses_max: Annotated[int, _COUNT] = 1
    """How many cells can use it."""
    addresses: Annotated[
        list[Annotated[str, Text()]], Items(0, INVITE_ADDRESSES_MAX, "multiaddrs")
    ] = Field(default_factory=list)
    """Where this cell can be dialled, beside what it knows itself."""

    def wish(self) -> InviteWish:
        """Return what the ticket is to give."""
        return InviteWish(
            votes=self.role == "sclerotium",
            name=self.name,
            weight=self.weight,
            expires_s=self.expires_s,
            uses_max=self.uses_max,
            addresses=tuple(self.addresses),
        )
