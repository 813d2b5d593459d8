"""Parameters of the network that governance can change: one table, one place that reads them.

A parameter is an integer with bounds. Its value is in the state once it differs from the default
below, under "parameter/" and its name; a genesis may set others to begin with. What harms nothing
holds for the next transaction, a fee for the next round; what the order itself depends on holds
from the next epoch on, whose roster says it (`ledger.epoch_rules`) and which begins at once.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, TypeAlias

from core.codec import as_array, as_int, decode, encode
from ledger.errors import UnknownParameter
from ledger.limits import (
    ACCOUNT_MINIMUM_MAX,
    COIN_PERIOD_MAX,
    COIN_PERIOD_MIN,
    EPOCH_ROUNDS_MAX,
    EPOCH_ROUNDS_MIN,
    FEE_PER_COST_MAX,
)

PARAMETER_PREFIX: Final = b"parameter/"
"""State keys of parameters: this prefix, then the name."""

Read: TypeAlias = Callable[[bytes], bytes | None]
"""State key -> its value, None for none."""


class Holds(StrEnum):
    """From when on a new value holds."""

    AT_ONCE = "at once"
    NEXT_ROUND = "next round"
    NEXT_EPOCH = "next epoch"


@dataclass(frozen=True, slots=True)
class Parameter:
    """One row of the table."""

    name: str
    default: int
    low: int
    high: int
    what: str
    holds: Holds = Holds.AT_ONCE


FEE_PER_COST: Final = "fee_per_cost"
ACCOUNT_MINIMUM: Final = "account_minimum"
EPOCH_ROUNDS: Final = "epoch_rounds"
COIN_PERIOD: Final = "coin_period"

PARAMETERS: Final = (
    Parameter(
        FEE_PER_COST,
        default=0,
        low=0,
        high=FEE_PER_COST_MAX,
        what="Base units of PRANA for each unit of a transaction's cost.",
        holds=Holds.NEXT_ROUND,
    ),
    Parameter(
        ACCOUNT_MINIMUM,
        default=0,
        low=0,
        high=ACCOUNT_MINIMUM_MAX,
        what="Least amount in base units that opens an account.",
    ),
    Parameter(
        EPOCH_ROUNDS,
        default=2048,
        low=EPOCH_ROUNDS_MIN,
        high=EPOCH_ROUNDS_MAX,
        what="Rounds after which an epoch ends at the latest.",
        holds=Holds.NEXT_EPOCH,
    ),
    Parameter(
        COIN_PERIOD,
        default=10,
        low=COIN_PERIOD_MIN,
        high=COIN_PERIOD_MAX,
        what="Every so many rounds of a vote, a coin decides for the undecided.",
        holds=Holds.NEXT_EPOCH,
    ),
)
_BY_NAME: Final = {row.name: row for row in PARAMETERS}


def parameter(name: str) -> Parameter:
    """Return a row of the table; raises UnknownParameter."""
    row = _BY_NAME.get(name)
    if row is None:
        known = ", ".join(_BY_NAME)
        raise UnknownParameter(f"{name[:64]!r} is not a parameter of the network, but {known} are")
    return row


def check_parameter(name: str, value: int) -> None:
    """Raise UnknownParameter for a name or a value that is not in the table."""
    row = parameter(name)
    if not row.low <= value <= row.high:
        raise UnknownParameter(f"{name} is {row.low} to {row.high}, not {value}")


def parameter_key(name: str) -> bytes:
    """Return the state key of a parameter."""
    return PARAMETER_PREFIX + name.encode("ascii")


def encode_parameter(value: int) -> bytes:
    """Return the state value: [value]."""
    return encode([value])


def decode_parameter(value: bytes) -> int:
    """Return the parameter in a state value; raises NotCanonical or WrongShape."""
    (number,) = as_array(decode(value), length=1)
    return as_int(number)


def read_parameter(read: Read, name: str) -> int:
    """Return what a parameter is, by a state."""
    value = read(parameter_key(name))
    return parameter(name).default if value is None else decode_parameter(value)
