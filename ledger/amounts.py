"""Amounts as people write them: "1.5" is 1,500,000,000 base units of PRANA; exact, no floats."""

from __future__ import annotations

import re
from typing import Final

from core.errors import LocalMisuse
from ledger.limits import SUPPLY_MAX

_AMOUNT: Final = re.compile(r"([0-9]{1,19})(?:\.([0-9]{1,18}))?")


class NotAnAmount(LocalMisuse):
    """Text that is no amount, or one finer or larger than there is."""

    code = "MYC-LEDGER-316"
    remedy = 'Write it like 12 or 0.5: digits and at most one point, no sign and no "1e9".'


def parse_amount(text: str, decimals: int) -> int:
    """Return the base units in a decimal number; raises NotAnAmount.

    Places beyond `decimals` are refused, not rounded.
    """
    found = _AMOUNT.fullmatch(text)
    if found is None:
        raise NotAnAmount(f"{text[:64]!r} is no amount")
    whole, fraction = found.group(1), found.group(2) or ""
    if len(fraction) > decimals:
        raise NotAnAmount(f"{text} has more than {decimals} places behind the point")
    units = int(whole + fraction.ljust(decimals, "0"))
    if units > SUPPLY_MAX:
        raise NotAnAmount(f"{text} is more than there can be")
    return units


def format_amount(units: int, decimals: int) -> str:
    """Return base units as a decimal number, without zeros at the end."""
    sign, digits = "-" if units < 0 else "", str(abs(units)).rjust(decimals + 1, "0")
    if decimals == 0:
        return sign + digits
    whole, fraction = digits[:-decimals], digits[-decimals:].rstrip("0")
    return sign + (f"{whole}.{fraction}" if fraction else whole)
