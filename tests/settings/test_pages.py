"""What the documentation says of the keys is what the table of keys says."""

from __future__ import annotations

from pathlib import Path

from settings import Config
from settings.keys import all_places, sections_of
from settings.pages import sections_on, with_tables

PAGE = Path(__file__).resolve().parents[2] / "docs" / "configuration.md"


def test_the_page_shows_every_section_as_it_is() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert sections_on(text) == list(sections_of(Config))
    assert with_tables(text) == text, "python -m settings.pages docs/configuration.md"


def test_every_key_says_what_it_means() -> None:
    for place in all_places(Config):
        assert len(place.key.help) > 10, place
        assert not isinstance(place.default, tuple) or place.key.items, place
