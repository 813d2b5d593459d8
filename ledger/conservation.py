"""No round makes or loses an amount: checked at run time, after every round, by another sum.

The rules move amounts from one record to another; this adds up what all records of a round differ
by, whoever wrote them, and compares that with what was issued and burned. A difference is our own
mistake, and stops the cell before anything of the round is durable.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from typing import TypeAlias

from ledger.errors import NotConserved
from ledger.market_token import (
    HOLDING_PREFIX,
    TOKEN_PREFIX,
    decode_holding,
    decode_token,
    symbol_of_holding,
)
from ledger.supply import SUPPLY_KEY, decode_supply

Read: TypeAlias = Callable[[bytes], bytes | None]
"""State key -> its value, None for none."""


def check_conserved(moved: int, changes: Mapping[bytes, bytes | None], before: Read) -> None:
    """Raise NotConserved unless the balances grew by as much as was issued more than burned.

    `moved` is what all accounts of the round grew by; `changes` are its other changes, `before` is
    the state that they change.
    """
    issued = 0
    if SUPPLY_KEY in changes:
        after = decode_supply(changes[SUPPLY_KEY])
        issued = after.total - decode_supply(before(SUPPLY_KEY)).total
    if moved != issued:
        raise NotConserved(f"all accounts grew by {moved} base units, {issued} were issued")
    grown: Counter[str] = Counter()
    for key, value in changes.items():
        if key.startswith(HOLDING_PREFIX):
            grown[symbol_of_holding(key)] += decode_holding(value) - decode_holding(before(key))
        elif key.startswith(TOKEN_PREFIX) and value is not None:  # no token ends
            token, old = decode_token(value), before(key)
            grown[token.symbol] -= token.supply - (0 if old is None else decode_token(old).supply)
    for symbol, difference in sorted(grown.items()):
        if difference != 0:
            raise NotConserved(f"holdings of {symbol} and its supply differ by {difference}")
