"""Failpoints: off they do nothing, armed they call; the table says of each what the code does."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from core.errors import InvariantBroken
from core.failpoint import FAILPOINTS, Failure, arm, hit

ROOT = Path(__file__).resolve().parents[2]
OUTSIDE = {"tests", "scripts", "build"}


@pytest.fixture(autouse=True)
def _disarmed() -> Iterator[None]:
    yield
    arm(None)


def hits_in(path: Path) -> Iterator[str]:
    """The names that the calls of `hit` in a file can give."""
    text = path.read_text(encoding="utf-8")
    if "core.failpoint" not in text:
        return
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "hit":
            literals = list(literals_of(node.args[0]))
            assert literals, f"{path}:{node.lineno}: a name is a literal, or a choice of two"
            yield from literals


def literals_of(node: ast.expr) -> Iterator[str]:
    if isinstance(node, ast.IfExp):
        yield from literals_of(node.body)
        yield from literals_of(node.orelse)
    elif isinstance(node, ast.Constant):
        yield node.value  # type: ignore[misc]  # a failpoint's name, or the table has it not


def test_each_failpoint_is_hit_once_and_by_the_module_that_the_table_names() -> None:
    modules = [
        path
        for path in sorted(ROOT.glob("*/**/*.py"))
        if path.relative_to(ROOT).parts[0] not in OUTSIDE and ".venv" not in path.parts
    ]
    found = Counter(
        (path.relative_to(ROOT).as_posix(), name) for path in modules for name in hits_in(path)
    )
    assert found == Counter((point.module, name) for name, point in FAILPOINTS.items())


def test_there_is_a_failpoint_on_each_side_of_what_has_to_last() -> None:
    sides = {name.rpartition(".")[0] for name in FAILPOINTS if name.endswith(".before")}
    assert {name.rpartition(".")[0] for name in FAILPOINTS if name.endswith(".after")} == sides
    assert len(FAILPOINTS) >= 30
    assert all(point.what and point.what[-1] != "." for point in FAILPOINTS.values())


def test_nothing_fails_after_it_was_done() -> None:
    assert not [
        n for n, p in FAILPOINTS.items() if n.endswith(".after") and p.failure is not Failure.NONE
    ]


def test_a_hit_does_nothing_until_armed_and_then_calls_with_the_name() -> None:
    hit("journal.fsync.before")
    names: list[str] = []
    arm(names.append)
    hit("journal.fsync.before")
    hit("session.write.after")
    arm(None)
    hit("journal.fsync.before")
    assert names == ["journal.fsync.before", "session.write.after"]


def test_a_name_that_is_not_in_the_table_is_an_error_when_armed() -> None:
    names: list[str] = []
    arm(names.append)
    with pytest.raises(InvariantBroken):
        hit("no.such.place")
