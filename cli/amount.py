"""Amounts on the command line: decimals, exact to the base unit."""

from __future__ import annotations

from typing import Any, Final

import click

from ledger.amounts import NotAnAmount, format_amount, parse_amount
from ledger.limits import DECIMALS


class PranaAmount(click.ParamType[int]):
    """An amount of PRANA, as base units."""

    name = "amount"

    def convert(
        self,
        value: Any,  # noqa: ANN401 - click's signature
        param: click.Parameter | None,
        ctx: click.Context | None,
    ) -> int:
        """Return the base units in a decimal number."""
        if isinstance(value, int):
            return value
        try:
            return parse_amount(str(value), DECIMALS)
        except NotAnAmount as error:
            self.fail(f"{error.detail}. {error.remedy}", param, ctx)


PRANA: Final = PranaAmount()


def in_prana(units: int) -> str:
    """Return base units as people write them."""
    return format_amount(units, DECIMALS)
