"""Whatever the command line does with a running cell is an operation of its gateway, and shown."""

from __future__ import annotations

import io
import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import click
import pytest

from cli.main import root, run
from tests.cli.served import serving
from tests.cli.verbs import ASKS, LOCAL
from tests.gateway.fake_cell import write_home
from tests.network.devnet import ROOT

HASH = "ab" * 32


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The directory of a served cell that is in a room and has a token."""
    place = tmp_path_factory.mktemp("verbs")
    (place / "config.yaml").write_text("version: 1\n")
    (place / "batch").write_text('[{"kind": "put", "arguments": {"key": "a", "value": "b"}}]')
    with serving() as (_, url):
        write_home(place, url)
        for made in (
            ("room", "create", "garden", "beta"),
            ("prana", "token", "create", "GEM", "Gem"),
        ):
            assert run([*made, "--home", str(place)]) == 0
        yield place


@pytest.fixture(scope="module")
def operations() -> list[tuple[str, re.Pattern[str], str]]:
    """Method, pattern of the path, and id of every operation; fixed paths come first."""
    document = json.loads((ROOT / "gateway/reference/openapi.json").read_text())
    found = [
        (method.upper(), path, one["operationId"])
        for path, item in document["paths"].items()
        for method, one in item.items()
    ]
    found.sort(key=lambda row: "{" in row[1])
    return [
        (method, re.compile(re.sub(r"\\?\{[^}]*\}", "[^/]+", path)), name)
        for method, path, name in found
    ]


def _leaves(command: click.Command = root, path: tuple[str, ...] = ()) -> Iterator[str]:
    """Yield the commands that do something by themselves."""
    if not isinstance(command, click.Group) or (command.invoke_without_command and path):
        yield " ".join(path)
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            inner = command.get_command(context, name)
            assert inner is not None
            yield from _leaves(inner, (*path, name))


def test_every_command_names_its_operations_or_why_it_has_none() -> None:
    assert sorted(_leaves()) == sorted([*ASKS, *LOCAL])


@pytest.mark.parametrize("command", ASKS)
def test_a_command_shows_the_operations_that_it_asks_for(
    command: str,
    home: Path,
    operations: list[tuple[str, re.Pattern[str], str]],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    arguments, wanted = ASKS[command]
    monkeypatch.setenv("MYCELD_HOME", str(home))
    monkeypatch.setattr("sys.stdin", io.StringIO())
    out = home / "out"
    stands_for = {
        "HASH": HASH,
        "FILE": str(out),
        "@BATCH": f"@{home / 'batch'}",
        "BATCH": str(home / "batch"),
        "RAW": "00" * 90,
    }
    words = [stands_for.get(word, word) for word in shlex.split(arguments)]
    status = run([*command.split(), *words, "--as-curl"])
    told = capsys.readouterr()
    # What the fake cell does not have is refused, after it was asked for.
    assert status == 0 or "MYC-CLI-001" not in told.err, told.err
    shown = list(dict.fromkeys(_operation(line, operations) for line in told.out.splitlines()))
    assert shown == wanted.split(), told.err
    assert not out.exists(), "only the calls are wanted"


def _operation(line: str, operations: list[tuple[str, re.Pattern[str], str]]) -> str:
    words: list[Any] = shlex.split(line)
    assert words[0] == "curl"
    method = words[words.index("-X") + 1] if "-X" in words else "GET"
    path = urlsplit(words[-1]).path
    return next(
        name for known, form, name in operations if known == method and form.fullmatch(path)
    )
