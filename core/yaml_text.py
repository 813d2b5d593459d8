"""The YAML of a configuration file, as far as one needs it: mappings, lists and plain values.

Built from the parser's events, because the library's own loader can be made to take a thousand
times the file, or to raise what it does not declare: by anchors and merges, tags, numbers in base
60. Those are refused here, with their line, as are keys that are there twice. Values mean what they
mean in YAML 1.1.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import yaml

from core.errors import LocalMisuse

_VALUES_MAX: Final = 1024
_DEPTH_MAX: Final = 4
_DIGITS_MAX: Final = 18
_PLAIN_LENGTH_MAX: Final = 64
"""A longer value is text: no number, date or word has so many letters."""
_LOADER: Final = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_RESOLVER: Final = yaml.resolver.Resolver()
_TAG: Final = "tag:yaml.org,2002:"
_TRUE: Final = frozenset({"yes", "true", "on"})

_Container: TypeAlias = "dict[str, object] | list[object]"


class NotReadableYaml(LocalMisuse):
    """Text that is not YAML, or YAML that no configuration needs."""

    code = "MYC-CORE-006"
    remedy = "Mend the named line of the file."


@dataclass(frozen=True, slots=True)
class Unread:
    """A value of a kind that no key takes: a float, a date, a number in another base."""

    text: str

    def __repr__(self) -> str:
        return self.text


@dataclass(frozen=True, slots=True)
class Located:
    """The value of a document, and where each part of it begins."""

    value: object
    lines: Mapping[tuple[str | int, ...], int]
    """The line, from 1, of each key and each item of a list, by the keys and indexes to it."""


def read_yaml(data: bytes, where: str) -> object:
    """Return the value of a YAML document, None for an empty one; `where` names it in errors.

    Raises NotReadableYaml for what is not YAML, or YAML that no configuration needs.
    """
    return locate_yaml(data, where).value


def locate_yaml(data: bytes, where: str) -> Located:
    """Return the value of a YAML document and its lines; raises as `read_yaml`."""
    builder = _Builder(where)
    try:
        for event in yaml.parse(data, Loader=_LOADER):
            builder.take(event)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        line = f", line {mark.line + 1}" if mark is not None else ""
        raise NotReadableYaml(f"{where}{line}: not readable as YAML") from error
    return Located(builder.root, builder.lines)


class _Builder:
    """Puts the values of one document together."""

    def __init__(self, where: str) -> None:
        self.root: object = None
        self.lines: dict[tuple[str | int, ...], int] = {}
        self._path: list[str | int] = []
        """The keys and indexes of the containers that have not ended, but the root."""
        self._where = where
        self._open: list[tuple[_Container, str | None]] = []
        """Containers that have not ended, each with the key that waits for its value."""
        self._values = 0
        self._documents = 0

    def take(self, event: Any) -> None:  # noqa: ANN401 - the library's events have no types
        """Take the parser's next event."""
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None) is not None:
            self._refuse(event, "anchors and aliases are not read")
        if isinstance(event, yaml.DocumentStartEvent):
            self._documents += 1
            if self._documents > 1:
                self._refuse(event, "there is a second document")
        elif isinstance(event, yaml.ScalarEvent):
            self._put(event, _scalar(event))
        elif isinstance(event, yaml.CollectionStartEvent):
            made: _Container = {} if isinstance(event, yaml.MappingStartEvent) else []
            place = self._put(event, made)
            if place is not None:
                self._path.append(place)
            self._open.append((made, None))
            if len(self._open) > _DEPTH_MAX:
                self._refuse(event, "nested too deeply")
        elif isinstance(event, yaml.CollectionEndEvent):
            self._open.pop()
            if self._path:
                self._path.pop()

    def _put(self, event: Any, value: object) -> str | int | None:  # noqa: ANN401 - as above
        """Put a value where it belongs; return under which key or index, None for the root."""
        self._values += 1
        if self._values > _VALUES_MAX:
            self._refuse(event, f"more than {_VALUES_MAX} values")
        if getattr(event, "tag", None) is not None:
            self._refuse(event, "tags are not read")
        if not self._open:
            self.root = value
            return None
        container, key = self._open[-1]
        if isinstance(container, list):
            self._note(event, len(container))
            container.append(value)
            return len(container) - 1
        if key is None:
            if not isinstance(event, yaml.ScalarEvent):
                self._refuse(event, "a key must be a word")
            if event.value in container:
                self._refuse(event, f"{event.value[:80]!r} is there twice")
            self._note(event, event.value)
            self._open[-1] = (container, event.value)
        else:
            container[key] = value
            self._open[-1] = (container, None)
        return key

    def _note(self, event: Any, place: str | int) -> None:  # noqa: ANN401 - as above
        self.lines[(*self._path, place)] = event.start_mark.line + 1

    def _refuse(self, event: Any, why: str) -> None:  # noqa: ANN401 - as above
        raise NotReadableYaml(f"{self._where}, line {event.start_mark.line + 1}: {why}")


def _scalar(event: Any) -> object:  # noqa: ANN401 - as above
    text: str = event.value
    if not event.implicit[0] or len(text) > _PLAIN_LENGTH_MAX:
        return text
    tag = _RESOLVER.resolve(yaml.ScalarNode, text, event.implicit).removeprefix(_TAG)  # type: ignore[no-untyped-call]  # upstream
    if tag == "str":
        return text
    if tag == "null":
        return None
    if tag == "bool":
        return text.lower() in _TRUE
    digits = text.lstrip("+-")
    plain = digits.isdecimal() and (digits == "0" or not digits.startswith("0"))
    if tag == "int" and plain and len(digits) <= _DIGITS_MAX:
        return int(text)
    return Unread(text[:80])
