"""Makes the modules of myceld/views out of the OpenAPI document.

Each view becomes a TypedDict, in the module of the first subject whose operations answer with it,
or with something that it is a part of; so imports lead only to what comes before.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from keyword import iskeyword
from typing import Any, Final

_REF: Final = "#/components/schemas/"
_PAGE: Final = re.compile(r"Page_(\w+)_")
_PAGE_MODULE: Final = "page"
_MADE: Final = "Made by scripts/docs-client: change nothing here."
_WIDTH: Final = 100
_PAGE_TEXT: Final = '''"""A part of a list of anything."""

from __future__ import annotations

from typing import Generic, TypedDict, TypeVar

T = TypeVar("T")


class Page(TypedDict, Generic[T]):
    """A part of a list."""

    items: list[T]
    next: int | None
    """`start` of the next part; None at the end."""
'''
_SCALARS: Final = {
    "string": "str",
    "integer": "int",
    "number": "float",
    "boolean": "bool",
    "null": "None",
}


@dataclass(slots=True)
class _Module:
    subject: str
    classes: list[str] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    used: set[str] = field(default_factory=set)


def modules_of(document: Mapping[str, Any]) -> dict[str, str]:
    """Return the text of each module by the name of its file."""
    schemas = document["components"]["schemas"]
    homes: dict[str, str] = {"Page": _PAGE_MODULE}
    modules: dict[str, _Module] = {}
    for subject, root in _answers(document):
        module = modules.setdefault(re.sub(r"\W", "_", subject), _Module(subject))
        for name in _parts_of(root, schemas):
            if name not in homes and not _PAGE.fullmatch(name):
                homes[name] = re.sub(r"\W", "_", subject)
                module.names.append(name)
                module.classes.append(_class_of(name, schemas[name], module.used))
    modules = {name: module for name, module in modules.items() if module.names}
    texts = {f"{name}.py": _module_text(name, one, homes) for name, one in modules.items()}
    return {
        "__init__.py": _init_text(modules),
        f"{_PAGE_MODULE}.py": _PAGE_TEXT,
        **texts,
    }


def type_of(schema: Mapping[str, Any], used: set[str] | None = None) -> str:
    """Return what a schema is in Python, and note the views in it."""
    used = set() if used is None else used
    if (ref := schema.get("$ref")) is not None:
        name = ref.removeprefix(_REF)
        if (page := _PAGE.fullmatch(name)) is not None:
            used |= {"Page", page[1]}
            return f"Page[{page[1]}]"
        used.add(name)
        return str(name)
    if (choices := schema.get("anyOf", schema.get("oneOf"))) is not None:
        return " | ".join(dict.fromkeys(type_of(each, used) for each in choices))
    kind = schema.get("type")
    if kind == "array" and "prefixItems" in schema:
        return "list[" + " | ".join(dict.fromkeys(map(type_of, schema["prefixItems"]))) + "]"
    if kind == "array":
        return f"list[{type_of(schema['items'], used)}]"
    if kind == "object":
        values = schema.get("additionalProperties")
        return f"dict[str, {type_of(values, used) if isinstance(values, dict) else 'Any'}]"
    return _SCALARS.get(str(kind), "Any")


def _answers(document: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield subject and schema of each answer that is JSON, in the document's order."""
    for methods in document["paths"].values():
        for operation in methods.values():
            schema = operation["responses"]["200"]["content"].get("application/json", {})
            ref = schema.get("schema", {}).get("$ref")
            if ref is not None:
                yield operation["tags"][0], ref.removeprefix(_REF)


def _parts_of(name: str, schemas: Mapping[str, Any]) -> Iterator[str]:
    """Yield the schemas that one is made of, and at last itself."""
    for found in re.findall(rf"'{_REF}(\w+)'", repr(schemas[name])):
        if found != name:
            yield from _parts_of(found, schemas)
    yield name


def _class_of(name: str, schema: Mapping[str, Any], used: set[str]) -> str:
    """Return the class of one view."""
    if "properties" not in schema and "enum" in schema:
        words = ", ".join(f'"{word}"' for word in schema["enum"])
        used.add("Literal")
        return f"{name}: TypeAlias = Literal[{words}]\n"
    lines = [f"class {name}(TypedDict):", *_documented(schema.get("description", ""), name), ""]
    needed = set(schema.get("required", ()))
    for each, of_field in schema.get("properties", {}).items():
        if not each.isidentifier() or iskeyword(each):
            raise ValueError(f"{name}.{each} can not be a field of a class")
        kind = type_of(of_field, used)
        has_default = "default" in of_field
        if each not in needed and not has_default:
            used.add("NotRequired")
            kind = f"NotRequired[{kind}]"
        lines.append(f"    {each}: {kind}")
        if "description" in of_field:
            lines += _documented(of_field["description"], name)
    return "\n".join(lines) + "\n"


def _documented(text: str, name: str) -> list[str]:
    words = " ".join(text.split()) or f"A {name}."
    if len(words) + 10 <= _WIDTH:
        return [f'    """{words}"""']
    first, *more = textwrap.wrap(words, _WIDTH - 7, initial_indent="", subsequent_indent="")
    lines = [f'    """{first}']
    lines += [f"    {line}" for line in more]
    lines.append('    """')
    return lines


def _module_text(name: str, module: _Module, homes: Mapping[str, str]) -> str:
    classes = "\n\n".join(module.classes)
    typing = [
        word
        for word in ("Any", "Literal", "NotRequired", "TypeAlias", "TypedDict")
        if re.search(rf"\b{word}\b", classes)
    ]
    origins: dict[str, list[str]] = {}
    for each in sorted(module.used, key=str.lower):
        if homes.get(each, name) != name:
            origins.setdefault(homes[each], []).append(each)
    imports = [_import(f"myceld.views.{home}", names) for home, names in sorted(origins.items())]
    return "\n".join(
        [
            f'"""Answers about {module.subject}. {_MADE}"""',
            "",
            "from __future__ import annotations",
            "",
            f"from typing import {', '.join(typing)}",
            *(["", *imports] if imports else []),
            "",
            "",
            classes,
        ]
    ).replace("\n\n\n\n", "\n\n\n")


def _init_text(modules: Mapping[str, _Module]) -> str:
    by_home = {name: sorted(module.names, key=str.lower) for name, module in modules.items()}
    by_home[_PAGE_MODULE] = ["Page"]
    everything = sorted(name for names in by_home.values() for name in names)
    return "\n".join(
        [
            f'"""The types of all answers of a cell. {_MADE}"""',
            "",
            "from __future__ import annotations",
            "",
            *(_import(f"myceld.views.{home}", names) for home, names in sorted(by_home.items())),
            "",
            "__all__ = [",
            *(f'    "{name}",' for name in everything),
            "]",
            "",
        ]
    )


def _import(module: str, names: list[str]) -> str:
    line = f"from {module} import {', '.join(names)}"
    if len(line) <= _WIDTH:
        return line
    return "\n".join([f"from {module} import (", *(f"    {name}," for name in names), ")"])
