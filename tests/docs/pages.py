"""The commands in our documents: blocks of shell, and the calls of `myceld` in them."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
_FENCE = re.compile(r"^( *)```(\S*)([^\n]*)\n(.*?)^\1```", re.MULTILINE | re.DOTALL)
_PROGRAMS = frozenset({"myceld", ".venv/bin/myceld"})
_SEPARATORS = frozenset({"&&", "||", "|", ";", "&", "(", ")"})


@dataclass(frozen=True, slots=True)
class Block:
    """A block of shell."""

    page: str
    info: str
    text: str


def pages() -> list[Path]:
    """All documents for users."""
    return [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def blocks(page: Path) -> list[Block]:
    """The blocks of shell of a page, in order."""
    return [
        Block(page.name, info.strip(), re.sub(rf"^{indent}", "", text, flags=re.MULTILINE))
        for indent, language, info, text in _FENCE.findall(page.read_text(encoding="utf-8"))
        if language in ("sh", "bash", "console")
    ]


def mentions(page: Path) -> list[Block]:
    """What a page says in its text to type; not what stands for several commands."""
    text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    found = (" ".join(words.split()) for words in re.findall(r"`(myceld [^`]+)`", text))
    return [Block(page.name, "", one) for one in found if not re.search(r"[|…\[\]]|COMMAND", one)]


def calls(block: Block) -> Iterator[list[str]]:
    """The arguments of each call of `myceld`, as a shell would split them."""
    joined = block.text.replace("\\\n", " ")
    for line in joined.splitlines():
        for command in _commands(line):
            while command and re.fullmatch(r"[A-Z_]+=.*", command[0]):
                command = command[1:]
            if command and command[0] in _PROGRAMS:
                yield command[1:]


def _commands(line: str) -> Iterator[list[str]]:
    # What `$(…)` holds is a command of its own.
    for inner in re.findall(r"\$\(([^()]*)\)", line):
        yield from _commands(inner)
    flat = re.sub(r"\$\([^()]*\)", "VALUE", line)
    flat = re.sub(r"\d*<\s*<\([^()]*\)", "", flat)  # an open descriptor
    words = shlex.shlex(flat, posix=True, punctuation_chars=True)
    words.whitespace_split = True
    words.commenters = "#"
    command: list[str] = []
    skip = False
    for word in words:
        if word in _SEPARATORS:
            yield command
            command = []
        elif word in ("<", ">", ">>", "2>"):
            skip = True  # the file's name follows
        elif skip:
            skip = False
        else:
            command.append(word)
    yield command
