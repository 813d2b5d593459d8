"""The example in the README runs as it is printed."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import journal


def test_the_example_of_the_readme_runs(tmp_path: Path) -> None:
    text = (Path(journal.__file__).parent / "README.md").read_text(encoding="utf-8")
    example = text.partition("```python\n")[2].partition("```")[0]
    names: dict[str, Any] = {}
    exec(compile(example, "README.md", "exec"), names)  # noqa: S102 - our own text, that is the test
    assert asyncio.run(names["main"](tmp_path / "notes.db")) == 3
