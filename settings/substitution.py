"""`${VAR}` and `${VAR:-default}` in the values of a configuration file.

What stands in a value is put in after the YAML is read, so that no variable can add a key or a
line. `$$` means `$`; nothing that looks like a variable is ever left as it is.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from settings.keys import Wrong
from settings.limits import SUBSTITUTED_LENGTH_MAX, VARIABLES_MAX

_PIECE: Final = re.compile(
    r"\$(?:(?P<escaped>\$)"
    r"|\{(?P<name>[A-Za-z_][A-Za-z0-9_]{0,127})(?::-(?P<default>[^{}]*))?\}"
    r"|(?P<malformed>\{))"
)


@dataclass(frozen=True, slots=True)
class Substituted:
    """A text with its variables put in."""

    text: str
    variables: tuple[str, ...] = ()
    """Names of those that stood in it, in their order."""


def substitute(text: str, environment: Mapping[str, str]) -> Substituted | Wrong:
    """Return the text with variables of the environment put in, or why that can not be done."""
    pieces: list[str] = []
    variables: list[str] = []
    end = 0
    for found in _PIECE.finditer(text):
        pieces.append(text[end : found.start()])
        end = found.end()
        if found["escaped"]:
            pieces.append("$")
            continue
        name, default = found["name"], found["default"]
        if name is None:
            return Wrong("a variable is written ${NAME} or ${NAME:-default}; `$$` means `$`")
        value = environment.get(name)
        if value is None and default is None:
            return Wrong(f"the variable {name} is not set, and has no default")
        # As in a shell: `:-` stands in for an empty one too.
        pieces.append(default if default is not None and not value else value or "")
        variables.append(name)
        if len(variables) > VARIABLES_MAX:
            return Wrong(f"more than {VARIABLES_MAX} variables in one value")
    pieces.append(text[end:])
    if sum(map(len, pieces)) > SUBSTITUTED_LENGTH_MAX and variables:
        return Wrong(f"with its variables it has more than {SUBSTITUTED_LENGTH_MAX} characters")
    return Substituted("".join(pieces), tuple(variables))


def escape(text: str) -> str:
    """Return the text that `substitute` makes this one of."""
    return text.replace("$", "$$")
