"""No link of the documents leads nowhere."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
_LINK = re.compile(r"\]\(([^)\s#]+)(?:#[^)\s]*)?\)")
DOCUMENTS = sorted(
    path
    for pattern in (
        "*.md",
        "docs/**/*.md",
        "hashgraph/*.md",
        "journal/*.md",
        "tests/vectors/**/*.md",
    )
    for path in ROOT.glob(pattern)
)


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_link_leads_to_a_file_of_the_repository(path: Path) -> None:
    links = _LINK.findall(path.read_text(encoding="utf-8"))
    ours = [link for link in links if not re.match(r"[a-z]+:", link)]
    assert [link for link in ours if not (path.parent / link).exists()] == []
