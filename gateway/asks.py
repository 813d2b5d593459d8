"""What is asked for in many families: request models that the others build on."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from gateway.kinds import (
    STAGES,
    Hash,
    Index,
    Key,
    Limit,
    Name,
    OneOf,
    PublicKey,
    StageWord,
    WaitSeconds,
)
from gateway.limits import LIST_LIMIT_DEFAULT, WAIT_TIMEOUT_S_DEFAULT
from gateway.reading import Ask
from gateway.views import Stage


class TimeoutAsk(Ask):
    """How long the answer may take."""

    timeout_s: WaitSeconds = WAIT_TIMEOUT_S_DEFAULT
    """Seconds after which the answer is MYC-GATEWAY-023; what was submitted stays queued."""


class WaitAsk(TimeoutAsk):
    """How far a transaction has to come before the answer."""

    wait: StageWord = Field(default=Stage.STORED, json_schema_extra={"default": "stored"})
    """The stage that is waited for."""


class MayWaitAsk(TimeoutAsk):
    """How far a transaction has to come before the answer, if that is waited for."""

    wait: Annotated[Stage | None, OneOf(tuple(STAGES), STAGES.__getitem__)] = None
    """The stage that is waited for; the answer comes at once unless given."""


class LimitAsk(Ask):
    """How many items a list may have."""

    limit: Limit = LIST_LIMIT_DEFAULT
    """At most so many items."""


class PageAsk(LimitAsk):
    """A part of a list."""

    start: Index = 0
    """The number of the first item."""


class KeyAsk(Ask):
    """A key of the state."""

    key: Key
    """The key."""


class CellAsk(Ask):
    """A cell."""

    cell: Name
    """Its id, or the name of a member."""


class HashPath(Ask):
    """The id of a transaction or a proposal, in the path."""

    id: Hash
    """In hex."""


class PublicKeyPath(Ask):
    """A key, in the path."""

    public_key: PublicKey
    """In hex."""
