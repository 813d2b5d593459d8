"""Coverage-guided fuzzing by atheris, where somebody has installed it; no part of the tests."""

from __future__ import annotations

import importlib
import sys
import tempfile
from pathlib import Path
from typing import Any, Final

from tests.fuzz.judge import Report, try_one

_INSTRUMENTED: Final = ("core", "gossip", "hashgraph", "identity", "journal", "ledger", "node")


def run(name: str, inputs: int) -> int:
    """Fuzz one decoder, starting from its samples; atheris ends the process when it is done."""
    try:
        atheris: Any = importlib.import_module("atheris")
    except ImportError:
        sys.stderr.write("atheris is not installed: pip install atheris\n")
        return 2
    with atheris.instrument_imports(include=list(_INSTRUMENTED)):
        targets = importlib.import_module("tests.fuzz.targets")
    (target,) = (target for target in targets.all_targets() if target.name == name)
    corpus = Path(tempfile.mkdtemp(prefix="myceld-fuzz-"))
    for number, sample in enumerate(target.samples):
        (corpus / str(number)).write_bytes(sample)

    def test_one(data: bytes) -> None:
        report = Report(name)
        wrapped = data if target.wrap is None else target.wrap(data)
        try_one(target, wrapped, report, measured=False)
        for failure in report.failures:
            raise AssertionError(failure.what)

    arguments = [sys.argv[0], f"-runs={inputs}", "-max_len=4096", str(corpus)]
    atheris.Setup(arguments, test_one)
    atheris.Fuzz()
    return 0
