"""Declared errors of configuration files."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from core.errors import LocalMisuse
from settings.limits import KEY_LENGTH_MAX, SHOWN_LENGTH_MAX


@dataclass(frozen=True, slots=True)
class Origin:
    """Where something in a configuration comes from."""

    place: str
    """A file, `profile:NAME`, an environment variable, or `default`."""
    line: int | None = None

    def __str__(self) -> str:
        return self.place if self.line is None else f"{self.place}, line {self.line}"


DEFAULT = Origin("default")


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong, in one line."""

    origin: Origin
    key: str
    """As `section.key`; empty where the whole file is meant, or a variable names it."""
    message: str

    def __str__(self) -> str:
        key = f"{self.key}: " if self.key else ""
        return f"{self.origin}: {key}{self.message}"


class BadConfig(LocalMisuse):
    """The configuration file can not be read or says something impossible."""

    code = "MYC-NODE-001"
    remedy = (
        "Mend the named line; `myceld config validate` lists all mistakes at once, and"
        " docs/configuration.md all keys."
    )

    def __init__(self, detail: str, problems: Sequence[Problem] = ()) -> None:
        super().__init__(one_line(detail))
        self.problems = tuple(problems)


class CannotEdit(LocalMisuse):
    """A configuration file that is laid out in a way that a program can not edit."""

    code = "MYC-NODE-551"
    remedy = "Edit the file by hand; `myceld config validate` checks it."


def bad_config(problems: Sequence[Problem]) -> BadConfig:
    """Return the error of a configuration that has problems: the first, and how many more."""
    more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
    return BadConfig(f"{problems[0]}{more}", problems)


def one_line(text: str) -> str:
    """Return a message in one line, whatever it quotes."""
    return "".join(letter if letter.isprintable() else "?" for letter in text)


def shown(value: object) -> str:
    """Return a value of a file for a message of one line."""
    cut = value[:SHOWN_LENGTH_MAX] if isinstance(value, str | list) else value
    return one_line(repr(cut)[: 2 * SHOWN_LENGTH_MAX])


def nearest(name: str, known: Iterable[str]) -> str:
    """Return what to say about a name that nobody knows."""
    known = list(known)
    near = [] if len(name) > KEY_LENGTH_MAX else difflib.get_close_matches(name, known, 1)
    return f", did you mean {near[0]}?" if near else f", known are: {', '.join(known)}"
