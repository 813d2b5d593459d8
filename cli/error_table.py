"""All codes of the program with what they mean, read from the sources of the packages.

Nothing is imported and nothing generated: the files that declare codes are parsed when somebody
asks, in some 150 ms. Codes of the doctor come from its table, those of scripts/setup from here.
"""

from __future__ import annotations

import ast
import difflib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

from core.findings import FINDINGS

_ROOT: Final = Path(__file__).resolve().parent.parent
_PACKAGES: Final = (
    "cli", "core", "gateway", "gossip", "hashgraph", "hypha", "identity", "journal", "ledger",
    "myceld", "node", "settings", "sim",
)  # fmt: skip
_DECLARES: Final = re.compile(r'^    code\b.* = "MYC-', re.MULTILINE)
_CODE: Final = re.compile(r"MYC-[A-Z0-9]+-\d{3}")
_FAULTS: Final[Mapping[str, str]] = {
    "LocalMisuse": "what was asked for on this machine: a command, a file, a client",
    "RemoteViolation": "another cell or program sent what breaks the rules",
    "OperationalFault": "the surroundings: disk, network, a deadline, something missing",
    "InvariantBroken": "a mistake of the program itself",
    "MyceldError": "it is another program's or cell's own error, passed on",
}
_SETUP: Final[Mapping[str, tuple[str, str]]] = {
    "MYC-SETUP-001": ("No Python that fits was found.", "Install 3.11 to 3.13, or set PYTHON."),
    "MYC-SETUP-002": ("The system's Python can not make environments.", "Install python3-venv."),
    "MYC-SETUP-003": ("There is no C compiler.", "Install build-essential, or let setup do it."),
    "MYC-SETUP-004": ("The headers of Python are missing.", "Install python3-dev."),
    "MYC-SETUP-005": ("The library GMP is missing.", "Install libgmp-dev."),
    "MYC-SETUP-006": ("apt-get could not install something.", "Install it yourself; run it again."),
    "MYC-SETUP-007": ("The place of the environment is taken.", "Name another: MYCELD_VENV."),
    "MYC-SETUP-008": ("pip could not install.", "See above for network, disk, compiler; again."),
    "MYC-SETUP-009": ("A download is not the file that was locked.", "Again; distrust the index."),
}


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a code says."""

    code: str
    name: str
    """Of the class; empty for findings."""
    meaning: str
    fault: str
    """Whose, in words."""
    remedy: str
    retryable: bool
    source: str
    """File that declares it, relative to the program."""
    severity: str = ""
    """Of a finding."""


@dataclass(frozen=True, slots=True)
class _Class:
    """A class of an errors.py as it is written."""

    name: str
    bases: tuple[str, ...]
    doc: str
    fields: Mapping[str, object]
    source: str


@cache
def meanings() -> Mapping[str, Meaning]:
    """Return all codes in order."""
    every = list(_classes())
    classes = {one.name: one for one in every}
    found = {}
    for one in every:
        code = one.fields.get("code")
        if isinstance(code, str) and _CODE.fullmatch(code):
            found[code] = _meaning(one, code, classes)
    for code, kind in FINDINGS.items():
        text = f"{kind.title} {kind.why}"
        source = "core/findings.py"
        found[code] = Meaning(
            code=code,
            name="",
            meaning=text,
            fault="what `myceld doctor` found",
            remedy=_with_command(kind.remedy, kind.command),
            retryable=False,
            source=source,
            severity=kind.severity.value,
        )
    for code, (what, remedy) in _SETUP.items():
        found[code] = Meaning(
            code=code,
            name="",
            meaning=what,
            fault=_FAULTS["OperationalFault"],
            remedy=remedy,
            retryable=True,
            source="scripts/setup",
        )
    return dict(sorted(found.items()))


def nearest(text: str, count: int = 3) -> list[str]:
    """Return the codes that look most like a text."""
    known = list(meanings())
    return difflib.get_close_matches(text.upper(), known, count, 0.5)


def normal_code(text: str) -> str:
    """Return a code as it is written in the table: `node-2` is MYC-NODE-002."""
    parts = text.strip().upper().removeprefix("MYC-").rsplit("-", 1)
    if len(parts) == 2 and parts[1].isascii() and parts[1].isdecimal() and len(parts[1]) <= 3:
        return f"MYC-{parts[0]}-{int(parts[1]):03d}"
    return text.strip().upper()


def as_markdown() -> str:
    """Return docs/errors.md."""
    told = "Written by `scripts/docs-errors` from the classes that declare them."
    lines = ["# Codes of errors and findings", "", f"{told} `myceld explain CODE` shows one."]
    family = ""
    for one in meanings().values():
        if (area := one.code.split("-")[1]) != family:
            family = area
            lines += ["", f"## MYC-{family}", "", "| code | means | what to do |", "|---|---|---|"]
        again = " May pass by itself." if one.retryable else ""
        severity = f" ({one.severity})" if one.severity else ""
        cells = (f"`{one.code}`{severity}", one.meaning, one.remedy + again)
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(lines) + "\n"


def _classes() -> Iterator[_Class]:
    for package in _PACKAGES:
        for path in sorted((_ROOT / package).rglob("*.py")):
            text = path.read_text(encoding="utf-8")
            if not _DECLARES.search(text):
                continue
            source = path.relative_to(_ROOT).as_posix()
            for node in ast.parse(text).body:
                if isinstance(node, ast.ClassDef):
                    yield _class(node, source)


def _class(node: ast.ClassDef, source: str) -> _Class:
    fields: dict[str, object] = {}
    for line in node.body:
        if isinstance(line, ast.Assign):
            targets, value = line.targets, line.value
        elif isinstance(line, ast.AnnAssign) and line.value is not None:
            targets, value = [line.target], line.value
        else:
            continue
        for target in targets:
            if isinstance(target, ast.Name) and isinstance(value, ast.Constant):
                fields[target.id] = value.value
    bases = tuple(base.id for base in node.bases if isinstance(base, ast.Name))
    doc = " ".join((ast.get_docstring(node) or "").split())
    return _Class(node.name, bases, doc, fields, source)


def _meaning(one: _Class, code: str, classes: Mapping[str, _Class]) -> Meaning:
    line = list(_ancestors(one, classes))

    def inherited(name: str) -> object:
        return next((each.fields[name] for each in line if name in each.fields), "")

    fault = next((_FAULTS[each.name] for each in line if each.name in _FAULTS), "")
    remedy, retryable = str(inherited("remedy")), inherited("retryable") is True
    return Meaning(code, one.name, one.doc, fault, remedy, retryable, one.source)


def _ancestors(one: _Class, classes: Mapping[str, _Class]) -> Iterator[_Class]:
    """Yield a class, and those that it is made from, the nearest first."""
    yield one
    for base in one.bases:
        if base in classes:
            yield from _ancestors(classes[base], classes)


def _with_command(remedy: str, command: str) -> str:
    text = f"{remedy} `{command}`" if command else remedy
    return text.replace("{", "").replace("}", "")
