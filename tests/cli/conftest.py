"""A served fake cell, and a function that runs a command line against it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from cli.main import run
from tests.cli.served import serving
from tests.gateway.fake_cell import FakeCell, write_home

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture(name="cell")
def _cell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeCell]:
    with serving() as (cell, url):
        write_home(tmp_path, url)
        monkeypatch.setenv("MYCELD_HOME", str(tmp_path))
        yield cell


@pytest.fixture(name="call")
def _call(cell: FakeCell, capsys: pytest.CaptureFixture[str]) -> Run:  # noqa: ARG001 - it must be served
    def call(*arguments: str) -> tuple[int, str, str]:
        status = run(arguments)
        captured = capsys.readouterr()
        return status, captured.out, captured.err

    return call
