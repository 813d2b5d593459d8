"""The README's example runs as printed."""

from __future__ import annotations

import re
from pathlib import Path

import hashgraph


def test_readme_example_runs() -> None:
    text = (Path(hashgraph.__file__).parent / "README.md").read_text()
    examples = re.findall(r"```python\n(.*?)```", text, flags=re.DOTALL)
    assert len(examples) == 1
    exec(compile(examples[0], "README.md", "exec"), {})  # noqa: S102 - our own file, on purpose
