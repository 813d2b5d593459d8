"""Text that people read: what it may not hold, the same for every version of Python."""

from __future__ import annotations

import re
from typing import Final

from ledger.limits import NAME_LENGTH_MAX

_CONTROL: Final = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
"""Controls, line separators and direction overrides, spelt out: what `str.isprintable` says changes
with the version of Unicode, so cells on two versions of Python would split over a new letter."""


_HALF_CHARACTER: Final = re.compile("[\ud800-\udfff]")
"""What JSON can spell and UTF-8 can not."""


def controls_display(text: str) -> bool:
    """Return whether `text` holds a character that controls how it is shown."""
    return _CONTROL.search(text) is not None


def is_name(text: str) -> bool:
    """Return whether `text` can name a network or a member: 1 to 64 characters, no controls."""
    return is_text(text, NAME_LENGTH_MAX)


def is_text(text: str, length_max: int) -> bool:
    """Return whether `text` is one line of 1 to `length_max` characters, without controls."""
    if not 1 <= len(text) <= length_max:
        return False
    return not controls_display(text) and _HALF_CHARACTER.search(text) is None


def is_line(text: str, size_bytes_max: int) -> bool:
    """Return whether `text` is one line of at most so many bytes of UTF-8, without controls."""
    if len(text) > size_bytes_max or controls_display(text) or _HALF_CHARACTER.search(text):
        return False
    return len(text.encode("utf-8")) <= size_bytes_max
