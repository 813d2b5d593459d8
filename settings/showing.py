"""What is in force, for people: each value with where it comes from, and secrets masked."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, TypeVar

from settings.documents import Found, Reading
from settings.errors import DEFAULT, Origin
from settings.keys import Place, Value, all_places

_Document = TypeVar("_Document")
MASK: Final = "…"
_SECRET: Final = re.compile(r"TOKEN|SECRET|PASS|KEY|CREDENTIAL", re.IGNORECASE)
"""Variables by these names are not shown where they stand in a value."""


@dataclass(frozen=True, slots=True)
class Shown:
    """One key with its value."""

    place: Place
    value: Value
    origin: Origin
    is_masked: bool


def shown_values(reading: Reading[_Document]) -> Iterator[Shown]:
    """Yield all keys with the values that are in force."""
    for place in all_places(type(reading.document)):
        found = reading.found[place.section].get(place.name)
        value = place.of(reading.document)
        if found is None:
            yield Shown(place, value, DEFAULT, is_masked=False)
        elif _is_secret(found):
            yield Shown(place, MASK, found.origin, is_masked=True)
        else:
            yield Shown(place, value, found.origin, is_masked=False)


def _is_secret(found: Found) -> bool:
    return found.place.key.secret or any(map(_SECRET.search, found.variables))


@dataclass(frozen=True, slots=True)
class Change:
    """A key that has another value now."""

    place: Place
    old: Value
    new: Value


def changes_between(old: object, new: object) -> list[Change]:
    """Return the keys that differ between two configurations."""
    return [
        Change(place, place.of(old), place.of(new))
        for place in all_places(type(old))
        if place.of(old) != place.of(new)
    ]
