"""JSON from files, peers and clients, refused before it costs more than its bytes.

Python takes 250 bytes for `{}` and 90 for `[]`, so text of nothing else would take a hundred times
its size. What a text will take is estimated from how often each sign stands in it, also where it
means nothing; files that people can read stay far below the bound.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, Final

from core.errors import RemoteViolation

_COST_FACTOR: Final = 7
_COST_FREE_BYTES: Final = 56 * 1024
_COSTS: Final = (("[", 90), ("{", 250), ('"', 30), (",", 16), (":", 60))
"""Of each sign: an array, an object, half a text, one more item, one more pair."""
_NUMBER_COST: Final = 24


class NotJson(RemoteViolation):
    """Text that is not JSON, or not JSON that we read."""

    code = "MYC-CORE-005"
    remedy = "Get the text again from whoever wrote it, unchanged."


def parse_json(
    text: str | bytes,
    *,
    pairs: Callable[[list[tuple[str, Any]]], Any] | None = None,
    constant: Callable[[str], Any] | None = None,
) -> object:
    """Return the value in a text; `pairs` and `constant` are hooks as `json.loads` takes them.

    Raises NotJson: not JSON in UTF-8, nested too deeply, numbers of thousands of digits, or many
    small values in few bytes.
    """
    try:
        decoded = text.decode("utf-8-sig") if isinstance(text, bytes) else text
        cost = sum(decoded.count(sign) * each for sign, each in _COSTS)
        cost += _NUMBER_COST * max(0, decoded.count(",") - decoded.count('"') // 2)
        if cost > _COST_FACTOR * len(text) + _COST_FREE_BYTES:
            raise NotJson("not JSON that is read: many small values in few bytes")
        value: object = json.loads(decoded, object_pairs_hook=pairs, parse_constant=constant)
    except (ValueError, RecursionError) as error:
        raise NotJson(f"not JSON ({error})"[:160]) from error
    return value
