"""`docs/PROMISES.md` names only tests, documents and checks that exist, and every check."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
TEXT = (ROOT / "docs" / "PROMISES.md").read_text(encoding="utf-8")


def test_every_test_and_script_that_is_named_exists() -> None:
    named = re.findall(r"`((?:tests|scripts|sim|core)/[^`\s]+)`", TEXT)
    assert named
    for name in named:
        path, _, test = name.partition("::")
        found = list(ROOT.glob(path.rstrip("/")))
        assert found, f"{path} is not there"
        if test:
            assert f"def {test}(" in found[0].read_text(encoding="utf-8"), f"{name} is not there"


def test_every_check_of_the_referee_is_a_promise_and_every_one_named_is_checked() -> None:
    code = "\n".join(file.read_text(encoding="utf-8") for file in (ROOT / "sim").rglob("*.py"))
    checked = set(re.findall(r"\.find\(\s*\"([a-z /-]+)\"", code))
    assert checked
    missing = {name for name in checked if name not in TEXT}
    assert not missing, f"no promise says {sorted(missing)}"
    promises = TEXT.partition("## What is not promised")[0]
    rows = [
        line.split("|") for line in promises.splitlines() if line.startswith("| ") and "`" in line
    ]
    columns = [row[2] for row in rows if len(row) == 5]
    named = {name.strip() for column in columns for name in column.split(",") if "`" not in name}
    assert named <= checked, f"nothing checks {sorted(named - checked)}"
