"""What is asked of governance: request models, and the wishes that they come to."""

from __future__ import annotations

from typing import Annotated, Final, Self

from pydantic import ConfigDict, model_validator

from core.limits import HASH_SIZE_BYTES
from gateway.asks import LimitAsk, WaitAsk
from gateway.governance_views import ActionWish, ProposalWish
from gateway.kinds import Hex, Items, OneOf, Prana, Text, Whole
from gateway.reading import Ask
from gateway.variants import Variants, fields
from ledger.governance import Vote
from ledger.limits import PROPOSAL_ACTIONS_MAX, PROPOSAL_ROUNDS_MAX, RESOLUTION_URL_LENGTH_MAX

STATES: Final = ("open", "accepted", "refused", "expired")
VERSIONS: Final = ("rule_set", "wire_version", "transaction_version")

ACTIONS: Final = Variants(
    "action",
    {
        "add": fields("cell", "name", "weight"),
        "remove": fields("cell"),
        "weight": fields("cell", "weight"),
        "set": fields("name", "value"),
        "issue": fields("account", "amount"),
        "burn": fields("account", "amount"),
        "pay-out": fields("account", "amount", possible=("memo",)),
        "upgrade": fields("epoch", "release", possible=VERSIONS),
        "text": fields(possible=("hash", "url")),
    },
)
_LINE: Final = Text(0, RESOLUTION_URL_LENGTH_MAX)
"""What the ledger bounds more narrowly, it checks itself."""


class ActionItem(Ask):
    """One thing that a proposal does."""

    model_config = ConfigDict(json_schema_extra=ACTIONS.schema())

    action: Annotated[str, OneOf(ACTIONS.words)]
    """What it does; this says which of the other fields there are."""
    cell: Annotated[str, _LINE] = ""
    """A cell id, or the name of a member."""
    name: Annotated[str, _LINE] = ""
    """Of a new member, or of a parameter."""
    weight: Annotated[int, Whole()] = 0
    """Votes of a member."""
    value: Annotated[int, Whole()] = 0
    """Of a parameter."""
    account: Annotated[str, _LINE] = ""
    """A cell id, a member's name, or a public key in hex."""
    amount: Annotated[int, Prana()] = 0
    """PRANA, such as `1.5`."""
    memo: Annotated[str, _LINE] = ""
    """One line to a payment."""
    epoch: Annotated[int, Whole()] = 0
    """The first one in which an upgrade can begin."""
    rule_set: Annotated[int | None, Whole()] = None
    """Of an upgrade; as now unless given."""
    wire_version: Annotated[int | None, Whole()] = None
    """Of an upgrade; as now unless given."""
    transaction_version: Annotated[int | None, Whole()] = None
    """Of an upgrade; as now unless given."""
    release: Annotated[str, _LINE] = ""
    """What to install for an upgrade."""
    hash: Annotated[bytes, Hex(HASH_SIZE_BYTES)] = b""
    """SHA-256 of a document, in hex."""
    url: Annotated[str, _LINE] = ""
    """Where the document is."""

    @model_validator(mode="after")
    def _sound(self) -> Self:
        ACTIONS.check(self.action, self.model_fields_set)
        return self

    def wish(self) -> ActionWish:
        """Return what it does."""
        return ActionWish(
            self.action,
            **{name: getattr(self, name) for name in type(self).model_fields if name != "action"},
        )


class ProposalAsk(WaitAsk):
    """A proposal."""

    title: Annotated[str, Text()]
    """What it is about, in one line."""
    actions: Annotated[list[ActionItem], Items(1, PROPOSAL_ACTIONS_MAX, "objects")]
    """What it does, all of it or nothing."""
    rounds: Annotated[int, Whole()] = PROPOSAL_ROUNDS_MAX
    """For how many rounds it is open."""

    def wish(self) -> ProposalWish:
        """Return the proposal."""
        return ProposalWish(self.title, tuple(item.wish() for item in self.actions), self.rounds)


class VoteAsk(WaitAsk):
    """A vote."""

    proposal: Annotated[bytes, Hex(HASH_SIZE_BYTES)]
    """Id of the proposal."""
    vote: Annotated[str, OneOf(tuple(one.value for one in Vote))]
    """How this cell votes."""


class ProposalsAsk(LimitAsk):
    """Which proposals are wanted."""

    state: Annotated[str | None, OneOf(STATES)] = None
    """All unless given."""
    after: Annotated[bytes | None, Hex(HASH_SIZE_BYTES)] = None
    """Those that come after this one: `next` of the last part."""
