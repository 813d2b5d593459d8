"""Times as people write them: 90s, 15m, 1h, 2d."""

from __future__ import annotations

import re
from typing import Final

import click

_UNITS_S: Final = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


def seconds(_context: click.Context, _option: click.Parameter, value: str) -> int:
    """Return the seconds of a number with s, m, h or d behind it; 0 for `never`."""
    if value == "never":
        return 0
    found = re.fullmatch(r"([1-9][0-9]{0,6})([smhd])", value)
    if found is None:
        raise click.BadParameter(f"{value!r} is not a time such as 90s, 15m, 1h or 2d, or never")
    return int(found[1]) * _UNITS_S[found[2]]
