"""The table of what can be configured: each key with its bounds, and what it means beside it.

A section is a frozen dataclass whose fields are made by `key`; a document is one whose fields are
made by `section`. Loading, the JSON Schema, the documentation and `myceld config` all follow from
these two. To add a key, add a field; to add a section, add a class and a field of the document.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any, Final, TypeAlias, TypeVar

from core.limits import INT_MAX
from settings.errors import shown
from settings.limits import DIGITS_MAX, ITEMS_MAX

Value: TypeAlias = "bool | int | str | tuple[str, ...]"

_T = TypeVar("_T")
_KEY: Final = "key"
_SECTION: Final = "section"
_BOOLEANS: Final = {"true": True, "false": False}


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """What a key takes, and what it means."""

    help: str
    """For people, in Markdown on one line: what it does, and what its values do."""
    items: str = ""
    """What the items of a list are."""
    words: tuple[str, ...] = ()
    """The values that a text takes; beside numbers, the words that it takes too."""
    unit: str = ""
    least: int = 0
    most: int = INT_MAX
    """Of a number; of a list: how many items."""
    reload: bool = False
    """Whether a running cell takes over another value."""
    pairs: bool = False
    """Whether a mapping is taken too, for a list of KEY=VALUE."""
    fields: tuple[tuple[str, str], ...] = ()
    """Of a list: an item may be a mapping with these fields too, which then is the text
    `FIRST[,NAME=VALUE]…`. Each with its NAME; the first one is needed, and has none."""
    between: str = ","
    """What separates the items of a list in one text."""
    is_needed: bool = False
    """Whether it has to be given: its default is of no use."""
    secret: bool = False
    """Whether the value is never shown."""
    celluler: str = ""
    """The variable of the environment by which Celluler sets the same."""
    check: Callable[[Any], str | None] | None = None
    """Returns what is wrong with a value of the right type."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """What a section is about."""

    help: str
    foreign: Mapping[str, str] = field(default_factory=dict)
    """Keys that others know and we do not, each with why."""
    nested: Mapping[str, str] = field(default_factory=dict)
    """Keys that hold a section of their own, each with its name."""
    moved: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    """Keys from before they had another place: section and key."""


@dataclass(frozen=True, slots=True)
class Place:
    """A key of a document."""

    section: str
    name: str
    key: Key
    default: Value

    def __str__(self) -> str:
        return f"{self.section}.{self.name}"

    def of(self, document: object) -> Value:
        """Return the value of the key in a document."""
        value: Value = getattr(getattr(document, self.section), self.name)
        return value

    def put(self, document: _T, value: Value) -> _T:
        """Return the document with another value of the key."""
        changed: Any = replace(getattr(document, self.section), **{self.name: value})
        made: _T = replace(document, **{self.section: changed})  # type: ignore[type-var] # documents are dataclasses
        return made


@dataclass(frozen=True, slots=True)
class Spelled:
    """Text that stands for a value of whatever type its key has: out of the environment."""

    text: str


@dataclass(frozen=True, slots=True)
class Wrong:
    """Why a value is refused."""

    message: str


def key(default: _T, help: str, **rest: Any) -> _T:  # noqa: A002, ANN401 - the fields of Key
    """Return a dataclass field for a key."""
    return field(default=default, metadata={_KEY: Key(help=help, **rest)})


def section(default: _T, help: str, **rest: Any) -> _T:  # noqa: A002, ANN401 - those of Section
    """Return a dataclass field for a section."""
    return field(default=default, metadata={_SECTION: Section(help=help, **rest)})


def what_runs(document: type) -> str:
    """Return what a document is about, which is what its first section is called."""
    return next(iter(sections_of(document)))


def sections_of(document: type) -> dict[str, tuple[Section, Any]]:
    """Return the sections of a document by name, each with its values if nothing is configured."""
    return {one.name: (one.metadata[_SECTION], one.default) for one in fields(document)}


def places_in(document: type) -> dict[str, dict[str, Place]]:
    """Return all keys of a document by section and name, in the order of the table."""
    return {
        name: {
            one.name: Place(name, one.name, one.metadata[_KEY], getattr(values, one.name))
            for one in fields(values)
        }
        for name, (_, values) in sections_of(document).items()
    }


def all_places(document: type) -> Iterator[Place]:
    """Yield all keys of a document."""
    for places in places_in(document).values():
        yield from places.values()


def take(place: Place, given: object) -> Value | Wrong:
    """Return what was given as a value of the key, or why it can not be one."""
    given = _spelled_out(place, given) if isinstance(given, Spelled) else given
    value = _typed(place, given)
    if isinstance(value, Wrong) or place.key.check is None:
        return value
    message = place.key.check(value)
    return value if message is None else Wrong(message)


def expected(place: Place) -> str:
    """Return what a key takes, in words."""
    key, default = place.key, place.default
    if isinstance(default, tuple):
        return f"a list of {key.items}"
    if isinstance(default, bool):
        return "true or false"
    if isinstance(default, int):
        number = f"a number of {key.unit}" if key.unit else "a number"
        bounds = "" if key.most == INT_MAX and key.least == 0 else f" {key.least} to {key.most}"
        return ", or ".join([number + bounds, *key.words])
    return f"one of {', '.join(key.words)}" if key.words else "text"


def _spelled_out(place: Place, given: Spelled) -> object:
    """Return what a text stands for, or the `Spelled` itself if it can not stand for a value."""
    text, default = given.text, place.default
    if isinstance(default, tuple):
        return [item.strip() for item in text.split(place.key.between) if item.strip()]
    if isinstance(default, bool):
        return _BOOLEANS.get(text.lower(), given)
    if isinstance(default, int) and text not in place.key.words:
        is_number = text.isascii() and text.isdecimal() and len(text) <= DIGITS_MAX
        return int(text) if is_number else given
    return text


def _typed(place: Place, given: object) -> Value | Wrong:
    key, default = place.key, place.default
    if isinstance(default, tuple):
        if not isinstance(given, list) or not all(isinstance(item, str) for item in given):
            return _refused(place, given)
        if not key.least <= len(given) <= min(key.most, ITEMS_MAX):
            return Wrong(_wrong_count(key, len(given)))
        return tuple(given)
    if isinstance(default, bool) and isinstance(given, bool):
        return given
    if type(default) is int and type(given) is int:
        return given if key.least <= given <= key.most else _refused(place, given)
    if isinstance(default, int | str) and isinstance(given, str) and given in key.words:
        return given
    if isinstance(default, str) and isinstance(given, str) and not key.words:
        return given
    return _refused(place, given)


def _wrong_count(key: Key, count: int) -> str:
    if count < key.least:
        return f"expected at least {key.least} {key.items}, got {count}"
    return f"{count} {key.items}, at most {min(key.most, ITEMS_MAX)} are taken"


def _refused(place: Place, given: object) -> Wrong:
    """Return a message that quotes what a file says, and never what the environment does."""
    got = "" if isinstance(given, Spelled) or place.key.secret else f", got {shown(given)}"
    return Wrong(f"expected {expected(place)}{got}")
