"""What hyphae ask: request models."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import model_validator

from core.limits import HASH_SIZE_BYTES
from gateway.asks import LimitAsk
from gateway.kinds import Digits, Hex, Index, Wrong
from gateway.light_views import KnownHead
from gateway.reading import Ask
from ledger.limits import STATE_KEY_SIZE_BYTES_MAX


class EpochAsk(Ask):
    """Whose roster the hypha knows."""

    epoch: Index = 0
    """A proof begins with the roster of this epoch, or with the genesis."""


class HeadAsk(EpochAsk):
    """What the hypha knows already."""

    round: Index = 0
    """The newest round whose header it has; 0 for none."""
    hash: Annotated[bytes, Hex()] = b""
    """SHA-256 of that header, in hex."""

    @model_validator(mode="after")
    def _together(self) -> Self:
        if len(self.hash) != (HASH_SIZE_BYTES if self.round else 0):
            raise Wrong(f"expected {2 * HASH_SIZE_BYTES} hex digits, if there is a round", "hash")
        return self

    def known(self) -> KnownHead:
        """Return what it knows."""
        return KnownHead(self.epoch, self.round, self.hash)


class StateAsk(EpochAsk):
    """A key of the whole state."""

    key: Annotated[bytes, Hex(low=1, high=STATE_KEY_SIZE_BYTES_MAX)]
    """In hex."""


class RangeAsk(EpochAsk, LimitAsk):
    """A part of the whole state, in the order of its keys."""

    start: Annotated[bytes, Hex(high=STATE_KEY_SIZE_BYTES_MAX)] = b""
    """The first key that is in it, in hex; it need not be there."""
    end: Annotated[bytes | None, Hex(high=STATE_KEY_SIZE_BYTES_MAX)] = None
    """The first key behind it, in hex; up to the end of the state unless given."""


class RoundAsk(EpochAsk):
    """A round."""

    round: Annotated[int, Digits(1)]
    """Its number."""
