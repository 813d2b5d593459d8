"""Variables of the environment that override keys: MYCELD_<SECTION>__<KEY>, and Celluler's names.

A variable that looks like one of these and means nothing is told: a misspelt one must not pass in
silence.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from settings.errors import Origin, Problem, nearest, shown
from settings.keys import Place, all_places, places_in, sections_of

_PREFIX: Final = "MYCELD_"
_OURS: Final = re.compile(r"MYCELD_(?P<section>[A-Z0-9]+)__(?P<key>.*)", re.DOTALL)
_CELLULER: Final = re.compile(r"CELLULER_(?P<section>[A-Z0-9]+)_(?P<field>.*)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Override:
    """A key that a variable sets."""

    place: Place
    variable: str
    text: str


def overrides_in(
    document: type, environment: Mapping[str, str]
) -> tuple[list[Override], list[Problem]]:
    """Return the overrides, those that win last, and the variables that mean nothing."""
    theirs = {one.key.celluler: one for one in all_places(document) if one.key.celluler}
    overrides: list[Override] = []
    problems: list[Problem] = []
    for name, text in environment.items():
        if name in theirs:
            overrides.append(Override(theirs[name], name, text))
        elif (found := _CELLULER.fullmatch(name)) is not None:
            problems.append(_foreign(document, name, found["section"], found["field"]))
    places, sections = places_in(document), sections_of(document)
    for name, text in environment.items():
        if (found := _OURS.fullmatch(name)) is None:
            continue
        section, key = found["section"].lower(), found["key"].lower()
        known = places.get(section)
        if known is None:
            hint = nearest(section, places)
            problems.append(Problem(Origin(name), "", f"unknown section {shown(section)}{hint}"))
        elif key in sections[section][0].moved:
            other, moved = sections[section][0].moved[key]
            overrides.append(Override(places[other][moved], name, text))
        elif key not in known:
            problems.append(Problem(Origin(name), "", f"unknown key{nearest(key, known)}"))
        else:
            overrides.append(Override(known[key], name, text))
    return overrides, problems


def _foreign(document: type, name: str, section: str, field: str) -> Problem:
    """Return why a variable of Celluler is refused."""
    sections = sections_of(document)
    about = sections[section.lower()][0] if section.lower() in sections else None
    lowered = {key.lower(): why for key, why in about.foreign.items()} if about else {}
    why = lowered.get(field.lower().replace("_", ""))
    message = f"not a key of ours: {why}" if why else "no key of ours is set by it"
    return Problem(Origin(name), "", message)
