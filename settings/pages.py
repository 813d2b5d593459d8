"""The tables of docs/configuration.md and docs/hypha.md, made from the table of keys.

`python -m settings.pages FILE…` puts them between the marks in a file; a test holds that they are
as they should be.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from settings.config import Config
from settings.keys import Place, expected, places_in
from settings.light import LightConfig
from settings.writing import flow

_TABLE: Final = re.compile(
    r"(?P<begin><!-- keys of (?P<section>\w+) -->\n).*?(?P<end><!-- end of keys -->)", re.DOTALL
)


def with_tables(text: str, documents: Sequence[type] = (LightConfig, Config)) -> str:
    """Return the text of a page with its tables as they should be."""
    places = {name: keys for document in documents for name, keys in places_in(document).items()}

    def table(found: re.Match[str]) -> str:
        rows = "".join(map(_row, places[found["section"]].values()))
        head = "| key | default | takes | while running | means |\n|---|---|---|---|---|\n"
        return f"{found['begin']}{head}{rows}{found['end']}"

    return _TABLE.sub(table, text)


def sections_on(text: str) -> list[str]:
    """Return the sections that a page has tables of."""
    return [found["section"] for found in _TABLE.finditer(text)]


def _row(place: Place) -> str:
    default = flow(place.default)
    takes = expected(place).replace("a list of ", "list of ").replace("|", "\\|")
    meaning = place.key.help.replace("|", "\\|")
    runs = "yes" if place.key.reload else "–"
    return f"| `{place.name}` | `{default}` | {takes} | {runs} | {meaning} |\n"


def main() -> None:
    """Put the tables into the files that are named."""
    for name in sys.argv[1:]:
        path = Path(name)
        path.write_text(with_tables(path.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
