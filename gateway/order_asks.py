"""What is asked about transactions: request models."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import ConfigDict, model_validator

from gateway.asks import KeyAsk, WaitAsk
from gateway.kinds import Hex, Items, Text, Whole, Wrong
from gateway.limits import TRANSACTIONS_PER_SUBMIT_MAX


class SubmitAsk(WaitAsk):
    """Transactions, signed already: all are taken or none."""

    transactions: Annotated[
        list[Annotated[bytes, Hex()]], Items(1, TRANSACTIONS_PER_SUBMIT_MAX, "hex texts")
    ]
    """Each encoded and in hex."""


class PutAsk(KeyAsk, WaitAsk):
    """A value that this cell is to sign and put."""

    model_config = ConfigDict(
        json_schema_extra={"oneOf": [{"required": ["value"]}, {"required": ["value_hex"]}]}
    )

    value: Annotated[str | None, Text(0)] = None
    """The value as text."""
    value_hex: Annotated[bytes | None, Hex()] = None
    """The value as bytes, in hex, instead."""
    nonce: Annotated[int | None, Whole()] = None
    """The next free one unless given."""

    @model_validator(mode="after")
    def _one(self) -> Self:
        if (self.value is None) == (self.value_hex is None):
            raise Wrong("expected exactly one of `value` and `value_hex`", "value")
        return self

    def value_bytes(self) -> bytes:
        """Return the value."""
        return self.value_hex or b"" if self.value is None else self.value.encode()
