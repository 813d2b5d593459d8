"""Batches: several transactions of one sender that apply together, in their order, or not at all.

    batch           [[kind, [arguments]], …]

One signature, one nonce, one fee, which is that of its items together. Each item sees what the ones
before did. The first that is refused undoes all of them, and the receipt names it. A kind says in
the table (`ledger.kinds`) whether it can be an item: not what changes members or keys, whose effect
is on the round or on the sender itself, and no batch.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from core.codec import Value, as_array, as_text, encode
from core.ids import TransactionId
from ledger.context import Context
from ledger.errors import BadBatch, BatchItemRefused, TransactionRefused
from ledger.limits import BATCH_ITEMS_MAX, BATCH_ITEMS_MIN, KIND_LENGTH_MAX


@dataclass(frozen=True, slots=True)
class Batch:
    """What applies together: the arguments of each, which say the kind."""

    items: tuple[Any, ...]
    """Of types in `ledger.kinds.Arguments`; not named here, for those name this."""


def parse_batch(items: list[Value], parse_item: Callable[[str, list[Value]], Any]) -> Batch:
    """Return the checked arguments; raises BadBatch, WrongShape or what an item's kind raises."""
    if not BATCH_ITEMS_MIN <= len(items) <= BATCH_ITEMS_MAX:
        raise BadBatch(
            f"{len(items)} items, a batch has {BATCH_ITEMS_MIN} to {BATCH_ITEMS_MAX} of them"
        )
    parsed: list[Any] = []
    for item in items:
        kind, arguments = as_array(item, length=2)
        parsed.append(
            parse_item(as_text(kind, length_max=KIND_LENGTH_MAX), list(as_array(arguments)))
        )
    return Batch(tuple(parsed))


def build_batch(
    batch: Batch, build_item: Callable[[Any], tuple[str, Sequence[Value]]]
) -> Sequence[Value]:
    """Return the encodable arguments."""
    built = [build_item(item) for item in batch.items]
    return [[kind, list(arguments)] for kind, arguments in built]


def item_id(batch: TransactionId, item: int) -> TransactionId:
    """Return the id that an item has: SHA-256 of [id of the batch, number of the item from 0]."""
    return TransactionId(hashlib.sha256(encode([batch, item])).digest())


def batch_changes(
    batch: Batch,
    context: Context,
    changes_of: Callable[[Any, Context], Sequence[tuple[bytes, bytes | None]]],
    name_of: Callable[[Any], str],
) -> list[tuple[bytes, bytes]]:
    """Apply all items; raises BatchItemRefused for the first that is refused."""
    for number, item in enumerate(batch.items):
        try:
            context.write(changes_of(item, replace(context, id=item_id(context.id, number))))
        except TransactionRefused as refusal:
            raise BatchItemRefused(number, name_of(item), refusal) from refusal
    return []
