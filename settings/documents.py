"""From the layers of a configuration to its values: which file says what, and all that is wrong.

Pure. A *layer* is one file with its variables put in. Later layers override earlier ones key by
key (a list as a whole), the environment overrides all. Everything is looked at before anything is
refused, so that all mistakes are told at once.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, Generic, TypeVar

from core.yaml_text import Located, NotReadableYaml, locate_yaml
from settings.environment import Override, overrides_in
from settings.errors import BadConfig, Origin, Problem, bad_config, nearest, shown
from settings.keys import (
    Place,
    Spelled,
    Value,
    Wrong,
    all_places,
    expected,
    places_in,
    sections_of,
    take,
)
from settings.limits import PROBLEMS_MAX, SHOWN_LENGTH_MAX
from settings.substitution import Substituted, substitute

VERSION: Final = 1
EXTENDS: Final = "extends"
_KNOWN: Final = ("version", EXTENDS)

Document = TypeVar("Document")


@dataclass(frozen=True, slots=True)
class Given:
    """What a layer says of one key."""

    value: object
    origin: Origin
    variables: tuple[str, ...] = ()
    """Variables of the environment that stand in it."""


@dataclass(frozen=True, slots=True)
class Layer:
    """One file, as far as it can be read."""

    place: str
    extends: str | None
    given: Mapping[str, Mapping[str, Given]]
    """By section and key. What is in no section that we know is a problem already."""
    problems: tuple[Problem, ...]


@dataclass(frozen=True, slots=True)
class Found:
    """The value of one key, and who said so."""

    place: Place
    value: Value
    origin: Origin
    variables: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Reading(Generic[Document]):
    """A configuration, or what is wrong with it."""

    document: Document
    """With the defaults where something is wrong."""
    found: Mapping[str, Mapping[str, Found]]
    problems: tuple[Problem, ...] = ()
    layers: tuple[Layer, ...] = field(default=(), repr=False)

    def must(self) -> Document:
        """Return the configuration; raises BadConfig with all problems."""
        if self.problems:
            raise bad_config(self.problems)
        return self.document


def layer_of(document: type, data: bytes, place: str, environment: Mapping[str, str]) -> Layer:
    """Return what YAML bytes say; `place` names them. Raises BadConfig for what is no YAML."""
    try:
        located = locate_yaml(data, place)
    except NotReadableYaml as error:
        raise BadConfig(error.detail) from error
    return _Reader(document, located, place, environment).layer()


def assemble(
    document: type[Document], layers: Sequence[Layer], environment: Mapping[str, str]
) -> Reading[Document]:
    """Return what layers, the first one the base, and overriding variables come to together."""
    places = places_in(document)
    problems = [problem for layer in layers for problem in layer.problems]
    merged: dict[tuple[str, str], Given] = {
        (section, name): given
        for layer in layers
        for section, keys in layer.given.items()
        for name, given in keys.items()
    }
    overrides, wrong = overrides_in(document, environment)
    problems += wrong
    merged |= {(one.place.section, one.place.name): _given(one) for one in overrides}
    found: dict[str, dict[str, Found]] = {section: {} for section in places}
    for (section, name), given in merged.items():
        place = places[section][name]
        value = take(place, given.value)
        if isinstance(value, Wrong):
            key = str(place) if given.origin.line is not None else ""
            problems.append(Problem(given.origin, key, value.message))
        else:
            found[section][name] = Found(place, value, given.origin, given.variables)
    problems += _lacking(document, merged, layers)
    made = document()
    for section, values in found.items():
        changed: Any = replace(
            getattr(made, section), **{name: one.value for name, one in values.items()}
        )
        made = replace(made, **{section: changed})  # type: ignore[type-var] # documents are dataclasses
    return Reading(made, found, tuple(problems[:PROBLEMS_MAX]), tuple(layers))


def parse(document: type[Document], data: bytes, place: str) -> Document:
    """Return the configuration in YAML bytes that stand alone; raises BadConfig."""
    layer = layer_of(document, data, place, {})
    if layer.extends is not None:
        raise BadConfig(f"{place}: only a file extends another one")
    return assemble(document, [layer], {}).must()


def _given(override: Override) -> Given:
    return Given(Spelled(override.text), Origin(override.variable))


def _lacking(
    document: type, given: Collection[tuple[str, str]], layers: Sequence[Layer]
) -> Iterator[Problem]:
    """Yield what nobody gives, but has to be given."""
    for place in all_places(document):
        if place.key.is_needed and (place.section, place.name) not in given:
            where = layers[-1].place if layers else place.section
            yield Problem(Origin(where), str(place), f"expected {expected(place)}")


def _as_list(value: object) -> object:
    """Return a mapping of texts as a list of KEY=VALUE, anything else as it is."""
    if isinstance(value, dict) and all(isinstance(text, str) for text in value.values()):
        return [f"{name}={text}" for name, text in value.items()]
    return value


class _Reader:
    """Reads one file; notes what is wrong with it."""

    def __init__(
        self, document: type, located: Located, place: str, environment: Mapping[str, str]
    ) -> None:
        self._sections, self._places = sections_of(document), places_in(document)
        self._located = located
        self._place = place
        self._environment = environment
        self._problems: list[Problem] = []

    def layer(self) -> Layer:
        content = self._located.value
        if not isinstance(content, dict):
            self._note((), f"expected `version: 1` and a section `{next(iter(self._sections))}:`")
            return Layer(self._place, None, {}, tuple(self._problems))
        if content.get("version") != VERSION:
            version = shown(content.get("version"))
            self._note(("version",), f"version is {version}, expected {VERSION}", key="")
        given: dict[str, dict[str, Given]] = {name: {} for name in self._sections}
        for name in self._sections:
            for place, value in self._section(name, content.get(name), (name,)):
                given[place.section][place.name] = value
        known = dict.fromkeys((*self._sections, *_KNOWN))
        for name in content:
            if name not in known:
                hint = nearest(name, known)
                self._note((name,), f"unknown section {shown(name)}{hint}", key="")
        return Layer(self._place, self._extends(content), given, tuple(self._problems))

    def _extends(self, content: Mapping[str, object]) -> str | None:
        if EXTENDS not in content:
            return None
        given = self._substituted((EXTENDS,), content[EXTENDS])
        text = given.text if isinstance(given, Spelled) else given
        if isinstance(text, str) and text.isprintable() and text:
            return text
        self._note((EXTENDS,), "expected the path of a file, or profile:NAME", key=EXTENDS)
        return None

    def _section(
        self, section: str, content: object, path: tuple[str, ...]
    ) -> Iterator[tuple[Place, Given]]:
        """Yield what the section at `path` says of the keys that it has."""
        if content is None:
            return
        if not isinstance(content, dict):
            self._note(path, f"{'.'.join(path)} must be a section of keys", key="")
            return
        about, places = self._sections[section][0], self._places[section]
        for name, value in content.items():
            at = (*path, name)
            if name in about.nested:
                yield from self._section(about.nested[name], value, at)
                continue
            place = places.get(name)
            if name in about.moved:
                other, key = about.moved[name]
                place = self._places[other][key]
            if place is None:
                why = about.foreign.get(name)
                hint = f"not a key of ours: {why}" if why else f"unknown key{nearest(name, places)}"
                self._note(at, hint)
                continue
            before = len(self._problems)
            listed = _as_list(value) if place.key.pairs else value
            given = self._substituted(at, listed, dict(place.key.fields))
            if len(self._problems) == before:
                yield place, Given(given, self._origin(at), self._variables(listed))

    def _substituted(
        self, path: tuple[str | int, ...], value: object, fields: Mapping[str, str] | None = None
    ) -> object:
        """Return a value with variables put in; one that held any is of its key's type yet."""
        if isinstance(value, list):
            items = [
                self._joined((*path, index), item, fields)
                if fields and isinstance(item, dict)
                else self._substituted((*path, index), item)
                for index, item in enumerate(value)
            ]
            return [item.text if isinstance(item, Spelled) else item for item in items]
        if not isinstance(value, str):
            return value
        made = substitute(value, self._environment)
        if isinstance(made, Wrong):
            self._note(path, made.message)
            return None
        return Spelled(made.text) if made.variables else made.text

    def _joined(
        self, path: tuple[str | int, ...], item: Mapping[Any, object], fields: Mapping[str, str]
    ) -> str:
        """Return an item that is a mapping as the text that it stands for."""
        first = next(iter(fields))
        found = {}
        for name, value in item.items():
            at = (*path, name)
            given = self._substituted(at, value)
            text = given.text if isinstance(given, Spelled) else given
            if name not in fields:
                self._note(at, f"unknown key{nearest(name, fields)}")
            elif not isinstance(text, str) or "," in text:
                self._note(at, f"expected text without commas, got {shown(value)}")
            else:
                found[name] = text
        if first not in item:
            self._note(path, f"each has a key {first}")
        options = [(known, found.get(name)) for name, known in fields.items() if known]
        rest = [f"{known}={text}" for known, text in options if text]
        return ",".join([found.get(first, ""), *rest])

    def _variables(self, value: object) -> tuple[str, ...]:
        """Return the variables in a value that can be substituted."""
        items = value if isinstance(value, list) else [value]
        texts = [
            text for item in items for text in (item.values() if isinstance(item, dict) else [item])
        ]
        made = [substitute(text, self._environment) for text in texts if isinstance(text, str)]
        return tuple(name for one in made if isinstance(one, Substituted) for name in one.variables)

    def _origin(self, path: tuple[str | int, ...]) -> Origin:
        return Origin(self._place, self._located.lines.get(path))

    def _note(self, path: tuple[str | int, ...], message: str, *, key: str | None = None) -> None:
        if len(self._problems) < PROBLEMS_MAX:
            named = ".".join(part for part in path if isinstance(part, str))[: 2 * SHOWN_LENGTH_MAX]
            self._problems.append(
                Problem(self._origin(path), named if key is None else key, message)
            )
