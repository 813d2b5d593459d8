"""Four words that two people read to each other, from the numbers of an exchange.

The list is the English one of BIP 39: 2,048 words that differ in their first four letters.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

from mnemonic import Mnemonic


def words_of(numbers: Sequence[int]) -> tuple[str, ...]:
    """Return the words of numbers from 0 to 2047."""
    listed = _list()
    return tuple(listed[number] for number in numbers)


@cache
def _list() -> tuple[str, ...]:
    return tuple(Mnemonic("english").wordlist)
