"""The kinds of transactions in words: docs/transactions.md, made of the table in `ledger.kinds`.

`scripts/docs-transactions` writes the file, and a test says when it is behind.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from ledger.kinds import Kind, kinds
from ledger.limits import (
    COST_BASE,
    COST_PER_BYTE,
    COST_PER_CHECK,
    COST_PER_WRITE,
    DECIMALS,
    NONCE_WINDOW,
    SUPPLY_MAX,
    TRANSACTION_SIZE_BYTES_MAX,
)
from ledger.parameters import PARAMETERS
from ledger.schema import Field, Type

_HEAD: Final = f"""\
# Transactions

Made from the table in `ledger/kinds.py` by `scripts/docs-transactions`; do not edit.

A signed transaction is `[body, signature]` in canonical msgpack, at most
{TRANSACTION_SIZE_BYTES_MAX:,} bytes, with `body = ["myceld/transaction/2", network id, sender,
nonce, expires round, fee, kind, [arguments]]`. The signature is the sender's Ed25519 signature of
the body; the id is SHA-256 of all bytes.

- **nonce**: each is used once. One less than {NONCE_WINDOW} below the highest used is still taken.
- **expires round**: the last round in which it has an effect, 0 for no end.
- **fee**: the most that the sender pays, in base units of PRANA (10^{DECIMALS} to one; all together
  at most {SUPPLY_MAX:,}). Taken is the cost of the kind times the parameter `fee_per_cost`, which
  is 0 unless the network decided otherwise; it goes to the account `treasury`.
- A transaction that is refused in its place of the order used its nonce, and pays
  {COST_BASE} × `fee_per_cost`, but not more than it offered or than there is. One with a used
  nonce, a wrong signature or of a key that was given up pays nothing.
- Members pay nothing for the kinds marked **free**: the network needs them.
- A kind marked with a transaction version is unknown (`MYC-LEDGER-015`) in epochs of an earlier
  one: [docs/governance.md](governance.md#upgrades).

A cost is {COST_BASE}, and {COST_PER_WRITE} for each state key that may be written, {COST_PER_BYTE}
for each byte of text and values that stays, {COST_PER_CHECK} for each signature inside. That of a
batch is the sum of its items'.

The outcome in a receipt is `applied`, or the code of why not. Of a batch it is the code of the item
that failed, `#`, and its number from 0: then no item had an effect.

Every amount is a whole number of base units. Bounds below are of the value for an integer, of the
size for bytes and text (in UTF-8, without control characters), of the characters for a name, and of
the number of items for a list.
"""


def describe() -> str:
    """Return the text of docs/transactions.md."""
    return "\n".join(_lines()) + "\n"


def _lines() -> Iterator[str]:
    yield _HEAD
    yield "| kind | arguments | in a batch | |"
    yield "|---|---|---|---|"
    for row in kinds():
        names = ", ".join(f"`{field.name}`" for field in row.schema)
        in_batch, free = "yes" if row.in_batch else "no", "**free**" if row.free_for_members else ""
        mark = f"version {row.since}" if row.since > 1 else free
        yield f"| [`{row.name}`](#{row.name}) | {names} | {in_batch} | {mark} |"
    for row in kinds():
        yield from _kind(row)
    yield "\n## Parameters of a network\n"
    yield "State key `parameter/` and the name, value `[number]`; absent for the default.\n"
    yield "| name | default | bounds | a new value holds from | |"
    yield "|---|---:|---|---|---|"
    for one in PARAMETERS:
        bounds = f"{one.low:,} to {one.high:,}"
        yield f"| `{one.name}` | {one.default} | {bounds} | {one.holds} | {one.what} |"


def _kind(row: Kind[Any]) -> Iterator[str]:
    yield f"\n## {row.name}\n"
    yield row.what
    if row.schema:
        yield "\n| argument | type | bounds | |"
        yield "|---|---|---|---|"
    for field in row.schema:
        yield f"| `{field.name}` | {_type(field)} | {_bounds(field)} | {field.what} |"


def _type(field: Field) -> str:
    return f"list of {field.item.value}" if field.item is not None else field.type.value


def _bounds(field: Field) -> str:
    if field.low == field.high:
        return f"{field.low:,}"
    if field.type is Type.INTEGER and field.high == SUPPLY_MAX:
        return f"{field.low:,} to 2^63 − 1"
    return f"{field.low:,} to {field.high:,}"
