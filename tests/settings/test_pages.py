"""What the documentation says of the keys is what the table of keys says."""

from __future__ import annotations

from pathlib import Path

import pytest

from settings import Config, LightConfig
from settings.keys import all_places, sections_of
from settings.pages import sections_on, with_tables

DOCS = Path(__file__).resolve().parents[2] / "docs"


@pytest.mark.parametrize(
    ("page", "sections"),
    [("configuration.md", [*sections_of(Config)]), ("hypha.md", ["hypha"])],
)
def test_the_page_shows_every_section_as_it_is(page: str, sections: list[str]) -> None:
    text = (DOCS / page).read_text(encoding="utf-8")
    assert sections_on(text) == sections
    assert with_tables(text) == text, f"python -m settings.pages docs/{page}"


@pytest.mark.parametrize("document", [Config, LightConfig])
def test_every_key_says_what_it_means(document: type) -> None:
    for place in all_places(document):
        assert len(place.key.help) > 10, place
        assert not isinstance(place.default, tuple) or place.key.items, place
