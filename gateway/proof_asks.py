"""What is to be proven: request models."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import model_validator

from gateway.asks import LimitAsk
from gateway.kinds import Digits, Switch, Text, Wrong
from gateway.reading import Ask


class ValueProofAsk(LimitAsk):
    """A key, or what its beginning is."""

    key: Annotated[str | None, Text()] = None
    """The key whose value is to be proven, or that there is none."""
    round: Annotated[int | None, Digits(1)] = None
    """The round after which; the newest that can be proven unless given."""
    prefix: Annotated[str | None, Text(0)] = None
    """Instead of a key: all that begins with this is to be proven, `limit` keys at most."""

    @model_validator(mode="after")
    def _one(self) -> Self:
        if self.prefix is None and self.key is None:
            raise Wrong("is needed", "key")
        if self.prefix is not None and not (self.key is None and self.round is None):
            raise Wrong("is asked for without a key or a round", "prefix")
        return self


class RoundProofAsk(Ask):
    """A round."""

    round: Annotated[int | None, Digits(1)] = None
    """Its number; the newest that can be proven unless given."""
    roster: Annotated[bool, Switch()] = False
    """1: prove the roster that votes after it."""
