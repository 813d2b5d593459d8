"""The JSON Schema of a configuration file, made from the table of keys: for editors and programs.

It takes whatever the table takes, but for what only a look at the whole value shows (a command
that can not be split, say). The start of a cell checks the table itself: importing a validator
costs 0.1 s and 11 MB. `myceld config validate` does both.
"""

from __future__ import annotations

from typing import Any, Final

from settings.documents import EXTENDS, VERSION
from settings.errors import Origin, Problem
from settings.keys import Place, places_in, sections_of, what_runs
from settings.limits import ITEMS_MAX

_WITH_VARIABLE: Final = {"type": "string", "pattern": r"\$\{"}
"""A value of any type may stand in a variable."""


def schema_of(document: type) -> dict[str, Any]:
    """Return the schema of a document."""
    sections = sections_of(document)
    properties: dict[str, Any] = {
        "version": {"const": VERSION},
        EXTENDS: {
            "type": "string",
            "minLength": 1,
            "description": "A file to take everything over from, or profile:NAME.",
        },
    }
    places = places_in(document)
    made = {
        name: {place.name: _value(place) for place in places[name].values()} for name in sections
    }
    for name, (about, _) in sections.items():
        inside = dict(made[name])
        for key, (section, moved) in about.moved.items():
            inside[key] = made[section][moved] | {"deprecated": True}
        for key, section in about.nested.items():
            inside[key] = _section(made[section], sections[section][0].help)
        properties[name] = _section(inside, about.help)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": f"Configuration of a myceld {what_runs(document)}",
        "type": "object",
        "required": ["version"],
        "additionalProperties": False,
        "properties": properties,
    }


def breaches(document: type, content: object, place: str) -> list[Problem]:
    """Return where parsed YAML breaches the schema."""
    from jsonschema import Draft202012Validator  # noqa: PLC0415 - 0.1 s and 11 MB

    found = Draft202012Validator(schema_of(document)).iter_errors(content)
    return [
        Problem(Origin(place), ".".join(map(str, one.absolute_path)), one.message[:200])
        for one in found
    ]


def _section(keys: dict[str, Any], help: str) -> dict[str, Any]:  # noqa: A002 - as in the table
    return {
        "type": ["object", "null"],
        "description": help,
        "additionalProperties": False,
        "properties": keys,
    }


def _item(place: Place) -> dict[str, Any]:
    text = {"type": "string"}
    if not place.key.fields:
        return text
    names = [name for name, _ in place.key.fields]
    whole = {
        "type": "object",
        "properties": {name: {"type": "string", "pattern": "^[^,]*$"} for name in names},
        "required": names[:1],
        "additionalProperties": False,
    }
    return {"anyOf": [text, whole]}


def _value(place: Place) -> dict[str, Any]:
    key, default = place.key, place.default
    usual = list(default) if isinstance(default, tuple) else default
    about: dict[str, Any] = {"description": key.help, "default": usual}
    if isinstance(default, tuple):
        items = {
            "type": "array",
            "items": _item(place),
            "minItems": key.least,
            "maxItems": min(key.most, ITEMS_MAX),
        }
        pairs = {"type": "object", "additionalProperties": {"type": "string"}}
        return about | {"anyOf": [items, *([pairs] if key.pairs else []), _WITH_VARIABLE]}
    if isinstance(default, bool):
        return about | {"anyOf": [{"type": "boolean"}, _WITH_VARIABLE]}
    if isinstance(default, int):
        number = {"type": "integer", "minimum": key.least, "maximum": key.most}
        words = [{"enum": list(key.words)}] if key.words else []
        return about | {"anyOf": [number, *words, _WITH_VARIABLE]}
    if key.words:
        return about | {"anyOf": [{"enum": list(key.words)}, _WITH_VARIABLE]}
    return about | {"type": "string"}
