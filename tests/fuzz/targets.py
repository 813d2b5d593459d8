"""The table of all decoders: everything that reads bytes or text of a peer, a file or a user."""

from __future__ import annotations

from functools import cache

from tests.fuzz import (
    targets_decided,
    targets_files,
    targets_identity,
    targets_ledger,
    targets_messages,
    targets_money,
    targets_network,
    targets_subscribers,
)
from tests.fuzz.judge import Report, fuzz
from tests.fuzz.target import Target


@cache
def all_targets() -> tuple[Target, ...]:
    """Return every row; making the samples takes a moment."""
    return (
        *targets_ledger.targets(),
        *targets_decided.targets(),
        *targets_identity.targets(),
        *targets_network.targets(),
        *targets_messages.targets(),
        *targets_money.targets(),
        *targets_files.targets(),
        *targets_subscribers.targets(),
    )


def fuzz_named(name: str, seed: str, count: int) -> Report:
    """Fuzz the decoder of that name, in whatever process this is."""
    (target,) = (target for target in all_targets() if target.name == name)
    return fuzz(target, seed, count)
