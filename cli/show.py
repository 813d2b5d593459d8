"""How answers look: one JSON object per line for programs, short aligned text for people.

Text that comes from other cells is made safe for a terminal first.
"""

from __future__ import annotations

import contextlib
import json
import re
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

_NUMBER = re.compile(r"[\d,.]+( (B|[KMGT]iB|ms|s))?")
_SIZE_UNITS = ("B", "KiB", "MiB", "GiB", "TiB")


_quiet = False


@contextlib.contextmanager
def only_calls() -> Iterator[None]:
    """Print and write nothing of answers inside: `--as-curl` shows the calls alone."""
    global _quiet  # noqa: PLW0603 - one process, one command
    _quiet = True
    try:
        yield
    finally:
        _quiet = False


def is_quiet() -> bool:
    """Tell whether calls alone are shown."""
    return _quiet


def as_json(value: Mapping[str, Any] | Sequence[Mapping[str, Any]]) -> None:
    """Print one object as one line of JSON, at once."""
    if _quiet:
        return
    sys.stdout.write(json.dumps(value, ensure_ascii=False) + "\n")
    sys.stdout.flush()


def line(text: str = "") -> None:
    """Print one line."""
    if _quiet:
        return
    sys.stdout.write(text + "\n")


def raw(data: bytes) -> None:
    """Print exactly these bytes, at once."""
    if _quiet:
        return
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()


def to_file(path: Path, data: str | bytes) -> None:
    """Write what was asked for to a file; raises OSError."""
    if not _quiet:
        path.write_bytes(data.encode() if isinstance(data, str) else data)


def flush() -> None:
    """Let everything printed so far appear now."""
    sys.stdout.flush()


def pairs(rows: Iterable[tuple[str, str]]) -> None:
    """Print names and values, aligned; rows without a value are left out."""
    shown = [(name, value) for name, value in rows if value]
    width = max((len(name) for name, _ in shown), default=0)
    for name, value in shown:
        line(f"{name:<{width}}  {value}")


def table(head: Sequence[str], rows: Sequence[Sequence[str]], *, empty: str = "") -> None:
    """Print an aligned table; a column of numbers is set to the right.

    Without rows it is `empty` that is said, if anything.
    """
    if empty and not rows:
        line(empty)
        return
    columns = list(zip(head, *rows, strict=True))
    widths = [max(len(cell) for cell in column) for column in columns]
    right = [
        any(map(_NUMBER.fullmatch, column[1:]))
        and all(cell == "–" or _NUMBER.fullmatch(cell) for cell in column[1:])
        for column in columns
    ]
    for row in [head, *rows]:
        cells = [
            cell.rjust(width) if to_right else cell.ljust(width)
            for cell, width, to_right in zip(row, widths, right, strict=True)
        ]
        line("  ".join(cells).rstrip())


def safe(value: object) -> str:
    """Return `value` as text without anything that could steer a terminal; null is –."""
    if value is None:
        return "–"
    text = str(value)
    return "".join(letter if letter.isprintable() else f"\\x{ord(letter):02x}" for letter in text)


def number(value: int) -> str:
    """Return an integer with thousands separated, as 12,345."""
    return f"{value:,}"


def size(size_bytes: int) -> str:
    """Return a size as 512 B or 1.5 MiB."""
    amount = float(size_bytes)
    for unit in _SIZE_UNITS:
        if amount < 1024 or unit == _SIZE_UNITS[-1]:
            return f"{amount:.0f} {unit}" if unit == "B" else f"{amount:.1f} {unit}"
        amount /= 1024
    return f"{size_bytes} B"


def duration(seconds: float) -> str:
    """Return a duration as 0.42 s, 3 min 20 s or 2 d 4 h."""
    if seconds < 60:
        return f"{seconds:.2f} s" if seconds < 10 else f"{seconds:.0f} s"
    minutes, rest_s = divmod(int(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest_s} s"
    hours, minutes = divmod(minutes, 60)
    if hours < 48:
        return f"{hours} h {minutes} min"
    return f"{hours // 24} d {hours % 24} h"


def moment(time_ns: int | None) -> str:
    """Return a time in UTC with milliseconds; null is –."""
    if time_ns is None:
        return "–"
    try:
        at = datetime.fromtimestamp(time_ns // 1_000_000_000, UTC)
    except (OverflowError, ValueError, OSError):
        return f"{time_ns} ns"
    return f"{at:%Y-%m-%d %H:%M:%S}.{time_ns // 1_000_000 % 1000:03d} UTC"


def brief(hexadecimal: str | None) -> str:
    """Return the start of a hash, for tables."""
    return "–" if hexadecimal is None else safe(hexadecimal[:12]) + "…"
