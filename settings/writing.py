"""The text of configuration files: new ones, and changes of those that people wrote.

A change touches only the value that it changes: comments, order and spelling of everything else
stay byte for byte. It is read back before it is returned, so a file that is laid out in a way that
can not be edited is refused, and never damaged.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import yaml

from core.yaml_text import NotReadableYaml, read_yaml
from settings.documents import EXTENDS, VERSION
from settings.errors import CannotEdit
from settings.keys import Place, Value, all_places, what_runs
from settings.substitution import escape

_HEAD: Final = (
    "# Configuration of a myceld {of}; docs/configuration.md explains every key, and\n"
    "# `myceld config show` says what is in force.\n"
)


def dump(config: object, base: object | None = None, *, extends: str | None = None) -> str:
    """Return the text of a file that says where a configuration differs from its base.

    The base is that of `extends`; without either, what a cell does without being told.
    """
    base = type(config)() if base is None else base
    content: dict[str, Any] = {"version": VERSION}
    if extends is not None:
        content[EXTENDS] = escape(extends)
    for place in all_places(type(config)):
        value = place.of(config)
        if value != place.of(base):
            written = _items(value, dict(place.key.fields)) if place.key.fields else _plain(value)
            content.setdefault(place.section, {})[place.name] = written
    return _HEAD.format(of=what_runs(type(config))) + _yaml(content)


def change(text: str, changes: Mapping[Place, Value]) -> str:
    """Return the text of a file with keys set; raises CannotEdit, NotReadableYaml."""
    for place, value in changes.items():
        text = _changed(text, place, value)
    return text


def flow(value: Value) -> str:
    """Return a value as it is written on one line of YAML."""
    return _yaml([_plain(value)], default_flow_style=True, width=float("inf")).strip()[1:-1]


def _yaml(content: Any, **style: Any) -> str:  # noqa: ANN401 - whatever YAML takes
    """Return content as YAML; letters of all scripts as they are, unless some can not be shown."""
    text: str = yaml.safe_dump(content, sort_keys=False, allow_unicode=True, **style)
    if all(letter.isprintable() or letter == "\n" for letter in text):
        return text
    escaped: str = yaml.safe_dump(content, sort_keys=False, allow_unicode=False, **style)
    return escaped


def _plain(value: Value) -> object:
    """Return a value as it is written; a file has its variables and `$` escaped."""
    if isinstance(value, tuple):
        return [escape(item) for item in value]
    return escape(value) if isinstance(value, str) else value


def _items(texts: Any, fields: Mapping[str, str]) -> list[dict[str, str]]:  # noqa: ANN401 - a list's value
    """Return texts `FIRST[,NAME=VALUE]…` as the mappings of fields that people write."""
    first, *others = fields
    made = []
    for text in texts:
        start, *rest = str(text).split(",")
        named = dict(option.partition("=")[::2] for option in rest)
        given = {name: named[fields[name]] for name in others if fields[name] in named}
        made.append({name: escape(part) for name, part in ({first: start} | given).items()})
    return made


def _changed(text: str, place: Place, value: Value) -> str:
    wanted: Any = read_yaml(text.encode(), "the file")
    if not isinstance(wanted, dict) or not isinstance(wanted.get(place.section), dict | None):
        raise CannotEdit("the file has no sections")
    made = _edited(text, place, value)
    section = wanted.get(place.section) or {}
    wanted[place.section] = section | {place.name: _plain(value)}
    try:
        if read_yaml(made.encode(), "the changed file") == wanted:
            return made
    except NotReadableYaml:
        pass
    raise CannotEdit(f"{place}: the file is laid out in a way that only people can edit")


def _edited(text: str, place: Place, value: Value) -> str:
    root: Any = yaml.compose(text, Loader=yaml.SafeLoader)
    new = flow(value)
    section = _value_in(root, place.section)
    if section is None:
        gap = "" if text.endswith("\n") or not text else "\n"
        return f"{text}{gap}{place.section}:\n  {place.name}: {new}\n"
    key, values = section
    if not isinstance(values, yaml.MappingNode):
        return _after_line(text, key.end_mark.index, f"  {place.name}: {new}")
    found = _value_in(values, place.name)
    if found is not None:
        if value and isinstance(value, tuple) and _is_block(found[1]):
            return _relisted(text, *found, value)
        return _replaced(text, *found, new)
    if values.flow_style:
        at = values.end_mark.index - 1
        comma = ", " if values.value else ""
        return f"{text[:at].rstrip()}{comma}{place.name}: {new}{text[at:]}"
    indent = " " * values.start_mark.column
    return _after_line(text, _end(values.value[-1][1]), f"{indent}{place.name}: {new}")


def _value_in(mapping: Any, name: str) -> tuple[Any, Any] | None:  # noqa: ANN401 - no types upstream
    """Return the nodes of a key and its value."""
    return next((pair for pair in mapping.value if pair[0].value == name), None)


def _replaced(text: str, key: Any, value: Any, new: str) -> str:  # noqa: ANN401 - as above
    """Return the text with the value of a key replaced; a comment behind the key stays."""
    colon = text.index(":", key.end_mark.index)
    start, end = value.start_mark.index, _end(value)
    if _is_block(value):
        return f"{text[:colon]}: {new}{text[colon + 1 : start].rstrip()}{text[end:]}"
    if start == end:  # a key without a value
        return f"{text[: colon + 1]} {new}{text[colon + 1 :]}"
    return text[:start] + new + text[start + len(text[start:end].rstrip()) :]


def _end(node: Any) -> int:  # noqa: ANN401 - as above
    """Return where a node's text ends: a block's own mark is behind the comments after it."""
    if _is_block(node) and node.value:
        last = node.value[-1]
        return _end(last[1] if isinstance(last, tuple) else last)
    end: int = node.end_mark.index
    return end


def _is_block(node: Any) -> bool:  # noqa: ANN401 - as above
    return isinstance(node, yaml.CollectionNode) and not node.flow_style


def _relisted(text: str, key: Any, old: Any, items: Sequence[str]) -> str:  # noqa: ANN401 - as above
    """Return the text with the items of a list; those that stay keep their lines and comments."""
    start = end = _line_end(text, key.end_mark.index)
    lines: dict[str, str] = {}
    for node in old.value:
        begin, end = end, _line_end(text, _end(node))
        if isinstance(node, yaml.ScalarNode):
            lines[node.value] = text[begin:end]
    indent = " " * old.start_mark.column
    new = [lines.pop(escape(item), f"{indent}- {flow(item)}\n") for item in items]
    return text[:start] + "".join(new) + text[end:]


def _line_end(text: str, index: int) -> int:
    """Return where the line after the one with `index` begins."""
    end = text.find("\n", index)
    return len(text) if end < 0 else end + 1


def _after_line(text: str, index: int, line: str) -> str:
    """Return the text with a line put after the one in which `index` is."""
    end = text.find("\n", index)
    end = len(text) if end < 0 else end
    return f"{text[:end]}\n{line}{text[end:]}"
